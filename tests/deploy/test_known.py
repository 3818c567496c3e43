"""What PyTorch gave for a network of ours is kept as long as nothing changes that it follows from, and no longer."""

import json
import subprocess
import sys
from dataclasses import asdict

import numpy as np
import pytest

from signflow.deploy import flow, known
from signflow.deploy.verify.rungs import Rungs
from signflow.models import networks, weights

NET = "tfc-bnfree"
WARM = """
import json, sys
from pathlib import Path
from signflow.deploy import flow, known
flow.build(flow.Settings("{net}", random_weights=3, fps=20_000), Path("{work}"))
rows = {{name: [facts.input_shape, facts.dataset] for name, facts in known.networks().items()}}
print(json.dumps([sorted({{"torch", "brevitas"}} & set(sys.modules)), rows]))
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """(settings, folder) of a network with random weights, built once."""
    settings = flow.Settings(NET, random_weights=3, fps=20_000)
    work = tmp_path_factory.mktemp("built")
    flow.build(settings, work)
    return settings, work


def test_an_unchanged_network_is_exported_and_run_once(built, tmp_path, monkeypatch):
    settings, work = built

    def refuse(*_args, **_options):
        raise AssertionError("PyTorch was asked again")

    monkeypatch.setattr(flow, "export", refuse)
    monkeypatch.setattr(Rungs, "torch_logits", refuse)
    flow.build(settings, tmp_path)
    assert {p.name: p.read_bytes() for p in tmp_path.glob("*.onnx")} == {
        p.name: p.read_bytes() for p in work.glob("*.onnx")
    }
    for name in ("random_weights", "source"):
        other = asdict(settings) | {name: {"random_weights": 4, "source": "tfc"}[name]}
        with pytest.raises(AssertionError, match="asked again"):
            flow.build(flow.Settings(**other), tmp_path)


def test_logits_that_were_kept_are_compared(built, tmp_path):
    """The check is none if they are not: an accelerator of another network does not pass by them."""
    settings, _ = built
    flow.build(settings, tmp_path)
    mem = sorted((tmp_path / flow.ACCELERATOR / "mem").glob("*.mem"))
    assert json.loads((tmp_path / flow.ACCELERATOR / "accel.json").read_text())["check"]["images"]["PyTorch"] > 16
    text = mem[0].read_text()
    mem[0].write_text("".join(f"{15 - int(c, 16):x}" if c in "0123456789abcdef" else c for c in text))
    with pytest.raises(AssertionError, match="RTL simulation differs from PyTorch"):
        flow.step_check(settings, tmp_path)


def test_a_build_of_a_known_network_imports_no_torch(built, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, known.TABLE)
    known.networks()  # the table is kept now
    done = subprocess.run(
        [sys.executable, "-c", WARM.format(net=NET, work=tmp_path / "work")], capture_output=True, text=True
    )
    imported, rows = json.loads(done.stdout)
    assert imported == []
    wanted = {name: [list(row.input_shape), row.dataset] for name, row in networks.SHIPPED.items()}
    assert rows == wanted, "the kept table is the table"


def test_what_the_digest_follows(tmp_path, monkeypatch):
    shipped, seed = known.contents("cnv", "", None), known.contents("cnv", "", 0)
    assert len({shipped, seed, known.contents("cnv", "", 1), known.contents("cnv-abn", "", None)}) == 4
    file = tmp_path / "own.npz"
    file.write_bytes((weights.FOLDER / "cnv.npz").read_bytes())
    assert known.contents("cnv", str(file), None) == shipped, "the same bytes"
    file.write_bytes(b"others")
    assert known.contents("cnv", str(file), None) not in (shipped, None)
    assert known.contents("cnv", str(tmp_path / "none.npz"), None) is None
    assert known.contents("some.onnx", "", None) is None
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    known.code.cache_clear()
    assert known.contents("cnv", "", 0) != seed
    monkeypatch.delenv("ATEN_CPU_CAPABILITY")
    known.code.cache_clear()
    assert known.contents("cnv", "", 0) == seed


def test_nobody_can_tell_what_a_program_put_into_the_table(monkeypatch):
    assert known.contents("tfc", "", 0)
    monkeypatch.setitem(networks.NETWORKS, "tfc", networks.network("tfc").with_options(normalisation="abn"))
    monkeypatch.setitem(networks.NETWORKS, "another", networks.network("sfc"))
    assert known.contents("tfc", "", 0) is None and known.contents("another", "", 0) is None
    assert np.prod(known.networks()["another"].input_shape) == 784
