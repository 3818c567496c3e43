"""Foldings of a hardware graph that nobody would choose, and those that the compiler does."""

import itertools
import zlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.generate.accelerator import generate
from signflow.deploy.plan import batch, buffer, fold, graph, liveness, timing
from signflow.hw.ops.base import StreamOp
from signflow.hw.ops.folding import FoldingError
from signflow.hw.ops.vectors import PIXELS
from signflow.hw.sim import RtlSimulator

Folding = dict[str, dict[str, int | str]]
STYLE_DRAWN_ANEW = 5000
"""Tries after which no folding is thought to be legal with a style."""


def random_folding(hardware: ModelWrapper, seed: int) -> Folding:
    """Any values of every attribute that are legal together; the network's own words are whole and of one vector. What
    an operator gets follows from ``seed`` and its name, whatever others there are. Where the network can take images
    together, it may.
    """
    for count in (int(np.random.default_rng([seed, 1]).choice(PIXELS)), 1):
        with suppress(FoldingError):
            batch.set_batch(hardware, count)
            folding = _drawn(hardware, seed)
            cycles, _ = timing.intervals(graph.operators(hardware))
            if cycles % count == 0:
                break
    return folding


def _drawn(hardware: ModelWrapper, seed: int) -> Folding:
    """A folding for the batch that ``hardware`` has."""
    folding, ops = {}, graph.operators(hardware)
    for op in ops:
        values = op.foldings()
        for end, lanes, size in ((ops[0], "SIMD", "MW"), (ops[-1], "PE", "MH")):
            if op is end and op.onnx_node.op_type == "MVAU_sf":
                values[lanes] = [n for n in values[lanes] if op.get_nodeattr(size) % n == 0]
                values |= {"Pixels": [1]} if "Pixels" in values else {}
        name = op.onnx_node.name
        folding[name] = legal(op, values, np.random.default_rng([seed, zlib.crc32(name.encode())]))
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
