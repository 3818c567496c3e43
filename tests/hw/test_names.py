"""A network may be called anything: its module's name is legal and its own, in every language it goes through."""

import keyword
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from signflow.deploy.products import Settings
from signflow.hw.names import OURS, PREFIX, RESERVED, identifier
from signflow.hw.ops.base import RTL_DIR
from signflow.hw.sim import verilator
from signflow.models.networks import NETWORKS

MODULES = sorted(path.stem for path in RTL_DIR.glob("*.sv"))


@pytest.mark.parametrize("name", ["net", "Net_2", "cnv_w1a1", "resnet18", "a"])
def test_a_good_name_stays(name):
    assert identifier(name) == name


@pytest.mark.parametrize(
    "name", [*MODULES, "module", "WIRE", "entity", "class", "clk_i", "sf_x", "SF_X", "1net", "con"]
)
def test_a_name_that_is_taken_gets_a_prefix(name):
    assert identifier(name) == PREFIX + name


@given(st.text(st.characters(codec="utf-8"), max_size=300))
@example("\u00e9")
@example("\u7f51\u7edc")
@example("")
@example("$(id)")
@example("a" * 300)
@example("_")
@example("endmodule")
def test_any_name_is_legal_everywhere(stem):
    name = identifier(stem)
    assert re.fullmatch(r"[A-Za-z](_?[A-Za-z0-9])*", name), "VHDL's rule, the strictest"
    assert len(name) <= 80 and name.isidentifier() and not keyword.iskeyword(name)
    assert name.lower() not in RESERVED | set(MODULES) and not name.lower().startswith(OURS)
    assert identifier(stem) == name and identifier(name) == name, "a name that was made is good"


def test_what_is_not_ascii_is_told_apart():
    stems = ["\u00e9", "\u00e8", "e", "\u7f51", "\u7edc", "", "a" * 100, "a" * 101]
    assert len({identifier(stem) for stem in stems}) == len(stems)


def test_our_own_networks_keep_their_names():
    for name in NETWORKS:
        assert Settings(name).name == name and identifier(name) == name.replace("-", "_")


@pytest.mark.parametrize("word", ["nettype", "until", "module"])
def test_verilator_agrees_that_a_word_is_reserved(word, tmp_path):
    """And that what becomes of it is a module's name."""
    for name, legal in ((word, False), (identifier(word), True)):
        source = tmp_path / f"{name}.sv"
        source.write_text(f"module {name} (input wire clk_i, output wire x_o);\n  assign x_o = clk_i;\nendmodule\n")
        if legal:
            verilator.lint(name, [source])
        else:
            with pytest.raises(verilator.RtlError):
                verilator.lint(name, [source])
