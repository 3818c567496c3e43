"""Interleaver: the order of words by definition, cycles, refusals."""

from pathlib import Path

import numpy as np
import pytest

from signflow import hw
from signflow.deploy.verify.locate import run_alone
from signflow.hw.ops.base import OpError
from signflow.hw.sim import RtlError
from signflow.hw.sim.stream import StreamModel


def interleave(bench, pixels, words, lanes, join, vectors, dt="BINARY"):
    shape = [1, vectors, words * lanes]
    attributes = {"inShape": shape, "outShape": shape, "dataType": dt, "join": join}
    return bench("Interleave_sf", attributes | {"pixels": pixels, "words": words, "lanes": lanes})


@pytest.mark.parametrize("join", [0, 1])
@pytest.mark.parametrize(
    ("pixels", "words", "lanes", "vectors", "dt"),
    [
        (2, 5, 3, 6, "BINARY"), (4, 1, 2, 12, "UINT3"), (3, 9, 1, 9, "UINT3"),
        (2, 3, 3, 5, "BINARY"), (4, 1, 2, 9, "UINT3"), (4, 5, 1, 7, "BINARY"),
    ],
)  # fmt: skip
def test_order_and_cycles(bench, pixels, words, lanes, vectors, join, dt):
    """Under stalls on both sides; when words leave, for several patterns of arrivals. The last group may be short."""
    node, rng = interleave(bench, pixels, words, lanes, join, vectors, dt).compile(), np.random.default_rng(words)
    bits, frames = (1 if dt == "BINARY" else 3) * lanes, 3
    narrow = rng.integers(0, 2, (frames, vectors, words, bits), np.uint8)
    filled = np.pad(narrow, [(0, 0), (0, -vectors % pixels), (0, 0), (0, 0)], constant_values=1)
    means = np.pad(np.ones_like(narrow), [(0, 0), (0, -vectors % pixels), (0, 0), (0, 0)])
    wide, means = (
        x.reshape(-1, pixels, words, bits).transpose(0, 2, 1, 3).reshape(-1, pixels * bits) for x in (filled, means)
    )
    sides = narrow.reshape(-1, bits), wide
    given, expected = sides if join else sides[::-1]
    means = means if join else np.ones_like(expected)
    packed = np.packbits(given, axis=1, bitorder="little")
    for seed, (source, sink) in enumerate([(0, 0), (0.4, 0), (0, 0.4), (0.3, 0.3)]):
        with StreamModel(node.compiled, node.folder, seed=seed) as dut:
            run = dut.run(packed, len(expected), in_stall=source, out_stall=sink, strict=True)
        got = np.unpackbits(run.words, axis=1, bitorder="little")[:, : expected.shape[1]]
        np.testing.assert_array_equal(got * means, expected * means)
    for arrivals in node.arrival_patterns(rng, frames):
        with StreamModel(node.compiled, node.folder) as dut:
            run = dut.run(packed, len(expected), frames=frames, stamps=True, strict=True, arrivals=arrivals)
        np.testing.assert_array_equal(run.in_cycles, node.op.accepts(arrivals))
        np.testing.assert_array_equal(run.out_cycles, node.op.timing(arrivals))
    with StreamModel(node.compiled, node.folder) as dut:
        run = dut.run(packed, len(expected), frames=frames, stamps=True, arrivals=arrivals, out_stall=0.7)
    accepts, offered = node.op.hold(arrivals, run.out_cycles)
    np.testing.assert_array_equal(run.in_cycles, accepts)
    assert (offered <= run.out_cycles).all()
    last = node.op.timing(np.zeros(8 * node.ins[0].words, np.int64)).reshape(8, -1)[:, -1]
    assert last[-1] - last[-2] == node.op.get_exp_cycles() == vectors * words


@pytest.mark.parametrize("join", [0, 1])
@pytest.mark.parametrize("pixels", [2, 5])
def test_alone_it_leaves_the_tensor_as_it_is(bench, join, pixels):
    """As `locate` simulates it, and as FINN executes it, for a reader that sees a map of another height and width."""
    node, rng = interleave(bench, pixels, 3, 4, join, vectors=12, dt="UINT3"), np.random.default_rng(join)
    tensor = rng.integers(0, 8, (1, 4, 3, 12)).astype(np.float32)
    found = run_alone(node.op, node.model, Path(hw.__file__).parent, tensor)
    np.testing.assert_array_equal(found, tensor.ravel())
    context = {node.op.onnx_node.input[0]: tensor}
    node.op.execute_node(context, node.model.graph)
    np.testing.assert_array_equal(context[node.op.onnx_node.output[0]], tensor)


def test_refusals(bench):
    with pytest.raises(OpError, match=r"pixels = 4, must be 2..3, the vectors of an image"):
        node = interleave(bench, 2, 2, 2, 1, vectors=3)
        node.op.set_nodeattr("pixels", 4)
        node.op.rtl_instance(node.model)
    with pytest.raises(RtlError, match="PIXELS = 1, must be >= 2"):
        interleave(bench, 2, 2, 2, 1, vectors=4).compile(PIXELS=1)
    with pytest.raises(RtlError, match="VECTORS = 1, must be >= PIXELS = 2"):
        interleave(bench, 2, 2, 2, 1, vectors=4).compile(VECTORS=1)


@pytest.mark.slow
@pytest.mark.parametrize(("pixels", "words", "lanes", "join"), [(2, 9, 64, 1), (4, 6, 11, 0)])
def test_estimate(bench, pixels, words, lanes, join):
    interleave(bench, pixels, words, lanes, join, 3 * pixels).check_estimate()
