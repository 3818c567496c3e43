"""The front against its definition, the best against all points, the energy against numbers by hand."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signflow.deploy.explore.energy import Energy
from signflow.deploy.explore.front import OBJECTIVES, Point, best, front


def point(board: str = "a", accuracy: float = 0.5, fps: float = 1.0, lut: int = 1, **more) -> Point:
    facts = {"network": "n", "normalisation": "bn", "target": 0.0, "core_fps": fps, "interval": 1, "latency": 1,
             "latency_us": 1.0, "bram36": 0.0, "dsp": 0, "uram": 0, "energy_uj": 1.0}  # fmt: skip
    return Point(board=board, accuracies=(accuracy,), fps=fps, lut=lut, **facts | more)


SMALL = st.integers(0, 3)
POINTS = st.lists(
    st.builds(
        lambda board, a, f, lut, us, bram, uj: point(
            board, a / 4, float(f), lut, latency_us=float(us), bram36=float(bram), energy_uj=float(uj)
        ),
        st.sampled_from("ab"), SMALL, SMALL, SMALL, SMALL, SMALL, SMALL,
    ),
    max_size=12,
)  # fmt: skip
LARGE_IS_GOOD = {"accuracy": "accuracy", "images/s": "fps"}
SMALL_IS_GOOD = {"LUT": "lut", "latency": "latency_us", "BRAM": "bram36", "energy": "energy_uj"}


def as_good(p: Point, q: Point, objectives) -> bool:
    """p is at least as good as q in every one."""
    large = all(getattr(p, LARGE_IS_GOOD[o]) >= getattr(q, LARGE_IS_GOOD[o]) for o in objectives if o in LARGE_IS_GOOD)
    return large and all(
        getattr(p, SMALL_IS_GOOD[o]) <= getattr(q, SMALL_IS_GOOD[o]) for o in objectives if o in SMALL_IS_GOOD
    )


@given(POINTS, st.sets(st.sampled_from(sorted(OBJECTIVES)), min_size=1))
def test_the_front_is_what_nothing_dominates(points, objectives):
    found = front(points, sorted(objectives))
    for p, q in itertools.permutations(found, 2):
        assert p.board != q.board or not as_good(p, q, objectives), "one of two is superfluous"
    for q in points:
        assert any(p.board == q.board and as_good(p, q, objectives) for p in found), "something is as good as each"


@given(POINTS, st.sampled_from("ab"), SMALL, SMALL)
def test_the_best_is_the_most_accurate_that_is_able(points, board, rate, lut):
    able = [p for p in points if p.board == board and p.fps >= rate and p.lut <= lut]
    found = best(points, board, rate, lut)
    if not able:
        assert found is None
    else:
        top = [p for p in able if p.accuracy == max(p.accuracy for p in able)]
        assert found in top and found.lut == min(p.lut for p in top)


def test_energy_by_hand():
    # 1,000 LUTs and 2 block RAMs at 100 MHz: 1e8 (1e3 0.5e-12 + 2 10e-12) W = 52 mW, 0.52 uJ at 100,000 images/s
    assert Energy().microjoules(1000, 2, 100, 1e5) == pytest.approx(0.52, rel=1e-12)
    assert Energy(static_w=2.0).microjoules(0, 0, 100, 1000) == 2000
    assert "e_lut = 0.5 pJ" in str(Energy()) and "P_static = 0 W" in str(Energy())


@pytest.mark.parametrize("keys", [{"lut_pj": -1}, {"bram_pj": float("nan")}, {"static_w": "2"}, {"lut_pj": True}])
def test_energies_that_cannot_be(keys):
    with pytest.raises(ValueError, match="must be a number, 0 or more"):
        Energy(**keys)
