"""Draws flow.svg, the picture in the README: `python docs/draw_flow.py`."""

from pathlib import Path

BOXES = [
    ("PyTorch", "Brevitas, trained", "float32 logits", "#e8f0fe"),
    ("QONNX", "1-network.onnx", "image in, logits out", "#e8f0fe"),
    ("integer graph", "2-integer.onnx", "thresholds enumerated", "#e6f4ea"),
    ("FINN graph", "3-hardware, 4-folded", "PE, SIMD, FIFO depths", "#e6f4ea"),
    ("RTL", "5-accelerator/", "SystemVerilog, .mem", "#fef7e0"),
    ("board", "8-project, .bit", "driver, notebook", "#fef7e0"),
]
VERBS = ["export", "streamline", "lower, fold", "generate", "bitstream"]
W, H, GAP, TOP = 150, 70, 66, 30


def text(x: float, y: float, size: int, words: str, style: str = "") -> str:
    """Centred text."""
    return f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="middle" {style}>{words}</text>'


def main() -> None:
    """Write the picture beside this file."""
    parts = []
    for i, (name, product, note, colour) in enumerate(BOXES):
        x = 10 + i * (W + GAP)
        parts.append(f'<rect x="{x}" y="{TOP}" width="{W}" height="{H}" rx="8" fill="{colour}" stroke="#5f6368"/>')
        parts += [
            text(x + W / 2, TOP + 24, 14, name, 'font-weight="bold"'),
            text(x + W / 2, TOP + 43, 11, product),
            text(x + W / 2, TOP + 59, 11, note, 'fill="#5f6368"'),
        ]
        if i:
            left = x - GAP
            parts.append(
                f'<line x1="{left + 4}" y1="{TOP + H / 2}" x2="{x - 8}" y2="{TOP + H / 2}" '
                f'stroke="#202124" stroke-width="1.5" marker-end="url(#tip)"/>'
            )
            parts.append(text(left + GAP / 2, TOP + H / 2 - 8, 10, VERBS[i - 1].replace(", ", "+")))
    last = 10 + 4 * (W + GAP) + W
    parts.append(
        f'<path d="M 20 {TOP + H + 12} v 10 H {last - 10} v -10" fill="none" stroke="#188038" stroke-width="2"/>'
    )
    parts.append(
        text(
            (20 + last) / 2,
            TOP + H + 42,
            13,
            "verify: every logit of every image equal, no tolerance",
            'fill="#188038" font-weight="bold"',
        )
    )
    width = 20 + len(BOXES) * (W + GAP) - GAP
    tip = '<marker id="tip" markerWidth="8" markerHeight="8" refX="6" refY="3" orient="auto">'
    tip += '<path d="M0,0 L7,3 L0,6 z" fill="#202124"/></marker>'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} 175" '
    svg += f'font-family="Helvetica, Arial, sans-serif"><defs>{tip}</defs>'
    svg += f'<rect width="{width}" height="175" fill="white"/>'
    (Path(__file__).parent / "flow.svg").write_text(svg + "".join(parts) + "</svg>\n")


if __name__ == "__main__":
    main()
