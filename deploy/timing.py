"""Cycle-exact prediction of a chain of streaming operators, without simulating it.

Every operator knows, to the cycle, when its words leave if words arrive at given cycles and nothing blocks its output
(`StreamOp.timing`). With FIFOs that are never
full these functions compose: the departures of one operator are the arrivals of the next. That gives latency,
initiation interval, and FIFO depths (`signflow.deploy.buffer`)
in seconds. The simulation must agree exactly, and the tests and the ladder check that it does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from signflow.hw.ops.base import StreamOp

FRAMES = 4
"""Images in a trace: the pipeline holds about two at a time, after which every pattern repeats."""


@dataclass(frozen=True)
class Step:
    """What one operator does: cycle of every word taken in and of every word offered at the output (int64, all frames
    in order).
    """

    accepts: np.ndarray
    departures: np.ndarray


@dataclass(frozen=True)
class Prediction:
    """Timing of an accelerator in cycles."""

    latency: int
    """From the first input word taken to the last output word given, for a single image."""
    interval: int
    """Initiation interval: between two images in the steady state."""
    bottleneck: str
    """The operator that sets the interval (or "input")."""


def frame_words(op: StreamOp) -> int:
    """Input words of one image."""
    return int(np.prod(op.get_folded_input_shape()[:-1]))


def intervals(ops: Sequence[StreamOp]) -> tuple[int, str]:
    """(initiation interval, name of the operator that sets it); the input stream counts with one word a cycle."""
    slowest = max(ops, key=lambda op: int(op.get_exp_cycles()))
    cycles, words = int(slowest.get_exp_cycles()), frame_words(ops[0])
    return (words, "input") if words > cycles else (cycles, slowest.onnx_node.name)


def trace(ops: Sequence[StreamOp], frames: int = FRAMES) -> list[Step]:
    """Run ``frames`` images through the chain: one word a cycle, one image every initiation interval."""
    interval, _ = intervals(ops)
    words = frame_words(ops[0])
    arrivals = (np.arange(frames)[:, None] * interval + np.arange(words)[None, :]).ravel().astype(np.int64)
    steps = []
    for op in ops:
        departures = op.timing(arrivals)
        steps.append(Step(op.accepts(arrivals), departures))
        arrivals = departures
    return steps


def predict(ops: Sequence[StreamOp]) -> Prediction:
    """Latency of a single image and initiation interval of a chain whose FIFOs are deep enough."""
    steps = trace(ops, 1)
    interval, bottleneck = intervals(ops)
    return Prediction(int(steps[-1].departures[-1] - steps[0].accepts[0]), interval, bottleneck)
