"""A graph as a picture: boxes for operators, wires with data types and shapes, FIFOs and width converters as marks."""

from signflow.deploy.pictures.diagram import ARITHMETIC, DECISION, END, MOVEMENT, PRODUCT, Box, Diagram, broken
from signflow.deploy.pictures.layout import LINE, PAD, TEXT, TITLE, Rect, Route, lay_out, mark_width, text_width

INK, GREY, WIRE = "#202124", "#5f6368", "#3c4043"
COLOURS = {
    PRODUCT: ("#e8f0fe", "#1a73e8", "products"),
    DECISION: ("#e6f4ea", "#188038", "thresholds, quantisers"),
    ARITHMETIC: ("#fef7e0", "#e37400", "other arithmetic"),
    MOVEMENT: ("#f1f3f4", "#5f6368", "moving data"),
    END: ("#ffffff", "#5f6368", ""),
}
"""Kind of box -> (fill, strip at its left, words in the legend)."""
LEGEND = 0.34


def draw(diagram: Diagram, width: float = 12.0):
    """The picture as a matplotlib Figure, about ``width`` inches wide."""
    from matplotlib.figure import Figure

    layout = lay_out(diagram, width)
    height = layout.height + LEGEND
    figure = Figure(figsize=(layout.width, height), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, layout.width), ylim=(-LEGEND, layout.height))
    axes.axis("off")
    for route in layout.routes:
        _wire(axes, route)
    for box in diagram.boxes:
        _box(axes, layout.boxes[box.name], box)
    _legend(axes, diagram)
    return figure


def _box(axes, r: Rect, box: Box) -> None:
    from matplotlib.patches import FancyBboxPatch, Rectangle

    fill, strip, _ = COLOURS[box.kind]
    style = f"round,pad=0,rounding_size={0.5 * r.h if box.kind == END and not box.lines else 0.07}"
    patch = FancyBboxPatch(
        (r.x, r.y), r.w, r.h, style, facecolor=fill, zorder=3, gid=f"op:{box.name}", **_edge(box.slowest)
    )
    axes.add_patch(patch)
    if box.kind != END:
        bar = Rectangle((r.x, r.y), 0.05, r.h, color=strip, lw=0, zorder=3.1)
        axes.add_patch(bar)
        bar.set_clip_path(patch)
    y, x = r.y + r.h - 0.7 * PAD - LINE / 2, r.x + r.w / 2
    for words in broken(box.name):
        axes.text(x, y, words, ha="center", va="center", size=TITLE, weight="bold", color=INK, zorder=4)
        y -= LINE
    for words in box.lines:
        axes.text(x, y, words, ha="center", va="center", size=TEXT, color=INK, zorder=4)
        y -= LINE


def _edge(slowest: bool) -> dict:
    return {"edgecolor": INK, "lw": 2.4} if slowest else {"edgecolor": GREY, "lw": 1}


def _wire(axes, route: Route) -> None:
    from matplotlib.patches import FancyArrowPatch

    xs, ys = zip(*route.points, strict=True)
    axes.plot(xs, ys, color=WIRE, lw=1.1, solid_joinstyle="round", zorder=1)
    tip = FancyArrowPatch((xs[-1] - 0.1, ys[-1]), (xs[-1], ys[-1]), arrowstyle="-|>", mutation_scale=9, shrinkA=0,
                          shrinkB=0, color=WIRE, lw=1.1, zorder=2)  # fmt: skip
    axes.add_patch(tip)
    label = route.label
    for k, words in enumerate(reversed(route.wire.label)):
        axes.text(label.x + label.w / 2, label.y + (k + 0.5) * LINE, words, ha="center", va="center", size=TEXT,
                  color=GREY, zorder=4)  # fmt: skip
    for mark, r in route.marks:
        _mark(axes, r, mark.kind, mark.text)


def _mark(axes, r: Rect, kind: str, text: str) -> None:
    """A FIFO is a box with bars at its right end (filled: in block RAM), a width converter is an arrow-shaped box."""
    from matplotlib.patches import Polygon, Rectangle

    if kind == "dwc":
        cut = 0.05
        corners = [(r.x, r.y), (r.x + r.w - cut, r.y), (r.x + r.w, r.y + r.h / 2), (r.x + r.w - cut, r.y + r.h),
                   (r.x, r.y + r.h)]  # fmt: skip
        axes.add_patch(Polygon(corners, facecolor="#fef7e0", edgecolor=GREY, lw=0.9, zorder=3))
        axes.text(r.x + r.w / 2 - cut / 2, r.y + r.h / 2, text, ha="center", va="center_baseline", size=TEXT, color=INK,
                  zorder=4)  # fmt: skip
        return
    fill = "#d2e3fc" if kind == "block" else "white"
    axes.add_patch(Rectangle((r.x, r.y), r.w, r.h, facecolor=fill, edgecolor=GREY, lw=0.9, zorder=3))
    for k in (1, 2):
        axes.plot([r.x + r.w - 0.05 * k] * 2, [r.y, r.y + r.h], color=GREY, lw=0.9, zorder=3.2)
    axes.text(r.x + (r.w - 0.1) / 2, r.y + r.h / 2, text, ha="center", va="center_baseline", size=TEXT, color=INK,
              zorder=4)  # fmt: skip


def _legend(axes, diagram: Diagram) -> None:
    from matplotlib.patches import Rectangle

    x, y = 0.12, -LEGEND / 2
    kinds = {box.kind for box in diagram.boxes}
    for kind, (fill, strip, words) in COLOURS.items():
        if kind in kinds and words:
            axes.add_patch(Rectangle((x, y - 0.075), 0.24, 0.15, facecolor=fill, edgecolor=GREY, lw=0.9))
            axes.add_patch(Rectangle((x, y - 0.075), 0.05, 0.15, color=strip, lw=0))
            axes.text(x + 0.3, y, words, va="center_baseline", size=TEXT, color=GREY)
            x += 0.55 + text_width(words, TEXT)
    if any(box.slowest for box in diagram.boxes):
        axes.add_patch(Rectangle((x, y - 0.075), 0.24, 0.15, facecolor="white", **_edge(True)))
        axes.text(x + 0.32, y, "slowest", va="center_baseline", size=TEXT, color=GREY)
        x += 0.57 + text_width("slowest", TEXT)
    marks = {mark.kind for wire in diagram.wires for mark in wire.marks}
    samples = {
        "fifo": ("32", "FIFO, words"),
        "block": ("32", "FIFO in block RAM"),
        "dwc": ("8→64", "width converter, bits"),
    }
    for kind, (text, words) in samples.items():
        if kind in marks:
            w = mark_width(kind, text)
            _mark(axes, Rect(x, y - 0.085, w, 0.17), kind, text)
            axes.text(x + w + 0.06, y, words, va="center_baseline", size=TEXT, color=GREY)
            x += w + 0.31 + text_width(words, TEXT)
