"""Level, lane and row of everything in a `diagram.Diagram`: where it lies before anything has a size.

The level of a box is the longest way to it from the image. A wire that passes levels is a chain of places, one in each.
Lanes run along the levels: the longest chain of boxes keeps lane 0, every branch beside it gets the lowest lane that is
free from the gap in which it leaves to the gap in which it joins. A wire from a fork to a join passes at least one
level. Hence in the gap behind a level, a lane carries at most one wire, whatever the graph.
"""

import itertools
from collections.abc import Iterator, Sequence

from signflow.deploy.pictures.diagram import Diagram

Key = str | tuple[int, int]
"""A box by name, or (wire, level): the wire of that number where it passes a level."""
Step = tuple[int, Key, Key]
"""(number of a wire, place in a level, place in the next level)."""


class Grid:
    """Levels, lanes, and the steps of every wire from level to level."""

    def __init__(self, diagram: Diagram):
        self.level: dict[Key, int] = _levels(diagram)
        self.chains: list[list[Key]] = []
        """The places of every wire, from its source to its target."""
        for k, wire in enumerate(diagram.wires):
            passed = range(self.level[wire.source] + 1, self.level[wire.target])
            self.level |= {(k, level): level for level in passed}
            self.chains.append([wire.source, *((k, level) for level in passed), wire.target])
        self.levels = max(self.level.values()) + 1
        self.behind: list[list[Step]] = [[] for _ in range(self.levels)]
        """The steps from each level to the next."""
        for k, chain in enumerate(self.chains):
            for a, b in itertools.pairwise(chain):
                self.behind[self.level[a]].append((k, a, b))
        self.lane: dict[Key, int] = {}
        self._heads = set()
        for lane, branch in self._branches():
            self.lane |= dict.fromkeys(branch, lane)
            self._heads.add(branch[0])

    def _branches(self) -> Iterator[tuple[int, list[Key]]]:
        """(lane, places) of the longest chain, then of the branches beside it, short ones first."""
        after = {key: [b for _, a, b in self.behind[level] if a == key] for key, level in self.level.items()}
        order = sorted(self.level, key=self.level.get)
        weight: dict[Key, int] = {}
        for key in reversed(order):
            weight[key] = isinstance(key, str) + max((weight[b] for b in after[key]), default=0)
        branches, seen = [], set()
        for key in order:
            branch = []
            while key is not None and key not in seen:
                branch.append(key)
                seen.add(key)
                key = max((b for b in after[key] if b not in seen), key=weight.get, default=None)
            branches += [branch] if branch else []
        used = set()
        for branch in [*branches[:1], *sorted(branches[1:], key=len)]:
            gaps = range(self.level[branch[0]] - 1, self.level[branch[-1]] + 1)
            lane = next(n for n in itertools.count() if not any((gap, n) in used for gap in gaps))
            used |= {(gap, lane) for gap in gaps}
            yield lane, branch

    def leaves(self, step: Step) -> bool:
        """The step begins a branch in another lane: it turns behind its source, all else in front of the target."""
        _, a, b = step
        return self.lane[a] != self.lane[b] and b in self._heads

    def bends(self, level: int, leaving: bool) -> list[Step]:
        """Steps behind a level that change the lane: leaving it, or joining another; the highest lane first."""
        found = [s for s in self.behind[level] if self.lane[s[1]] != self.lane[s[2]] and self.leaves(s) == leaving]
        return sorted(found, key=lambda s: -self.lane[s[2 if leaving else 1]])

    def label_lane(self, wire: int) -> int:
        """The lane that a wire has for itself in the gap behind its source."""
        first, second = self.chains[wire][:2]
        return self.lane[second if self.leaves((wire, first, second)) else first]


def _levels(diagram: Diagram) -> dict[Key, int]:
    """The level of every box."""
    forks = {a for a, wires in _count(w.source for w in diagram.wires) if wires > 1}
    joins = {b for b, wires in _count(w.target for w in diagram.wires) if wires > 1}
    level: dict[Key, int] = {}
    for box in diagram.boxes:
        sources = [w.source for w in diagram.wires if w.target == box.name]
        level[box.name] = max((level[s] + 1 + (s in forks and box.name in joins) for s in sources), default=0)
    return level


def _count(names: Iterator[str]) -> list[tuple[str, int]]:
    names = list(names)
    return [(name, names.count(name)) for name in dict.fromkeys(names)]


def rows(widths: Sequence[float], crossing: Sequence[int], bends: Sequence[int], most: float) -> list[range]:
    """Levels of the given widths in rows of about ``most``: few, evenly filled, broken where few wires cross and none
    changes its lane.
    """
    count = len(widths)
    best: list[tuple[float, int]] = [(0.0, 0)]
    for stop in range(1, count + 1):
        found = []
        for start in range(stop):
            width, last = sum(widths[start:stop]), stop == count
            cost = 100.0 * max(0.0, width - most) + (0.0 if last else max(0.0, 1 - width / most) ** 2)
            cost += 0.0 if last else 0.4 * (crossing[stop - 1] - 1) + 1e6 * bends[stop - 1]
            found.append((best[start][0] + 1 + cost, start))
        best.append(min(found))
    found, stop = [], count
    while stop:
        found.append(range(best[stop][1], stop))
        stop = best[stop][1]
    return found[::-1]
