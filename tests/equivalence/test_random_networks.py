"""Any network of our layers, however folded, climbs the whole ladder: PyTorch = QONNX = integer graph = hardware graph
= RTL, with and without stalls, on every logit, in exactly the predicted cycles.
"""

import itertools
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile import lower, streamline
from signflow.deploy.compile.export import export, reference
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.compile.passes.head import Head
from signflow.deploy.compile.passes.signs import Sign
from signflow.deploy.generate.accelerator import generate
from signflow.deploy.golden.intgraph import IntGraph
from signflow.deploy.plan import buffer, fold, graph, liveness, timing
from signflow.deploy.verify import constants
from signflow.hw.ops.base import StreamOp
from signflow.hw.ops.folding import FoldingError
from signflow.hw.sim import RtlSimulator
from signflow.models.layers.asd import ASD
from signflow.models.methods import METHODS
from signflow.models.networks import predict

from . import random_blocks, random_networks
from .random_networks import Layer, Plan

COUNT = 10
CHAINS, BLOCKS = 100, 100
JOINED = ("zeros between bits", *random_blocks.SHORTCUTS, *random_blocks.POOLS, "beside", "layer")
FEATURES = ("windows", "pooled windows", "constant channels", "complements", "moving thresholds", "codes", "two pools")


STYLE_DRAWN_ANEW = 5000
"""Tries after which no folding is thought to be legal with a style."""


def random_folding(hardware: ModelWrapper, rng: np.random.Generator) -> dict[str, dict[str, int | str]]:
    """Any values of every attribute that are legal together; the network's own words are whole and of one vector."""
    folding, ops = {}, graph.operators(hardware)
    for op in ops:
        values = op.foldings()
        for end, lanes, size in ((ops[0], "SIMD", "MW"), (ops[-1], "PE", "MH")):
            if op is end and op.onnx_node.op_type == "MVAU_sf":
                values[lanes] = [n for n in values[lanes] if op.get_nodeattr(size) % n == 0]
                values |= {"Pixels": [1]} if "Pixels" in values else {}
        folding[op.onnx_node.name] = legal(op, values, rng)
    return folding


def legal(op: StreamOp, values: dict[str, list], rng: np.random.Generator) -> dict[str, int | str]:
    """One of ``values`` for every attribute; every ram_style as often, also one that few others go with."""

    def pick(names: Iterable[str]) -> dict[str, int | str]:
        return {name: values[name][rng.integers(len(values[name]))] for name in names}

    for tried in itertools.count():
        if tried % STYLE_DRAWN_ANEW == 0:
            style = pick({"ram_style"} & values.keys())
        chosen = pick(values) | style
        for attribute, value in chosen.items():
            op.set_nodeattr(attribute, value)
        with suppress(FoldingError):
            op.check_folding()
            return chosen


def generated(hardware: ModelWrapper, folding: dict, folder: Path) -> Path:
    """Folds and buffers the graph in place; the folder of its accelerator."""
    fold.apply_folding(hardware, folding)
    buffer.insert_width_converters(hardware)
    buffer.insert_fifos(hardware)
    assert not liveness.standing(graph.operators(hardware)), "deadlock"
    predicted = asdict(timing.predict(graph.operators(hardware)))
    return generate(hardware, "random", folder, predicted)


def accelerator(hardware: ModelWrapper, folding: dict, folder: Path, variant: str = "fast") -> RtlSimulator:
    """The simulation of what is `generated`."""
    return RtlSimulator(generated(hardware, folding, folder), variant=variant)


def features(net: torch.nn.Module, integer: ModelWrapper, pixels: np.ndarray) -> Counter:
    """What the network has of what is hard; constant channels of popcounts only."""
    nodes, found = integer.graph.node, Counter()
    makers = {name: node for node in nodes for name in node.output}
    for node in nodes:
        maker = makers.get(node.input[0])
        kinds = node.op_type, maker.op_type if maker is not None else ""
        found["windows"] += kinds[0] == "Window"
        found["pooled windows"] += kinds == ("Window", "MaxPoolNHWC")
        if kinds == ("MultiThreshold", "XnorPopcountMatMul"):
            steps, terms = (integer.get_initializer(n.input[1]) for n in (node, maker))
            found["constant channels"] += int(((steps <= 0) | (steps > len(terms))).all(axis=1).sum())
        kind = integer.get_tensor_datatype(node.output[0]).name
        border = integer.get_initializer(node.input[1]) if node.op_type == "Border" else np.zeros(1)
        found["zeros between bits"] += bool((border == 0.5).any())
        found["codes"] += kinds[0] == "MultiThreshold" and kind not in ("BINARY", "UINT2")
    found["complements"] = sum(bool(sign.complement) for sign in Sign.of(integer))
    found["moving thresholds"] = sum(len(np.unique(level, axis=0)) > 1 for level in levels(net, pixels))
    return found


def levels(net: torch.nn.Module, pixels: np.ndarray) -> list[np.ndarray]:
    """The threshold's level of every image and channel, for every self-distribution in ``net``."""
    found = []
    for module in net.modules():
        if isinstance(module, ASD):
            module.level.register_forward_hook(lambda _module, _inputs, level: found.append(level.numpy()))
    predict(net, torch.from_numpy(pixels))
    return found


def climb(drawn: Plan | random_blocks.Plan, folder: Path, folding: dict | None = None) -> Counter:
    """Every logit on every rung; returns what the network has of everything that is counted. None: a random folding."""
    maker = random_networks if isinstance(drawn, Plan) else random_blocks
    rng = np.random.default_rng([drawn.seed, 1])
    print(drawn, flush=True)
    net, pixels = maker.build(drawn), maker.images(drawn, COUNT)
    logits = predict(net, torch.from_numpy(pixels)).numpy()
    onnx = export(net, drawn.shape)
    np.testing.assert_array_equal(reference(onnx, pixels)["output"], logits, "QONNX")
    integer = streamline.streamline(onnx)
    expected, distance = Head.of(integer).invert(logits)
    assert distance == 0
    np.testing.assert_array_equal(IntGraph(integer)(pixels), expected, "integer graph, compiled")
    np.testing.assert_array_equal(streamline.execute(integer, pixels[:1]), expected[:1], "integer graph")
    hardware = lower.lower(integer)
    folding = random_folding(hardware, rng) if folding is None else folding
    print(folding, flush=True)
    simulator = accelerator(hardware, folding, folder)
    assert constants.check(integer, hardware, simulator.facts, folder / simulator.facts["mem_dir"], Path()) > 0
    np.testing.assert_array_equal(streamline.execute(hardware, pixels[:1]), expected[:1], "hardware graph")
    simulate(simulator, ImageInput.of(hardware).stream(pixels), expected, rng)
    found = features(net, integer, pixels) + maker.parts(drawn)
    found["images told apart"] = len(np.unique(expected, axis=0)) > 1
    return found


def simulate(simulator: RtlSimulator, stream: np.ndarray, expected: np.ndarray, rng: np.random.Generator) -> None:
    """Without stalls, in the predicted cycles, and with random ones on both sides."""
    stream, predicted = stream.reshape(len(stream), *simulator.facts["input"]["shape"]), simulator.facts["predicted"]
    run = simulator.run(stream)
    np.testing.assert_array_equal(run.outputs.reshape(expected.shape), expected, "RTL")
    assert (run.latency, run.interval) == (predicted["latency"], predicted["interval"])
    source, sink = (float(p) for p in rng.choice([0, 0.3, 0.7, 0.95], 2))
    run = simulator.run(stream, in_stall=source, out_stall=sink, seed=int(rng.integers(1000)))
    np.testing.assert_array_equal(run.outputs.reshape(expected.shape), expected, f"RTL, stalls {source}, {sink}")


@pytest.mark.parametrize("maker, seed", [(random_networks, 0), (random_networks, 1),
                                         *((random_blocks, seed) for seed in (0, 6, 9))])  # fmt: skip
def test_random_networks(maker, seed, tmp_path):
    climb(maker.plan(seed), tmp_path / "a")


@pytest.mark.parametrize("kernel, size", [(2, 7), (1, 6), (3, 8)])
def test_inner_strides_leave_a_row_and_a_column_over(kernel, size, tmp_path):
    """Behind a 3x3 kernel the map is size - 2 wide, of which the second layer's stride of 2 leaves one over. Unfolded,
    words come slowly, and the last word of a window is read when the pixels that are left over are still to come.
    """
    layers = (Layer("conv", 8, "bn", 3), Layer("conv", 8, "bn", kernel, 2), Layer("dense", 6, "bn"))
    assert (size - 2 - kernel) % 2 == 1
    climb(Plan((1, size, size), "centred", layers, 5, False, size), tmp_path / "a", folding={})


@pytest.mark.slow
@pytest.mark.parametrize(
    "maker, count, names",
    [(random_networks, CHAINS, (*METHODS, *FEATURES)), (random_blocks, BLOCKS, (*random_blocks.NORMS, *JOINED))],
)
def test_many_random_networks(maker, count, names, tmp_path):
    """Counts what the networks have: a test that never meets a window says nothing about windows."""
    seen = Counter()
    for seed in range(10, 10 + count):
        found = climb(maker.plan(seed), tmp_path / f"{seed}")
        seen.update([name for name, number in found.items() if number])
    print(f"{count} networks:", dict(seen.most_common()))
    assert all(seen[name] >= 3 for name in names), seen
    assert seen["images told apart"] > 0.7 * count
