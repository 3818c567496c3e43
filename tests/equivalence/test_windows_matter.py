"""Windows that trained networks need: where both sides of one occur on real images, the lower threshold decides
logits, and the RTL, PyTorch and the integer graph agree on it.
"""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from signflow.deploy import flow
from signflow.deploy.compile.export import save
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.compile.passes.head import Head
from signflow.deploy.golden.intgraph import IntGraph
from signflow.deploy.golden.thresholds import drop_lower, most_two_sided, sides
from signflow.deploy.verify.images import sample
from signflow.hw.sim import RtlSimulator
from signflow.models.networks import predict


def simulate(work, images):
    """The accelerator's integers, cycle by cycle."""
    simulator, stream = RtlSimulator(work / flow.ACCELERATOR), ImageInput.of(flow.read(work, flow.FOLDED))
    return simulator.run(stream.stream(images).reshape(-1, *simulator.facts["input"]["shape"])).outputs


@pytest.mark.parametrize("name, fps", [("sfc-abn", 100_000), pytest.param("cnv-abn", 500, marks=pytest.mark.slow)])
def test_lower_threshold_of_one_channel(name, fps, tmp_path):
    settings, work, cut = flow.Settings(name, fps=fps), tmp_path / "whole", tmp_path / "cut"
    flow.build(settings, work)
    integer, images = flow.read(work, flow.INTEGER), sample(name, 1000).pixels
    rule, channel = most_two_sided(integer, images)
    assert sides(integer, rule, images)[channel].min() > 0, "both sides and the inside occur"

    without = drop_lower(integer, rule.layer, channel)
    logits, others = IntGraph(integer)(images), IntGraph(without)(images)
    changed = np.flatnonzero((logits != others).any(axis=1))
    assert len(changed), "no image needs the lower threshold"
    some = images[changed[:3]]

    shutil.copytree(work, cut)
    save(without, cut / flow.INTEGER)
    flow.build(replace(settings, check=False), cut, start="lower")
    expected, distance = Head.of(integer).invert(predict(flow.torch_network(settings), torch.from_numpy(some)).numpy())
    whole, single = simulate(work, some).reshape(len(some), -1), simulate(cut, some).reshape(len(some), -1)
    assert distance < 1e-3 and (expected == logits[changed[:3]]).all()
    assert (whole == expected).all(), "RTL with the window = PyTorch"
    assert (single == others[changed[:3]]).all(), "RTL without the lower threshold = integer graph without it"
    assert (single != expected).any(axis=1).all(), "each image's logits change"
