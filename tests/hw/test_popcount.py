"""Popcounts as the primitives of Xilinx devices and as plain text, against their definition; the LUTs they take."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from signflow.deploy.tools import estimate, netlist, yosys
from signflow.hw.ops.base import RTL_DIR, RtlInstance, hex_words
from signflow.hw.ops.compress import popcount, popcount_of_constants
from signflow.hw.sim import RtlError, pins, verilator

FEW = settings(
    max_examples=2,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
DEVICES = {"plain": ((), ()), "xc7": (("SF_LUT6_2",), ("LUT6_2", "CARRY4"))}
DEVICES["xcup"] = (("SF_LUT6_2", "SF_CARRY8"), ("LUT6_2", "CARRY8"))


def sources(folder, module, device):
    """Files of a module, as the primitives of a device with their models."""
    macros, cells = DEVICES[device]
    (folder / "macros.sv").write_text("".join(f"`define {macro}\n" for macro in macros))
    files = [folder / "macros.sv", *(netlist.CELLS / f"{cell.lower()}.v" for cell in cells)]
    return [*files, *(RTL_DIR / f"{m}.sv" for m in RtlInstance(module, {}).modules)]


def counts(act, weights, simd, group):
    """By definition: act (cycles, places with flags), weights (cycles, places) of bits."""
    places = act.reshape(len(act), -1, group + 1) if group else act[:, None]
    agree = places[..., : group or simd] == weights.reshape(len(act), -1, group or simd)
    return (np.where(places[..., -1], group // 2, agree.sum(2)) if group else agree.sum(2)).sum(1)


def check(folder, simd, group, chain, device, cycles=300):
    """Random words, dense and sparse, one each cycle."""
    stages = popcount(simd, group, chain)[0]
    parameters = {"SIMD": simd, "GROUP": group, "CHAIN": chain, "STAGES": stages}
    files = sources(folder, "sf_dot_binary", device)
    dut = pins.Pins(verilator.compile("sf_dot_binary", files, parameters, variant="check", harness=pins.harness()))
    rng = np.random.default_rng(simd)
    lanes = simd + (simd // group if group else 0)
    act, weights = (rng.random((cycles, n)) < rng.random((cycles, 1)) for n in (lanes, simd))
    act[:2], weights[:2] = [[0], [1]], 0
    seen = []
    for a, w in zip(act, weights, strict=True):
        words = (int.from_bytes(np.packbits(x, bitorder="little").tobytes(), "little") for x in (a, w))
        seen.append(dut.cycle(**dict(zip(("act_i", "weights_i"), words, strict=True)))["count_o"])
    expected = counts(act.astype(int), weights.astype(int), simd, group)
    np.testing.assert_array_equal(seen[stages:], expected[: cycles - stages])


@st.composite
def shapes(draw):
    """(SIMD, GROUP)."""
    if draw(st.booleans()):
        return draw(st.integers(1, 200)), 0
    group = 2 * draw(st.integers(1, 40))
    return group * draw(st.integers(1, 4)), group


@FEW
@given(shapes(), st.sampled_from([8, 4, 1]), st.sampled_from(sorted(DEVICES)))
@example((1, 0), 8, "xc7")
@example((128, 0), 4, "xcup")
@example((72, 18), 8, "xc7")
def test_counts(tmp_path_factory, shape, chain, device):
    check(tmp_path_factory.mktemp("rtl"), *shape, chain, device)


@pytest.mark.parametrize(("simd", "group", "steps"), [(50, 0, 4), (32, 8, 3)])
def test_counts_of_constants(tmp_path, simd, group, steps):
    """Weights in the adders, as primitives; another step each cycle."""
    rng, cycles, stages = np.random.default_rng(simd), 200, popcount_of_constants(simd, group)[0]
    rows = rng.integers(0, 2, (steps, simd))
    constant = f"{rows.size}'h{hex_words(rows.reshape(1, -1))[0]}"
    parameters = {"SIMD": simd, "GROUP": group, "STEPS": steps, "STAGES": stages, "WEIGHTS": constant}
    files = sources(tmp_path, "sf_dot_steps", "xc7")
    dut = pins.Pins(verilator.compile("sf_dot_steps", files, parameters, variant="check", harness=pins.harness()))
    act = rng.integers(0, 2, (cycles, simd + (simd // group if group else 0)))
    words = [int.from_bytes(np.packbits(a, bitorder="little").tobytes(), "little") for a in act]
    at = rng.integers(0, steps, cycles)
    seen = [dut.cycle(act_i=word, step_i=int(k))["count_o"] for word, k in zip(words, at, strict=True)][stages:]
    np.testing.assert_array_equal(seen, counts(act, rows[at], simd, group)[: cycles - stages])


def test_a_flag_that_sets_one_bit_too_few_is_seen(tmp_path, monkeypatch):
    """The check is one: flagged groups that count GROUP/2 - 1 fail it."""
    text = (RTL_DIR / "sf_dot_binary.sv").read_text()
    assert text.count("carry_q <= N'((1 << N/2) - 1);") == 1
    for module in RtlInstance("sf_dot_binary", {}).modules:
        (tmp_path / f"{module}.sv").write_text((RTL_DIR / f"{module}.sv").read_text())
    (tmp_path / "sf_dot_binary.sv").write_text(text.replace("carry_q <= N'((1 << N/2) - 1);", "carry_q <= '0;"))
    monkeypatch.setitem(globals(), "RTL_DIR", tmp_path)
    with pytest.raises(AssertionError, match="not equal"):
        check(tmp_path, 8, 8, 8, "plain", 20)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"SIMD": 128, "STAGES": 4}, "sf_compress: LEVELS = 2, the heights give 3"),
        ({"SIMD": 12, "GROUP": 3, "STAGES": 2}, "GROUP = 3, must be even and divide SIMD = 12"),
    ],
)
def test_elaboration_refuses(tmp_path, parameters, message):
    with pytest.raises(RtlError, match=message):
        verilator.lint(
            "sf_dot_binary", [RTL_DIR / f"{m}.sv" for m in RtlInstance("sf_dot_binary", {}).modules], parameters
        )


PROOFS = {
    "sf_counter": ({}, "sat -verify -prove trigger 0 miter"),
    "sf_add3": ({"WIDTH": 9}, "sat -verify -tempinduct -seq 2 -prove trigger 0 miter"),
    "sf_dot_binary": ({"SIMD": 12, "STAGES": 3}, "sat -verify -tempinduct -seq 5 -prove trigger 0 miter"),
}


@pytest.mark.parametrize("module", sorted(PROOFS))
def test_primitives_and_plain_text_are_equal_by_proof(tmp_path, module):
    """Yosys' SAT solver, for all inputs; registers start with any value."""
    parameters, proof = PROOFS[module]
    words = " ".join(f"-G {name}={value}" for name, value in parameters.items())
    lines = []
    for name, device in (("gold", "plain"), ("gate", "xc7")):
        macros, _ = DEVICES[device]
        files = " ".join(map(str, sources(tmp_path, module, device)[1:]))
        lines += [f"read_slang {' '.join(f'-D {m}' for m in macros)} {files} --top {module} {words}"]
        lines += ["proc", "flatten", f"design -stash {name}"]
    lines += [f"design -copy-from {name} -as {name} {module}" for name in ("gold", "gate")]
    lines += ["miter -equiv -flatten gold gate miter", "hierarchy -top miter", proof]
    yosys.run((), [("proof", lines)], tmp_path, 1)


@pytest.mark.slow
def test_luts_are_those_of_the_formula(tmp_path):
    """LUT6_2 as Yosys counts them; registers alone take some of the rest, as shift registers."""
    (tmp_path / "cells").symlink_to(netlist.CELLS)
    files = " ".join(str(RTL_DIR / f"{m}.sv") for m in RtlInstance("sf_dot_binary", {}).modules)
    shapes, designs = [(1, 0, 8), (27, 0, 8), (72, 18, 8), (100, 0, 4)], []
    for number, (simd, group, chain) in enumerate(shapes):
        words = f"-G SIMD={simd} -G GROUP={group} -G CHAIN={chain} -G STAGES={popcount(simd, group, chain)[0]}"
        lines = [f"read_slang {files} {netlist.XC7.words()} --top sf_dot_binary {words}", *estimate.SCRIPT]
        designs.append((str(simd), [*lines, f"tee -q -o {number}.json stat -json -tech xilinx"]))
    yosys.run(estimate.LIBRARY, designs, tmp_path, 1)
    for number, shape in enumerate(shapes):
        modules = json.loads((tmp_path / f"{number}.json").read_text())["modules"]
        cells = modules["\\sf_dot_binary"]["num_cells_by_type"]
        assert cells["LUT6_2"] == popcount(*shape)[1], shape
        assert not [cell for cell in cells if cell.startswith("LUT") and cell != "LUT6_2"], shape
