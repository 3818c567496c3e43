"""Residual blocks: a convolution beside its input, joins behind joins, channels of both; words, cycles as predicted,
FIFOs as deep as the delay of the branch beside them.
"""

import numpy as np
import pytest
from qonnx.custom_op.registry import getCustomOp

from signflow.deploy.compile import engine, lower
from signflow.deploy.compile.errors import UnsupportedError
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.compile.passes.integer_graph import IntegerGraph
from signflow.deploy.generate.accelerator import generate
from signflow.deploy.golden.intgraph import IntGraph
from signflow.deploy.plan import buffer, fold, graph, timing
from signflow.hw.ops.fifo import StreamingFIFO_sf
from signflow.hw.sim import RtlSimulator

engine.boot()
STALLS = [(0, 0), (0.5, 0), (0, 0.5), (0.4, 0.4), (0.97, 0)]


class Blocks(IntegerGraph):
    """Blocks of a residual network with random weights; ``x`` are codes, 4 bits."""

    def __init__(self, h, w, c):
        super().__init__((h, w, c), "UINT8")
        self.rng = np.random.default_rng(h)

    def codes(self, x, low, high):
        steps = np.sort(self.rng.integers(low, high, (x.channels, 15)), axis=1)
        return self.threshold(x, steps, -8)

    def conv(self, x, channels, kernel, stride=1, pad=0):
        """Codes of a convolution of the signs of ``x``, zeros around them."""
        bits = self.threshold(x, self.rng.integers(-3, 4, (x.channels, 1)), bits=True)
        windows = self.windows(self.border(bits, (pad,) * 4, [0.5]), (kernel, kernel), (stride, stride))
        sums = self.product(windows, self.rng.choice([-1, 1], (windows.channels, channels)), True)
        middle, spread = windows.channels // 2, 2 * int(windows.channels**0.5)
        return self.codes(sums, middle - spread, middle + spread)


def conv_beside_itself(g, x):
    return g.add(g.conv(x, 8, 3, pad=1), x)


def two_blocks(g, x):
    x = g.codes(conv_beside_itself(g, x), -12, 12)
    return g.add(g.conv(x, 16, 3, 2, pad=1), g.conv(x, 16, 1, 2), (1, 0))


def conv_beside_pool(g, x):
    return g.add(g.conv(x, 8, 3), g.pool(x, (3, 3), (1, 1)))


def conv_beside_small_conv(g, x):
    """Both with stride 2."""
    return g.add(g.conv(x, 16, 2, 2), g.conv(x, 16, 1, 2), (1, 0))


def pixels_beside_sums(g, x):
    """Option A: every second pixel and zeros."""
    return g.add(g.conv(x, 16, 2, 2), g.pad_channels(g.pool(x, (1, 1), (2, 2)), 4, 4, 0))


def joins_behind_joins(g, x):
    x = g.codes(g.add(g.conv(x, 8, 1), x), -12, 12)
    return g.add(g.add(g.conv(x, 8, 1), x), g.conv(x, 8, 1))


def channels_twice(g, x):
    return g.conv(g.concat(x, x), 8, 2)


def channels_of_both(g, x):
    return g.concat(g.conv(x, 4, 3), g.sum_pool(x, (3, 3), (1, 1)))


BLOCKS = [
    *(conv_beside_itself, two_blocks, conv_beside_pool, conv_beside_small_conv, pixels_beside_sums),
    *(joins_behind_joins, channels_twice, channels_of_both),
]


def accelerator(g, out, target, folder):
    """(simulator, prediction, hardware graph), with FIFOs exactly as deep as planned, not as their memories are."""
    integer, (h, w, c) = g.model(out), g.image.shape
    ImageInput("uint8", (c, h, w), "NHWC", False).save_to(integer)
    hardware = lower.lower(integer)
    fold.fold_to_cycles(hardware, target)
    buffer.insert_width_converters(hardware)
    buffer.insert_fifos(hardware)
    predicted = timing.predict(graph.operators(hardware))
    facts = {"latency": predicted.latency, "interval": predicted.interval, "bottleneck": predicted.bottleneck}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StreamingFIFO_sf, "capacity", lambda op: op.get_nodeattr("depth"))
        return RtlSimulator(generate(hardware, "residual", folder, facts)), predicted, integer, hardware


def check(g, out, target, folder, count=8):
    """Words under stalls, latency and interval as predicted; returns the depth of every FIFO."""
    simulator, predicted, integer, hardware = accelerator(g, out, target, folder)
    h, w, c = g.image.shape
    images = np.random.default_rng(1).integers(0, 256, (count, c, h, w))
    expected, stream = IntGraph(integer)(images), ImageInput.of(integer).stream(images)
    assert len(np.unique(expected)) > 4
    for source, sink in STALLS:
        run = simulator.run(stream, in_stall=source, out_stall=sink, seed=1, watchdog=50_000)
        np.testing.assert_array_equal(run.outputs.reshape(expected.shape), expected, err_msg=f"{source}, {sink}")
        if not source and not sink:
            assert run.latency == predicted.latency
            assert (np.diff(run.last_out)[count // 2 :] == predicted.interval).all()
    return {op.onnx_node.name: op.get_nodeattr("depth") for op in graph.operators(hardware) if op.PLUMBING == "FIFOs"}


FAST = [(conv_beside_itself, 1500), (two_blocks, 400), (channels_twice, 1500)]
SLOW = [(block, target) for block in BLOCKS for target in (400, 1500) if (block, target) not in FAST]


@pytest.mark.parametrize(("block", "target"), [*FAST, *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW)])
def test_blocks(tmp_path, block, target):
    g = Blocks(8, 8, 8)
    x = g.codes(g.image, 20, 230)
    check(g, block(g, x), target, tmp_path / "a")


@pytest.mark.parametrize(("size", "target"), [(16, 2500), (32, 20000), (32, 2304)])
def test_beside_a_convolution_wait_the_words_of_its_delay(size, target):
    """A row and a pixel (a row of the window is border), and what is on the way; never a frame."""
    g = Blocks(size, size, 8)
    out = conv_beside_itself(g, g.codes(g.image, 20, 230))
    integer = g.model(out)
    ImageInput("uint8", (8, size, size), "NHWC", False).save_to(integer)
    hardware = lower.lower(integer)
    fold.fold_to_cycles(hardware, target)
    buffer.insert_width_converters(hardware)
    buffer.insert_fifos(hardware)
    ops = graph.operators(hardware)
    source = {tensor: op for op in ops for tensor in graph.writes(op)}
    add, waiting = next(op for op in ops if op.onnx_node.op_type == "Add_sf"), []
    for tensor in graph.reads(add):
        elements = 0
        while (op := source[tensor]).PLUMBING:
            elements += op.get_nodeattr("depth") * op.get_folded_input_shape()[-1] if op.PLUMBING == "FIFOs" else 0
            tensor = graph.reads(op)[0]
        waiting += [elements] if op.onnx_node.op_type == "Duplicate_sf" else []
    assert len(waiting) == 1 and size * 8 < waiting[0] < 2 * size * 8


def test_a_join_of_streams_of_different_length_is_refused(tmp_path):
    """It would stand still: one stream ends before the other."""
    g = Blocks(8, 8, 8)
    integer = g.model(g.add(g.image, g.image))
    hardware = lower.lower(integer)
    getCustomOp(hardware.graph.node[-1]).set_nodeattr("numInputVectors", [1, 8, 7])
    with pytest.raises(UnsupportedError, match=r"input 0 takes 448 elements of an image, .*Duplicate_sf_0.* gives 512"):
        buffer.insert_width_converters(hardware)
