"""What the network's own nodes make of every integer that can occur: the step functions of a region's exits.

Tables are evaluated in blocks of rows, so that the many sums of a wide layer of pixels (784 * 255 values in 1,024
channels) never stand in memory as floats; blocks overlap by one row, so that every step from one value to the next is
seen. Of what never turns back, only the neighbourhood of its changes is evaluated (`bisection`). Where no constant on
the way belongs to a channel, one column stands for all.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile.errors import refuse
from signflow.deploy.compile.passes.bisection import changes, coarse_rows
from signflow.deploy.compile.passes.evaluate import follow
from signflow.deploy.compile.passes.numbers import Numbers
from signflow.deploy.compile.passes.regions import POOLS, QUANTISERS, SHAPES, Region
from signflow.deploy.compile.passes.transitions import Accumulators, Steps, slope
from signflow.deploy.compile.passes.undecided import find_undecided, never_turns_back, rises_or_falls

BLOCK = 1 << 22
"""Numbers evaluated at a time (16 MiB of float32)."""
DENSE = 1 << 13
"""Up to so many integers of a channel are all tried."""
MAX_CHANGES = 4096
"""More changes of one channel than this are no quantiser's."""


@dataclass
class Truth:
    """Everything the hardware has to know of one exit of a region."""

    steps: Steps
    """Values float32: what the readers of the exit read. One channel if ``shared``."""
    in_front: np.ndarray
    """int8 (channels,): direction of the numbers in front of the pools on the way, 0 without pools."""
    pools: list[NodeProto]
    """The pools on the way, in order."""
    shared: bool
    """One function for all channels."""
    undecided: tuple[np.ndarray, np.ndarray]
    """(channels, integers), both int64 (count,): where the reference's rounding may decide otherwise (`rounding`)."""


def truth(model: ModelWrapper, region: Region, tensor: str, numbers: Numbers) -> Truth:
    """Run ``region`` from its start to ``tensor`` on every reachable one of ``numbers``. Raises UnsupportedError."""
    nodes = region.path(tensor)
    shared, every = is_shared(model, nodes, numbers), numbers.reach
    numbers = numbers.union if shared else numbers
    reach, channels = numbers.reach, numbers.channels
    count, pools = reach.count, [node for node in nodes if node.op_type in POOLS]
    fronts: list[list[np.ndarray]] = [[] for _ in pools]

    def ends(integers: np.ndarray, ascending: bool = True) -> np.ndarray:
        path = follow(model, nodes, region.start, tensor, numbers.at(integers))
        for front, (pool, table) in zip(fronts, path.pools, strict=True) if ascending else ():
            front.append(slope(by_channel(table, channels, pool)))
        return by_channel(path.end, channels, nodes[-1])

    steps = _by_bisection if count > DENSE and never_turns_back(model, nodes) else _by_all
    first, (channel, row, value) = steps(ends, reach, lambda channel: _limit(nodes, region, channel, channels))
    order = np.lexsort((row, channel))
    steps = Steps(reach, first, channel[order], row[order], value[order])
    outcome = lambda table: by_channel(follow(model, nodes, region.start, tensor, table).end, channels, nodes[-1])  # noqa: E731
    undecided = find_undecided(steps, numbers, rises_or_falls(model, nodes), outcome, every if shared else None)
    return Truth(steps, _in_front(region, pools, fronts, channels), pools, shared, undecided)


Found = tuple[np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray]]
"""First value of every channel; channel, row and value of every change."""


def _by_all(ends: Callable, reach: Accumulators, limit: Callable) -> Found:
    """Changes found by trying every integer, in blocks."""
    parts, first = [], None
    for start, integers in reach.blocks(BLOCK):
        table = ends(integers)
        first = table[0].copy() if first is None else first
        row, channel = np.nonzero(table[1:] != table[:-1])
        parts.append((channel, row + 1 + start, table[row + 1, channel]))
        limit(np.concatenate([part[0] for part in parts]))
    return first, tuple(np.concatenate(part) for part in zip(*parts, strict=True))


def _by_bisection(ends: Callable, reach: Accumulators, limit: Callable) -> Found:
    """Changes of what never turns back."""
    coarse = coarse_rows(reach.count)
    values = ends(reach.at(coarse[:, None]))
    found = changes(lambda rows: ends(reach.at(rows), False), coarse, values, MAX_CHANGES)
    limit(found[0])
    return values[0], found


def is_shared(model: ModelWrapper, nodes: list[NodeProto], numbers: Numbers) -> bool:
    """No constant of ``nodes`` differs between channels, nor what an integer of ``numbers`` stands for."""
    constants = [model.get_initializer(name) for node in nodes for name in node.input if node.op_type not in SHAPES]
    return numbers.uniform and all(c is None or c.size == 1 for c in constants)


def _limit(nodes: list[NodeProto], region: Region, channel: np.ndarray, channels: int) -> None:
    """Raises UnsupportedError for too many changes of one ``channel``, (changes,)."""
    counts = np.bincount(channel, minlength=channels)
    if (counts > MAX_CHANGES).any():
        node = next((node for node in reversed(nodes) if node.op_type in QUANTISERS), nodes[-1])
        channel = int(np.argmax(counts))
        reason = f"behind {region.node.name!r}, channel {channel} changes more than {MAX_CHANGES} times"
        raise refuse(node, reason, f"quantisers of at most {MAX_CHANGES} levels")


def by_channel(table: np.ndarray, channels: int, node: NodeProto) -> np.ndarray:
    """Columns (channel by channel, one per position) back to channels; all positions of a channel must agree."""
    blocks = table.reshape(len(table), channels, -1)
    if (blocks != blocks[:, :, :1]).any():
        reason = "behind a Flatten, its constants differ between positions of one channel"
        raise refuse(node, reason, "normalisation per channel, in front of the Flatten; or of single features, where "
                                   "dense layers alone read them, behind a quantiser")  # fmt: skip
    return blocks[:, :, 0]


def _join(parts: list[np.ndarray]) -> np.ndarray:
    """Direction over all blocks."""
    rises, falls = (np.any([(part == sign) | (part == 2) for part in parts], axis=0) for sign in (1, -1))
    return np.where(rises & falls, 2, rises.astype(np.int8) - falls).astype(np.int8)


def _in_front(region: Region, pools: list[NodeProto], fronts: list[list[np.ndarray]], channels: int) -> np.ndarray:
    """Common direction in front of all pools; rising where they pool a constant."""
    direction = np.zeros(channels, dtype=np.int8)
    for pool, parts in zip(pools, fronts, strict=True):
        here = _join(parts)
        clash = (here == 2) | (direction * here == -1)
        if clash.any():
            channel, name = int(np.argmax(clash)), region.node.name
            reason = f"in channel {channel} the numbers it pools both rise and fall with the accumulator of {name!r}"
            raise refuse(pool, reason, "MaxPool over numbers that rise or fall with the accumulator")
        direction = np.where(here == 0, direction, here)
    return np.where(direction == 0, 1, direction).astype(np.int8) if pools else direction
