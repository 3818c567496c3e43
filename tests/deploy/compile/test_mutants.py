"""Damaged and changed files: each is refused in one line, or computes what ONNX says it computes."""

from collections import Counter

import numpy as np
import pytest

from signflow.deploy.compile import export
from signflow.deploy.compile.errors import ModelFileError, UnsupportedError

from .mutants import mutant, networks
from .onnx_networks import verdict


def campaign(seeds, folder) -> Counter:
    """Verdicts, counted; fails with the recipes of all mutants that ended in anything else."""
    found, wrong = Counter(), []
    for seed in seeds:
        recipe, model = mutant(seed)
        try:
            said = verdict(model, folder, images=5)
        except Exception as error:
            wrong.append(f"{recipe}: {type(error).__name__}: {str(error)[:300]}")
            continue
        found[said.split(":")[0]] += 1
        if "\n" in said:
            wrong.append(f"{recipe}: more than one line: {said}")
    assert not wrong, f"{len(wrong)} of {len(seeds)}:\n" + "\n".join(wrong)
    assert found["not judged"] <= 0.01 * len(seeds), found
    return found


QUANTISED_NUMBER = 1362
"""A mutant that adds Quant(number without dimensions), for which qonnx infers one dimension."""


def test_the_networks_themselves_are_right(tmp_path):
    assert [verdict(model, tmp_path) for model in networks()] == ["equal"] * 4


def test_mutants_are_refused_or_equal(tmp_path):
    found = campaign([*range(300), QUANTISED_NUMBER], tmp_path)
    assert found["equal"] > 20 and found["ModelFileError"] > 60 and found["UnsupportedError"] > 20, found


@pytest.mark.slow
def test_many_mutants_are_refused_or_equal(tmp_path):
    campaign(range(300, 1800), tmp_path)


def test_damaged_bytes_are_refused_or_the_same_network(tmp_path):
    """Cut files and flipped bits, at the file's beginning, middle and end."""
    rng, good = np.random.default_rng(0), networks()[0].SerializeToString()
    path = tmp_path / "net.onnx"
    damaged = [good[:n] for n in (0, 1, 10, len(good) // 2, len(good) - 1)]
    for _ in range(40):
        broken = bytearray(good)
        broken[int(rng.integers(len(good)))] ^= 1 << int(rng.integers(8))
        damaged.append(bytes(broken))
    for data in damaged:
        path.write_bytes(data)
        try:
            export.load(path, "uint8")
        except (ModelFileError, UnsupportedError) as error:
            assert "\n" not in str(error)
