"""The handshakes of an operator as a picture: clock, valid, ready, and data in hexadecimal."""

from signflow.deploy.pictures.draw_graph import GREY, INK
from signflow.deploy.pictures.layout import text_width
from signflow.deploy.pictures.wave import Stream, Wave

SIZE = 8.5
CYCLE, HIGH, ROW, STREAM_GAP, LEFT, EDGE = 0.32, 0.17, 0.25, 0.14, 0.95, 0.12
"""Inches: a cycle, a high level, a signal, between streams, the names, the margin."""
TAKEN, VALUE, LINE = "#ceead6", "#e8f0fe", "#1a73e8"


def draw(wave: Wave, first: int = 0, cycles: int = 64, per_row: int = 32):
    """A matplotlib Figure of ``cycles`` cycles from ``first`` on, ``per_row`` to a row. Green: a word is taken."""
    from matplotlib.figure import Figure

    last = min(first + cycles, wave.cycles)
    starts = range(first, last, per_row)
    height = ROW * (1 + 3 * len(wave.streams)) + STREAM_GAP * len(wave.streams) + 0.4
    words = "green: valid and ready, the word is taken at the end of the cycle"
    title = text_width(wave.operator, SIZE + 1, bold=True) + text_width(words, SIZE) + 4 * EDGE
    sheet = (max(title, LEFT + CYCLE * min(per_row, last - first) + EDGE), height * len(starts) + 0.3)
    figure = Figure(figsize=sheet, facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, sheet[0]), ylim=(0, sheet[1]))
    axes.axis("off")
    axes.text(EDGE, sheet[1] - 0.16, wave.operator, va="center", size=SIZE + 1, weight="bold", color=INK)
    axes.text(sheet[0] - EDGE, sheet[1] - 0.16, words, va="center", ha="right", size=SIZE, color=GREY)
    for k, start in enumerate(starts):
        _panel(axes, wave, start, min(start + per_row, last), sheet[1] - 0.3 - k * height)
    return figure


def _panel(axes, wave: Wave, start: int, stop: int, top: float) -> None:
    """One row of cycles, its upper edge at ``top``."""
    step = 4 if stop - start > 8 else 1
    y = top - 0.25
    floor = top - 0.25 - ROW * (1 + 3 * len(wave.streams)) - STREAM_GAP * len(wave.streams)
    for cycle in range(start, stop):
        if cycle % step == 0:
            axes.plot([_x(cycle, start)] * 2, [floor, y + 0.05], color="#dadce0", lw=0.7, zorder=0)
            axes.text(
                _x(cycle, start) + CYCLE / 2, y + 0.12, f"{cycle}", ha="center", va="center", size=SIZE, color=GREY
            )
    y -= ROW
    _name(axes, "clk", y)
    xs = [x for c in range(start, stop) for x in (c, c, c + 0.5, c + 0.5)]
    _trace(axes, [_x(x, start) for x in xs] + [_x(stop, start)], [0, 1, 1, 0] * (stop - start) + [0], y)
    for stream in wave.streams:
        y -= STREAM_GAP
        bottom = y - 3 * ROW
        for cycle in stream.taken[(stream.taken >= start) & (stream.taken < stop)]:
            axes.fill_between(
                [_x(cycle, start), _x(cycle + 1, start)], bottom - 0.03, y - 0.02, color=TAKEN, lw=0, zorder=0.5
            )
        for part in ("valid", "ready"):
            y -= ROW
            _name(axes, f"{stream.name}_{part}", y)
            levels = getattr(stream, part)[start:stop]
            xs = [_x(x, start) for c in range(start, stop) for x in (c, c + 1)]
            _trace(axes, xs, [v for level in levels for v in (level, level)], y)
        y -= ROW
        _name(axes, f"{stream.name}_data", y)
        _data(axes, stream, start, stop, y)


def _x(cycle: float, start: int) -> float:
    return LEFT + CYCLE * (cycle - start)


def _name(axes, words: str, y: float) -> None:
    axes.text(LEFT - 0.1, y + HIGH / 2, words, ha="right", va="center", size=SIZE, color=INK)


def _trace(axes, xs: list[float], levels: list[int], y: float) -> None:
    axes.plot(xs, [y + HIGH * level for level in levels], color=INK, lw=1)


def _data(axes, stream: Stream, start: int, stop: int, y: float) -> None:
    """Boxes with values while valid; a word that waits for ready has one box. A flat grey line elsewhere."""
    spans, taken = [], set(stream.taken.tolist())
    for cycle in range(start, stop):
        if spans and stream.valid[cycle] and spans[-1][2] and cycle - 1 not in taken:
            spans[-1][1] = cycle + 1
        else:
            spans.append([cycle, cycle + 1, bool(stream.valid[cycle])])
    for a, b, valid in spans:
        left, right, middle = _x(a, start), _x(b, start), y + HIGH / 2
        if not valid:
            axes.plot([left, right], [middle, middle], color="#bdc1c6", lw=1)
            continue
        cut = 0.03
        axes.fill([left, left + cut, right - cut, right, right - cut, left + cut],
                  [middle, y + HIGH, y + HIGH, middle, y, y], facecolor=VALUE, edgecolor=LINE, lw=0.9)  # fmt: skip
        words = _hex(stream.data[a], stream.bits, right - left - 0.04)
        axes.text((left + right) / 2, middle, words, ha="center", va="center_baseline", size=SIZE, color=INK)


def _hex(value: int, bits: int, room: float) -> str:
    """The value in hexadecimal, without its first digits where there is no room for them."""
    digits = f"{value:0{-(-bits // 4)}x}"
    if text_width(digits, SIZE) <= room:
        return digits
    return next((t for k in range(1, len(digits)) if text_width(t := "…" + digits[k:], SIZE) <= room), "")
