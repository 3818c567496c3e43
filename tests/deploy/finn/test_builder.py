"""FINN's builder without Vivado: as far as it goes, what it leaves behind, and where it stops."""

import json
import logging
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from signflow.deploy import flow, known
from signflow.deploy.accelerator import Accelerator
from signflow.deploy.compile import engine, export
from signflow.deploy.finn import builder, steps, verilator
from signflow.deploy.products import Settings, torch_network
from signflow.models.networks import network, predict

ROOT = Path(builder.__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "finn_build.yaml"
OURS = "signflow.deploy.finn.steps.step_signflow_"
STREAMLINE, LOWER, FOLD, STITCH = (OURS + name for name in ("streamline", "lower", "fold", "stitch"))
RUN = """
import sys; from pathlib import Path
from signflow.deploy.finn.builder import build
build(*map(Path, sys.argv[1:]))
"""


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setattr(builder, "NEEDED", {"numpy": "numpy", "no_such_module": "no-such-package<2"})
    with pytest.raises(builder.BuilderError, match=r"run `pip install --no-deps 'no-such-package<2'`"):
        builder.check()


def test_what_is_inside_stays_inside(tmp_path):
    engine.boot()
    import finn.util.settings as settings
    import finn.xsi as xsi
    from finn.util.basic import make_build_dir

    before = dict(os.environ), settings._SETTINGS, xsi.compile_sim_obj, sys.stdout, logging.getLogger().handlers[:]
    with builder.inside(tmp_path / "build"):
        assert Path(make_build_dir("code_")).parent == tmp_path / "build"
        assert xsi.compile_sim_obj is verilator.compile_sim_obj
        assert os.environ["FINN_BUILD_DIR"] == str(tmp_path / "build")
        logging.getLogger().addHandler(logging.NullHandler())
    assert (dict(os.environ), settings._SETTINGS, xsi.compile_sim_obj, sys.stdout) == before[:4]
    assert logging.getLogger().handlers == before[4]


def test_finn_that_runs_already_is_left_alone(tmp_path):
    """A step of ours called by FINN's own command: its settings and its simulator stay."""
    script = """
import os, sys
import finn.util.settings as settings, finn.xsi as xsi
from finn.interface.settings import FINNSettings
settings._SETTINGS = mine = FINNSettings.init(flow_config=sys.argv[1] + "/flow.yaml", finn_build_dir=sys.argv[1])
before = dict(os.environ)
import signflow.deploy.finn.steps as steps
from signflow.deploy.compile import engine
engine.boot()
assert settings._SETTINGS is mine and dict(os.environ) == before and "compile_sim_obj" not in vars(xsi)
"""
    env = {k: v for k, v in os.environ.items() if not k.startswith("FINN")} | {"FINN_SETTINGS": str(tmp_path / "none")}
    done = subprocess.run([sys.executable, "-P", "-c", script, str(tmp_path)], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_example_names_steps_that_exist():
    named = [name.removeprefix("signflow.deploy.finn.steps.") for name in yaml.safe_load(EXAMPLE.read_text())["steps"]]
    ours = {name for name in vars(steps) if name.startswith("step_signflow_")}
    assert ours == {name for name in named if name.startswith("step_signflow_")}
    assert all(vars(steps)[name].__doc__.count("model = ") == 1 for name in ours), "each with an example"


# ---- FINN's builder itself


@pytest.fixture(scope="session")
def packages():
    """The folder of the packages that FINN's builder imports, installed once a home: () where nothing is missing."""
    try:
        builder.check()
    except builder.BuilderError:
        folder = Path.home() / ".cache" / "finn-builder"
        if not (folder / "pandas").exists():
            install = ["-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
            subprocess.run([sys.executable, *install, *builder.NEEDED.values()], check=True)
        return (str(folder),)
    return ()


class Run:
    """One build in a process of its own, with a home and a temporary folder of its own."""

    def __init__(self, folder: Path, packages: tuple[str, ...], name: str, images: int):
        self.folder, self.packages, row = folder, packages, network(name)
        net = torch_network(Settings(source=name))
        self.file = export.save(export.export(net, row.input_shape), folder / "net.onnx")
        stack = np.random.default_rng(1).integers(0, 256, (images, *row.input_shape))
        stack[0] = 0
        self.logits = predict(net, torch.from_numpy(stack)).numpy()
        np.save(folder / "images.npy", stack.astype(np.float32))
        np.save(folder / "logits.npy", self.logits)
        self.out = folder / "out"

    def __call__(self, steps: list[str], **fields) -> subprocess.CompletedProcess:
        config = yaml.safe_load(EXAMPLE.read_text()) | {"steps": steps, "verify_save_full_context": False}
        config |= {f"verification_{part}": 0.0 for part in ("atol", "rtol", "mean_atol", "mean_rtol")}
        config |= {"verify_input_npy": str(self.folder / "images.npy")}
        config |= {"verify_expected_output_npy": str(self.folder / "logits.npy")}
        (self.folder / "build.yaml").write_text(yaml.safe_dump(config | fields))
        env = {
            k: v for k, v in os.environ.items() if not k.startswith(("FINN", "XILINX", "NUM_DEFAULT", "XDG", "PYTEST"))
        }
        env |= {"SIGNFLOW_CACHE": str(Path.home() / ".cache" / "signflow")}
        for key in ("HOME", "TMPDIR"):
            (self.folder / key).mkdir(exist_ok=True)
            env[key] = str(self.folder / key)
        env["PYTHONPATH"] = os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), *self.packages])
        words = [sys.executable, "-P", "-c", RUN, str(self.file), str(self.folder / "build.yaml"), str(self.out)]
        done = subprocess.run(words, cwd=self.folder, env=env, capture_output=True, text=True)
        for key in ("HOME", "TMPDIR"):
            assert not [path for path in (self.folder / key).rglob("*") if path.is_file()], f"something stayed in {key}"
        return done

    def verified(self, step: str) -> bool:
        """Whether FINN's own verification had every logit of every image at ``step``."""
        found = sorted((self.out / "verification_output").glob(f"verify_{step}_*_SUCCESS.npy"))
        assert len(found) == len(self.logits)
        return all((np.load(path).reshape(-1) == row).all() for path, row in zip(found, self.logits, strict=True))


def intervals(run: Run, scratch: Path) -> tuple[int, int]:
    """(cycles from one image to the next in the stitched RTL, cycles of its slowest operator)."""
    model = steps._known(ModelWrapper(str(run.out / "intermediate_models" / "step_signflow_stitch.onnx")))
    model.set_metadata_prop("rtlsim_liveness_estimate", str(steps._patience(model)))
    ends, cycles = (model.graph.input[0].name, model.graph.output[0].name), []
    with builder.inside(scratch):
        from finn.core.rtlsim_exec import rtlsim_exec_finnxsi

        for count in (2, 4):
            shapes = [(count, *model.get_tensor_shape(name)[1:]) for name in ends]
            rtlsim_exec_finnxsi(model, {n: np.zeros(s, np.float32) for n, s in zip(ends, shapes, strict=True)})
            cycles.append(int(model.get_metadata_prop("cycles_rtlsim")))
    slowest = max(int(getCustomOp(node).get_exp_cycles()) for node in model.graph.node)
    return (cycles[1] - cycles[0]) // 2, slowest


@pytest.mark.slow
@pytest.mark.parametrize(("name", "images"), [("tfc", 8), ("cnv", 3)])
def test_the_example_up_to_vivado(tmp_path, packages, name, images):
    """Shipped weights through every step of the example, FINN's own simulations included: every logit is PyTorch's. The
    first step of FINN that needs Vivado is `step_create_stitched_ip`, behind all of that.
    """
    assert known.networks()[name]
    run, listed = Run(tmp_path, packages, name, images), yaml.safe_load(EXAMPLE.read_text())["steps"]
    checks = ["streamlined_python", "node_by_node_rtlsim", "stitched_ip_rtlsim"]
    fields = {"verify_steps": checks, "target_fps": 5000 if name == "tfc" else 200}
    done = run(listed, **fields)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert all(map(run.verified, checks))
    settings = json.loads((run.out / "driver" / "settings.json").read_text())["driver_information"]
    assert settings["io_shape_dict"]["idma_names"] == ["idma0"] and settings["platform"] == "zynq-iodma"
    assert settings["io_shape_dict"]["oshape_normal"] == [[1, run.logits.shape[1]]]
    assert (run.out / "report" / "estimate_network_performance.json").exists()
    measured, slowest = intervals(run, tmp_path / "scratch")
    assert measured == slowest, "no operator ever waits for a FIFO"

    outputs = ["estimate_reports", "stitched_ip"]
    done = run([*listed[:-1], "step_create_stitched_ip"], generate_outputs=outputs, target_fps=fields["target_fps"])
    assert done.returncode and "FINN stopped at step_create_stitched_ip" in done.stderr
    assert "vivado not found in PATH" in done.stderr + done.stdout
    assert list((run.out / "build").glob("*/make_project.tcl")), "the project that Vivado would run"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "images"), [("tfc", 4), ("cnv", 2)])
def test_finns_own_fifos(tmp_path, packages, name, images):
    """FINN's `step_set_fifo_depths` in the place of ours, and FINN's FIFO module simulated."""
    run = Run(tmp_path, packages, name, images)
    listed = [STREAMLINE, LOWER, "step_create_dataflow_partition", FOLD, "step_generate_hardware", STITCH]
    fields = {"auto_fifo_strategy": "force_minimal_fifos", "verify_steps": ["stitched_ip_rtlsim"]}
    done = run(listed, target_fps=5000 if name == "tfc" else 200, **fields)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert run.verified("stitched_ip_rtlsim")
    measured, slowest = intervals(run, tmp_path / "scratch")
    assert measured == {"tfc": 1502}.get(name, slowest), "the smallest FIFOs hold tfc up, and not a cnv as slow as this"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tfc", "cnv"])
def test_a_graph_of_finns_steps_is_taken_over(tmp_path, packages, name):
    """FINN's own front end, conversion and partition of shipped weights; `signflow build` makes an accelerator of the
    graph they leave. Its RTL equals FINN's execution of that graph, and PyTorch.
    """
    run, fields = Run(tmp_path, packages, name, 3), {"save_intermediate_models": True, "generate_outputs": []}
    listed = ["step_qonnx_to_finn", "step_tidy_up", "step_streamline", "step_convert_to_hw"]
    if name == "tfc":  # FINN leaves the pools of this cnv outside of a partition
        listed += ["step_create_dataflow_partition", "step_specialize_layers"]
    done = run(listed, **fields)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    images = np.load(tmp_path / "images.npy").astype(np.uint8)
    for graph in (listed[-1], *(["dataflow_parent"] if name == "tfc" else [])):
        file, folder = run.out / "intermediate_models" / f"{graph}.onnx", tmp_path / graph
        flow.build(Settings(source=str(file), input="uint8", fps=100), folder)
        accelerator = Accelerator(folder)
        found = accelerator(images.reshape(len(images), *accelerator.shape), backend="rtl")
        assert (found == run.logits).all(), graph


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tfc", "cnv"])
def test_finns_own_operators_behind_our_streamlining(tmp_path, packages, name):
    """Every product and pool becomes one of FINN's; FINN's execution of them, and an accelerator taken over from them,
    give PyTorch's logits.
    """
    run, listed = Run(tmp_path, packages, name, 2), [STREAMLINE, "step_convert_to_hw"]
    done = run(listed, minimize_bit_width=False, generate_outputs=[])
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    file = run.out / "intermediate_models" / "step_convert_to_hw.onnx"
    model, images = ModelWrapper(str(file)), np.load(tmp_path / "images.npy")
    kinds = Counter(node.op_type for node in model.graph.node)
    assert (kinds["MVAU"], kinds["Pool"]) == ((4, 0) if name == "tfc" else (9, 2))
    import finn.custom_op.fpgadataflow.reshape  # noqa: F401  (which FINN itself does not register)
    from finn.core.onnx_exec import execute_onnx

    names = model.graph.input[0].name, model.graph.output[0].name
    found = [execute_onnx(model, {names[0]: image[None]})[names[1]] for image in images]
    assert (np.concatenate(found) == run.logits).all()
    flow.build(Settings(source=str(file), input="uint8", fps=100), tmp_path / "taken")
    assert (Accelerator(tmp_path / "taken")(images.astype(np.uint8), backend="rtl") == run.logits).all()


FAKE = "class Kernel: ...\nclass Design: ...\nclass Port: ...\n"


@pytest.mark.slow
def test_finns_own_command(tmp_path, packages):
    """The unmodified command takes the example, where it finds what it looks for of Vivado before it starts."""
    run, xsi = Run(tmp_path, packages, "tfc", 1), tmp_path / "xsi"
    for folder in (xsi / "xsi", tmp_path / "home"):
        folder.mkdir(parents=True)
    for name, text in {"xsi.so": "", "VERSION": "Vivado 2024.2", "xsi/__init__.py": FAKE}.items():
        (xsi / name).write_text(text)
    (tmp_path / "build.yaml").write_text(EXAMPLE.read_text())
    env = {k: v for k, v in os.environ.items() if not k.startswith(("FINN", "XILINX", "XDG", "PYTEST"))}
    env |= {"HOME": str(tmp_path / "home"), "XILINX_VIVADO": "/opt/Vivado/2024.2", "FINN_XSI": str(xsi)}
    env |= {"NUM_DEFAULT_WORKERS": "1", "FINN_BUILD_DIR": str(tmp_path / "build")}
    env["PYTHONPATH"] = os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), *packages])
    words = [sys.executable, "-P", "-m", "finn.interface.run_finn", "build", "--accept-defaults", "--batch", "-s"]
    done = subprocess.run([*words, "build.yaml", str(run.file)], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert (tmp_path / "out" / "finn" / "driver" / "settings.json").exists()


@pytest.mark.slow
def test_a_wrong_logit_stops_the_build(tmp_path, packages):
    run = Run(tmp_path, packages, "tfc", 2)
    run.logits[1, 3] = np.nextafter(run.logits[1, 3], np.inf)
    np.save(tmp_path / "logits.npy", run.logits)
    done = run([STREAMLINE], verify_steps=["streamlined_python"])
    assert done.returncode and "1 images differ" in done.stderr
