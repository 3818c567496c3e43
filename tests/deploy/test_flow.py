"""The work folder: one command at a time, nothing older than its source, one clear line on what is damaged."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from signflow.deploy import flow
from signflow.deploy.command.cli import main
from signflow.deploy.products import locked

LATER = ["6-verify.json", "7-report.json", "8-project", "9-bitstream.json"]


@pytest.fixture(scope="module")
def built(chain, tmp_path_factory):
    """(settings, work folder) of a small network of another maker."""
    rng, folder = np.random.default_rng(1), tmp_path_factory.mktemp("flow")
    net = chain((6,)).scalar("Mul", 1.0).dense(rng.choice([-1.0, 1.0], (4, 6))).sign()
    settings = flow.Settings(str(net.dense(rng.choice([-1.0, 1.0], (3, 4))).save(folder / "net.onnx")), input="int8")
    flow.build(settings, folder / "work")
    return settings, folder / "work"


@pytest.fixture
def copy(built, tmp_path):
    shutil.copytree(built[1], tmp_path / "work")
    return built[0], tmp_path / "work"


def signflow(*words):
    """(exit code, what it says in one line)"""
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, " ".join(done.stderr.split())


def test_every_step_has_its_function():
    for step in flow.STEPS:
        assert callable(getattr(flow, f"step_{step}"))


@pytest.mark.parametrize("start", flow.STEPS)
def test_nothing_older_survives(copy, start, monkeypatch):
    """What is left when the first step begins: only what the steps before it made."""
    settings, work = copy
    made = {"export": "1-network.onnx", "streamline": "2-integer.onnx", "lower": "3-hardware.onnx",
            "fold": "4-fold", "generate": "5-accelerator"}  # fmt: skip
    (work / "8-project").mkdir()
    for name in (*LATER, "net-pynq-z2.zip"):
        if name != "8-project":
            (work / name).write_text("{}")
    seen = []
    monkeypatch.setattr(flow, "run", lambda *_: seen.append(sorted(path.name for path in work.iterdir())))
    flow.build(settings, work, start)
    steps = list(flow.STEPS)
    kept = [name for step, name in made.items() if steps.index(step) < steps.index(start)]
    left = [name for name in seen[0] if name not in ("settings.json", ".lock")]
    assert all(any(name.startswith(one) for one in kept) for name in left), left
    assert all(any(name.startswith(one) for name in left) for one in kept), left
    if "5-accelerator" in left:
        assert "check" not in flow.accelerator(work), "a proof is older than what it proves"


@pytest.mark.parametrize(
    "words", [["verify", "--images", "2"], ["report"], ["package"], ["bitstream", "--images", "0"]]
)
def test_a_folder_in_use(copy, words):
    """None reads what another process is making, nor writes beside it; afterwards they work."""
    settings, work = copy
    before = sorted(path.name for path in work.iterdir())
    with locked(work):
        code, text = signflow(*words, settings.source, "--out", work)
        assert code == 1 and f"{work} is in use by process {os.getpid()}; one command at a time" in text
        assert sorted(path.name for path in work.iterdir()) == sorted([*before, ".lock"])
    if words[0] in ("verify", "package"):  # the others synthesise first
        assert signflow(*words, settings.source, "--out", work)[0] == 0
        assert not (work / ".lock").exists()


def test_two_builds_in_one_folder(copy):
    """The second is refused, whether the first is another process or this one, and says who it is."""
    settings, work = copy
    hold = f"import sys\nfrom pathlib import Path\nfrom {locked.__module__} import locked\n"
    hold += "with locked(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    command = [sys.executable, "-c", hold, str(work)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        code, text = signflow("build", settings.source, "--input", "int8", "--out", work)
        other.stdin.close()
    assert code == 1 and f"{work} is in use by process {other.pid}" in text and "--out" in text
    assert (work / flow.ACCELERATOR / "accel.json").exists(), "the first one's products stay"
    with locked(work), pytest.raises(flow.FlowError, match=f"in use by process {os.getpid()}"):
        flow.build(settings, work)
    flow.build(settings, work, "check")
    assert not (work / ".lock").exists()


def test_a_killed_build_holds_nothing(copy):
    settings, work = copy
    (work / ".lock").write_text("1")
    flow.build(settings, work, "check")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    "product, damage, words, message",
    [
        ("settings.json", '{"source": "a", "speed": 1}', ["verify"], "'speed': 1 is no setting of this version"),
        ("settings.json", '{"source": "a", "fps": "1"}', ["simulate"], "'fps': '1' is no setting"),
        ("settings.json", '{"board": "a"}', ["build", "--from", "fold"], "does not name the network's source"),
        ("settings.json", "[]", ["report"], "settings.json is damaged (it holds no object)"),
        ("settings.json", "{", ["verify"], "settings.json is damaged (Expecting"),
        ("5-accelerator/accel.json", "{}", ["verify"], "accel.json is damaged (it lacks name, top, sources"),
        ("5-accelerator/accel.json", "{}", ["simulate"], "accel.json is damaged (it lacks name, top, sources"),
        ("5-accelerator/accel.json", "{}", ["report"], "accel.json is damaged (it lacks name, top, sources"),
        ("5-accelerator/accel.json", "{}", ["package"], "accel.json is damaged (it lacks name, top, sources"),
        ("5-accelerator/accel.json", "3", ["verify"], "accel.json is damaged ("),
        ("5-accelerator/accel.json", None, ["build", "--from", "compile"], "accel.json is damaged ("),
        ("1-network.onnx", None, ["build", "--from", "streamline"], "1-network.onnx is damaged"),
        ("2-integer.onnx", None, ["verify"], "run `signflow build` with --from streamline"),
        ("2-integer.onnx", None, ["build", "--from", "lower"], "2-integer.onnx is damaged"),
        ("3-hardware.onnx", None, ["build", "--from", "fold"], "3-hardware.onnx is damaged"),
        ("4-folded.onnx", "", ["simulate"], "4-folded.onnx is damaged (it holds no graph)"),
    ],
)
def test_damaged_products_are_named_with_the_remedy(copy, product, damage, words, message):
    settings, work = copy
    cut(work / product) if damage is None else (work / product).write_text(damage)
    code, text = signflow(words[0], settings.source, "--out", work, *words[1:])
    assert code == 1 and message in text and "run `signflow build`" in text, text


@pytest.mark.parametrize("rate", ["nan", "inf"])
def test_a_rate_is_a_number(rate, tmp_path):
    code, text = signflow("build", "tfc", "--target-fps", rate, "--out", tmp_path / "work")
    assert code == 1 and f"a target of {rate} images a second" in text and not (tmp_path / "work").exists()
    (tmp_path / "settings.json").write_text(json.dumps({"source": "tfc", "fps": float(rate)}))
    code, text = signflow("verify", "tfc", "--out", tmp_path)
    assert code == 1 and f"a target of {rate} images a second" in text


def test_a_refusal_in_a_new_home_says_one_thing(tmp_path):
    """What is compiled beside the first steps notices that Python ends, and says nothing of its own."""
    (tmp_path / "bad.onnx").write_text("x")
    command = [sys.executable, "-c", "from signflow.deploy.command.start import main; main()"]
    command += ["build", str(tmp_path / "bad.onnx"), "--input", "uint8", "--out", str(tmp_path / "out")]
    home = {"HOME": str(tmp_path / "home")}
    env = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")} | home
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: ") and "not a readable ONNX file" in last
