"""Climbing: what is compared with what, and what is said of it."""

import numpy as np
import pytest

from signflow.deploy.verify.ladder import check, climb
from signflow.deploy.verify.rungs import LadderError, Rung


def test_climb_counts_against_the_first_rung():
    images, labels = np.arange(6).reshape(3, 2), np.array([1, 1, 0])
    off = images.copy()
    off[2, 0] += 1
    rows = climb(
        [Rung("a", lambda x: x), Rung("b", lambda x: off[: len(x)]), Rung("c", lambda x: off[: len(x)], limit=2)],
        images,
        labels,
    )
    assert [r.mismatches for r in rows] == [0, 1, 0]
    assert rows[1].first_difference == (2, 0) and [r.logits for r in rows] == [6, 6, 4]
    assert rows[0].accuracy == pytest.approx(2 / 3)
    with pytest.raises(LadderError, match="b differs from a in 1 of 6 logits; first at image 2, logit 0"):
        check(rows)
    with pytest.raises(LadderError, match="1 results an image, a gives 2"):
        climb([Rung("a", lambda x: x), Rung("d", lambda x: x[:, :1])], images)


def test_images_that_the_top_does_not_run_are_compared_with_the_next_rung():
    images = np.arange(12).reshape(6, 2)
    off = images.copy()
    off[4, 1] -= 1
    rungs = [
        Rung("top", lambda x: x, limit=2),
        Rung("next", lambda x: x),
        Rung("short", lambda x: x, limit=1),
        Rung("last", lambda x: off),
    ]
    rows = climb(rungs, images)
    assert [row.images for row in rows] == [2, 6, 1, 6]
    assert [row.logits for row in rows] == [4, 4, 2, 12]
    assert [row.against for row in rows] == [("top",), ("top",), ("top",), ("top", "next")]
    assert [row.mismatches for row in rows] == [0, 0, 0, 1] and rows[3].first_difference == (4, 1)
    with pytest.raises(
        LadderError, match="last differs from top and next in 1 of 12 logits; first at image 4, logit 1"
    ):
        check(rows)
