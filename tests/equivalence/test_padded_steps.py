"""Foldings that divide nothing: every logit equal, cycles as predicted, with stalls."""

from dataclasses import asdict

import numpy as np
import pytest

from signflow.deploy import flow
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.generate.accelerator import generate
from signflow.deploy.golden.intgraph import IntGraph
from signflow.deploy.plan import buffer, fold, graph, timing
from signflow.hw.sim import RtlSimulator


@pytest.mark.parametrize("pixels", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_network_of_padded_steps(mini, tmp_path, pixels):
    """Into and out of padded words, from one width to another, behind whole windows and serial ones; where it divides
    the positions, so many of them for one weight word.
    """
    hardware, integer = (flow.read(mini[1], kind) for kind in (flow.HARDWARE, flow.INTEGER))
    folding = {}
    for op in graph.operators(hardware):
        if op.onnx_node.op_type == "MVAU_sf":
            mw, mh = op.get_nodeattr("MW"), op.get_nodeattr("MH")
            folding[op.onnx_node.name] = {"SIMD": -(-mw // 5), "PE": -(-mh // 3) if mh > 4 else mh}
            if pixels in op.foldings().get("Pixels", ()) and op.onnx_node.name != "MVAU_sf_0":
                folding[op.onnx_node.name]["Pixels"] = pixels
        elif "parallel_window" in op.foldings() and len(folding) % 4 == 3:
            folding[op.onnx_node.name] = {"SIMD": op.channels(), "parallel_window": 1}
    *_, last = folding
    folding[last]["PE"] = 5
    fold.apply_folding(hardware, folding)
    buffer.insert_width_converters(hardware)
    padded = [
        op for op in graph.operators(hardware) if "Width" in op.onnx_node.op_type and len(set(op._elements())) > 1
    ]
    assert sum(max(op._elements()) % min(op._elements()) > 0 for op in padded) >= 10
    buffer.insert_fifos(hardware)
    predicted = asdict(timing.predict(graph.operators(hardware)))
    simulator = RtlSimulator(generate(hardware, "padded", tmp_path, predicted))
    images = np.random.default_rng(1).integers(0, 256, (5, 1, 32, 32), np.uint8)
    stream = ImageInput.of(hardware).stream(images).reshape(5, *simulator.facts["input"]["shape"])
    expected = IntGraph(integer)(images)
    for stalls in ({}, {"in_stall": 0.3, "out_stall": 0.3, "seed": 1}):
        run = simulator.run(stream, **stalls)
        np.testing.assert_array_equal(run.outputs.reshape(expected.shape), expected)
    run = simulator.run(stream)
    assert (run.latency, run.interval) == (predicted["latency"], predicted["interval"])
