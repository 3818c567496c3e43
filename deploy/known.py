"""Our networks without PyTorch: what the flow must know of them, and what was kept of what PyTorch gave for them.

PyTorch and Brevitas take seconds to import and to export a network, and nothing of what they give for one of our own
networks changes while its weights, the code that defines and exports it, the packages and the processor stay.
`contents` is a digest of all of these. What was made under it once is taken from the cache
(`signflow.hw.sim.toolchain`).
"""

import functools
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import signflow.models
from signflow.hw.sim.toolchain import cached, digest, processor
from signflow.models.sizes import Sized, split

PACKAGES = ("torch", "brevitas", "onnx", "onnx-ir", "onnxscript", "onnxruntime", "qonnx", "finn-plus", "numpy")
MODELS, WEIGHTS = Path(signflow.models.__file__).parent, "weights"
CODE = (MODELS, Path(__file__).parent / "compile", Path(__file__).parent / "verify")
"""What defines, exports and probes a network."""
TABLE = "signflow.models.networks"
INDEX = "networks.json"


@dataclass(frozen=True)
class Facts:
    """Of one of our networks."""

    input_shape: tuple[int, int, int]
    dataset: str
    sizes: dict[str, list[str]]
    """What a name of it may set (`signflow.models.sizes`)."""


def networks() -> Mapping[str, Facts]:
    """All of `NETWORKS`: as it is now where it is imported, else as it was when it was imported last."""
    if TABLE in sys.modules:
        return _facts()

    def build(folder: Path) -> None:
        (folder / INDEX).write_text(json.dumps({name: asdict(facts) for name, facts in _facts().items()}))

    return _indexed(cached("networks", digest(code()), build) / INDEX)


def _facts() -> dict[str, Facts]:
    from signflow.models.networks import NETWORKS

    return _sized({name: Facts(tuple(row.input_shape), row.dataset, row.sizes) for name, row in NETWORKS.items()})


def _sized(rows: dict[str, Facts]) -> Mapping[str, Facts]:
    return Sized(rows, lambda row: row.sizes, lambda row, _: row)


@functools.cache
def _indexed(path: Path) -> dict[str, Facts]:
    rows = json.loads(path.read_text())
    return _sized({name: Facts(tuple(row.pop("input_shape")), **row) for name, row in rows.items()})


@functools.cache
def code() -> str:
    """Digest of the program: our own source text, the packages, the processor and what PyTorch is told about it."""
    root = MODELS.parent
    files = sorted(path.relative_to(root) for folder in CODE for path in folder.rglob("*.py"))
    texts = [word for file in files for word in (str(file), (root / file).read_bytes())]
    packages = [f"{name} {version(name)}" for name in PACKAGES]
    return digest(*packages, processor(), os.environ.get("ATEN_CPU_CAPABILITY", ""), *texts)


def contents(source: str, weights: str, random_weights: int | None) -> str | None:
    """Digest of the network ``source`` with what `Settings` say of its parameters, and of all that its results follow
    from; None for what nobody can tell: a network that is not ours as it is shipped, or has no readable weights.
    """
    if source not in networks() or not _shipped(source):
        return None
    file = Path(weights) if weights else MODELS / WEIGHTS / f"{source}.npz"
    try:
        parameters = file.read_bytes() if random_weights is None else str(random_weights)
    except OSError:
        return None
    return digest(code(), source, parameters)


def _shipped(source: str) -> bool:
    """Whether `NETWORKS` has it as it came: a program may put others into the table."""
    table = sys.modules.get(TABLE)
    base = source if table is None or dict.__contains__(table.NETWORKS, source) else split(source)[0]
    return table is None or table.NETWORKS[base] is table.SHIPPED.get(base)
