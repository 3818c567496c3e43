"""An exit without a quantiser: what leaves a region there is the integer itself, times a factor, plus an offset.

Raw accumulators that are added to a stream, sums of a window divided by its size, a bias in front of an addition: the
network's number is factor * n + offset for the integer n, with one factor for all channels up to its sign. It is read
off the reference's own nodes, run on every reachable integer, and holds for all of them up to an error that is known.
"""

from dataclasses import dataclass

import numpy as np
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile.errors import refuse
from signflow.deploy.compile.passes.evaluate import follow
from signflow.deploy.compile.passes.numbers import Numbers
from signflow.deploy.compile.passes.regions import POOLS, SHAPES, Region
from signflow.deploy.compile.passes.rounding import grain
from signflow.deploy.compile.passes.scales import TOLERANCE
from signflow.deploy.compile.passes.truth import BLOCK, by_channel

BEHIND = "an activation quantiser (BipolarQuant, Quant) in front of the next layer, addition or pool"
BEFORE_FLATTEN = (
    "an activation quantiser (BipolarQuant, Quant) in front of the Flatten, behind which features have constants of "
    "their own"
)


@dataclass
class Affine:
    """The network's number is ``sign`` * ``factor`` * n + ``offset`` for an integer n of a region's start."""

    factor: float
    sign: np.ndarray
    """int64 (channels,): +1 or -1."""
    offset: np.ndarray
    """float64 (channels,)"""
    error: float
    """The reference computes it up to this."""
    grain: float
    """Every number is a multiple of this power of two; 0 where its rounding is not known."""
    pools: list[NodeProto]
    """MaxPools on the way."""

    def same(self, other: "Affine") -> bool:
        """Whether both are the same function."""
        mine, its = ((one.factor, one.sign.tolist(), one.offset.tolist()) for one in (self, other))
        return mine == its


def affine(model: ModelWrapper, region: Region, tensor: str, numbers: Numbers) -> Affine | None:
    """The exit ``tensor`` of ``region``, from every reachable one of ``numbers``; None if it is no such number. Raises
    UnsupportedError where channels have different factors.
    """
    nodes = region.path(tensor)
    pools = [node for node in nodes if node.op_type in POOLS]
    if len(pools) + sum(node.op_type in SHAPES for node in nodes) == len(nodes):
        factor, offset, error, unit = numbers.scale, numbers.offset, numbers.error, _grain(numbers)
    else:
        found = _fit(model, region, nodes, tensor, numbers)
        if found is None:
            return None
        factor, offset, error, unit = found
    size = np.abs(factor)
    if np.ptp(size) > TOLERANCE * size.max():
        channel = int(np.argmax(np.abs(size - size[0]) > TOLERANCE * size.max()))
        reason = f"its results are multiples of {size[0]:.6g} in channel 0 and of {size[channel]:.6g} in {channel}"
        flat = any(node.op_type == "FlattenNHWC" for node in region.exits[tensor])
        raise refuse(region.node, reason, f"one scale for all channels, or {BEFORE_FLATTEN if flat else BEHIND}")
    if pools and (factor < 0).any():
        raise refuse(pools[0], "it pools what falls with its integers", "MaxPool over rising numbers")
    largest = numbers.reach.high.clip(min=-numbers.reach.low).max() * np.ptp(size)
    bound = float((error + largest).max())
    sign = np.where(factor < 0, -1, 1)
    return Affine(float(size[0]), sign, offset, bound, 0.0 if bound else unit, pools)


def _grain(numbers: Numbers) -> float:
    return min(grain(numbers.scale * numbers.reach.step), grain(numbers.reach.low * numbers.scale + numbers.offset))


def _fit(
    model: ModelWrapper, region: Region, nodes: list[NodeProto], tensor: str, numbers: Numbers
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float] | None:
    """(factor, offset, error, all (channels,), grain), or None for what is not affine."""
    reach, channels = numbers.reach, numbers.channels
    values = lambda table: by_channel(  # noqa: E731
        follow(model, nodes, region.start, tensor, table).end.astype(np.float64), channels, nodes[-1]
    )
    ends = np.stack([reach.low, reach.high])
    low, high = values(numbers.at(ends))
    span = np.maximum(reach.high - reach.low, 1)
    factor = np.where(reach.high > reach.low, (high - low) / span, 0.0)
    factor = np.where(reach.high > reach.low, factor, np.abs(factor).max())
    if (factor == 0).any():
        return None
    offset, off, unit = low - factor * reach.low, np.zeros(channels), np.inf
    sides, size = (0, -1, 1) if numbers.error.any() else (0,), max(1, BLOCK // channels)
    limit = TOLERANCE * np.maximum(np.abs(low), np.abs(high)).max()
    for first in range(0, reach.count, size):
        rows = reach.rows(first, first + size)
        for side in sides:
            found = values(numbers.at(rows, side))
            far = np.abs(found - (factor * rows + offset)).max(axis=0)
            if side == 0 and (far > limit).any():
                return None
            off, unit = np.maximum(off, far), min(unit, grain(found))
    return factor, offset, off, unit
