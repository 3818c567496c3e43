"""Thresholds that lie on lines: found, exact on every integer that occurs, and only where hardware may choose."""

import numpy as np
import pytest
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile import lower, straight
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.compile.passes.integer_graph import IntegerGraph
from signflow.deploy.compile.streamline import execute
from signflow.deploy.plan.graph import operators
from signflow.hw.ops.base import OpError


def graph(rows: np.ndarray, signs: np.ndarray | None = None) -> ModelWrapper:
    """Bytes, and thresholds (channels, N) of them, or of their products with signs; codes from -4."""
    made = IntegerGraph((len(rows),), "UINT8")
    x = made.image if signs is None else made.signed(made.image, signs)
    integer = made.model(made.threshold(x, rows, -4))
    ImageInput("uint8", (len(rows),), "flat", False).save_to(integer)
    return integer


def lines(rng: np.random.Generator, channels: int, signs: np.ndarray) -> np.ndarray:
    """The thresholds of random lines through most of the bytes."""
    slope, middle = rng.uniform(4, 14, (channels, 1)), rng.uniform(100, 150, (channels, 1))
    return np.ceil(signs[:, None] * middle + slope * (np.arange(15) - 7))


@pytest.mark.parametrize("falling", [False, True])
def test_a_line_gives_the_codes_of_every_byte(falling):
    rng = np.random.default_rng(3)
    signs = rng.choice([-1, 1], 6) if falling else np.ones(6, np.int64)
    hardware = lower.lower(graph(lines(rng, 6, signs), signs if falling else None))
    (op,) = (op for op in operators(hardware) if op.onnx_node.op_type == "Thresholding_sf")
    assert op.foldings() == {"PE": [1, 2, 3, 6], "form": ["search", "line"]}
    x = np.repeat(np.arange(256)[:, None], 6, axis=1)
    shift, low, high = op.get_nodeattr("line")
    factor, offset = (np.array(op.get_nodeattr(name)) for name in ("factors", "offsets"))
    codes = np.clip((x * factor + offset) >> shift, low, high)
    np.testing.assert_array_equal(codes, np.concatenate([execute(hardware, row[None]) for row in x]))
    assert op.get_nodeattr("form") == "search" and op.dsp_estimation() == 0
    op.set_nodeattr("form", "line")
    assert op.rtl_instance(hardware).module == "sf_requantise" and op.delay() == 4
    op.set_nodeattr("loadable", 1)
    assert "form" not in op.foldings()
    with pytest.raises(OpError, match="form = line with loadable = 1"):
        op.rtl_instance(hardware)


def test_what_bends_is_searched():
    rng = np.random.default_rng(4)
    rows = lines(rng, 4, np.ones(4, np.int64))
    rows[2, 8:] += 40
    hardware = lower.lower(graph(rows))
    assert all("form" not in op.foldings() for op in operators(hardware))


def test_few_thresholds_are_searched():
    rows = lines(np.random.default_rng(5), 4, np.ones(4, np.int64))
    for count, either in ((6, False), (7, True), (15, True)):
        hardware = lower.lower(graph(rows[:, :count]))
        assert any("form" in op.foldings() for op in operators(hardware)) == either


def test_lines_are_looked_for_among_so_many_codes(monkeypatch):
    """256 bytes in 4 channels are 1024 codes."""
    integer = graph(lines(np.random.default_rng(6), 4, np.ones(4, np.int64)))
    for most, either in ((1023, False), (1024, True)):
        monkeypatch.setattr(straight, "MOST_CODES", most)
        assert any("form" in op.foldings() for op in operators(lower.lower(integer))) == either


def test_no_images_have_no_results_of_each_output():
    integer = graph(np.zeros((5, 1)))
    assert execute(integer, np.zeros((0, 5), np.uint8)).shape == (0, 5)
    assert execute(lower.lower(integer), np.zeros((0, 5), np.uint8)).shape == (0, 5)
