"""Names of networks of other sizes: what they mean, that each network has one, and what is none."""

import inspect
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signflow.deploy import known
from signflow.models.networks import NETWORKS, SHIPPED, network
from signflow.models.sizes import join, split

WIDTHS = st.integers(1, 5000) | st.integers(1, 5000).map(lambda n: n / 100)
OPTIONS = st.fixed_dictionaries(
    {}, optional={"width": WIDTHS, "depth": st.integers(1, 99), "stream_bits": st.integers(1, 16)}
)


@given(st.sampled_from(sorted(n for n in SHIPPED if split(n)[1] == {})), OPTIONS)
def test_a_name_says_what_it_was_made_of(base, options):
    assert split(join(base, options)) == (base, options)


@pytest.mark.parametrize(
    ("name", "base", "options"),
    [
        ("sfc-width64", "sfc", {"width": 64}),
        ("sfc-abn-width64-depth2", "sfc-abn", {"width": 64, "depth": 2}),
        ("cnv-width0.25", "cnv", {"width": 0.25}),
        ("reactnet18-width0.5-4bit", "reactnet18", {"width": 0.5, "stream_bits": 4}),
    ],
)
def test_options_reach_the_function(name, base, options):
    row = network(name)
    assert {key: row.option(key) for key in options} == options and row.method == network(base).method
    others = inspect.signature(NETWORKS[base].build).parameters.keys() - options
    assert all(row.option(key) == NETWORKS[base].option(key) for key in others)
    assert known.networks()[name].input_shape == row.input_shape


def test_the_widths_of_the_layers_are_those_of_the_name():
    shapes = [tuple(p.shape) for p in network("sfc-width24-depth2").build().parameters() if p.ndim == 2]
    assert shapes == [(24, 784), (24, 24), (10, 24)]


@pytest.mark.parametrize(
    "name",
    ["sfc-width0", "sfc-width064", "sfc-width64.5", "sfc-width8.0", "sfc-depth0", "sfc-depth2-width64", "sfc-4bit",
     "cnv-depth2", "sfc-width-4", "width64", "nothing-width64", "sfc-width64-width32"],
)  # fmt: skip
def test_what_is_no_network(name):
    assert name not in NETWORKS and name not in known.networks()
    with pytest.raises(ValueError, match="unknown network"):
        network(name)


def test_the_table_lists_what_it_listed_and_its_names_stay():
    assert [name for name in NETWORKS if name in SHIPPED] == list(SHIPPED), "other tests add to it"
    assert not [name for name in SHIPPED if re.search(r"-(width|depth)[\d.]+", name)]
    assert all(NETWORKS[name] is row for name, row in SHIPPED.items())
    assert NETWORKS["abn-resnet18-fashion-4bit"].option("stream_bits") == 4


def test_other_sizes_are_as_well_known_as_their_base(monkeypatch):
    plain, sized = known.contents("sfc", "", 1), known.contents("sfc-width64", "", 1)
    assert plain and sized and plain != sized != known.contents("sfc-width65", "", 1)
    monkeypatch.setitem(NETWORKS, "sfc", network("tfc"))
    assert known.contents("sfc-width64", "", 1) is None, "nobody can tell what a program put into the table"
