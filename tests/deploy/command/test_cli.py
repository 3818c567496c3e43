"""The command as a user meets it: wrong inputs give one clear message and an exit code, nothing half-written."""

import io
import json
import os
import shutil
import signal
import time
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console

import signflow
from signflow.deploy import flow
from signflow.deploy.command import group
from signflow.deploy.command.cli import main


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def call(*words):
        result = CliRunner().invoke(main, [str(w) for w in words])
        return result.exit_code, result.output

    return call


def onnx_file(path: Path, nodes, initialisers=(), shape=(1, 8)) -> Path:
    from onnx import TensorProto, helper, numpy_helper, save

    value = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "g", [value("x", TensorProto.FLOAT, shape)], [value("y", TensorProto.FLOAT, None)],
                              [numpy_helper.from_array(a, n) for n, a in initialisers])  # fmt: skip
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def test_help_lists_the_verbs(run):
    code, text = run("--help")
    assert code == 0
    verbs = "data train networks experiment export build verify simulate report graph demo"
    for verb in verbs.split():
        assert f"  {verb} " in text


def test_wrong_words(run):
    for words, message in (
        (["build", "resnet"], "error: unknown network 'resnet' (did you mean "),
        (["build", "tfd"], "error: unknown network 'tfd' (did you mean tfc?); `signflow networks` lists them"),
        (["biuld", "tfc"], "No such command 'biuld'. Did you mean 'build'?"),
        (["build", "tfc", "--board", "zybo"], "unknown board 'zybo'; known boards: pynq-z1"),
        (["build", "missing.onnx", "--input", "uint8"], "missing.onnx: no such file"),
        (["build", "missing.onnx"], "missing.onnx: no such file"),
        (["build", "tfc", "--input", "int8"], "--input int8: tfc reads uint8 pixels and nothing else"),
        (["build", __file__, "--weights", "w.npz"], "--weights w.npz: " + __file__ + " is no network of ours"),
        (["build", "tfc", "--from", "middle"], "'middle' is not one of 'export', 'streamline'"),
        (["build", "tfc", "--from", "fold"], "holds no build: run `signflow build` first"),
        (["verify", "tfc"], "holds no build: run `signflow build tfc` first"),
        (["verify", "tfc", "--board", "zcu104"], "run `signflow build tfc --board zcu104` first"),
        (["simulate", "tfc", "--out", "here"], "here holds no build: run `signflow build tfc --out here` first"),
        (["verify", "tfd"], "did you mean tfc?"),
        (["report", "tfc"], "signflow build"),
        (["train", "none.toml"], "none.toml"),
        (["experiment", "abn"], "unknown experiment 'abn'; known experiments: claims, what-bn-does, abn-affine"),
        (["export", "vgg", "-o", "x.onnx"], "unknown network 'vgg'"),
        (["build", "tfc", "--weights", "none.npz"], "none.npz: not a readable weight file"),
    ):
        code, text = run(*words)
        assert code != 0 and message in text.replace("\n", " "), (words, text)
        assert "Traceback" not in text


def test_experiments_and_networks_are_listed(run):
    code, text = run("experiment")
    assert code == 0 and "what-bn-does" in text and "fashion-mlp" in text
    code, text = run("networks", "tfc", "sd-resnet20-fashion", "--markdown")
    rows = {line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("| ")}
    assert code == 0 and "59,008" in rows["tfc"] and "yes" in rows["tfc"] and "sd-resnet20-fashion" in rows


def test_bad_model_files(run, tmp_path):
    import numpy as np
    from onnx import helper

    (tmp_path / "noise.onnx").write_bytes(b"\x00\x01 this is no protobuf")
    onnx_file(tmp_path / "lstm.onnx", [helper.make_node("Softmax", ["x"], ["y"], name="Soft")])
    weights = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
    onnx_file(tmp_path / "float.onnx", [helper.make_node("MatMul", ["x", "w"], ["y"], name="Dense")], [("w", weights)])
    for file, message in (
        ("noise.onnx", "not a readable ONNX file"),
        ("lstm.onnx", "Softmax"),
        ("float.onnx", "operator MatMul: its weights are neither +-1"),
    ):
        code, text = run("build", file, "--input", "int8")
        assert code == 1 and message in text and "Traceback" not in text, text
    code, text = run("build", "float.onnx")
    assert code == 1 and "--input" in text
    assert not list(tmp_path.glob("out/*/2-integer.onnx"))


def test_illegal_folding_is_refused_with_the_nearest_legal_one(run, mini, tmp_path):
    _settings, work = mini
    (tmp_path / "folding.json").write_text(json.dumps({"MVAU_sf_1": {"PE": 5}}))
    import shutil

    shutil.copytree(work, tmp_path / "copy")
    code, text = run("build", "mini", "--out", "copy", "--from", "fold", "--folding", "folding.json")
    assert code == 1 and "PE = 5 is illegal" in text and "nearest is 4" in text.replace("\n", " ")


@pytest.mark.parametrize(("words", "message"), [
    (["tfc"], "holds mini for pynq-z2: leave out --from to build tfc for pynq-z2 there"),
    (["mini", "--board", "ulx3s"], "holds mini for pynq-z2: leave out --from to build mini for ulx3s there"),
    (["mini", "--input", "uint8"], "--input, --weights and --random-weights need --from export"),
    (["mini", "--weights", "w.npz"], "--input, --weights and --random-weights need --from export"),
    (["mini", "--random-weights", "3"], "--input, --weights and --random-weights need --from export"),
])  # fmt: skip
def test_a_build_from_a_later_step_ignores_no_word(run, mini, words, message):
    """What is there was made of another network, or for another board: nothing there becomes it."""
    _, work = mini
    before = (work / "settings.json").read_bytes()
    code, text = run("build", *words, "--out", work, "--from", "lower")
    assert code == 2 and message in " ".join(text.split()), text
    assert (work / "settings.json").read_bytes() == before and (work / flow.ACCELERATOR).exists()


def test_an_interrupted_build_leaves_whole_products_and_resumes(mini, tmp_path, monkeypatch):
    settings, work = mini
    real = flow.generate

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(flow, "generate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        flow.build(settings, tmp_path / "w")
    assert (tmp_path / "w" / flow.FOLDED).exists() and not (tmp_path / "w" / flow.ACCELERATOR).exists()
    monkeypatch.setattr(flow, "generate", real)
    flow.build(settings, tmp_path / "w", "generate")
    assert (tmp_path / "w" / flow.ACCELERATOR / "accel.json").read_bytes() == (
        work / flow.ACCELERATOR / "accel.json"
    ).read_bytes()


def test_missing_compiler_is_named(mini, monkeypatch, tmp_path):
    from signflow.hw.sim import ToolMissingError
    from signflow.hw.sim.toolchain import cxx

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    cxx.cache_clear()
    with pytest.raises(ToolMissingError, match=r"g\+\+.*apt-get install"):
        flow.step_compile(*mini)
    cxx.cache_clear()


def test_verify_simulate_and_json(run, mini):
    _, work = mini
    code, text = run("verify", "mini", "--out", work, "--images", 40, "--stall-images", 10, "--json", "v.json")
    assert code == 0, text
    result = json.loads(Path("v.json").read_text())
    assert [r["mismatches"] for r in result["ladder"]] == [0] * 6
    assert [r["images"] for r in result["ladder"]] == [40, 16, 40, 4, 40, 10]
    assert [r["logits"] for r in result["ladder"]] == [400, 160, 400, 40, 400, 100]
    simulated, predicted = result["cycles"]["simulated"], result["cycles"]["predicted"]
    assert simulated["latency"] == predicted["latency"] and simulated["interval"] == predicted["interval"]
    code, text = run("simulate", "mini", "--out", work, "--images", 5, "--in-stall", 0.5, "--json", "s.json")
    assert code == 0 and json.loads(Path("s.json").read_text())["images"] == 5


def test_a_file_of_another_maker_is_verified_with_the_default_options(run, chain, tmp_path):
    """The top of its ladder is QONNX, which runs 64 images only: the others are compared with the integer graph."""
    tiny(chain, tmp_path / "net.onnx")
    code, text = run("build", "net.onnx", "--input", "uint8")
    assert code == 0, text
    code, text = run("verify", "net.onnx", "--json", "v.json")
    assert code == 0, text
    ladder = json.loads(Path("v.json").read_text())["ladder"]
    assert [(r["rung"], r["images"], r["logits"]) for r in ladder] == [
        ("QONNX", 64, 256), ("integer graph", 64, 256), ("FINN hardware graph", 4, 16),
        ("RTL simulation", 64, 256), ("RTL, random stalls", 64, 256),
    ]  # fmt: skip
    code, text = run("verify", "net.onnx", "--images", 80, "--stall-images", 70, "--json", "v.json")
    assert code == 0 and "QONNX runs 64 images" in " ".join(text.split()), text
    ladder = json.loads(Path("v.json").read_text())["ladder"]
    assert [r["logits"] for r in ladder] == [256, 256, 16, 320, 280]
    assert ladder[-1]["against"] == ["QONNX", "integer graph"] and not any(r["mismatches"] for r in ladder)


def tiny(chain, path):
    """A small network of another maker in ``path``."""
    rng = np.random.default_rng(0)
    net = chain((8,)).scalar("Sub", 128).sign().dense(rng.choice([-1.0, 1.0], (6, 8))).sign()
    return net.dense(rng.choice([-1.0, 1.0], (4, 6))).save(path)


@pytest.mark.parametrize(
    "stem, top", [("sf_fifo", "net_sf_fifo"), ("fifo", "fifo"), ("1net", "net_1net"), ("clk_i", "net_clk_i")]
)
def test_a_network_may_be_called_like_a_module_or_a_port(run, chain, tmp_path, stem, top):
    """The build ends with its simulation."""
    tiny(chain, tmp_path / f"{stem}.onnx")
    code, text = run("build", f"{stem}.onnx", "--input", "uint8")
    assert code == 0, text
    facts = json.loads((tmp_path / "out" / f"{top}-pynq-z2" / flow.ACCELERATOR / "accel.json").read_text())
    assert facts["top"] == facts["name"] == top and facts["check"]["result"] == "passed"


def test_brackets_in_a_path_are_part_of_the_path(run, chain, tmp_path):
    """To the library that prints they could be markup."""
    (tmp_path / "d[").mkdir()
    tiny(chain, tmp_path / "d[" / "x].onnx")
    code, text = run("build", "d[/x].onnx", "--input", "uint8", "--out", "b[/foo] [red] :cat:")
    assert code == 0 and "building d[/x].onnx" in text and "products in b[/foo] [red] :cat:" in text, text
    code, text = run("verify", "d[/x].onnx", "--out", "b[/foo] [red] :cat:", "--images", 4, "--stall-images", 0)
    assert code == 0 and "Traceback" not in text, text
    code, text = run("build", "e[/y].onnx", "--input", "uint8")
    assert code == 1 and "e[/y].onnx: no such file" in text


def test_own_images_through_the_command(mini, tmp_path, run):
    _, work = mini
    shutil.copytree(work, tmp_path / "mini")
    pixels = np.random.default_rng(0).integers(0, 256, (6, 1, 32, 32)).astype(np.uint8)
    np.save(tmp_path / "i.npy", pixels)
    (tmp_path / "labels.txt").write_text("\n".join("012345"))
    words = ["--out", str(tmp_path / "mini"), "--images", str(tmp_path / "i.npy")]
    for verb in ("simulate", "verify"):
        code, text = run(verb, "mini", *words, "--labels", str(tmp_path / "labels.txt"))
        assert code == 0 and "6 images of" in text.replace("\n", " "), text
    for extra, message in (
        (["--images", "0"], "0 is not in the range x>=1"),
        (["--images", "nowhere"], "no number of images and no path that exists"),
        (["--labels", str(tmp_path / "labels.txt")], "belongs to images of your own"),
    ):
        code, text = run("simulate", "mini", "--out", str(tmp_path / "mini"), *extra)
        assert code == 2 and message in " ".join(text.split()), text
    code, text = run("verify", "mini", *words, "--split", "test")
    assert code == 2 and "both say which images" in " ".join(text.split()), text


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_no_color_is_honoured(variables, coloured, monkeypatch):
    """A terminal that can show colours gets them, unless NO_COLOR is set."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    text = io.StringIO()
    Console(file=text, force_terminal=True, color_system="standard", **group.PLAIN).print("error:", style="red")
    assert ("\x1b[31m" in text.getvalue()) == coloured


def test_the_version_and_the_exit_codes_are_told(run):
    assert run("--version") == (0, f"signflow {signflow.__version__}\n")
    code, text = run("--help")
    assert code == 0 and "3 all done but the vendor's step" in " ".join(text.split())


@pytest.fixture
def not_ignored():
    """The signals that end a process do so, also where the tests run under nohup."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    for number in before:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_a_signal_that_asks_to_end_is_obeyed_tidily(number, code, not_ignored):
    """What has begun is undone, and who called the command has its own handlers again."""
    undone, before = [], signal.getsignal(number)

    @click.command()
    def work():
        try:
            os.kill(os.getpid(), number)
            time.sleep(10)
        finally:
            undone.append(True)

    verbs = group.Command()
    verbs.add_command(work, "work")
    done = CliRunner().invoke(verbs, ["work"])
    assert (done.exit_code, undone) == (code, [True]) and "interrupted; finished products are kept" in done.stderr
    assert signal.getsignal(number) is before


class Late:
    """Whose finaliser gets the signal."""

    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)


def test_an_interrupt_that_python_drops_comes_again(not_ignored):
    """It drops what a finaliser raises, and a training went on after Ctrl-C."""
    verbs = group.Command()

    @verbs.command()
    def work():
        late = Late()
        del late
        time.sleep(10)

    done = CliRunner().invoke(verbs, ["work"])
    assert done.exit_code == 130 and done.stderr.split() == ["interrupted;", "finished", "products", "are", "kept"]


@pytest.mark.parametrize(
    "error, text",
    [
        (MemoryError(), "not enough memory"),
        (RuntimeError("could not create a primitive"), "not enough memory: could not create a primitive"),
        (MemoryError("Unable to allocate 4 EiB"), "not enough memory: Unable to allocate 4 EiB"),
        (
            ImportError("libtorch.so: failed to map segment from shared object"),
            "not enough memory: libtorch.so: failed",
        ),
    ],
)
def test_no_memory_is_one_line(error, text):
    verbs = group.Command()

    @verbs.command()
    def work():
        raise error

    done = CliRunner().invoke(verbs, ["work"])
    assert done.exit_code == 1 and f"error: {text}" in done.stderr and "fault of signflow" not in done.stderr
