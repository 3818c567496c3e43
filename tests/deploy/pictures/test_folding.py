"""Exploring foldings: every point is what building it would give; the plots show those numbers."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.text import Text
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy import flow
from signflow.deploy.pictures import draw_folding
from signflow.deploy.pictures.explore import Point, explore, front
from signflow.deploy.plan.fit import buffered_cost
from signflow.deploy.plan.fold import apply_folding, folding_of, interval
from signflow.hw.boards import board, boards

TARGETS = [3e8, 500, 1_000, 4_000, 4_001, 16_000]


@pytest.fixture(scope="module")
def points(mini):
    model = flow.read(mini[1], flow.HARDWARE)
    before = folding_of(model)
    found = explore(model, board("pynq-z2"), TARGETS)
    assert folding_of(model) == before
    return found


@given(st.lists(st.tuples(*[st.integers(1, 4)] * 4), max_size=12))
def test_the_front_is_what_no_other_beats(values):
    kinds = ("LUT", "BRAM18", "URAM")
    points = [Point(fps, fps, 1, dict(zip(kinds, cost, strict=True)), True, {}) for fps, *cost in values]
    found = front(points)
    for point in points:
        beaten = [
            one for one in points
            if one.fps >= point.fps and all(one.cost[what] <= point.cost[what] for what in point.cost)
            and (one.fps, one.cost) != (point.fps, point.cost)
        ]  # fmt: skip
        assert (point in found) == (not beaten)


def test_a_point_is_the_folding_it_names(mini, points):
    for point in points:
        model = ModelWrapper(copy.deepcopy(flow.read(mini[1], flow.HARDWARE).model))
        apply_folding(model, point.folding)
        assert interval(model) == point.interval and point.fps == 1e8 / point.interval >= point.target
        assert buffered_cost(model) == point.cost


def test_targets_out_of_reach_and_equal_foldings_are_left_out(points):
    assert [p.target for p in points if p.target > 4_001] == [16_000]
    assert len({str(p.folding) for p in points}) == len(points) < len(TARGETS)
    assert [p.target for p in points] == sorted(p.target for p in points)
    assert points[0].cost["LUT"] < points[-1].cost["LUT"]


def test_what_does_not_fit_is_marked(mini):
    model = flow.read(mini[1], flow.HARDWARE)
    small = type(board("pynq-z2"))(**{**vars(board("pynq-z2")), "lut": 10})
    (point,) = explore(model, small, [4_000])
    assert not point.fits and point.cost["LUT"] > 10
    axes = Figure().subplots()
    draw_folding.tradeoff(axes, {"mini": [point]}, small)
    assert [line.get_markerfacecolor() for line in axes.lines[:2]] == [draw_folding.STYLES[0][0], "white"]


def test_tradeoff_shows_every_point(points):
    axes = Figure().subplots()
    draw_folding.tradeoff(axes, {"a": points, "b": points[:1]}, board("pynq-z2"))
    drawn = [tuple(zip(*line.get_data(), strict=True)) for line in axes.lines if line.get_label() in "ab"]
    assert drawn == [tuple((p.cost["LUT"], p.fps) for p in part) for part in (points, points[:1])]
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["a", "b"]


def test_cycles_and_fifos_are_those_of_the_accelerator(mini):
    facts = flow.accelerator(mini[1])
    left, right = Figure().subplots(1, 2)
    draw_folding.cycles(left, facts)
    draw_folding.fifos(right, facts)
    work = [op for op in facts["operators"] if op["op"] not in ("StreamingFIFO_sf", "StreamingDataWidthConverter_sf")]
    assert [bar.get_width() for bar in left.patches] == [op["cycles"] for op in work]
    assert [t.get_text() for t in left.get_yticklabels()] == [op["node"] for op in work]
    texts = [t.get_text() for t in left.findobj(Text)]
    assert all(
        f"PE {op['params']['PE']}, SIMD {op['params']['SIMD']}" in texts for op in work if op["module"] == "sf_mvau"
    )
    depths = [op["params"]["DEPTH"] for op in facts["operators"] if op["module"] == "sf_fifo"]
    assert [bar.get_height() for bar in right.patches] == depths


def test_utilisation_is_in_percent_of_each_board():
    axes = Figure().subplots()
    known = list(boards().values())
    draw_folding.utilisation(axes, {"LUT": 5320, "BRAM18": 28, "DSP": 0}, known)
    heights = [bar.get_height() for bar in axes.patches]
    assert heights == [532_000 / b.lut for b in known] + [2_800 / b.bram18 for b in known]
    assert sum(t.get_text() == "10" for t in axes.texts) >= 4  # both Zynq-7000 boards, twice
