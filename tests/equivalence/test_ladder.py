"""The ladder itself: it is green for the shipped networks, and it turns red for a single flipped bit."""

import shutil

import numpy as np
import pytest
from rich.console import Console

from signflow.deploy import flow
from signflow.deploy.command.ladder import ladder as climb_all
from signflow.deploy.verify.ladder import LadderError, Rung, check, climb
from signflow.models.weights import FOLDER

SHIPPED = sorted(p.stem for p in FOLDER.glob("*.npz"))
CONSOLE = Console(quiet=True)


def ladder(name, work, count, stalls, split="sample"):
    flow.build(flow.Settings(name), work)
    return climb_all(CONSOLE, work, split, count, stalls, seed=1)


def check_exact(result, images):
    for row in result["ladder"]:
        assert row["mismatches"] == 0 and row["logits"] == row["images"] * 10, row
    assert result["ladder"][0]["images"] == images
    assert result["cycles"]["simulated"]["latency"] == result["cycles"]["predicted"]["latency"]
    assert result["cycles"]["simulated"]["interval"] == result["cycles"]["predicted"]["interval"]


@pytest.mark.parametrize("name", ["tfc", "sfc-abn", "sfc-sd", "cnv"])
def test_shipped_networks(name, tmp_path):
    check_exact(ladder(name, tmp_path, 60, 20), 60)


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_networks_on_the_whole_sample(name, tmp_path):
    check_exact(ladder(name, tmp_path, 1000, 200), 1000)


def test_one_flipped_bit_turns_the_ladder_red_and_is_located(mini, tmp_path):
    """One bit of a weight memory: the least significant of the last operator."""
    _settings, work = mini
    broken = tmp_path / "broken"
    shutil.copytree(work, broken)
    path = broken / flow.ACCELERATOR / "mem" / "MVAU_sf_8_weights.mem"
    lines = path.read_text().splitlines()
    lines[0] = f"{int(lines[0], 16) ^ 1:0{len(lines[0])}x}"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(
        LadderError, match=r"RTL simulation differs from PyTorch.*logit 0; first differing node: MVAU_sf_8 at channel 0"
    ):
        ladder.ladder(CONSOLE, broken, "sample", 20, 0, 1)


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
