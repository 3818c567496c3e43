"""FINN boots without Vivado, leaves nothing behind, and says so when something needs XSim."""

import os
import subprocess
import sys

import pytest

from signflow.deploy.compile import engine

SCRIPT = """
from signflow.deploy import engine
folder = engine.boot()
import finn.builder.build_dataflow_steps
print(folder)
"""


def test_boot_without_vivado_writes_nothing_outside_its_folder(tmp_path):
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    env = {k: v for k, v in os.environ.items() if not k.startswith(("FINN", "XILINX", "NUM_DEFAULT"))}
    done = subprocess.run(
        [sys.executable, "-P", "-c", SCRIPT], cwd=work, env=env | {"HOME": str(home)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    folder = done.stdout.strip().splitlines()[-1]
    assert not os.path.exists(folder), "the build folder outlives the process"
    assert not list(work.iterdir())
    assert not [p for p in home.iterdir() if "finn" in p.name.lower()]


def test_boot_is_idempotent():
    assert engine.boot() == engine.boot()


def test_xsim_is_refused_by_name():
    engine.boot()
    import finn.xsi

    with pytest.raises(engine.NoXSimError, match=r"compile_sim_obj.*Verilator"):
        finn.xsi.compile_sim_obj("top", [], "out")
    with pytest.raises(engine.NoXSimError, match="SimEngine"):
        finn.xsi.SimEngine("top")


def test_forked_child_leaves_the_folder_alone():
    folder = engine.boot()
    child = os.fork()
    if child == 0:
        import atexit

        atexit._run_exitfuncs()
        os._exit(0)
    os.waitpid(child, 0)
    assert folder.is_dir()
