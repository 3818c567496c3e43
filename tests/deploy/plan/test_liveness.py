"""Deadlock: what the proof allows runs in RTL, whatever stalls; what stands still there, the proof refuses."""

import numpy as np
import pytest

from signflow.deploy import flow
from signflow.deploy.compile import lower
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.generate.accelerator import generate
from signflow.deploy.golden.intgraph import IntGraph
from signflow.deploy.plan import buffer, fold, graph, liveness
from signflow.deploy.verify.rungs import LadderError
from signflow.hw.ops.fifo import StreamingFIFO_sf
from signflow.hw.sim import RtlSimulator
from signflow.hw.sim.toolchain import SimError

from .test_timing_residual import BLOCKS, STALLS, Blocks, channels_of_both, joins_behind_joins

QUICK = (joins_behind_joins, channels_of_both)


def folded(block, target=1500, size=8):
    """(integer graph, folded graph with FIFOs)."""
    g = Blocks(size, size, 8)
    integer = g.model(block(g, g.codes(g.image, 20, 230)))
    ImageInput("uint8", (8, size, size), "NHWC", False).save_to(integer)
    hardware = lower.lower(integer)
    fold.fold_to_cycles(hardware, target)
    buffer.insert_width_converters(hardware)
    buffer.insert_fifos(hardware)
    return integer, hardware


def fifos(ops):
    return [op for op in ops if isinstance(op, StreamingFIFO_sf)]


def shrink(ops):
    """Make every FIFO as shallow as the others allow, one after the other; the sums of depths before and after."""
    before = sum(op.get_nodeattr("depth") for op in fifos(ops))
    for op in fifos(ops):
        low, high = 1, op.get_nodeattr("depth")
        while high - low > 1:
            op.set_nodeattr("depth", middle := (low + high) // 2)
            low, high = (middle, high) if liveness.standing(ops) else (low, middle)
        op.set_nodeattr("depth", high)
    return before, sum(op.get_nodeattr("depth") for op in fifos(ops))


def simulator(hardware, folder, monkeypatch):
    """With FIFOs exactly as deep as they are called."""
    monkeypatch.setattr(StreamingFIFO_sf, "capacity", lambda op: op.get_nodeattr("depth"))
    facts = {"latency": 0, "interval": 0, "bottleneck": ""}
    return RtlSimulator(generate(hardware, "shallow", folder, facts))


@pytest.mark.parametrize("block", [b if b in QUICK else pytest.param(b, marks=pytest.mark.slow) for b in BLOCKS])
def test_the_shallowest_fifos_that_are_proven_never_stand_still(block, tmp_path, monkeypatch):
    integer, hardware = folded(block)
    ops = graph.operators(hardware)
    assert not liveness.standing(ops)
    before, after = shrink(ops)
    assert after < before
    deepest = max(fifos(ops), key=lambda op: op.get_nodeattr("depth"))
    if deepest.get_nodeattr("depth") > 2:
        deepest.set_nodeattr("depth", deepest.get_nodeattr("depth") - 1)
        assert deepest.onnx_node.name in liveness.standing(ops)
        deepest.set_nodeattr("depth", deepest.get_nodeattr("depth") + 1)
    images = np.random.default_rng(1).integers(0, 256, (5, 8, 8, 8))
    expected, stream = IntGraph(integer)(images), ImageInput.of(integer).stream(images)
    rtl = simulator(hardware, tmp_path / "a", monkeypatch)
    for source, sink in STALLS:
        run = rtl.run(stream, in_stall=source, out_stall=sink, seed=1, watchdog=50_000)
        np.testing.assert_array_equal(run.outputs.reshape(expected.shape), expected, err_msg=f"{source}, {sink}")


def test_what_stands_still_in_rtl_is_not_proven(tmp_path, monkeypatch):
    """The FIFO beside a convolution holds less than the rows of its window."""
    integer, hardware = folded(BLOCKS[0], size=16)
    ops = graph.operators(hardware)
    deepest = max(fifos(ops), key=lambda op: op.get_nodeattr("depth"))
    assert deepest.get_nodeattr("depth") > 16
    deepest.set_nodeattr("depth", 2)
    found = liveness.standing(ops)
    assert deepest.onnx_node.name in found and any(name.startswith("Add_sf") for name in found)
    stream = ImageInput.of(integer).stream(np.zeros((1, 8, 16, 16), np.int64))
    with pytest.raises(SimError, match="no word"):
        simulator(hardware, tmp_path / "a", monkeypatch).run(stream, watchdog=20_000)


def test_a_build_is_checked(mini, monkeypatch):
    work = mini[1]
    assert not liveness.standing(graph.operators(flow.read(work, flow.FOLDED)))
    assert flow.accelerator(work)["check"]["deadlock"] == "none, whatever stalls"
    monkeypatch.setattr(liveness, "standing", lambda ops: ["Add_sf_0", "StreamingFIFO_sf_3"])
    with pytest.raises(LadderError, match="an image stands still in Add_sf_0, StreamingFIFO_sf_3"):
        flow.step_check(flow.settings_of(work), work)
