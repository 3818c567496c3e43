"""Borders become part of the generator behind them, and zeros between bits flags, from the integer graph to the RTL."""

from dataclasses import asdict

import numpy as np
import pytest

from signflow.deploy.compile import engine, lower, streamline
from signflow.deploy.compile.errors import UnsupportedError
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.compile.passes.integer_graph import IntegerGraph
from signflow.deploy.generate.accelerator import generate
from signflow.deploy.golden.intgraph import IntGraph
from signflow.deploy.plan import buffer, fold, timing
from signflow.deploy.plan.graph import operators
from signflow.deploy.verify.locate import locate
from signflow.hw.sim import RtlSimulator

engine.boot()
GENERATOR, FORK, PADS = "ConvolutionInputGenerator", "Duplicate", (2, 1, 0, 1)


def signs(*shape):
    return np.random.default_rng(shape).choice([-1, 1], shape)


def bits(g):
    return g.threshold(g.image, np.arange(90, 186, 16).reshape(6, 1), bits=True)


def convolution(g, x, outputs=4, kernel=(3, 2), stride=(1, 1), dilations=(1, 1)):
    return g.product(g.windows(x, kernel, stride, dilations), signs(kernel[0] * kernel[1] * 6, outputs), True)


def two_readers(g):
    """A border that two convolutions read, the windows of one of which two products read."""
    x = g.border(bits(g), PADS, [0.5])
    windows = g.windows(x, (3, 2), (1, 1))
    ends = [g.product(windows, signs(36, k), True) for k in (4, 2)]
    return g.concat(g.concat(*ends), convolution(g, x))


CASES = {
    "a border alone": (lambda g: g.border(g.image, PADS, [3]), [GENERATOR]),
    "values of each channel": (lambda g: convolution(g, g.border(g.image, PADS, range(6))), [GENERATOR, "MVAU"]),
    "two pixels of border around each other": (
        lambda g: convolution(g, g.border(g.border(g.image, PADS, [3]), PADS, [4])),
        [GENERATOR, GENERATOR, "MVAU"],
    ),
    "-1 between bits": (lambda g: convolution(g, g.border(bits(g), PADS, [0])), ["Thresholding", GENERATOR, "MVAU"]),
    "zeros between bits": (
        lambda g: convolution(g, g.border(bits(g), PADS, [0.5]), dilations=(2, 1)),
        ["Thresholding", GENERATOR, "MVAU"],
    ),
    "zeros that no window takes": (
        lambda g: g.product(g.border(bits(g), PADS, [0.5]), signs(6, 3), True),
        ["Thresholding", GENERATOR, "MVAU"],
    ),
    "zeros and thresholds": (
        lambda g: g.window(convolution(g, g.border(bits(g), PADS, [0.5])), [16, 17, 18, 20], [19, 18, 22, 21]),
        ["Thresholding", GENERATOR, "MVAU"],
    ),
    "zeros of several readers": (
        two_readers,
        ["Thresholding", FORK, FORK, *(GENERATOR, "MVAU") * 2, "Concat", GENERATOR, "MVAU", "Concat"],
    ),
    "map and border": (
        lambda g: g.concat(g.border(x := bits(g), (0, 1, 0, 0), [1]), g.border(x, (0, 0, 0, 1), [0])),
        ["Thresholding", FORK, GENERATOR, GENERATOR, "Concat"],
    ),
    "pool with a border": (
        lambda g: g.pool(g.border(g.image, (1, 1, 0, 1), [0]), (3, 3), (2, 2)),
        [GENERATOR, "MaxPool"],
    ),
    "pool side by side with a border": (
        lambda g: g.pool(g.border(g.image, (1, 1, 0, 1), [0]), (2, 2), (2, 2)),
        [GENERATOR, "MaxPool"],
    ),
    "holes": (lambda g: convolution(g, g.image, dilations=(2, 3)), [GENERATOR, "MVAU"]),
}
FOLDINGS = [{}, {GENERATOR: {"SIMD": 6, "parallel_window": 1}, "MVAU": {"SIMD": 12}}, {GENERATOR: {"SIMD": 6}}]


def built(name):
    """(integer graph, images) of a case."""
    graph = IntegerGraph((5, 6, 6), "UINT8")
    integer = graph.model(CASES[name][0](graph))
    ImageInput("uint8", (6, 5, 6), "NHWC", False).save_to(integer)
    return integer, np.random.default_rng(2).integers(0, 256, (3, 6, 5, 6))


def made(name, folding, tmp_path):
    """(hardware graph, integer graph, images, folder of the accelerator) of a case, folded."""
    integer, images = built(name)
    hardware = lower.lower(integer)
    values = {
        op.onnx_node.name: folding[kind]
        for op in operators(hardware)
        if (kind := op.onnx_node.op_type.removesuffix("_sf")) in folding
    }
    fold.apply_folding(hardware, values)
    buffer.insert_width_converters(hardware)
    buffer.insert_fifos(hardware)
    facts = asdict(timing.predict(operators(hardware)))
    folder = generate(hardware, "borders", tmp_path / "accelerator", facts, {"clock_mhz": 100.0})
    return hardware, integer, images, folder


@pytest.mark.parametrize("name", CASES)
def test_borders(name):
    integer, images = built(name)
    hardware = lower.lower(integer)
    assert sorted(node.op_type.removesuffix("_sf") for node in hardware.graph.node) == sorted(CASES[name][1])
    expected = streamline.execute(integer, images)
    np.testing.assert_array_equal(streamline.execute(hardware, images), expected)
    np.testing.assert_array_equal(IntGraph(integer)(images).reshape(expected.shape), expected)


RTL = ["zeros and thresholds", "zeros of several readers", "values of each channel"]


@pytest.mark.parametrize(
    ("name", "folding"),
    [
        pytest.param(name, folding, marks=[pytest.mark.slow] * (k % len(RTL) != j % len(RTL)))
        for j, name in enumerate(RTL)
        for k, folding in enumerate(FOLDINGS)
    ],
)
def test_their_hardware(name, folding, tmp_path):
    """Folded in any way the RTL computes what the integer graph says, in as many cycles as predicted."""
    hardware, integer, images, folder = made(name, folding, tmp_path)
    predicted = timing.predict(operators(hardware))
    stream = ImageInput.of(hardware).stream(images)
    expected = streamline.execute(integer, images)
    for stalls in ({}, {"in_stall": 0.3, "out_stall": 0.4}):
        run = RtlSimulator(folder).run(
            stream.reshape(len(images), *RtlSimulator(folder).facts["input"]["shape"]), **stalls
        )
        np.testing.assert_array_equal(run.outputs.reshape(expected.shape), expected)
        assert stalls or (run.latency, run.interval) == (predicted.latency, predicted.interval)


def test_operators_alone_speak_flags(tmp_path):
    """What finds the operator that is wrong: nothing here, and a weight that is changed behind it."""
    hardware, integer, images, folder = made("zeros of several readers", FOLDINGS[1], tmp_path)
    assert locate(integer, hardware, folder, images[0]) is None
    file = next(path for path in sorted((folder / "mem").iterdir()) if "weights" in path.name)
    lines = file.read_text().splitlines()
    file.write_text("\n".join([f"{int(lines[0], 16) ^ 1:x}", *lines[1:]]) + "\n")
    assert "MVAU_sf_" in locate(integer, hardware, folder, images[0]).node


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda g: g.border(g.image, PADS, [-1]), r"its values \[-1.0\] are none of UINT8"),
        (
            lambda g: g.pool(g.border(bits(g), PADS, [0.5]), (2, 2), (1, 1)),
            "MaxPoolNHWC reads the number 0 around bits",
        ),
        (
            lambda g: g.product(g.concat(x := g.border(bits(g), PADS, [0.5]), x), signs(12, 3), True),
            "Concat reads the number 0 around bits",
        ),
    ],
)
def test_what_has_no_stream_is_refused(build, message):
    graph = IntegerGraph((5, 6, 6), "UINT8")
    integer = graph.model(build(graph))
    with pytest.raises(UnsupportedError, match=message):
        lower.lower(integer)
