"""The solver against brute force: every choice of small problems, budgets hard and soft."""

import ctypes
import itertools
import os
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signflow.deploy.plan import solve as module
from signflow.deploy.plan.solve import Joint, Part, solve


@st.composite
def problems(draw):
    """Parts in a ring or a chain of joints, two resources, budgets around what choices need."""
    numbers = st.integers(0, 9)
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    parts = [
        Part(
            np.array(draw(st.lists(numbers, min_size=n, max_size=n))), np.array([[draw(numbers)] * 2 for _ in range(n)])
        )
        for n in sizes
    ]
    for part in parts:
        part.need[:, 1] = draw(st.lists(numbers, min_size=len(part.need), max_size=len(part.need)))
    ends = list(itertools.pairwise(range(len(parts))))
    ends += [(len(parts) - 1, 0)] if len(parts) > 2 and draw(st.booleans()) else []
    joints = []
    for i, j in ends:
        a, b = draw(st.integers(1, 3)), draw(st.integers(1, 3))
        table = np.array([[draw(numbers) for _ in range(b)] for _ in range(a)])
        classes = [np.array([draw(st.integers(0, n - 1)) for _ in parts[p].price]) for p, n in ((i, a), (j, b))]
        joints.append(Joint((i, j), tuple(classes), table))
    budget = [draw(st.integers(0, 12 * len(parts))), draw(st.one_of(st.integers(0, 6 * len(parts)), st.just(np.inf)))]
    return parts, joints, budget, draw(st.sampled_from([0.0, 0.5, 1.0]))


def worth(parts, joints, chosen, weight):
    """(price, needs) of a choice, by the definition."""
    between = [j.table[j.classes[0][chosen[j.parts[0]]], j.classes[1][chosen[j.parts[1]]]] for j in joints]
    needs = sum(part.need[k] for part, k in zip(parts, chosen, strict=True)) + [sum(between), 0]
    return sum(part.price[k] for part, k in zip(parts, chosen, strict=True)) + weight * sum(between), needs


@given(problem=problems())
@settings(max_examples=150)
def test_the_cheapest_choice_within_the_budgets(problem):
    parts, joints, budget, weight = problem
    every = [worth(parts, joints, c, weight) for c in itertools.product(*(range(len(p.price)) for p in parts))]
    within = [price for price, needs in every if (needs <= budget).all()]
    chosen = solve(parts, joints, budget, weight)
    assert (chosen is None) == (not within)
    if within:
        price, needs = worth(parts, joints, chosen, weight)
        assert price == min(within) and (needs <= budget).all()
    first = solve(parts, joints, budget, weight, gap=np.inf)
    assert (first is None) == (not within)
    assert first is None or (worth(parts, joints, first, weight)[1] <= budget).all()


@given(problem=problems())
@settings(max_examples=80)
def test_the_least_that_is_too_much(problem):
    parts, joints, budget, _ = problem

    def excess(chosen):
        over = np.maximum(worth(parts, joints, chosen, 0)[1] - np.array(budget), 0)
        return (over / np.maximum(budget, 1)).sum()

    least = min(map(excess, itertools.product(*(range(len(p.price)) for p in parts))))
    assert excess(solve(parts, joints, budget, soft=True)) == pytest.approx(least, abs=1e-9)
    assert excess(solve(parts, joints, budget, soft=True, gap=0.1)) <= least + 0.1 * (1 + least) + 1e-9


@given(problem=problems())
@settings(max_examples=80)
def test_what_is_left_out_is_never_needed(problem):
    parts, joints, budget, weight = problem
    chosen = solve(parts, joints, budget, weight)
    with patch.object(module, "_undominated", lambda parts, *_: [np.arange(len(p.price)) for p in parts]):
        again = solve(parts, joints, budget, weight)
    assert (chosen is None) == (again is None)
    assert chosen is None or worth(parts, joints, chosen, weight)[0] == worth(parts, joints, again, weight)[0]


def test_the_strongest_are_looked_at_first():
    """Of two, the cheapest and that of least need: they replace what is no better, and no other option does."""
    weak = Part(np.array([0, 3, 1, 2]), np.array([[9, 9], [0, 0], [5, 5], [5, 5]]))
    strong = Part(np.array([0, 1, 5, 6]), np.array([[5, 5], [5, 5], [0, 0], [0, 0]]))
    for part, most, left in ((weak, 2, [0, 1, 2, 3]), (weak, None, [0, 1, 2]), (strong, 2, [0, 2])):
        assert np.flatnonzero(module._best(part, 0, [], 1.0, [np.arange(4)], most)).tolist() == left


def test_what_is_left_of_a_budget_may_be_less_than_nothing():
    part = Part(np.zeros(2), np.array([[2], [1]]))
    assert solve([part], [], [-1.0], soft=True) == [1]
    assert solve([part], [], [-1.0]) is None


def test_nothing_to_choose_from():
    assert solve([Part(np.zeros(0), np.zeros((0, 1)))], [], [5]) is None


def test_the_solver_says_nothing_on_standard_output(capfd):
    """HiGHS does, now and then, by the C library's buffer; what was printed before and after stays."""
    one = [Part(np.array([1.0, 2.0]), np.array([[1, 1], [0, 0]])) for _ in range(2)]
    libc, plain = ctypes.CDLL(None), module.milp

    def chatty(*args, **kwargs):
        libc.printf(b"HighsMipSolverData::transformNewIntegerFeasibleSolution\n")
        return plain(*args, **kwargs)

    print("before")
    with patch.object(module, "milp", chatty):
        solve(one, [], np.array([9.0, 9.0]), 1.0)
    os.write(1, b"after\n")  # whatever Python takes for its standard output
    libc.fflush(None)
    assert capfd.readouterr().out == "before\nafter\n"
