"""Where the boxes and wires of a `diagram.Diagram` lie on paper, in inches from the lower left corner.

Levels run from left to right and continue in the next row, like text; lanes lie above each other in a row
(`grid`). Sizes come from the widths of the texts, so no text meets another one or leaves its box.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from signflow.deploy.pictures.diagram import Box, Diagram, Mark, Wire, broken
from signflow.deploy.pictures.grid import Grid, Key, Step, rows

TITLE, TEXT = 9.5, 8.5
"""Sizes of letters in points."""
LINE, PAD = 0.15, 0.1
GAP, STEP = 0.42, 0.13
"""Least gap between boxes beside the label, distance of parallel wires."""
LANE_GAP, ROW_GAP, MARGIN = 0.16, 0.3, 0.12
MARK, ABOVE_MARK, ABOVE_WIRE = 0.17, 0.12, 0.04
"""Height of a mark; distance of a label from its wire with and without marks."""
MOST_STRETCH = 0.9
"""A gap grows by so much at most to fill a row."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Rect:
    """A rectangle: lower left corner, width, height."""

    x: float
    y: float
    w: float
    h: float


@dataclass(frozen=True)
class Route:
    """A wire on paper: corners, where its label and its marks lie."""

    wire: Wire
    points: tuple[Point, ...]
    label: Rect
    marks: tuple[tuple[Mark, Rect], ...]


@dataclass(frozen=True)
class Layout:
    """Everything placed."""

    width: float
    height: float
    boxes: dict[str, Rect]
    routes: tuple[Route, ...]


@cache
def text_width(text: str, size: float, bold: bool = False) -> float:
    """Width of a text in inches."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextToPath

    font = FontProperties(size=size, weight="bold" if bold else "normal")
    return TextToPath().get_text_width_height_descent(text, font, ismath=False)[0] / 72


def mark_width(kind: str, text: str) -> float:
    """Width of a mark: its text, and the bars of a FIFO."""
    return text_width(text, TEXT) + (0.12 if kind == "dwc" else 0.26)


def box_size(box: Box) -> Point:
    """Width and height of a box."""
    widths = [text_width(t, TITLE, bold=True) for t in broken(box.name)] + [text_width(t, TEXT) for t in box.lines]
    return max(widths) + 2 * PAD, (len(broken(box.name)) + len(box.lines)) * LINE + 1.4 * PAD


def _marks_width(wire: Wire) -> float:
    return sum(mark_width(m.kind, m.text) + 0.06 for m in wire.marks)


def _label_size(wire: Wire) -> Point:
    words = max((text_width(t, TEXT) for t in wire.label), default=0.0)
    return max(_marks_width(wire), words), len(wire.label) * LINE


class _Paper:
    """Lays a diagram out; y is negative, 0 is the upper edge."""

    def __init__(self, diagram: Diagram, most: float):
        self.diagram, self.grid = diagram, Grid(diagram)
        grid, self.sizes = self.grid, {box.name: box_size(box) for box in diagram.boxes}
        levels = range(grid.levels)
        self.column = [max([0.0] + [self.sizes[n][0] for n in self.sizes if grid.level[n] == k]) for k in levels]
        self.bends = [(len(grid.bends(k, True)), len(grid.bends(k, False))) for k in levels]
        self.leaving = [[i for i, w in enumerate(diagram.wires) if grid.level[w.source] == k] for k in levels]
        self.gap = [max([0.0] + [_label_size(diagram.wires[i])[0] for i in wires]) for wires in self.leaving]
        self.gap = [gap + GAP + STEP * sum(bends) for gap, bends in zip(self.gap, self.bends, strict=True)]
        self.gap[-1] = 0.0
        self.left = MARGIN + GAP + STEP * max(len(steps) for steps in grid.behind)
        widths = [a + b for a, b in zip(self.column, self.gap, strict=True)]
        crossing = [len(steps) for steps in grid.behind]
        self.rows = rows(widths, crossing, [sum(bends) for bends in self.bends], most - self.left - MARGIN)
        self.row_of = {k: r for r, row in enumerate(self.rows) for k in row}
        self._stretch(widths)
        self._place()

    def _stretch(self, widths: Sequence[float]) -> None:
        """Widen the gaps of every row but the last to the width of the widest row."""
        totals = [sum(widths[k] for k in row) + (0.0 if row.start else MARGIN - self.left) for row in self.rows]
        for row, total in zip(self.rows[:-1], totals, strict=False):
            for k in row:
                self.gap[k] += min(MOST_STRETCH, (max(totals) - total) / len(row))

    def _place(self) -> None:
        """Coordinates of columns and lanes."""
        self.x, self.middle, self.top, y = {}, {}, [], -MARGIN
        for r, row in enumerate(self.rows):
            x = self.left if r else MARGIN
            for k in row:
                self.x[k] = x
                x += self.column[k] + self.gap[k]
            self.top.append(y)
            for lane in range(
                max(self.grid.lane[key] for key in self.grid.lane if self.grid.level[key] in row), -1, -1
            ):
                over, under = self._extent(row, lane)
                self.middle[r, lane] = y - over
                y -= over + under + (LANE_GAP if lane else 0.0)
            y -= ROW_GAP + STEP * max(len(self.grid.behind[row.stop - 1]) - 1, 0)
        self.height = -y - ROW_GAP + MARGIN
        self.end = max(self.x[row.stop - 1] + self.column[row.stop - 1] + self.gap[row.stop - 1] for row in self.rows)
        crossing = max((len(self.grid.behind[row.stop - 1]) for row in self.rows), default=1)
        self.width = self.end + STEP * max(0, crossing - 1) + MARGIN

    def _extent(self, row: range, lane: int) -> Point:
        """Room that a lane needs in a row, above and below its middle."""
        grid = self.grid
        boxes = [h / 2 for n, (_, h) in self.sizes.items() if grid.level[n] in row and grid.lane[n] == lane]
        wires = [self.diagram.wires[i] for k in row for i in self.leaving[k] if grid.label_lane(i) == lane]
        labels = [ABOVE_MARK + _label_size(wire)[1] for wire in wires]
        return max([0.1, *boxes, *labels]), max([0.1, *boxes])

    def y(self, key: Key) -> float:
        """Middle of the lane of a place."""
        return self.middle[self.row_of[self.grid.level[key]], self.grid.lane[key]]

    def box(self, name: str) -> Rect:
        """A box, in the middle of its lane and column."""
        (w, h), level = self.sizes[name], self.grid.level[name]
        return Rect(self.x[level] + (self.column[level] - w) / 2, self.y(name) - h / 2, w, h)

    def _port(self, wire: int, key: Key, outgoing: bool) -> float:
        """Height at which a wire leaves or meets a place: in its own lane in the middle, from others above or below."""
        if not isinstance(key, str):
            return self.y(key)
        lane, at, other = self.grid.lane, 0 if outgoing else -1, 1 if outgoing else -2
        mine = [i for i, chain in enumerate(self.grid.chains) if chain[at] == key]
        mine.sort(key=lambda i: lane[self.grid.chains[i][other]])
        straight = sum(lane[self.grid.chains[i][other]] < lane[key] for i in mine)
        return self.y(key) + 0.3 * self.sizes[key][1] * (mine.index(wire) - straight) / max(1, len(mine) - 1)

    def _turn(self, step: Step) -> float:
        """Where a step between two lanes turns."""
        level = self.grid.level[step[1]]
        right = self.x[level] + self.column[level]
        if self.grid.leaves(step):
            return right + 0.1 + STEP * self.grid.bends(level, True).index(step)
        return right + self.gap[level] - 0.24 - STEP * self.grid.bends(level, False).index(step)

    def _around(self, step: Step, start: float, stop: float) -> list[Point]:
        """Corners on the way from the end of a row to the beginning of the next."""
        level = self.grid.level[step[1]]
        steps = sorted(self.grid.behind[level], key=lambda s: self.grid.lane[s[1]])
        rank, below = steps.index(step), self.top[self.row_of[level] + 1]
        under = below + ROW_GAP / 2 + STEP * (len(steps) - 1 - rank)
        outer, inner = self.end + STEP * rank, MARGIN + STEP * rank
        return [(outer, start), (outer, under), (inner, under), (inner, stop)]

    def _step(self, step: Step) -> list[Point]:
        """Corners from one level to the next."""
        wire, a, b = step
        start, stop, level = self._port(wire, a, True), self._port(wire, b, False), self.grid.level[a]
        left = self.box(a).x + self.box(a).w if isinstance(a, str) else self.x[level] + self.column[level] / 2
        right = self.box(b).x if isinstance(b, str) else self.x[level + 1] + self.column[level + 1] / 2
        corners = []
        if self.row_of[level] != self.row_of[level + 1]:
            corners = self._around(step, start, stop)
        elif self.grid.lane[a] != self.grid.lane[b]:
            turn = self._turn(step)
            corners = [(turn, start), (turn, stop)]
        return [(left, start), *corners, (right, stop)]

    def route(self, i: int) -> Route:
        """Corners of a wire, and its label and marks in the gap behind its source."""
        chain, wire = self.grid.chains[i], self.diagram.wires[i]
        points = [p for a, b in itertools.pairwise(chain) for p in self._step((i, a, b))]
        level, (width, height) = self.grid.level[chain[0]], _label_size(wire)
        leaving, joining = self.bends[level]
        y, x = self.middle[self.row_of[level], self.grid.label_lane(i)], self.x[level] + self.column[level]
        middle = (x + STEP * leaving + x + self.gap[level] - STEP * joining - 0.12) / 2
        marks, x = [], middle - _marks_width(wire) / 2 + 0.03
        for mark in wire.marks:
            marks.append((mark, Rect(x, y - MARK / 2, mark_width(mark.kind, mark.text), MARK)))
            x += mark_width(mark.kind, mark.text) + 0.06
        label = Rect(middle - width / 2, y + (ABOVE_MARK if marks else ABOVE_WIRE), width, height)
        return Route(wire, tuple(points), label, tuple(marks))


def _lifted(r: Rect, up: float) -> Rect:
    return Rect(r.x, r.y + up, r.w, r.h)


def lay_out(diagram: Diagram, width: float = 12.0) -> Layout:
    """Place a diagram on a sheet of about ``width`` inches (more where a fork or a box needs more) and the height it
    needs.
    """
    paper = _Paper(diagram, width)
    up, routes = paper.height, []
    for route in (paper.route(i) for i in range(len(diagram.wires))):
        points = tuple((x, y + up) for x, y in route.points)
        marks = tuple((mark, _lifted(rect, up)) for mark, rect in route.marks)
        routes.append(Route(route.wire, points, _lifted(route.label, up), marks))
    boxes = {box.name: _lifted(paper.box(box.name), up) for box in diagram.boxes}
    return Layout(paper.width, up, boxes, tuple(routes))
