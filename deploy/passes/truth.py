"""The truth table of one sign: what the network's own nodes decide for every integer that an accumulator can reach.

Tables are evaluated in blocks of rows, so that the many sums of a wide layer of pixels (784 * 255 values in 1,024
channels) never stand in memory as floats; blocks overlap by one row, so that every step from one value to the next is
seen.
"""

from dataclasses import dataclass

import numpy as np
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.passes.chain import QUANTISERS, Stage
from signflow.deploy.passes.errors import refuse
from signflow.deploy.passes.evaluate import follow
from signflow.deploy.passes.transitions import Accumulators, changes, slope

BLOCK = 1 << 22
"""Numbers evaluated at a time (16 MiB of float32)."""


@dataclass
class Truth:
    """Everything the hardware has to know of one sign."""

    magnitude: np.float32
    """The next product reads -magnitude or +magnitude."""
    bits: np.ndarray
    """bool (values, channels): the sign is +1; rows as in `Accumulators.rows`."""
    in_front: np.ndarray
    """int8 (channels,): direction of the numbers in front of the stage's pools (`transitions`)."""


def truth_table(model: ModelWrapper, stage: Stage, accumulators: Accumulators, scale: np.ndarray) -> Truth:
    """Run ``stage`` on every reachable accumulator times ``scale`` float32 (channels,). Raises UnsupportedError."""
    if not any(node.op_type in QUANTISERS for node in stage.nodes):
        reason = "no sign follows it in front of the next layer"
        raise refuse(stage.product, reason, "layers with a BipolarQuant between them")
    count, channels = accumulators.count, len(scale)
    size, bits, magnitudes = max(2, BLOCK // channels), np.empty((count, channels), dtype=bool), set()
    pools: list[NodeProto] = []
    slopes: list[list[np.ndarray]] = []
    for first in range(0, max(1, count - 1), size - 1):
        path = follow(model, stage, accumulators.rows(first, first + size).astype(np.float32) * scale)
        ends = _by_channel(path.end, channels, stage.nodes[-1])
        bits[first : first + size] = ends > 0
        magnitudes |= {_magnitude(stage, ends)}
        pools = [pool for pool, _ in path.pools]
        slopes.append([slope(_by_channel(table, channels, pool)) for pool, table in path.pools])
    if len(magnitudes) > 1:
        raise _not_two_values(stage, np.array([*magnitudes]))
    _refuse_windows(stage, accumulators, bits)
    joined = [_join(list(parts)) for parts in zip(*slopes, strict=True)]
    return Truth(magnitudes.pop(), bits, _in_front(stage, slope(bits), pools, joined))


def _by_channel(table: np.ndarray, channels: int, node: NodeProto) -> np.ndarray:
    """Columns (channel by channel, one per position) back to channels; all positions of a channel must agree."""
    blocks = table.reshape(len(table), channels, -1)
    if (blocks != blocks[:, :, :1]).any():
        reason = "behind a Flatten, its constants differ between positions of one channel"
        raise refuse(node, reason, "normalisation per channel, in front of the Flatten")
    return blocks[:, :, 0]


def _not_two_values(stage: Stage, values: np.ndarray) -> Exception:
    node = next(node for node in reversed(stage.nodes) if node.op_type in QUANTISERS)
    shown = ", ".join(f"{value:.6g}" for value in values[:6])
    reason = f"the next layer reads {len(values)} or more values ({shown})"
    return refuse(node, reason, "activations of two values -s and +s (BipolarQuant)")


def _magnitude(stage: Stage, ends: np.ndarray) -> np.float32:
    """The one absolute value in ``ends``."""
    absolute = np.abs(ends)
    if absolute.min() != absolute.max() or absolute.min() == 0:
        raise _not_two_values(stage, np.unique(ends))
    return absolute.flat[0]


def _refuse_windows(stage: Stage, accumulators: Accumulators, bits: np.ndarray) -> None:
    """A sign that changes more than once has no single threshold."""
    for channel in np.flatnonzero(np.count_nonzero(bits[1:] != bits[:-1], axis=0) > 1):
        at = changes(accumulators, bits, channel)
        node = next(node for node in reversed(stage.nodes) if node.op_type in QUANTISERS)
        where = f"behind {stage.product.name!r}, channel {channel}"
        reason = f"{where} changes sign {len(at)} times, at accumulators {at[:8]}"
        raise refuse(node, reason, "signs that change once over the accumulator's range")


def _join(parts: list[np.ndarray]) -> np.ndarray:
    """Direction over all blocks."""
    rises, falls = (np.any([(part == sign) | (part == 2) for part in parts], axis=0) for sign in (1, -1))
    return np.where(rises & falls, 2, rises.astype(np.int8) - falls).astype(np.int8)


def _in_front(stage: Stage, sign: np.ndarray, pools: list[NodeProto], slopes: list[np.ndarray]) -> np.ndarray:
    """Common direction in front of all pools; the sign's own where there is none or no change."""
    direction = np.zeros_like(sign)
    for pool, here in zip(pools, slopes, strict=True):
        clash = (here == 2) | (direction * here == -1)
        if clash.any():
            channel, name = int(np.argmax(clash)), stage.product.name
            reason = f"in channel {channel} the numbers it pools both rise and fall with the accumulator of {name!r}"
            raise refuse(pool, reason, "MaxPool over numbers that rise or fall with the accumulator")
        direction = np.where(here == 0, direction, here)
    return np.where(direction == 0, sign, direction)
