"""Draws moving.svg, a threshold that moves with the image in hardware: `python docs/exactness/draw.py`."""

from pathlib import Path

W, H, GAP, UP, DOWN = 108, 66, 24, 34, 172
PLAIN, INTEGER, BUFFER = "#e8f0fe", "#e6f4ea", "#fef7e0"
STEP = W + GAP

MAIN = [
    ("MVAU", "binary layer", "accumulators"),
    ("Thresholding", "codes a", "H x W x C, 5 bits"),
    ("Duplicate", "two readers", ""),
]
BRANCH = [
    ("AccPool", "sum of the frame", "C integers"),
    ("Thresholding", "mean g", "8 bits"),
    ("MVAU", "int8, C to C/16", "integers"),
    ("Thresholding", "h", "8 bits"),
    ("MVAU", "int8, C/16 to C", "integers"),
    ("Thresholding", "level s", "C times 4 bits"),
    ("Replicate", "H x W times", "4 bits"),
]
END = [("Add", "a + s", "6 bits"), ("Thresholding", "sign", "1 bit")]


def text(x: float, y: float, size: int, words: str, style: str = "") -> str:
    """Centred text."""
    return f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="middle" {style}>{words}</text>'


def box(x: float, y: float, words: tuple[str, str, str], colour: str, width: float = W) -> str:
    """Operator, meaning, format."""
    name, meaning, form = words
    middle = x + width / 2
    parts = [f'<rect x="{x}" y="{y}" width="{width}" height="{H}" rx="8" fill="{colour}" stroke="#5f6368"/>']
    parts += [text(middle, y + 22, 13, name, 'font-weight="bold"'), text(middle, y + 40, 11, meaning)]
    return "".join([*parts, text(middle, y + 56, 11, form, 'fill="#5f6368"')])


def arrow(*points: tuple[float, float]) -> str:
    """Through all points, with a tip at the last."""
    path = " L ".join(f"{x} {y}" for x, y in points)
    return f'<path d="M {path}" fill="none" stroke="#202124" stroke-width="1.5" marker-end="url(#tip)"/>'


def row(boxes: list[tuple[str, str, str]], left: float, y: float, colour: str) -> list[str]:
    """Boxes from ``left`` on, with arrows between them."""
    parts = [box(left + i * STEP, y, words, colour) for i, words in enumerate(boxes)]
    middle = y + H / 2
    ends = [(left + i * STEP + W + 3, left + (i + 1) * STEP - 7) for i in range(len(boxes) - 1)]
    return [*parts, *(arrow((a, middle), (b, middle)) for a, b in ends)]


def main() -> None:
    """Write the picture beside this file."""
    left, fork = 10, 10 + 2 * STEP
    join, middle = fork + 7 * STEP, UP + H / 2
    start = fork + STEP
    parts = row(MAIN, left, UP, PLAIN) + row(BRANCH, start, DOWN, INTEGER) + row(END, join + STEP, UP, PLAIN)
    end = join + STEP
    words = ("FIFO", "one frame of codes waits for its levels", "depth from the exact timing model")
    parts.append(box(start + 60, UP, words, BUFFER, end - start - 120))
    parts += [arrow((fork + W + 3, middle), (start + 53, middle)), arrow((end - 57, middle), (end - 7, middle))]
    fork_x, join_x = fork + W / 2, end + W / 2
    parts.append(arrow((fork_x, UP + H + 3), (fork_x, DOWN + H / 2), (start - 7, DOWN + H / 2)))
    parts.append(arrow((join + W + 3, DOWN + H / 2), (join_x, DOWN + H / 2), (join_x, UP + H + 9)))
    note = "the branch: one vector of C numbers for every image"
    parts.append(text((start + join + W) / 2, DOWN - 12, 12, note, 'fill="#188038" font-weight="bold"'))
    width, height = end + STEP + W + 10, DOWN + H + 14
    tip = '<marker id="tip" markerWidth="8" markerHeight="8" refX="6" refY="3" orient="auto">'
    tip += '<path d="M0,0 L7,3 L0,6 z" fill="#202124"/></marker>'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
    svg += f'font-family="Helvetica, Arial, sans-serif"><defs>{tip}</defs>'
    svg += f'<rect width="{width}" height="{height}" fill="white"/>'
    (Path(__file__).parent / "moving.svg").write_text(svg + "".join(parts) + "</svg>\n")


if __name__ == "__main__":
    main()
