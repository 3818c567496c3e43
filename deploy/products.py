"""The folder of a build, ``out/<net>-<board>/``: its settings and its numbered products, read and written.

`signflow.deploy.flow` makes the products in order; everything that looks at a finished build starts here.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from qonnx.core.modelwrapper import ModelWrapper
from torch import nn

from signflow.deploy.compile import engine
from signflow.hw import ops
from signflow.models.files import replacing
from signflow.models.networks import NETWORKS, network
from signflow.models.untrained import untrained
from signflow.models.weights import load_into, trained

NETWORK, INTEGER, HARDWARE, FOLDED, ACCELERATOR = (
    "1-network.onnx",
    "2-integer.onnx",
    "3-hardware.onnx",
    "4-folded.onnx",
    "5-accelerator",
)
VERIFIED, SYNTHESISED = "6-verify.json", "7-report.json"


class FlowError(RuntimeError):
    """A step cannot run; the message says which product is missing and which command makes it."""


@dataclass(frozen=True)
class Settings:
    """What a build depends on besides the source code."""

    source: str
    """A name of `NETWORKS`, or the path of a QONNX file."""
    board: str = "pynq-z2"
    input: str = ""
    """How images reach a foreign network (`signflow.deploy.compile.images.KINDS`); "" for our own."""
    weights: str = ""
    """A packed weight file for one of our networks; "" takes the shipped one."""
    fps: float = 0.0
    """Target images a second at the board's clock; 0: the fastest that fits the board (`signflow.deploy.plan.fit`)."""
    folding: str = ""
    """A JSON file node -> attribute -> value that fixes the folding; "" lets signflow choose."""
    random_weights: int | None = None
    """Seed of random parameters (`signflow.models.untrained`) for one of our networks, instead of trained ones."""

    def __post_init__(self):
        if self.random_weights is None:
            return
        if self.weights:
            raise FlowError(
                f"--weights {self.weights} and --random-weights {self.random_weights} exclude each other: give one"
            )
        if self.source not in NETWORKS and Path(self.source).exists():
            raise FlowError(
                f"--random-weights {self.random_weights}: {self.source} is a file and has weights of its own"
            )

    @property
    def name(self) -> str:
        """Short name of the network, an identifier in SystemVerilog."""
        return (
            self.source
            if self.source in NETWORKS
            else "".join(c if c.isalnum() else "_" for c in Path(self.source).stem)
        )

    @property
    def work(self) -> Path:
        """Default folder of the products."""
        return Path("out") / f"{self.name}-{self.board}"


def write_json(result: dict, *files: Path | None) -> None:
    """Write ``result`` to each file that is not None, atomically."""
    for file in filter(None, files):
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as partial:
            partial.write_text(json.dumps(result, indent=1) + "\n")


def torch_network(settings: Settings) -> nn.Module | None:
    """The PyTorch network of ``settings``, or None when the source is a foreign file."""
    if settings.source not in NETWORKS:
        return None
    if settings.random_weights is not None:
        return untrained(settings.source, settings.random_weights)
    if settings.weights:
        return load_into(network(settings.source).build(), Path(settings.weights))
    return trained(settings.source)


def read(work: Path, product: str) -> ModelWrapper:
    """Load a product; raises FlowError when the step that makes it has not run."""
    engine.boot()
    ops.register()
    if not (work / product).exists():
        raise FlowError(
            f"{work / product} is missing: run `signflow build` (without --from, or --from an earlier step) first"
        )
    return ModelWrapper(str(work / product))


def accelerator(work: Path) -> dict:
    """`accel.json` of a built accelerator; raises FlowError when there is none."""
    path = work / ACCELERATOR / "accel.json"
    if not path.exists():
        raise FlowError(f"{path} is missing: run `signflow build` first")
    return json.loads(path.read_text())


def settings_of(work: Path) -> Settings:
    """The settings a work folder was built with; raises FlowError when it holds no build."""
    path = work / "settings.json"
    if not path.exists():
        raise FlowError(f"{work} holds no build: run `signflow build` first")
    return Settings(**json.loads(path.read_text()))
