"""An SVG that is put together from boxes, words and arrows, in the colours of our other pictures."""

from pathlib import Path

INK, GREY, BLUE, GREEN, AMBER, WHITE = "#202124", "#5f6368", "#e8f0fe", "#e6f4ea", "#fef7e0", "#ffffff"
TIP = (
    '<marker id="tip" markerWidth="8" markerHeight="8" refX="6" refY="3" orient="auto">'
    f'<path d="M0,0 L7,3 L0,6 z" fill="{INK}"/></marker>'
)


class Canvas:
    """A picture of ``width`` x ``height``; coordinates are those of its top left corner."""

    def __init__(self, width: int, height: int):
        self.size, self.parts = (width, height), []

    def text(self, x: float, y: float, words: str, size: int = 12, at: str = "middle", **style: str) -> None:
        """``words`` with their baseline at y; ``at``: start, middle or end."""
        words = words.replace("&", "&amp;").replace("<", "&lt;")
        more = "".join(f' {key.replace("_", "-")}="{value}"' for key, value in style.items())
        self.parts.append(f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{at}"{more}>{words}</text>')

    def title(self, words: str) -> None:
        """What the picture shows."""
        self.text(20, 26, words, 13, "start", font_weight="bold")

    def note(self, x: float, y: float, words: str, at: str = "start") -> None:
        """A remark, in grey."""
        self.text(x, y, words, 11, at, fill=GREY)

    def box(self, x: float, y: float, w: float, h: float, *lines: str, fill: str = WHITE, round_: int = 6) -> None:
        """A box with ``lines`` in its middle, the first one bold."""
        place = f'x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}"'
        self.parts.append(f'<rect {place} rx="{round_}" fill="{fill}" stroke="{GREY}"/>')
        for k, words in enumerate(lines):
            style = {"font_weight": "bold"} if k == 0 else {"fill": GREY}
            self.text(x + w / 2, y + h / 2 + 4 + 15 * (k - (len(lines) - 1) / 2), words, 12 if k == 0 else 11, **style)

    def line(self, *points: tuple[float, float], tip: bool = True, wide: float = 1.3, dash: str = "") -> None:
        """An arrow along ``points``."""
        path = " ".join(f"{x:g},{y:g}" for x, y in points)
        more = (' marker-end="url(#tip)"' if tip else "") + (f' stroke-dasharray="{dash}"' if dash else "")
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{INK}" stroke-width="{wide}"{more}/>')

    def dot(self, x: float, y: float, fill: str = INK, radius: float = 3) -> None:
        """A bit."""
        place = f'cx="{x:g}" cy="{y:g}" r="{radius:g}"'
        self.parts.append(f'<circle {place} fill="{fill}" stroke="{INK}" stroke-width="0.6"/>')

    def write(self, path: Path) -> None:
        """As a file."""
        width, height = self.size
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        head += f'font-family="Helvetica, Arial, sans-serif"><defs>{TIP}</defs>'
        head += f'<rect width="{width}" height="{height}" fill="white"/>\n'
        path.write_text(head + "\n".join(self.parts) + "\n</svg>\n")
