"""Pictures of graphs: every node is drawn once, nothing lies on anything else, all text is inside."""

import itertools
import re
from dataclasses import replace

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from signflow.deploy import flow
from signflow.deploy.command.cli import main
from signflow.deploy.pictures.diagram import (
    IMAGE,
    PRODUCT,
    RESULT,
    Box,
    Diagram,
    Mark,
    Wire,
    broken,
    of_accelerator,
    of_model,
)
from signflow.deploy.pictures.dot import dot
from signflow.deploy.pictures.draw_graph import LEGEND, draw
from signflow.deploy.pictures.layout import Rect, lay_out


@st.composite
def diagrams(draw_value):
    """Any graph: every box reads one or more of those before it, and everything is read in the end."""
    count = draw_value(st.integers(1, 12))
    names = [IMAGE, *(f"SomeOperator_sf_{i}" for i in range(count)), RESULT]
    kinds = st.sampled_from([("fifo", "32"), ("block", "1024"), ("dwc", "320→20")])
    wires, unread = [], set()
    for i, name in enumerate(names[1:], 1):
        near = st.integers(max(0, i - draw_value(st.sampled_from([1, 1, 3, 9]))), i - 1)
        sources = [names[k] for k in draw_value(st.lists(near, min_size=1, max_size=3))]
        sources = sources if name != RESULT else sorted(unread)
        for source in sources:
            marks = tuple(Mark("", *draw_value(kinds)) for _ in range(draw_value(st.integers(0, 3))))
            wires.append(Wire(source, name, ("UINT8", "28x28x64")[: draw_value(st.integers(1, 2))], marks))
        unread = (unread | {name}) - set(sources)
    lines = [("PE 64, SIMD 64", "7,200 cycles")[: draw_value(st.integers(0, 2))] for _ in names]
    boxes = [Box(n, text, PRODUCT, (n,)) for n, text in zip(names, lines, strict=True)]
    return Diagram(tuple(boxes), tuple(wires))


def overlap(a: Rect, b: Rect) -> bool:
    e = 1e-6
    return a.x < b.x + b.w - e and b.x < a.x + a.w - e and a.y < b.y + b.h - e and b.y < a.y + a.h - e


def segment(p, q) -> Rect:
    return Rect(min(p[0], q[0]), min(p[1], q[1]), abs(p[0] - q[0]), abs(p[1] - q[1]))


def check_layout(diagram: Diagram, layout) -> None:
    boxes, wires = (
        list(layout.boxes.values()),
        [(r.wire, r.label, [rect for _, rect in r.marks]) for r in layout.routes],
    )
    assert set(layout.boxes) == {box.name for box in diagram.boxes} and len(wires) == len(diagram.wires)
    solid = boxes + [rect for _, label, marks in wires for rect in [label, *marks]]
    for a, b in itertools.combinations(solid, 2):
        assert not overlap(a, b), (a, b)
    for r in solid:
        assert r.x >= 0 and r.y >= 0 and r.x + r.w <= layout.width and r.y + r.h <= layout.height
    lines = []
    for route in layout.routes:
        source, target = layout.boxes[route.wire.source], layout.boxes[route.wire.target]
        assert route.points[0][0] == pytest.approx(source.x + source.w)
        assert route.points[-1][0] == pytest.approx(target.x)
        for (x, y), r in ((route.points[0], source), (route.points[-1], target)):
            assert r.y < y < r.y + r.h, x
        pairs = [(p, q) for p, q in itertools.pairwise(route.points) if p != q]
        lines += [(route.wire, segment(p, q)) for p, q in pairs]
        for p, q in pairs:
            assert p[0] == pytest.approx(q[0]) or p[1] == pytest.approx(q[1])
    for wire, line in lines:
        thick = Rect(line.x - 0.01, line.y - 0.01, line.w + 0.02, line.h + 0.02)
        ends = (layout.boxes[wire.source], layout.boxes[wire.target])
        assert not any(overlap(thick, box) for box in boxes if box not in ends), wire
        assert not any(overlap(line, box) for box in ends), wire
        for other, label, marks in wires:
            assert not overlap(thick, label), (wire, other)
            assert other is wire or not any(overlap(thick, mark) for mark in marks), (wire, other)
    parallel(lines)


def parallel(lines) -> None:
    """No two wires run on the same line; they may cross."""
    for (a, p), (b, q) in itertools.combinations(lines, 2):
        if a is not b and (p.w > 1e-6) == (q.w > 1e-6):
            thin = [Rect(r.x - 1e-4, r.y - 1e-4, r.w + 2e-4, r.h + 2e-4) for r in (p, q)]
            along = min(p.x + p.w, q.x + q.w) - max(p.x, q.x) + min(p.y + p.h, q.y + q.h) - max(p.y, q.y)
            assert not (overlap(*thin) and along > 1e-3), (a, b)


@settings(max_examples=150)
@given(diagrams(), st.sampled_from([4.0, 8.0, 12.0]))
def test_nothing_meets_in_any_graph(diagram, width):
    check_layout(diagram, lay_out(diagram, width))


def check_figure(diagram: Diagram) -> None:
    """As matplotlib draws it: every name is there once, text within the sheet and its box, no text on other text."""
    layout, figure = lay_out(diagram), draw(diagram)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    width, height = figure.get_size_inches()
    assert (width, height) == pytest.approx((layout.width, layout.height + LEGEND))
    extents = []
    for text in figure.findobj(Text):
        if text.get_text():
            e = text.get_window_extent(canvas.get_renderer())
            dpi = figure.dpi
            extents.append((text, Rect(e.x0 / dpi, e.y0 / dpi, e.width / dpi, e.height / dpi)))
    for _, r in extents:
        assert r.x >= 0 and r.y >= 0 and r.x + r.w <= width and r.y + r.h <= height
    for (a, p), (b, q) in itertools.combinations(extents, 2):
        assert not overlap(Rect(p.x, p.y + 0.02, p.w, p.h - 0.04), q), (a, b)
    drawn = [text.get_text() for text, _ in extents]
    for box in diagram.boxes:
        r = layout.boxes[box.name]
        inside = [t for t, e in extents if r.x <= e.x and e.x + e.w <= r.x + r.w and r.y <= e.y - LEGEND <= r.y + r.h]
        assert [t.get_text() for t in inside] == [*broken(box.name), *box.lines]
    assert sum(len(broken(box.name)) + len(box.lines) for box in diagram.boxes) < len(drawn)


@pytest.fixture(scope="module")
def moving(tmp_path_factory):
    """Work folder of a network with forks and joins, up to the accelerator: sfc-sd, shipped with weights."""
    work = tmp_path_factory.mktemp("sfc-sd")
    settings_ = flow.Settings("sfc-sd", fps=20_000)
    for step in ("export", "streamline", "lower", "fold", "generate"):
        flow.run(step, settings_, work)
    return work


@pytest.mark.parametrize("product", [flow.NETWORK, flow.INTEGER, flow.HARDWARE, flow.FOLDED])
def test_every_node_of_a_chain_is_drawn_once(mini, product):
    model = flow.read(mini[1], product)
    diagram = of_model(model)
    assert sorted(diagram.nodes) == sorted(node.name for node in model.graph.node)
    check_layout(diagram, lay_out(diagram))
    check_figure(diagram)


@pytest.mark.parametrize("product", [flow.NETWORK, flow.INTEGER, flow.HARDWARE])
def test_every_node_with_forks_and_joins_is_drawn_once(moving, product):
    model = flow.read(moving, product)
    diagram = of_model(model)
    assert sorted(diagram.nodes) == sorted(node.name for node in model.graph.node)
    tensors = sum(t in {o for n in model.graph.node for o in n.output} for n in model.graph.node for t in n.input)
    assert len(diagram.wires) >= tensors - sum(len(box.nodes) - 1 for box in diagram.boxes if box.nodes)
    check_layout(diagram, lay_out(diagram))
    check_figure(diagram)


def test_an_accelerator_has_its_fifos_and_converters_on_the_wires(mini, moving):
    for work in (mini[1], moving):
        facts = flow.accelerator(work)
        diagram = of_accelerator(facts)
        assert sorted(diagram.nodes) == sorted(operator["node"] for operator in facts["operators"])
        marks = {mark.node: mark for wire in diagram.wires for mark in wire.marks}
        for operator in facts["operators"]:
            if operator["module"] == "sf_fifo":
                assert marks[operator["node"]].text == str(operator["params"]["DEPTH"])
        slowest = {box.name for box in diagram.boxes if box.slowest}
        interval = facts["predicted"]["interval"]
        assert slowest == {o["node"] for o in facts["operators"] if o["cycles"] == interval and o["node"] not in marks}
        assert facts["predicted"]["bottleneck"] in slowest
        check_layout(diagram, lay_out(diagram))
        check_figure(diagram)


def test_long_names_are_broken_at_capitals():
    assert broken("MVAU_sf_0") == ("MVAU_sf_0",)
    assert broken("ConvolutionInputGenerator_sf_1") == ("ConvolutionInput-", "Generator_sf_1")
    assert "".join(broken("ConvolutionInputGenerator_sf_1")).replace("-", "") == "ConvolutionInputGenerator_sf_1"


QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


def unquoted(row: str) -> list[str]:
    """The quoted strings of a row of DOT, as Graphviz reads them: \n is a new line, \ before another letter that."""
    return [re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], text) for text in QUOTED.findall(row)]


@settings(max_examples=30)
@given(diagrams(), st.text('ab\\"{}[]->;é ', min_size=1, max_size=6))
def test_dot_says_what_the_diagram_says(diagram, odd):
    """Also with names that DOT would misread without its quotes."""
    count, wires = itertools.count(), []
    for wire in diagram.wires:
        marks = tuple(replace(mark, node=f"{odd}{next(count)}") for mark in wire.marks)
        wires.append(replace(wire, label=(odd, *wire.label), marks=marks))
    head, *rows, end = dot(replace(diagram, wires=tuple(wires)), odd).splitlines()
    assert unquoted(head) == [odd] and QUOTED.sub("NAME", head) == "digraph NAME {" and end == "}"
    bare = [QUOTED.sub("NAME", row) for row in rows]
    arrows = [unquoted(row) for row, shape in zip(rows, bare, strict=True) if "->" in shape]
    expected = []
    for wire in wires:  # what the label says is true of the first hop: converters change it
        first, *rest = [wire.source, *(mark.node for mark in wire.marks), wire.target]
        expected += [[first, rest[0], "\n".join(wire.label)], *([rest] if wire.marks else [])]
    assert arrows == expected
    nodes = [unquoted(row)[:2] for row, shape in zip(rows, bare, strict=True) if shape.startswith("  NAME [label=")]
    boxes = [[box.name, "\n".join([box.name, *box.lines])] for box in diagram.boxes]
    assert [node for node in nodes if node in boxes] == boxes
    assert len(nodes) == len(boxes) + next(count)


def test_the_command_writes_dot_and_pictures(mini, tmp_path):
    where = [mini[0].source, "--out", str(mini[1])]
    for file, head in (("a.dot", b'digraph "mini"'), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF"), ("a.png", b"\x89PNG")):
        done = CliRunner().invoke(main, ["graph", *where, "-o", str(tmp_path / "new" / file)], catch_exceptions=False)
        assert done.exit_code == 0 and (tmp_path / "new" / file).read_bytes().startswith(head)
    done = CliRunner().invoke(main, ["graph", *where, "--of", "integer", "-o", str(tmp_path / "b.dot")])
    nodes = {unquoted(row)[0] for row in (tmp_path / "b.dot").read_text().splitlines() if "fillcolor" in row}
    assert {box.name for box in of_model(flow.read(mini[1], flow.INTEGER)).boxes} == nodes
    done = CliRunner().invoke(main, ["graph", *where, "-o", str(tmp_path / "b.jpg")])
    assert done.exit_code == 1 and "written as .dot, .svg, .pdf, .png" in done.stderr
