"""The folder of a build, ``out/<net>-<board>/``: its settings and its numbered products, read and written.

`signflow.deploy.flow` makes the products in order; everything that looks at a finished build starts here.
"""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, get_type_hints

from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy import known
from signflow.deploy.compile import engine
from signflow.deploy.compile.soundness import one_line
from signflow.deploy.steps import ACCELERATOR, STEPS
from signflow.hw import ops
from signflow.hw.boards import Board, board
from signflow.hw.names import identifier
from signflow.hw.ops.vectors import PIXELS
from signflow.models import files
from signflow.models.files import replacing

if TYPE_CHECKING:
    from torch import nn

SETTINGS = "settings.json"
FACTS = ("name", "top", "sources", "input", "output", "predicted", "operators", "board", "clock_mhz", "image",
         "batch")  # fmt: skip
"""What `accel.json` must hold."""


class FlowError(RuntimeError):
    """A step cannot run; the message says which product is missing or damaged and which command makes it."""


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
    clock: float = 0.0
    """The clock in MHz; 0 takes the board's."""
    own_board: dict | None = None
    """The board of a user's file, as `asdict` has it; None takes ``board`` from `hw/boards.toml`."""
    check: bool = True
    """The build ends with its check; False leaves the accelerator unchecked, and `accel.json` says so."""
    loadable: bool = False
    """Weights, thresholds and tables can be loaded at run time (`signflow.deploy.flow.load_weights`)."""
    prefer: str = "balance"
    """What a folding is to be good at: "balance", "luts" or "latency" (`signflow.deploy.plan.choose.AIMS`)."""
    stream_bits: int = 0
    """The widest word of the input, also one that the board's link does not carry every cycle; 0: what it carries."""
    batch: int = 0
    """Images that go in together (`signflow.deploy.plan.batch`); 0: as many as make it fastest."""

    def __post_init__(self):
        if not 0 <= self.fps < math.inf:
            raise FlowError(f"a target of {self.fps} images a second: give a number above 0, or none for the fastest")
        if self.stream_bits < 0:
            raise FlowError(f"a stream of {self.stream_bits} bits: give 1 or more, or none for what the link carries")
        if self.batch and self.batch not in PIXELS:
            raise FlowError(f"a batch of {self.batch} images: it can be {', '.join(map(str, PIXELS))}")
        if self.clock:
            _ = self.target  # raises for a clock that cannot be
        ours = self.source in known.networks()
        if ours and self.input not in ("", "uint8"):
            raise FlowError(f"--input {self.input}: {self.source} reads uint8 pixels and nothing else")
        random = "" if self.random_weights is None else str(self.random_weights)
        if self.weights and random:
            raise FlowError(f"--weights {self.weights} and --random-weights {random} exclude each other: give one")
        for option, value in (("--weights", self.weights), ("--random-weights", random)):
            if value and not ours and (self.input or Path(self.source).exists()):
                raise FlowError(f"{option} {value}: {self.source} is no network of ours and has weights of its own")

    @property
    def name(self) -> str:
        """Short name of the network, for its folder and its module (`signflow.hw.names`)."""
        return self.source if self.source in known.networks() else identifier(Path(self.source).stem)

    @property
    def target(self) -> Board:
        """The board with the clock that the build is for. Raises BoardError for an unknown one."""
        found = Board(**self.own_board) if self.own_board else board(self.board)
        return replace(found, clock_mhz=self.clock) if self.clock else found

    @property
    def batches(self) -> tuple[int, ...]:
        """Batches to try; an image alone is the quickest."""
        return (self.batch,) if self.batch else (1,) if self.prefer == "latency" else PIXELS

    @property
    def package(self) -> str:
        """Name of the file that `signflow package` makes in the work folder."""
        return f"{self.name.replace('-', '_')}-{self.board}.zip"

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


def torch_network(settings: Settings) -> "nn.Module | None":
    """The PyTorch network of ``settings``, or None when the source is a foreign file."""
    if settings.source not in known.networks():
        return None
    from signflow.models.networks import network
    from signflow.models.untrained import untrained
    from signflow.models.weights import load_into, trained

    if settings.random_weights is not None:
        return untrained(settings.source, settings.random_weights)
    if settings.weights:
        return load_into(network(settings.source).build(), Path(settings.weights))
    return trained(settings.source)


def maker(product: str) -> str:
    """The step that makes ``product``."""
    return next(name for name, step in STEPS.items() if product in step.products)


def read(work: Path, product: str) -> ModelWrapper:
    """Load a product; raises FlowError when the step that makes it has not run, or when the file is damaged."""
    engine.boot()
    ops.register()
    if not (work / product).exists():
        raise FlowError(
            f"{work / product} is missing: run `signflow build` (without --from, or --from an earlier step) first"
        )
    try:
        model = ModelWrapper(str(work / product), fix_missing_initializer_valueinfo=False)
        if model.graph.node:
            return model
        reason = "it holds no graph"
    except Exception as error:
        reason = one_line(error)
    raise FlowError(f"{work / product} is damaged ({reason}): run `signflow build` with --from {maker(product)}")


def _read_json(path: Path, missing: str, remedy: str) -> dict:
    """The object in a JSON file; FlowError with what to do when there is no file or no object in it."""
    if not path.exists():
        raise FlowError(missing)
    try:
        found = json.loads(path.read_text())
    except ValueError as error:
        raise FlowError(f"{path} is damaged ({error}): {remedy}") from error
    if not isinstance(found, dict):
        raise FlowError(f"{path} is damaged (it holds no object): {remedy}")
    return found


def accelerator(work: Path) -> dict:
    """`accel.json` of a built accelerator; raises FlowError when there is none, or none that is whole."""
    path = work / ACCELERATOR / "accel.json"
    remedy = f"run `signflow build` with --from {maker(ACCELERATOR)}"
    facts = _read_json(path, f"{path} is missing: run `signflow build` first", remedy)
    if lacking := [key for key in FACTS if key not in facts]:
        raise FlowError(f"{path} is damaged (it lacks {', '.join(lacking)}): {remedy}")
    return facts


def settings_of(work: Path) -> Settings:
    """The settings a work folder was built with; raises FlowError when it holds no build, or other settings."""
    path = work / SETTINGS
    remedy = "run `signflow build` without --from"
    found = _read_json(path, f"{work} holds no build: run `signflow build` first", remedy)
    known = get_type_hints(Settings) | {"fps": float | int, "clock": float | int}
    for key, value in found.items():
        if key not in known or not isinstance(value, known[key]):
            raise FlowError(f"{path}: {key!r}: {value!r} is no setting of this version of signflow: {remedy}")
    if "source" not in found:
        raise FlowError(f"{path} does not name the network's source: {remedy}")
    return Settings(**found)


@contextmanager
def locked(work: Path) -> Iterator[None]:
    """Hold the work folder for this process; raises FlowError that names the process that holds it already."""
    try:
        with files.locked(work):
            yield
    except files.InUseError as e:
        raise FlowError(str(e)) from None
