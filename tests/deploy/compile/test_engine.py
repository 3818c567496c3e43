"""FINN boots without Vivado, leaves nothing behind, and says so when something needs XSim."""

import os
import subprocess
import sys

import pytest

from signflow.deploy.compile import engine

SCRIPT = """
from signflow.deploy.compile import engine
engine.boot()
import finn.core.onnx_exec, finn.transformation.streamline, finn.util.rtlsim
import finn.transformation.fpgadataflow.convert_to_hw.quantized_matrix_vector_activation
import signflow.deploy.compile.lower, signflow.deploy.compile.streamline, signflow.hw.ops
"""


def test_boot_without_vivado_writes_nothing(tmp_path):
    folders = {"HOME": tmp_path / "home", "TMPDIR": tmp_path / "tmp", "work": tmp_path / "work"}
    for folder in folders.values():
        folder.mkdir()
    env = {k: v for k, v in os.environ.items() if not k.startswith(("FINN", "XILINX", "NUM_DEFAULT", "XDG"))}
    env |= {name: str(folder) for name, folder in folders.items()}
    done = subprocess.run(
        [sys.executable, "-P", "-c", SCRIPT], cwd=folders["work"], env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file() or "finn" in path.name.lower()]


def test_a_second_boot_changes_nothing():
    engine.boot()
    before = dict(os.environ)
    os.environ["NUM_DEFAULT_WORKERS"] = "7"
    engine.boot()
    assert os.environ.pop("NUM_DEFAULT_WORKERS") == "7"
    os.environ["NUM_DEFAULT_WORKERS"] = before["NUM_DEFAULT_WORKERS"]
    assert dict(os.environ) == before


def test_finns_build_folder_cannot_come_into_being():
    engine.boot()
    from finn.util.basic import make_build_dir

    with pytest.raises(Exception, match=str(engine.NOWHERE)):
        make_build_dir("x")
    with pytest.raises(NotADirectoryError):
        engine.NOWHERE.mkdir(parents=True)


def test_xsim_is_refused_by_name():
    engine.boot()
    import finn.xsi

    with pytest.raises(engine.NoXSimError, match=r"compile_sim_obj.*Verilator"):
        finn.xsi.compile_sim_obj("top", [], "out")
    with pytest.raises(engine.NoXSimError, match="SimEngine"):
        finn.xsi.SimEngine("top")
