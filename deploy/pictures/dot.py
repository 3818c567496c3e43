"""A graph in DOT, the language of Graphviz: a box an operator, small ones between for FIFOs and width converters."""

from collections.abc import Iterable

from signflow.deploy.pictures.diagram import END, FIFOS, Box, Diagram, Mark
from signflow.deploy.pictures.draw_graph import COLOURS, GREY, INK


def dot(diagram: Diagram, name: str) -> str:
    """The graph ``name`` as a text that `dot -Tsvg` draws and other programs read. Every node has the name that it has
    in the graph; FIFOs and width converters, marks in our own pictures, are nodes here.
    """
    rows = [f"digraph {_quoted([name])} {{", '  node [fontname="sans-serif" fontsize=11 style=filled];',
            '  edge [fontname="sans-serif" fontsize=9];']  # fmt: skip
    rows += [_box(box) for box in diagram.boxes]
    for wire in diagram.wires:
        rows += [_mark(mark) for mark in wire.marks]
        first, *rest = [_quoted([node]) for node in (wire.source, *(mark.node for mark in wire.marks), wire.target)]
        rows.append(f"  {first} -> {rest[0]} [label={_quoted(wire.label)}];")
        rows += [f"  {' -> '.join(rest)};"] if wire.marks else []
    return "\n".join([*rows, "}"]) + "\n"


def _box(box: Box) -> str:
    fill, strip, _ = COLOURS[box.kind]
    shape, edge = "ellipse" if box.kind == END else "box", INK if box.slowest else strip
    label, width = _quoted([box.name, *box.lines]), 2.4 if box.slowest else 1
    return f'  {_quoted([box.name])} [label={label} shape={shape} fillcolor="{fill}" color="{edge}" penwidth={width}];'


def _mark(mark: Mark) -> str:
    text, shape = (f"FIFO {mark.text}", "box") if mark.kind in FIFOS else (f"{mark.text} bit", "cds")
    label, node = _quoted([text]), _quoted([mark.node])
    return f'  {node} [label={label} shape={shape} fontsize=9 height=0.3 fillcolor=white color="{GREY}"];'


def _quoted(lines: Iterable[str]) -> str:
    """Lines as a quoted string, whose two special letters are escaped."""
    escaped = (line.replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return '"' + "\\n".join(escaped) + '"'
