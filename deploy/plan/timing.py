"""Cycle-exact prediction of a graph of streaming operators, without simulating it.

Every operator knows, to the cycle, when its words leave if words arrive at given cycles and nothing blocks its outputs
(`StreamOp.timing`). With FIFOs that are never full these functions compose: what one operator offers are the arrivals
of the next, and a join takes two streams at once. That gives latency, initiation interval, and FIFO depths
(`signflow.deploy.plan.buffer`) in seconds. The simulation must agree exactly, and the tests and the ladder check that
it does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from signflow.deploy.plan.graph import reads, writes
from signflow.hw.ops.base import StreamOp


@dataclass(frozen=True)
class Step:
    """What one operator does: for each of its inputs the cycle in which word k is taken, and the cycle in which word k
    of all its outputs is offered (int64, all frames in order).
    """

    accepts: list[np.ndarray]
    departures: np.ndarray
    held: bool = False
    """The operator keeps each word until then, when its reader takes it (`signflow.deploy.plan.schedule`)."""


@dataclass(frozen=True)
class Prediction:
    """Timing of an accelerator in cycles."""

    latency: int
    """From the first input word taken to the last output word given, for a single image or batch."""
    interval: int
    """Initiation interval: between two images in the steady state, on the average of a batch."""
    bottleneck: str
    """The operator that sets the interval (or "input")."""


def frame_words(op: StreamOp, stream: int = 0) -> int:
    """Words of one frame, which is an image or a batch, on an input stream."""
    return int(np.prod(op.get_folded_input_shape(stream)[:-1]))


def intervals(ops: Sequence[StreamOp]) -> tuple[int, str]:
    """(cycles of a frame, name of the operator that sets it); the input stream counts with one word a cycle."""
    slowest = max(ops, key=lambda op: int(op.get_exp_cycles()))
    cycles, words = int(slowest.get_exp_cycles()), frame_words(ops[0])
    return (words, "input") if words > cycles else (cycles, slowest.onnx_node.name)


def batch_of(ops: Sequence[StreamOp]) -> int:
    """Images of a frame (`signflow.deploy.plan.batch`)."""
    return int(ops[0].get_normal_input_shape()[0])


def images(ops: Sequence[StreamOp], frames: int) -> np.ndarray:
    """Arrivals at the steady rate: one word a cycle, one frame every initiation interval."""
    starts = np.arange(frames, dtype=np.int64) * intervals(ops)[0]
    return (starts[:, None] + np.arange(frame_words(ops[0]))).ravel()


def step(op: StreamOp, streams: Sequence[np.ndarray]) -> Step:
    """What an operator does when words are offered from ``streams`` on."""
    return Step(*op.both(*streams))


def trace(ops: Sequence[StreamOp], arrivals: np.ndarray) -> list[Step]:
    """One step for each of ``ops`` (`signflow.deploy.generate.accelerator.operators`) when input words arrive in cycles
    ``arrivals``, whole images.
    """
    offered, steps = {reads(ops[0])[0]: arrivals}, []
    for op in ops:
        streams = [offered.pop(tensor) for tensor in reads(op)]
        steps.append(step(op, streams))
        offered |= dict.fromkeys(writes(op), steps[-1].departures)
    return steps


def predict(ops: Sequence[StreamOp]) -> Prediction:
    """Latency of a single image or batch and initiation interval of a graph whose FIFOs are deep enough."""
    steps = trace(ops, images(ops, 1))
    interval, bottleneck = intervals(ops)
    return Prediction(int(steps[-1].departures[-1] - steps[0].accepts[0][0]), interval // batch_of(ops), bottleneck)
