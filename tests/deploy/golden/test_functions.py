"""What `signflow thresholds` says of codes and sums = their definitions, and what the golden program gives."""

import json

import numpy as np
import pytest
from rich.console import Console

from signflow.deploy.command import thresholds
from signflow.deploy.compile import engine
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.compile.passes.integer_graph import IntegerGraph
from signflow.deploy.compile.passes.notes import costs_of, save_costs
from signflow.deploy.golden.functions import _spread, codes, drawable, functions
from signflow.deploy.golden.thresholds import ThresholdsError, integers, rules
from signflow.deploy.pictures.draw_codes import draw_codes

engine.boot()
IMAGES = np.random.default_rng(0).integers(0, 256, (200, 3), dtype=np.uint8)
M, B = np.array([7, 3, -5]), np.array([90, 700, 3])
STEPS = np.array([[-9, 0, 30], [-300, -3, 4], [5, 9, 70]])
TABLE = np.random.default_rng(1).integers(-9, 9, (3, 256))
BY_X = {
    "Requantise_sf_0": lambda x, c: np.clip((x * M[c] + B[c]) >> 3, -128, 127),
    "Lookup_sf_0": lambda x, c: TABLE[c][x],
    "Thresholding_sf_0": lambda x, c: (STEPS[c] <= x[:, None]).sum(axis=1) - 2,
}


@pytest.fixture(scope="module")
def integer():
    """A line, a table, their sum, and thresholds on the negated sum of channel 1."""
    graph = IntegerGraph((3,), "UINT8")
    line = graph.requantise(graph.image, M, B, 3, -128, 127)
    total = graph.add(line, graph.lookup(graph.image, TABLE, 0), (1, 0))
    graph.costs[line.name] = {"line": 101.4, "table": 300.0}
    made = graph.model(graph.threshold(graph.signed(total, np.array([1, -1, 1])), STEPS, -2))
    ImageInput("uint8", (3,), "flat", False).save_to(made)
    save_costs(made, graph.costs)
    return made


def test_functions(integer):
    found = {one.layer: one for one in functions(integer)}
    assert {layer: one.formula for layer, one in found.items()} == {
        "Requantise_sf_0": "y = clip((x M + B) >> 3, -128, 127), M -5..7, B 3..700",
        "Lookup_sf_0": "y = table[x], 256 entries, 3 channels",
        "Add_sf_0": "y = (x << 1) + z",
        "Thresholding_sf_0": "y = -2 + thresholds <= x",
    }
    line, table = found["Requantise_sf_0"], found["Lookup_sf_0"]
    assert line.constants == {"M": M.tolist(), "B": B.tolist(), "shift": 3, "low": -128, "high": 127}
    assert table.constants == {"lowest": 0, "table": TABLE.tolist()}
    assert line.costs == {"line": 101.4, "table": 300.0} and not table.costs and costs_of(integer)
    assert found["Add_sf_0"].reads == ("Requantise_sf_0", "Lookup_sf_0")


@pytest.mark.parametrize(("lowest", "index"), [(-8, "x + 8"), (0, "x"), (1, "x - 1"), (5, "x - 5")])
def test_the_index_of_a_table(lowest, index):
    graph = IntegerGraph((3,), "UINT8")
    low = graph.requantise(graph.image, [1], [0], 0, lowest, lowest + 15)
    made = graph.model(graph.lookup(low, TABLE[:, :16], lowest))
    ImageInput("uint8", (3,), "flat", False).save_to(made)
    assert functions(made)[-1].formula == f"y = table[{index}], 16 entries, 3 channels"


def test_the_integers_of_a_negated_channel(integer):
    (rule,) = rules(integer)
    line, table = (
        np.stack([BY_X[layer](IMAGES[:, c].astype(int), c) for c in range(3)], axis=1)
        for layer in ("Requantise_sf_0", "Lookup_sf_0")
    )
    found = np.concatenate(list(integers(integer, rule, IMAGES)))
    np.testing.assert_array_equal(found[:, 0], np.array([1, -1, 1]) * (2 * line + table))


def test_a_wide_function_is_drawn_at_so_many_numbers():
    assert len(_spread(0, 4094)) == 4095 and len(_spread(-5, 100_000)) == 4096


@pytest.mark.parametrize("layer", BY_X)
@pytest.mark.parametrize("channel", range(3))
def test_codes(integer, layer, channel):
    """On all that can occur, and on images."""
    found = codes(integer, drawable(integer, layer), IMAGES, channel)[1]
    np.testing.assert_array_equal(found.y, BY_X[layer](found.x, channel))
    np.testing.assert_array_equal(found.given, BY_X[layer](found.seen, channel))
    assert set(found.seen.tolist()) <= set(found.x.tolist()) and len(found.seen) == len(IMAGES)


def test_the_command(integer, tmp_path):
    console = Console(record=True, width=120, quiet=True)
    rows = thresholds.others(console, "mini", integer)
    assert [row["layer"] for row in json.loads(json.dumps(rows))] == [one.layer for one in functions(integer)]
    function = drawable(integer, "Requantise_sf_0")
    path = tmp_path / "codes.png"
    facts = thresholds.picture_of_codes(console, "mini", integer, IMAGES, function, None, path)
    assert path.stat().st_size > 10_000
    line = [BY_X["Requantise_sf_0"](IMAGES[:, c].astype(int), c) for c in range(3)]
    c = int(np.argmax([len(set(column.tolist())) for column in line]))
    assert facts == {"layer": "Requantise_sf_0", "channel": c, "codes": [line[c].min(), line[c].max()]}
    with pytest.raises(ThresholdsError, match=r"Requantise_sf_0 has no channel 3: name one of 0[.][.]2"):
        codes(integer, function, IMAGES, 3)
    assert drawable(integer, "Add_sf_0") is None


def test_a_picture_of_one_code(integer, tmp_path):
    """Also where all images give the same code."""
    _, found = codes(integer, drawable(integer, "Lookup_sf_0"), IMAGES[:1], 0)
    draw_codes(found, "one", tmp_path / "one.png")
    assert (tmp_path / "one.png").exists()
