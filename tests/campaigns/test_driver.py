"""The campaign of the driver: every fault is survived, and a wrong answer is seen."""

import warnings
from dataclasses import replace

import pytest

from signflow.tests.campaigns.board_faults import FAULTS
from signflow.tests.campaigns.driver import Batch, Board, batches, span


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield Board.make(tmp_path_factory.mktemp("driver"))


def test_every_fault_is_survived(board):
    todo = [Batch(number, 300, fault) for number, fault in enumerate(FAULTS)]
    found = span(board, [*todo, Batch(len(todo), 300, "")])
    assert not found.amiss, found.amiss
    assert found.images == 300 * len(todo) + 300 and set(found.injected) == set(FAULTS)
    assert found.opened == 2 and {"killed", "another design", "results torn"} <= {
        kind for kind, count in found.noticed.items() if count
    }


def test_a_wrong_logit_is_seen(board):
    logits = board.logits.copy()
    logits[:, 3] += 1
    found = span(replace(board, logits=logits), [Batch(0, 20, "")])
    assert found.amiss == ["batch 0, : 20 logits differ"]


def test_the_batches_hold_the_images_and_all_faults():
    drawn = list(batches(1_000_000))
    assert 1_000_000 <= sum(one.images for one in drawn) < 1_008_000
    assert {one.fault for one in drawn} == {"", *FAULTS}
