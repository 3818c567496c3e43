"""The package: what is in it, the same bytes every time, whole or not at all."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch

from signflow.deploy import flow
from signflow.deploy.board.package import package, simulation_image, vectors
from signflow.deploy.compile.passes.head import Head
from signflow.deploy.generate.project import write_project
from signflow.deploy.golden.intgraph import IntGraph
from signflow.hw import boards
from signflow.models.weights import trained

from .board_folder import build


@pytest.fixture
def project(work, tmp_path):
    return write_project(work / flow.ACCELERATOR, boards.board("pynq-z2"), tmp_path / "8-project")


def content(archive):
    with zipfile.ZipFile(archive) as files:
        return {name: files.read(name) for name in files.namelist()}


def test_what_is_in_it(work, project, tmp_path):
    path = package(work, project, tmp_path / "new" / "tfc.zip")
    files = content(path)
    made = {"tfc.bit", "tfc.hwh", "accel.json", "accel.npz", "sample.npz", "README.md", "sbom.cdx.json", "SHA256SUMS"}
    page = {"serve.py", "service.py", "serve.html"}
    assert set(files) == made | page | {"accelerator.py", "npz.py", "pynq_link.py", "signature.py", "30_board.ipynb"}
    lines = files.pop("SHA256SUMS").decode().splitlines()
    manifest = {name: digest for digest, name in (line.split("  ") for line in lines)}
    assert manifest == {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    facts = json.loads(files["accel.json"])
    assert facts["package"] == {
        "bitstream_sha256": manifest["tfc.bit"],
        "driver_sha256": manifest["accelerator.py"],
        "link_sha256": manifest["pynq_link.py"],
        "link": "pynq_link.py",
        "vectors_sha256": manifest["accel.npz"],
        "simulated": True,
    }
    del facts["package"]
    assert facts == json.loads((project / "accel.json").read_text())


@pytest.mark.parametrize("board", ["pynq-z2", "ulx3s"])
def test_the_readme_names_every_file_and_its_code_is_right(work, tmp_path, board):
    project = write_project(work / flow.ACCELERATOR, boards.board(board), tmp_path / "8-project")
    (project / "build").mkdir()
    for suffix in ("bit", "hwh"):
        (project / "build" / f"tfc.{suffix}").write_bytes(b"bits")
    files = content(package(work, project, tmp_path / "tfc.zip"))
    text = files["README.md"].decode()
    assert {name for name in files if name not in text} == {"README.md"}
    code = text.split("In this folder:")[1].split("or open")[0]
    code = "\n".join(line[4:] for line in code.splitlines() if line[:4] == "    ")
    compile(code, "README.md", "exec")
    assert "simulation image" not in text and f"# tfc for {board}" in text
    assert max(map(len, text.splitlines())) <= 120
    facts = json.loads(files["accel.json"])
    assert f"{facts['predicted']['interval']:,} cycles an image" in text and "1, 28, 28" in text


def test_the_same_bytes_from_anywhere(work, project, tmp_path):
    first = package(work, project, tmp_path / "a.zip").read_bytes()
    moved = shutil.copytree(work, tmp_path / "work")
    again = package(moved, shutil.copytree(project, tmp_path / "elsewhere"), tmp_path / "b.zip")
    assert again.read_bytes() == first
    for path in (str(tmp_path), str(work)):
        assert not any(path.encode() in data for data in content(again).values())


def test_an_interrupted_package_leaves_the_old_one(work, project, tmp_path, monkeypatch):
    path = tmp_path / "tfc.zip"
    path.write_bytes(b"old")
    monkeypatch.setattr("signflow.deploy.board.package.zipped", lambda files: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        package(work, project, path)
    assert path.read_bytes() == b"old"


def test_the_simulation_image_is_the_project(project):
    (project / "build").mkdir()
    (project / "build" / "log.txt").write_text("not for the board")
    image = project.parent / "image.zip"
    image.write_bytes(simulation_image(project))
    files = content(image)
    facts = json.loads(files["accel.json"])
    assert set(facts["sources"]) < set(files) and any(name.startswith("mem/") for name in files)
    assert all(data == (project / name).read_bytes() for name, data in files.items())
    assert not any(name.startswith("build") for name in files)


def test_a_real_bitstream_is_taken(work, project, tmp_path):
    (project / "build").mkdir()
    (project / "build" / "tfc.bit").write_bytes(b"bits")
    with pytest.raises(flow.FlowError, match=r"tfc\.hwh is missing beside tfc\.bit"):
        package(work, project, tmp_path / "tfc.zip")
    (project / "build" / "tfc.hwh").write_bytes(b"map")
    files = content(package(work, project, tmp_path / "tfc.zip"))
    assert files["tfc.bit"] == b"bits" and files["tfc.hwh"] == b"map"
    assert json.loads(files["accel.json"])["package"]["simulated"] is False


def test_ulx3s_needs_its_bitstream(work, tmp_path):
    project = write_project(work / flow.ACCELERATOR, boards.board("ulx3s"), tmp_path / "8-project")
    with pytest.raises(flow.FlowError, match=r"tfc\.bit is missing: run `make build-bitstream` for ulx3s first"):
        package(work, project, tmp_path / "tfc.zip")
    (project / "build").mkdir()
    (project / "build" / "tfc.bit").write_bytes(b"bits")
    files = content(package(work, project, tmp_path / "tfc.zip"))
    assert "serial_link.py" in files and "pynq_link.py" not in files and "tfc.hwh" not in files


def test_no_project_and_no_build(work, project, tmp_path):
    with pytest.raises(flow.FlowError, match=r"accel\.json is missing: run `signflow package`"):
        package(work, tmp_path, tmp_path / "x.zip")
    with pytest.raises(flow.FlowError, match=r"5-accelerator/accel\.json is missing: run `signflow build` first"):
        package(tmp_path, project, tmp_path / "x.zip")


def test_the_vectors_are_those_of_pytorch(work):
    arrays = vectors(work, 16)
    assert arrays["images"].shape == (16, 1, 28, 28) and arrays["images"].dtype == np.uint8
    assert arrays["results"].shape == (16, 10) and arrays["results"].dtype == np.int64
    with torch.no_grad():
        expected = trained("tfc")(torch.from_numpy(arrays["images"]).float()).numpy()
    rows = (arrays["results"] - arrays["head_low"]) // arrays["head_step"]
    np.testing.assert_array_equal(arrays["head"][rows, np.arange(10)], expected)
    assert len(np.unique(expected.argmax(1))) > 4  # not one class only


def test_the_head_is_exact_on_every_integer(work):
    arrays, head = vectors(work, 16), Head.of(flow.read(work, flow.INTEGER))
    table = head.accumulators.table
    np.testing.assert_array_equal(arrays["head"], head(table))
    rows = (table - arrays["head_low"]) // arrays["head_step"]
    np.testing.assert_array_equal(arrays["head"][rows, np.arange(10)], head(table))


def test_an_index_has_no_head_and_a_foreign_network_random_pixels(chain, tmp_path):
    rng = np.random.default_rng(1)
    c = chain((3, 4, 4)).conv(rng.choice([-1, 1], (4, 3, 3, 3))).scalar("Add", [0.5] * 4).sign().flatten()
    source = c.dense(rng.choice([-1, 1], (3, 16))).op("ArgMax", axis=1, keepdims=1).save(tmp_path / "net.onnx")
    work = build(flow.Settings(str(source), input="int8"), tmp_path / "work")
    arrays = vectors(work, 16)
    assert set(arrays) == {"images", "results"} and arrays["images"].dtype == np.int8
    assert arrays["images"].min() < -100 and arrays["images"].max() > 100
    np.testing.assert_array_equal(arrays["results"], IntGraph(flow.read(work, flow.INTEGER))(arrays["images"]))
    assert (vectors(work, 16)["images"] == arrays["images"]).all()


def test_the_unpacked_package_runs_by_itself(work, project, tmp_path):
    """Not signflow's driver but the packaged one, in a process of its own, from its folder."""
    with zipfile.ZipFile(package(work, project, tmp_path / "tfc.zip")) as files:
        files.extractall(tmp_path / "board")
    text = """
import warnings
warnings.filterwarnings("ignore")
import numpy as np, accelerator
with accelerator.Accelerator("tfc.bit") as tfc:
    logits = tfc(np.load("accel.npz")["images"])
    assert logits.shape == (256, 10) and tfc.self_test() == 256
    print(accelerator.__file__, type(tfc._link).__module__)
"""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=tmp_path / "board", env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / "board" / "accelerator.py"), "pynq_link"]


def test_a_table_of_logits_too_large_for_a_board_is_refused(work, monkeypatch):
    arrays = vectors(work, 1)
    monkeypatch.setattr("signflow.deploy.board.package.HEAD_BYTES", arrays["head"].nbytes)
    assert (vectors(work, 1)["head"] == arrays["head"]).all()
    monkeypatch.setattr("signflow.deploy.board.package.HEAD_BYTES", arrays["head"].nbytes - 1)
    rows, classes = arrays["head"].shape
    with pytest.raises(flow.FlowError, match=f"{rows} integers of {classes} classes"):
        vectors(work, 1)
