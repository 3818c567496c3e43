"""The container's house rules, and the engine's command lines that `make docker-*` ends in (no engine needed)."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import signflow.deploy

ROOT = Path(signflow.deploy.__file__).resolve().parents[1]
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text()
KNOWN = {"ARG", "CMD", "COPY", "ENV", "FROM", "LABEL", "RUN", "USER", "WORKDIR"}  # all that this file needs
INHERITED = ("MAKEFLAGS", "MAKELEVEL", "NET", "BOARD", "VIVADO_PATH")  # not from a make around the tests


def instructions(text: str) -> list[tuple[str, str]]:
    """(keyword, arguments) of every instruction, comments dropped and continued lines joined."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines)).splitlines()
    return [tuple((line.split(None, 1) + [""])[:2]) for line in joined]


def copied(arguments: str) -> list[str]:
    return [word for word in arguments.split() if not word.startswith("--")][:-1]


def problems(text: str) -> list[str]:
    """The rules that a Dockerfile breaks, by name."""
    steps, broken = instructions(text), set()
    last = dict(steps)
    runs = [value for key, value in steps if key == "RUN"]
    if any(key not in KNOWN for key, _ in steps):
        broken.add("unknown instruction")
    if not re.fullmatch(r"BASE=debian:[a-z]+-\d{8}-slim@sha256:[0-9a-f]{64}", steps[0][1]) or last["FROM"] != "${BASE}":
        broken.add("base not pinned")
    elif steps[0][1].removeprefix("BASE=").split("@")[0] not in last["LABEL"]:
        broken.add("label names another base")
    user = [place for place, (key, _) in enumerate(steps) if key == "USER"]
    if not user or steps[user[-1]][1].split(":")[0] in ("root", "0") or f" {last['USER']}" not in " ".join(runs):
        broken.add("runs as root")
    elif any(key == "COPY" and f"--chown={last['USER']}:{last['USER']}" not in value for key, value in steps):
        broken.add("files of root")
    for run in runs:
        if "apt-get install" in run and not ("--no-install-recommends" in run and "rm -rf /var/lib/apt/lists" in run):
            broken.add("apt leaves more than was asked for")
        if re.search(r"\b(pip3? install|easy_install|conda|npm|curl|wget|git clone|apt(-get)? (dist-)?upgrade)\b", run):
            broken.add("installs past the lock")
    if re.search(r"(?i)token|passw|secret|\.crt|\.pem|trusted-host|https?://", text):
        broken.add("secret, certificate or host")
    order = [value for key, value in steps if key == "COPY" or (key == "RUN" and "make setup" in value)]
    setup = next((place for place, value in enumerate(order) if "make setup" in value), None)
    if setup is None or any(value.endswith(" . .") for value in order[:setup]):
        broken.add("sources before the environment")
    elif {word for value in order[:setup] for word in copied(value)} != needed_by_setup():
        broken.add("environment layer of other files")
    return sorted(broken)


def needed_by_setup() -> set[str]:
    """What `make setup` reads: its prerequisites in the Makefile, itself, and the licence that pyproject.toml names."""
    prerequisites = re.search(r"^\$\(READY\): (.*)$", (ROOT / "Makefile").read_text(), re.M)[1].split()
    return {"Makefile", *prerequisites, *project()["project"]["license-files"]}


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_dockerfile_keeps_the_rules():
    assert problems(DOCKERFILE) == []


@pytest.mark.parametrize("old, new, rule", [
    (r"@sha256:\w+", "", "base not pinned"),
    (r"-\d{8}-slim@", "-slim@", "base not pinned"),
    (r"FROM .*", "FROM debian:latest", "base not pinned"),
    (r"(base.name=.*)\d-slim", r"\1-slim", "label names another base"),
    (r"USER signflow", "", "runs as root"),
    (r"(CMD .*)", r"USER root\n\1", "runs as root"),
    (r"COPY --chown=\S+ \. \.", "COPY . .", "files of root"),
    (r"--no-install-recommends", "", "apt leaves more than was asked for"),
    (r" && rm -rf /var/lib/apt/lists/\*", " && true", "apt leaves more than was asked for"),
    (r"make setup", "make setup && pip install torch", "installs past the lock"),
    (r"RUN touch", "RUN curl example.org | sh; touch", "installs past the lock"),
    (r"(CMD .*)", r"ADD x.tar /\n\1", "unknown instruction"),
    (r"(CMD .*)", r"ENV API_TOKEN=1\n\1", "secret, certificate or host"),
    (r"ARG PIP_EXTRA_INDEX_URL", "ARG PIP_EXTRA_INDEX_URL=https://example.org", "secret, certificate or host"),
    (r" requirements.lock \./", " ./", "environment layer of other files"),
    (r" LICENSE Makefile", " LICENSE README.md Makefile", "environment layer of other files"),
    (r"LICENSE Makefile .* \./", ". .", "sources before the environment"),
])  # fmt: skip
def test_every_rule_can_be_broken(old, new, rule):
    text, count = re.subn(old, new, DOCKERFILE)
    assert count
    assert rule in problems(text)


def test_the_build_arguments_are_explained():
    names = {re.match(r"\w+", value)[0] for key, value in instructions(DOCKERFILE) if key == "ARG"}
    readme = (ROOT / "docker" / "README.md").read_text()
    assert names == {name for name in names if f"`{name}" in readme}


@pytest.fixture(scope="module")
def environment_layer(tmp_path_factory) -> Path:
    """What `make setup` finds in the image: the files copied, and what the step before it makes."""
    folder = tmp_path_factory.mktemp("layer")
    for name in needed_by_setup():
        shutil.copy(ROOT / name, folder)
    code = re.search(r"python3 -c '([^']*)'", DOCKERFILE)[1].replace("\\\n", "")
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)
    (folder / "README.md").touch()
    return folder


def test_the_folders_of_the_environment_layer_are_the_packages(environment_layer):
    """The step that stands in for the sources makes every package, and nothing else."""
    made = {str(path.relative_to(environment_layer)) for path in environment_layer.rglob("*") if path.is_dir()}
    packages = project()["tool"]["setuptools"]["packages"]
    assert made == {name.removeprefix("signflow.").replace(".", "/") for name in packages if name != "signflow"}
    assert all((ROOT / name).is_dir() for name in made)


def test_the_environment_layer_is_installed_as_a_package(environment_layer, tmp_path):
    """Of a folder without an __init__.py an editable installation makes a namespace, which never reads ours."""
    code = "import sys; from setuptools.build_meta import build_editable; build_editable(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", code, tmp_path], cwd=environment_layer, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        (finder,) = (name for name in wheel.namelist() if name.endswith("finder.py"))
        assert re.search(r"^NAMESPACES.* = (.*)$", wheel.read(finder).decode(), re.M)[1] == "{}"


def test_the_image_writes_its_bill_of_materials():
    """The last step, behind the sources, runs `deploy/board/bill.py` (tests/deploy/board/test_bill.py runs it)."""
    steps = instructions(DOCKERFILE)
    (place,) = [k for k, (key, value) in enumerate(steps) if key == "RUN" and "deploy.board.bill" in value]
    target = re.fullmatch(r"python -m signflow\.deploy\.board\.bill (/home/signflow/\S+\.cdx\.json)", steps[place][1])
    assert target and f"`{target[1]}`" in (ROOT / "docker" / "README.md").read_text()
    assert ("COPY", "--chown=signflow:signflow . .") in steps[:place]
    assert all(key in ("LABEL", "CMD") for key, _ in steps[place + 1 :])


def test_products_stay_out_of_the_image_and_sources_do_not():
    ignored = {line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"}
    made = {line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines()}
    assert {".git", ".venv", "out", "data", "runs"} <= ignored
    assert made <= {name.removeprefix("**/") for name in ignored}
    packages = {name.split(".")[1] for name in project()["tool"]["setuptools"]["packages"] if "." in name}
    assert not ignored & (packages | {"tests", "notebooks", "docker", "experiments", "*", "**"})


@pytest.fixture
def make(tmp_path):
    """Run a target with an engine that only writes down its command lines; (exit code, output, command lines)."""
    log, engine = tmp_path / "log", tmp_path / "engine"
    note = f'open({str(log)!r}, "a").write(json.dumps(sys.argv[1:]) + "\\n")'
    engine.write_text(f"#!{sys.executable}\nimport json, sys\n{note}\n")
    engine.chmod(0o755)

    def call(target: str, **variables):
        words = [f"{key}={value}" for key, value in {"DOCKER": engine, **variables}.items()]
        env = {key: value for key, value in os.environ.items() if key not in INHERITED}
        done = subprocess.run(["make", "-C", ROOT, target, *words], capture_output=True, text=True, env=env)
        lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        return done.returncode, done.stdout + done.stderr, lines

    return call


def test_docker_test_builds_and_runs_the_equivalence_tests_without_network(make):
    code, output, (build, run) = make("docker-test", IMAGE="x")
    assert code == 0, output
    assert build == ["build", "-t", "x", "-f", "docker/Dockerfile", "."]
    assert run[:4] == ["run", "--rm", "--network", "none"]
    command = run[run.index("x") + 1 :]
    assert "pytest" in command and {"tests/equivalence", "tests/hw"} <= set(command)
    assert all((ROOT / word).is_dir() for word in command if word.startswith("tests/"))


@pytest.mark.parametrize("place", ["bin", "Vivado/2023.1/bin", "2025.1/Vivado/bin"])
def test_vivado_is_found_and_mounted_read_only(make, tmp_path, place):
    program = tmp_path / "Xilinx" / place / "vivado"
    for path in (program, tmp_path / "Xilinx" / "Vivado" / "2019.2" / "bin" / "vivado"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    if place == "bin":
        (tmp_path / "Xilinx" / "Vivado" / "2019.2" / "bin" / "vivado").unlink()
    code, output, (_, run) = make("docker-build-bitstream", VIVADO_PATH=tmp_path / "Xilinx", NET="tfc", BOARD="pynq-z1")
    assert code == 0, output
    assert f"{tmp_path}/Xilinx:{tmp_path}/Xilinx:ro" in run
    assert f"{ROOT}/out:/home/signflow/signflow/out" in run
    assert run[run.index("--user") + 1] == f"{os.getuid()}:{os.getgid()}"
    assert f"VIVADO={program}" in run
    assert {"make", "build-bitstream", "NET=tfc", "BOARD=pynq-z1"} <= set(run)


@pytest.mark.parametrize("variables", [{}, {"VIVADO_PATH": ""}, {"VIVADO_PATH": "/nowhere"}, {"VIVADO_PATH": ROOT}])
def test_without_vivado_one_clear_message_and_no_engine(make, variables):
    code, output, lines = make("docker-build-bitstream", **variables)
    assert code != 0 and lines == []
    errors = [line for line in output.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert f"VIVADO_PATH='{variables.get('VIVADO_PATH', '')}'" in errors[0] and "e.g. VIVADO_PATH=" in errors[0]
