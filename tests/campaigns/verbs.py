"""The verbs of the command, each on inputs so small that it takes seconds, with what it leaves, free of times."""

import contextlib
import csv
import gzip
import hashlib
import io
import json
import os
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

TIMES = {"seconds", "images_per_second", "made", "fps_simulated", "cycles_per_second"}
"""Keys and columns of products that are measured anew by every run."""
SKIPPED = {"train.log"}
"""What a program has printed, run after run; no product."""
SHAPES = {"train": 256, "t10k": 64}
"""Images of the small Fashion-MNIST."""

RECIPE = """net = "tfc"
epochs = 3
batch = 32
"""
COMPARISON = """title = "Tiny"
question = "Does it go on?"
nets = ["tfc"]
seeds = [1]
[recipe]
epochs = 2
batch = 32
"""
EXPLORATION = """title = "Tiny"
networks = ["sfc"]
normalisation = ["bn"]
width = [16]
boards = ["pynq-z2"]
targets = [1000, "fastest"]
seeds = [1]
[recipe]
epochs = 1
batch = 32
"""
SUMS = "sums.json"
COMPILER = """#!/bin/sh
ulimit -v ${KILOBYTES:-unlimited}
exec g++ "$@"
"""
NET = ("in/net.onnx", "--out", "out")


@dataclass(frozen=True)
class Verb:
    """A command line in a folder that holds ``in``."""

    words: tuple[str, ...]
    after: str = ""
    """The verb that must have run there before."""
    cold: tuple[str, ...] = ()
    """Kinds of entries of the cache (`signflow.hw.sim.toolchain.cached`) that it has to make itself."""
    often: int = 1
    """How often it is drawn; those that take a second more often than those that take many."""


VERBS = {
    "data": Verb(("data", "--dir", "out"), often=4),
    "build": Verb(("build", *NET, "--input", "int8"), cold=("models",)),
    "verify": Verb(("verify", *NET, "--images", "64"), "build", often=4),
    "train": Verb(("train", "in/tiny.toml", "--out", "out"), often=4),
    "bitstream": Verb(("bitstream", *NET, "--images", "0"), "build"),
    "package": Verb(("package", *NET), "build", often=4),
    "prove": Verb(("prove", "sf_duplicate", "--jobs", "1", "--out", "out"), often=4),
    "experiment": Verb(("experiment", "tiny", "--jobs", "1", "--runs", "out/runs", "--docs", "out/docs")),
    "explore": Verb(
        ("explore", "in/explore.toml", "--jobs", "1", "--runs", "out/runs", "--out", "out/explore"),
        cold=("exports", "logits"),
    ),
}


def write_inputs(folder: Path) -> None:
    """Write everything that the verbs read to ``folder``/in."""
    from signflow.models.data import idx
    from signflow.tests.deploy.conftest import ChainBuilder
    from signflow.tests.deploy.tools.test_vivado import stand_in

    into = folder / "in"
    for name in ("compare", "data/fashion-mnist", "web"):
        (into / name).mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    net = ChainBuilder((6,)).scalar("Mul", 1.0).dense(rng.choice([-1.0, 1.0], (4, 6))).sign()
    net.dense(rng.choice([-1.0, 1.0], (3, 4))).save(into / "net.onnx")
    for prefix, count in SHAPES.items():
        images, labels = rng.integers(0, 256, (count, 28, 28), np.uint8), rng.integers(0, 10, count, np.uint8)
        for kind, values in (("images-idx3", images), ("labels-idx1", labels)):
            head = struct.pack(">HBB", 0, 8, values.ndim) + struct.pack(f">{values.ndim}I", *values.shape)
            (into / "data/fashion-mnist" / f"{prefix}-{kind}-ubyte.gz").write_bytes(gzip.compress(head + values.data))
    sums = {}
    for name in idx.FILES:
        raw = rng.bytes(4_000_000)
        (into / "web" / name).write_bytes(gzip.compress(raw, 1, mtime=0))
        sums[name] = hashlib.sha256(raw).hexdigest()
    (into / SUMS).write_text(json.dumps(sums))
    for name, text in {"tiny": RECIPE, "compare/tiny": COMPARISON, "explore": EXPLORATION}.items():
        (into / f"{name}.toml").write_text(text)
    stand_in(into)
    (into / "g++").write_text(COMPILER)
    (into / "g++").chmod(0o755)


def prepare() -> Callable[[], None]:
    """The command `signflow` for a folder with these inputs: where data come from, and which experiments there are, is
    not what is tried.
    """
    from signflow.deploy.command.cli import main

    for verb in ("data", "experiment"):
        main.commands[verb].callback = partial(_with_inputs, main.commands[verb].callback)
    return main


def _with_inputs(verb: Callable[..., None], *args, **options) -> None:
    from signflow.models.data import idx
    from signflow.models.study import experiments

    idx.FILES = json.loads(Path("in", SUMS).read_text())
    idx.ADDRESS, idx._from_package = f"{Path('in/web').resolve().as_uri()}/", _no_package
    experiments.COMPARISONS = Path("in/compare")
    verb(*args, **options)


def _no_package(tmp: Path, say: Callable) -> Path:
    """Debian package: none here."""
    raise OSError("not in this test")


def environment(folder: Path) -> dict[str, str]:
    """What the verbs find around them in ``folder``."""
    own = {
        "TMPDIR": "tmp",
        "SIGNFLOW_CACHE": "cache",
        "SIGNFLOW_DATA": "in/data",
        "VIVADO": "in/vivado",
        "CXX": "in/g++",
    }
    return dict(os.environ) | {name: str(folder / place) for name, place in own.items()} | {"NO_COLOR": "1"}


def products(folder: Path) -> dict[str, str]:
    """Digest of every file below ``folder`` by relative name, without times; an empty folder counts as a file."""
    return {name: hashlib.sha256(content).hexdigest()[:16] for name, content in _contents(folder)}


def _contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() and not any(path.iterdir()):
            yield f"{name}/", b""
        elif path.is_file() and path.name not in SKIPPED:
            yield name, timeless(path)


def timeless(path: Path) -> bytes:
    """The content of a product without the times in it."""
    raw = path.read_bytes()
    with contextlib.suppress(ValueError, UnicodeDecodeError):
        if path.suffix == ".json":
            return json.dumps(_without(json.loads(raw))).encode()
        if path.suffix == ".csv":
            rows = list(csv.DictReader(io.StringIO(raw.decode())))
            return json.dumps([_without(row) for row in rows]).encode()
        if path.suffix == ".md":
            return re.sub(r"\| [\d.]+ \|$|\d+ minutes of training", "", raw.decode(), flags=re.MULTILINE).encode()
        if path.name == "checkpoint.pt":
            return _state(path)
    return raw


def _without(value):
    """Without the keys in `TIMES`, at any depth."""
    if isinstance(value, dict):
        return {key: _without(one) for key, one in value.items() if key not in TIMES}
    return [_without(one) for one in value] if isinstance(value, list) else value


def _state(path: Path) -> bytes:
    """A checkpoint: recipe, log without seconds, every tensor's bytes."""
    import torch

    state = torch.load(path, weights_only=True)
    state["log"] = [row[:3] for row in state["log"]]

    def plain(value):
        if isinstance(value, torch.Tensor):
            return hashlib.sha256(value.contiguous().numpy().tobytes()).hexdigest()
        if isinstance(value, dict):
            return {str(key): plain(one) for key, one in value.items()}
        return [plain(one) for one in value] if isinstance(value, list | tuple) else value

    return json.dumps(plain(state)).encode()
