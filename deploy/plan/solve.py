"""One option for every part: the cheapest choice within the budgets.

A part (an operator) has options (its foldings), each with a price and with what it needs of every resource. Two parts
that meet in a joint (an edge between operators) need more of the first resource (LUTs) the less they fit: a table says
how much for every pair of classes of their options (widths of a word). Looked for is

    min  sum of prices + w * sum of joints    so that    sum of needs + joints <= budgets.

That is an integer program, solved by HiGHS (`scipy.optimize.milp`) to the optimum, or near it: a variable for every
option, and one for every pair of classes of a joint, which is 0 or 1 by itself where the options are. Before it,
options go that another one of the same part replaces at no higher price and need, whatever the neighbours choose
(Goldstein's criterion: what the other costs more at a joint, at most over all classes of the neighbour). That leaves a
few hundred variables.
"""

import ctypes
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array

OPTIMAL, INFEASIBLE = 0, 2
"""What `milp` calls them."""


class Part(NamedTuple):
    """The options of one operator."""

    price: np.ndarray
    """(options,)."""
    need: np.ndarray
    """(options, resources)."""


class Joint(NamedTuple):
    """What two parts need together of the first resource."""

    parts: tuple[int, int]
    classes: tuple[np.ndarray, np.ndarray]
    """Of each part's options, (options,)."""
    table: np.ndarray
    """(classes of the first part, classes of the second)."""

    def seen_from(self, part: int) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
        """(the other part, classes of this part's options, of the other's, table with this part's classes first)."""
        here = self.parts.index(part)
        table = self.table.T if here else self.table
        return self.parts[1 - here], self.classes[here], self.classes[1 - here], table


def solve(
    parts: Sequence[Part],
    joints: Sequence[Joint],
    budget: Sequence[float],
    weight: float = 1.0,
    soft: bool = False,
    gap: float = 0.0,
) -> list[int] | None:
    """The option of every part, or None where no choice is within ``budget`` (of every resource; inf: no bound).

    ``weight``: w above. ``soft``: prices do not count, and there is always a choice: that which exceeds the budgets by
    the smallest sum of fractions of them. ``gap``: how much dearer than the optimum a choice may be, as a fraction (a
    soft one: as a fraction of the budgets and what exceeds them); inf takes the first that is found.
    """
    budget = np.asarray(budget, float)
    if soft:
        parts, weight = [Part(np.zeros(len(part.price)), part.need) for part in parts], 0.0
    elif not all(len(part.price) for part in parts):
        return None
    alive = _undominated(parts, joints, weight)
    return _program(parts, joints, budget, weight, alive, soft, gap)


# ---- options that are never better than another one


STRONG = 48
"""How many options of a part are compared with all of it first."""


def _undominated(parts: Sequence[Part], joints: Sequence[Joint], weight: float) -> list[np.ndarray]:
    """Indices of the options that are left, for each part. First those go that one of a few strong options replaces:
    that spares most of the pairs.
    """
    alive = [np.arange(len(part.price)) for part in parts]
    touching = [[joint for joint in joints if i in joint.parts] for i in range(len(parts))]
    for most in (STRONG, STRONG, None):
        shrinking = True
        while shrinking:
            shrinking = False
            for i, part in enumerate(parts):
                kept = alive[i][_best(part, i, touching[i], weight, alive, most)]
                shrinking |= most is None and len(kept) < len(alive[i])
                alive[i] = kept
    return alive


def _best(
    part: Part, i: int, joints: Sequence[Joint], weight: float, alive: Sequence[np.ndarray], most: int | None
) -> np.ndarray:
    """Which of the living options of part ``i`` no other one replaces, (options,) bool; looked at are the ``most``
    strongest, or all.
    """
    price, need = part.price[alive[i]], part.need[alive[i]]
    seen = []  # for each joint: class of every option, tables of the classes that the neighbour still has
    for joint in joints:
        other, here, there, table = joint.seen_from(i)
        kinds, of = np.unique(here[alive[i]], return_inverse=True)
        seen.append((of, table[np.ix_(kinds, np.unique(there[alive[other]]))]))
    strong = np.arange(len(price))
    if most is not None and most < len(price):
        least = price + weight * sum((table.min(axis=1)[of] for of, table in seen), np.zeros(len(price)))
        strong = np.sort(
            np.concatenate([order[: most // 2] for order in (np.argsort(least), np.lexsort((least, *need.T[1:])))])
        )
    more = np.zeros((len(strong), len(price)))  # LUTs that option a costs more than b at its joints, at most
    for of, table in seen:
        regret = (table[:, None] - table[None]).max(axis=2)
        more += regret[np.ix_(of[strong], of)]
    replaces = price[strong, None] + weight * more <= price
    replaces &= need[strong, None, 0] + more <= need[:, 0]
    for column in need.T[1:]:
        replaces &= column[strong, None] <= column
    back = np.zeros_like(replaces)  # both ways: the first one stays
    back[:, strong] = replaces[:, strong].T
    first = strong[:, None] < np.arange(len(price))
    return ~(replaces & (~back | first)).any(axis=0)


# ---- the integer program


def _program(
    parts: Sequence[Part],
    joints: Sequence[Joint],
    budget: np.ndarray,
    weight: float,
    alive: Sequence[np.ndarray],
    soft: bool,
    gap: float,
) -> list[int] | None:
    starts = np.cumsum([0, *map(len, alive)])
    price = [part.price[left] for part, left in zip(parts, alive, strict=True)]
    need = [part.need[left] for part, left in zip(parts, alive, strict=True)]
    rows, columns, values, right, count = [], [], [], [], 0

    def equal(row, column, value, bound: Sequence[float]) -> None:
        nonlocal count
        rows.append(np.asarray(row) + count)
        columns.append(np.asarray(column))
        values.append(np.broadcast_to(value, len(columns[-1])))
        right.extend(bound)
        count += len(bound)

    for i, left in enumerate(alive):
        equal(np.zeros(len(left), int), starts[i] + np.arange(len(left)), 1.0, [1])
    size = starts[-1]
    for joint in joints:
        used = [np.unique(joint.classes[k][alive[part]], return_inverse=True) for k, part in enumerate(joint.parts)]
        (first, of_first), (second, of_second) = used
        table = joint.table[np.ix_(first, second)]
        pairs = size + np.arange(table.size).reshape(table.shape)
        for part, of, sums, n in ((0, of_first, pairs, len(first)), (1, of_second, pairs.T, len(second))):
            options = starts[joint.parts[part]] + np.arange(len(of))
            row = np.concatenate([np.repeat(np.arange(n), sums.shape[1]), of])
            value = np.concatenate([np.ones(sums.size), -np.ones(len(of))])
            equal(row, np.concatenate([sums.ravel(), options]), value, [0] * n)
        price.append(weight * table.ravel())
        need.append(np.concatenate([table.ravel()[:, None], np.zeros((table.size, len(budget) - 1))], axis=1))
        size += table.size
    price, need, bounded = np.concatenate(price), np.concatenate(need), np.flatnonzero(np.isfinite(budget))
    slack = np.eye(len(bounded), len(bounded) + 1) if soft else np.zeros((len(bounded), 0))
    if soft:  # one more column that is always 1: the gap is then a fraction of the budgets, not of what exceeds them
        price = np.concatenate([price, 1 / np.maximum(budget[bounded], 1), [1.0]])
    shape = (count, len(price))
    exact = coo_array((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=shape).tocsr()
    within = np.concatenate([need[:, bounded].T, -slack], axis=1)
    limits = [LinearConstraint(exact, right, right)]
    limits += [LinearConstraint(within, -np.inf, budget[bounded])] if len(bounded) else []
    whole = np.arange(len(price)) < starts[-1]
    bottom, top = np.zeros(len(price)), np.where(np.arange(len(price)) < size, 1.0, np.inf)
    if soft:
        bottom[-1] = top[-1] = 1.0
    with _wordless():
        bounds, options = Bounds(bottom, top), {"mip_rel_gap": gap}
        found = milp(price, integrality=whole, bounds=bounds, constraints=limits, options=options)
    if found.status == INFEASIBLE:
        return None
    if found.status != OPTIMAL:
        raise RuntimeError(f"the solver stopped without an optimum: {found.message}")
    return [int(left[np.argmax(found.x[a:b])]) for left, a, b in zip(alive, starts, starts[1:], strict=False)]


@contextmanager
def _wordless() -> Iterator[None]:
    """HiGHS says a line on standard output now and then, whatever its options; there tables and JSON of ours stand."""
    sys.stdout.flush()
    ours, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        ctypes.CDLL(None).fflush(None)  # what waits in the buffer of the C library
        os.dup2(ours, 1)
        os.close(nowhere)
        os.close(ours)
