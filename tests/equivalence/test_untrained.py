"""A network with random parameters is built and compared like a trained one."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from signflow.deploy import flow
from signflow.deploy.command.cli import main
from signflow.deploy.compile.passes.head import Head
from signflow.deploy.golden.intgraph import IntGraph
from signflow.models.networks import network, predict
from signflow.models.untrained import random_images

COUNT = 300


@pytest.mark.parametrize("name", ["tfc-abn", "tfc-magnitude", "tfc-sd-wide", "tfc-bnfree"])
def test_integer_graph_has_the_logits_of_pytorch(name, tmp_path):
    settings = flow.Settings(name, random_weights=7)
    flow.step_export(settings, tmp_path)
    flow.step_streamline(settings, tmp_path)
    integer = flow.read(tmp_path, flow.INTEGER)
    images = random_images(network(name).input_shape, COUNT, np.random.default_rng(1))
    expected, distance = Head.of(integer).invert(
        predict(flow.torch_network(settings), torch.from_numpy(images)).numpy()
    )
    assert distance == 0
    np.testing.assert_array_equal(IntGraph(integer)(images), expected)
    assert len(np.unique(expected, axis=0)) > COUNT // 2


def test_build_records_the_seed_and_verify_climbs_with_the_same_network(tmp_path):
    def signflow(*args: str) -> str:
        result = CliRunner().invoke(main, [*args, "tfc-abn", "--out", str(tmp_path)])
        assert result.exit_code == 0, result.output
        return result.output

    signflow("build", "--random-weights", "3", "--target-fps", "1000")
    assert json.loads((tmp_path / "settings.json").read_text())["random_weights"] == 3
    first = (tmp_path / flow.NETWORK).read_bytes()
    signflow("verify", "--images", "20")
    flow.step_export(flow.settings_of(tmp_path), tmp_path)
    assert (tmp_path / flow.NETWORK).read_bytes() == first


def test_random_weights_stand_alone(tmp_path):
    for name, weights, words in (("tfc", "w.npz", "exclude each other"), (__file__, "", "has weights of its own")):
        with pytest.raises(flow.FlowError, match=words):
            flow.Settings(name, weights=weights, random_weights=1)
    args = ["build", "tfc", "--weights", "w.npz", "--random-weights", "1", "--out", str(tmp_path / "new")]
    result = CliRunner().invoke(main, args)
    assert result.exit_code == 1 and "give one" in result.output
    assert not (tmp_path / "new").exists()
