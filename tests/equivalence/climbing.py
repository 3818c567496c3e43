"""A random network up the whole ladder: PyTorch = QONNX = integer graph = hardware graph = RTL on every logit, in
exactly the predicted cycles; with stalls, in two batches, and behind a reset in the middle of a stream.
"""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile import lower, streamline
from signflow.deploy.compile.export import export, reference
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.compile.passes.head import Head
from signflow.deploy.compile.passes.signs import Sign
from signflow.deploy.generate.accelerator import WEIGHTS
from signflow.deploy.golden.intgraph import IntGraph
from signflow.deploy.plan import batch, fit, fold, graph
from signflow.deploy.verify import constants
from signflow.hw.boards import board
from signflow.hw.ops.vectors import PIXELS
from signflow.hw.sim import RtlSimulator
from signflow.hw.sim.stream import StreamError, StreamModel, StreamRun
from signflow.hw.sim.words import filled, pack, unpack
from signflow.models.layers.asd import ASD
from signflow.models.networks import predict

from . import random_blocks, random_networks
from .foldings import Folding, generated, random_folding

COUNT = 10
"""Images."""
VARIANT = "check"
"""Of the simulation: registers begin at random, so that a missing reset shows; and it compiles soonest."""
RUNGS = ("PyTorch", "QONNX", "integer graph", "hardware graph", "folding", "accelerator", "RTL")


@dataclass(frozen=True)
class Case:
    """A network, and how it becomes hardware."""

    plan: random_networks.Plan | random_blocks.Plan
    folding: str | Folding = "random"
    """"random", the compiler's choice for the board ("fastest", "luts", "latency"), or node -> attribute -> value."""
    board: str = "pynq-z2"
    stream_bits: int = 0
    """Widest word of the input, where the compiler chooses; 0: what the board's link carries."""
    loadable: bool = False

    @property
    def maker(self):
        """The module that knows the plan."""
        return random_networks if isinstance(self.plan, random_networks.Plan) else random_blocks


class Fault(AssertionError):
    """A rung that is not what it should be: its name, and what happened."""

    def __init__(self, rung: str, error: Exception):
        super().__init__(f"{rung}: {type(error).__name__}: {error}")
        self.rung, self.error = rung, error

    def __reduce__(self):
        return Fault, (self.rung, self.error)


@contextmanager
def rung(name: str) -> Iterator[None]:
    """Whatever fails here failed on this rung."""
    try:
        yield
    except Exception as error:
        raise Fault(name, error) from error


def climb(case: Case, folder: Path, until: str = RUNGS[-1]) -> Counter:
    """Every logit on every rung up to ``until``; returns what the network has of everything that is counted. Raises
    Fault.
    """
    plan, last = case.plan, RUNGS.index(until)
    with rung("PyTorch"):
        net, pixels = case.maker.build(plan), case.maker.images(plan, COUNT)
        seen = ImageInput(plan.kind, plan.shape).seen(pixels)
        logits = predict(net, torch.from_numpy(seen)).numpy()
    with rung("QONNX"):
        onnx = export(net, plan.shape, plan.kind)
        np.testing.assert_array_equal(reference(onnx, pixels)["output"], logits)
    with rung("integer graph"):
        integer = streamline.streamline(onnx)
        expected, distance = Head.of(integer).invert(logits)
        assert distance == 0
        np.testing.assert_array_equal(IntGraph(integer)(pixels), expected, "compiled")
        np.testing.assert_array_equal(streamline.execute(integer, pixels[:1]), expected[:1])
        found = features(net, integer, seen) + case.maker.parts(plan)
        found["images told apart"] = len(np.unique(expected, axis=0)) > 1
    if last >= RUNGS.index("hardware graph"):
        found += _hardware(case, integer, pixels, expected, folder, last)
    return found


def _hardware(
    case: Case, integer: ModelWrapper, pixels: np.ndarray, expected: np.ndarray, folder: Path, last: int
) -> Counter:
    """The rungs behind the ``integer`` graph."""
    with rung("hardware graph"):
        hardware = lower.lower(integer)
        np.testing.assert_array_equal(streamline.execute(hardware, pixels[:1]), expected[:1])
        found = Counter(op.onnx_node.op_type for op in graph.operators(hardware))
    with rung("folding"):
        folding = folding_of(case, hardware)
        found += _counted(case, folding)
        found["several images a batch"] = batch.batch_of(graph.operators(hardware)) > 1
    if last < RUNGS.index("accelerator"):
        return found
    with rung("accelerator"):
        generated(hardware, folding, folder)
        np.testing.assert_array_equal(streamline.execute(hardware, pixels[:1]), expected[:1])
        facts = json.loads((folder / "accel.json").read_text())
        assert constants.check(integer, hardware, facts, folder / facts["mem_dir"], folder / WEIGHTS) > 0
    if last >= RUNGS.index("RTL"):
        with rung("RTL"):
            simulator = RtlSimulator(folder, variant=VARIANT)
            stream, rng = ImageInput.of(hardware).stream(pixels), np.random.default_rng([case.plan.seed, 1])
            found["resets in mid-stream"] = simulate(simulator, stream, expected, rng)
    return found


def folding_of(case: Case, hardware: ModelWrapper) -> Folding:
    """The folding that ``case`` asks for, of its ``hardware``, which is made for the board's clock."""
    target = board(case.board)
    for op in graph.operators(hardware) if case.loadable else ():
        op.set_nodeattr("loadable", 1)
    fit.for_clock(hardware, target)
    if not isinstance(case.folding, str):
        batch.set_batch(hardware, batch.batch_for(case.folding, hardware))
        return case.folding
    if case.folding == "random":
        return random_folding(hardware, case.plan.seed)
    prefer = "balance" if case.folding == "fastest" else case.folding
    fit.fold_to_board(hardware, target, prefer=prefer, stream_bits=case.stream_bits, batches=PIXELS)
    return fold.folding_of(hardware)


def _counted(case: Case, folding: Folding) -> Counter:
    """What is counted of the way into hardware."""
    found = Counter(f"weights in {ops['ram_style']}" for ops in folding.values() if "ram_style" in ops)
    found["several pixels a read"] = sum(ops.get("Pixels", 1) > 1 for ops in folding.values())
    how = case.folding if isinstance(case.folding, str) else "given"
    return found + Counter([f"folding: {how}", f"board {case.board}"] + ["loadable"] * case.loadable)


def features(net: torch.nn.Module, integer: ModelWrapper, seen: np.ndarray) -> Counter:
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
    found["moving thresholds"] = sum(len(np.unique(level, axis=0)) > 1 for level in levels(net, seen))
    return found


def levels(net: torch.nn.Module, seen: np.ndarray) -> list[np.ndarray]:
    """The threshold's level of every image and channel, for every self-distribution in ``net``."""
    found = []
    for module in net.modules():
        if isinstance(module, ASD):
            module.level.register_forward_hook(lambda _module, _inputs, level: found.append(level.numpy()))
    predict(net, torch.from_numpy(seen))
    return found


class Batches:
    """One instance of an accelerator, for several batches one behind the other."""

    def __init__(self, simulator: RtlSimulator, seed: int = 0):
        load = np.fromfile(simulator.folder / WEIGHTS, "<u4") if simulator.facts.get("loadable") else None
        self.facts, self.model = simulator.facts, StreamModel(simulator.model, simulator.folder, seed=seed, load=load)

    def run(self, codes: np.ndarray, **options: float) -> tuple[np.ndarray, StreamRun]:
        """``codes`` (N, *shape) of the input stream -> integer results (N, K), and the run."""
        into, out = self.facts["input"], self.facts["output"]
        sent = filled(codes, self.facts["batch"])
        words = pack(sent.reshape(-1, into["word_elems"]), into["elem_bits"], into["stream_bits"])
        run = self.model.run(words, len(sent) * out["words"], frames=len(sent), **options)
        values = unpack(run.words, out["elem_bits"], out["word_elems"], out["dtype"].startswith("INT"))
        return values.reshape(len(sent), -1)[: len(codes)], run

    def cut(self, codes: np.ndarray, **options: float) -> bool:
        """Reset in the middle of a batch: whenever nothing has moved for ``watchdog`` cycles. Whether it came to it."""
        try:
            self.run(codes, **options)
            return False
        except StreamError as error:
            if error.kind != "deadlock":
                raise
            self.model.reset()
            return True


def simulate(simulator: RtlSimulator, stream: np.ndarray, expected: np.ndarray, rng: np.random.Generator) -> int:
    """Without stalls, in the predicted cycles; then, not reset between, other images with random stalls on both sides;
    and after a reset in the middle of a stream as at first. Returns how often it was reset.
    """
    predicted, accelerator, cuts = simulator.facts["predicted"], Batches(simulator, int(rng.integers(1000))), 0
    together = simulator.facts["batch"]

    def fresh(what: str) -> None:
        found, run = accelerator.run(stream)
        np.testing.assert_array_equal(found, expected, what)
        ends = run.last_out[together - 1 :: together]
        cycles = int(ends[0] - run.first_in[0]), int(ends[-1] - ends[-2])
        assert cycles == (predicted["latency"], predicted["interval"] * together), what

    fresh("no stalls")
    order = rng.permutation(len(stream))
    source, sink = (float(p) for p in rng.choice([0, 0.3, 0.7, 0.95], 2))
    found, _ = accelerator.run(stream[order], in_stall=source, out_stall=sink, seed=int(rng.integers(1000)))
    np.testing.assert_array_equal(found, expected[order], f"second batch, stalls {source}, {sink}")
    for watchdog in rng.integers(2, 40, 3):
        stalls = {"in_stall": 0.9, "out_stall": 0.9, "seed": int(rng.integers(1000)), "watchdog": int(watchdog)}
        cuts += accelerator.cut(stream[order], **stalls)
    if cuts:
        fresh("after a reset")
    return cuts
