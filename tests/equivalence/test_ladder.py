"""The ladder itself: it is green for the shipped networks, and it turns red for a single flipped bit."""

import shutil

import pytest

from signflow.deploy import flow
from signflow.deploy.verify.images import images_of
from signflow.deploy.verify.ladder import verify
from signflow.deploy.verify.rungs import LadderError
from signflow.models.weights import FOLDER

SHIPPED = sorted(p.stem for p in FOLDER.glob("*.npz"))


def ladder(name, work, count, stalls):
    flow.build(flow.Settings(name), work)
    return verify(work, images_of(work, "sample", count), stalls).facts()


def check_exact(result, images):
    for row in result["ladder"]:
        assert row["mismatches"] == 0 and row["logits"] == row["images"] * 10, row
    assert result["ladder"][0]["images"] == images
    assert result["cycles"]["simulated"]["latency"] == result["cycles"]["predicted"]["latency"]
    assert result["cycles"]["simulated"]["interval"] == result["cycles"]["predicted"]["interval"]


@pytest.mark.parametrize("name", ["tfc", "sfc-abn", "cnv"])
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
        verify(broken, images_of(broken, "sample", 20), stall_images=0).check()
