"""Memories read back: what was generated is right, and a bit that flips in any of them is found and named."""

import random
import shutil

import numpy as np
import pytest

import signflow
from signflow.deploy import flow
from signflow.deploy.verify import constants
from signflow.deploy.verify.rungs import LadderError
from signflow.models.networks import chains
from signflow.models.untrained import randomise
from signflow.tests.deploy.plan.test_timing_residual import BLOCKS, Blocks, accelerator

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 1, 4, 6), dtype=np.uint8)


def flipped(text: str, bits: int, rng: random.Random) -> str:
    """A memory image in which the lowest ``bits`` bits of a word are inverted (of a threshold that is never reached,
    one bit might change nothing).
    """
    lines = text.split()
    k = rng.randrange(len(lines))
    lines[k] = f"{int(lines[k], 16) ^ (1 << bits) - 1:0{len(lines[k])}x}"
    return "\n".join(lines)


def lane(key: str, params: dict) -> int:
    """Bits of a lane of the memory ``key``."""
    kinds = {"SIGNS_FILE": 1, "WEIGHTS_FILE": "WEIGHT_WIDTH", "TABLE_FILE": "OUT_WIDTH", "BORDER_FILE": "ELEM_WIDTH"}
    kinds |= {"START_FILE": "ACC_WIDTH", "GAP_FILE": "ACC_WIDTH", "CONSTANTS_FILE": "M_WIDTH"}
    kind = kinds.get(key, "IN_WIDTH")
    return params[kind] + (kind == "IN_WIDTH") if isinstance(kind, str) else kind


def flip_all(integer, folded, facts, mem, rng):
    """Flip a bit in every memory, which must be found; returns the modules that have one."""
    modules = set()
    for entry in facts["operators"]:
        for key, name in entry["params"].items():
            if key not in constants.CHAIN or not name:
                continue
            text = (mem / name).read_text()
            (mem / name).write_text(flipped(text, lane(key, entry["params"]), rng))
            with pytest.raises(constants.ConstantError, match=entry["node"]):
                constants.check(integer, folded, facts, mem, mem / "none")
            (mem / name).write_text(text)
            modules.add(entry["module"])
    assert constants.check(integer, folded, facts, mem, mem / "none") > 0
    return modules


def test_a_flipped_bit_of_any_memory_is_found(mini, tmp_path):
    work, facts = mini[1], flow.accelerator(mini[1])
    mem = shutil.copytree(work / flow.ACCELERATOR / facts["mem_dir"], tmp_path / "mem")
    graphs = [flow.read(work, product) for product in (flow.INTEGER, flow.FOLDED)]
    assert constants.of(work) == facts["check"]["memory words"]
    assert flip_all(*graphs, facts, mem, random.Random(1)) == {"sf_mvau"}


def test_in_a_residual_network(tmp_path):
    g = Blocks(8, 8, 8)
    out = BLOCKS[1](g, g.codes(g.image, 20, 230))
    simulator, _, integer, folded = accelerator(g, out, 1500, tmp_path / "a")
    mem = tmp_path / "a" / simulator.facts["mem_dir"]
    assert flip_all(integer, folded, simulator.facts, mem, random.Random(2)) >= {"sf_mvau", "sf_thresholds"}
    file = next(mem.glob("*_weights.mem"))
    file.write_text("f" + file.read_text())
    with pytest.raises(constants.ConstantError, match=r"MVAU_sf_\d \(sf_mvau\): .* wider than its \d+ lanes"):
        constants.check(integer, folded, simulator.facts, mem, mem / "none")


def test_what_is_loaded_is_read(tmp_path):
    nets = [randomise(chains.mlp(8, 4, 24, 2), PIXELS, np.random.default_rng(seed)) for seed in (1, 2)]
    acc = signflow.build(nets[0], shape=(1, 4, 6), name="small", fps=1e6, loadable=True, out=tmp_path / "small")
    before, file = constants.of(acc.work), acc.work / "5-accelerator" / "weights.bin"
    acc.load_weights(nets[1])
    assert constants.of(acc.work) == before
    words = file.read_bytes()
    file.write_bytes(bytes([words[0] ^ 1]) + words[1:])
    with pytest.raises(constants.ConstantError, match=r"Thresholding_sf_0.*in its memory and .* in the integer graph"):
        constants.of(acc.work)


def test_a_build_ends_with_it(mini, monkeypatch):
    def wrong(work):
        raise constants.ConstantError("MVAU_sf_1 (sf_mvau): weight[0, 1] is 1 in its memory and 0 in the integer graph")

    monkeypatch.setattr(constants, "of", wrong)
    with pytest.raises(LadderError, match=r"is wrong: MVAU_sf_1 \(sf_mvau\): weight\[0, 1\] is 1"):
        flow.step_check(flow.settings_of(mini[1]), mini[1])
