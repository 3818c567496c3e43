"""A build as an object: `build` makes one, `load` opens one, and `Accelerator` is called like the network itself.

    acc = signflow.build("cnv", board="pynq-z2")
    logits = acc(images)                             # the integers of the hardware, as the network's own logits
    acc.verify(200)                                  # every rung, every logit

The driver on the board (`signflow.deploy.board.accelerator`) has the same call.
"""

import re
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy import flow, known, products
from signflow.deploy.board import bitstream, package
from signflow.deploy.board.accelerator import Accelerator as Driver
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.compile.passes.notes import notes_of
from signflow.deploy.plan.timing import Prediction
from signflow.deploy.tools.report import Report, report
from signflow.deploy.verify.images import Images, from_files, images_of, own
from signflow.deploy.verify.ladder import Climb, Row, verify
from signflow.deploy.verify.rungs import Rungs, Tick, silent
from signflow.deploy.verify.simulate import Simulation, simulate
from signflow.hw.boards import Board
from signflow.hw.boards import board as board_of
from signflow.hw.scratch import Scratch
from signflow.hw.sim import RtlSimulator

if TYPE_CHECKING:
    from torch import nn

BACKENDS = ("golden", "rtl", "torch", "qonnx", "board")


@dataclass(frozen=True)
class Operator:
    """One operator of the accelerator."""

    node: str
    """Its name in the hardware graph, and the one that folding files and waves use."""
    module: str
    """The RTL module."""
    folding: dict
    """PE, SIMD, ...; empty where there is nothing to choose."""
    cycles: int
    """Cycles for an image."""
    macs: int
    """Multiply-accumulates a cycle."""
    plumbing: str
    """What tables call many of it ("FIFOs"), where it only carries words."""


class Accelerator:
    """The accelerator in a work folder. ``acc(images)`` gives logits; `verify` compares every rung."""

    def __init__(self, work: str | Path, net: "nn.Module | None" = None):
        """Open the build in ``work``. ``net``: the torch module that was built, where it is the user's own; without it
        the top rung of the ladder is the exported QONNX graph.

        Raises FlowError where there is no whole accelerator.
        """
        self.work, self._net = Path(work), net
        self.facts = products.accelerator(self.work)
        """The content of `accel.json`."""
        self._rungs = Rungs(self.work, net)

    def __repr__(self) -> str:
        plan = self.predicted
        return (
            f"<signflow accelerator {self.name} for {self.board.name}: {self.images_per_second:,.0f} images/s, "
            f"latency {plan.latency:,} cycles, {self.work}>"
        )

    # ---- what it is

    @property
    def name(self) -> str:
        """The network's name."""
        return self.settings.name

    @property
    def settings(self) -> products.Settings:
        """What it was built with."""
        return products.settings_of(self.work)

    @property
    def board(self) -> Board:
        """The board it was built for, with the clock it was planned with."""
        return Board.of(self.facts)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one image."""
        return self._rungs.image.shape

    @property
    def predicted(self) -> Prediction:
        """Latency and initiation interval in cycles, exact, and the operator that sets the interval."""
        return Prediction(**self.facts["predicted"])

    @property
    def images_per_second(self) -> float:
        """At the board's clock, by the predicted interval."""
        return self.board.clock_mhz * 1e6 / self.predicted.interval

    @property
    def operators(self) -> list[Operator]:
        """All operators in the order of the data."""
        keys = ("node", "module", "folding", "cycles", "macs", "plumbing")
        return [Operator(**{key: op[key] for key in keys}) for op in self.facts["operators"]]

    @property
    def batch(self) -> int:
        """Images that go in together, whose results come together."""
        return self.facts["batch"]

    @property
    def folding(self) -> dict[str, dict]:
        """Node -> attribute -> value, of all operators that have a choice; `build` takes it as ``folding``."""
        return {op.node: op.folding for op in self.operators if op.folding}

    @property
    def checked(self) -> bool:
        """The check at the end of the build has passed. `package` and `bitstream` need it."""
        found = self.facts.get("check")
        return isinstance(found, dict) and found.get("result") == "passed"

    @property
    def notes(self) -> list[str]:
        """What a user should know of it: sums that PyTorch rounds near a switch, results that never change."""
        return notes_of(self._rungs.integer)

    def graph(self, product: str) -> ModelWrapper:
        """A graph of the build: `1-network.onnx`, `2-integer.onnx`, `3-hardware.onnx` or `4-folded.onnx`."""
        return products.read(self.work, product)

    @property
    def simulator(self) -> RtlSimulator:
        """The compiled RTL; it takes what `stream` gives."""
        return self._rungs.simulator

    def stream(self, images: np.ndarray) -> np.ndarray:
        """``images`` (N, *shape) in the order and encoding in which they enter the accelerator."""
        words = ImageInput.of(self._rungs.folded).stream(images)
        return words.reshape(-1, *self.facts["input"]["shape"])

    def load_weights(
        self,
        source: "str | Path | nn.Module",
        *,
        input: str = "",
        weights: str | Path = "",
        random_weights: int | None = None,
        check: bool = True,
        tick: Callable[[str, float | None], None] = lambda step, seconds: None,
    ) -> None:
        """Put another network into this accelerator, which was built ``loadable``: ``source``, ``input``, ``weights``,
        ``random_weights``, ``check`` and ``tick`` as in `build`. It is exported, streamlined and lowered anew, and must
        be the same hardware but for the contents of its memories. From then on this is the accelerator of that network
        on every rung: the simulation loads the weights through the load chain, the driver of a package does so, too,
        and a bitstream that was made stays right.

        Raises ExchangeError for a network that does not fit, FlowError where weights are fixed, and as `build` does.
        """
        module, old = source if _is_module(source) else None, self.settings
        label = str(source)
        if module is not None:
            label = _name_of(module, self.shape, old.source if old.source not in known.networks() else "")
        usual = "" if label in known.networks() else old.input or ("uint8" if module is not None else "")
        settings = replace(
            old, source=label, input=input or usual, weights=str(weights), random_weights=random_weights, check=check
        )
        flow.load_weights(settings, self.work, tick, None if module is None else (module, self.shape))
        self.facts, self._net, self._rungs = products.accelerator(self.work), module, Rungs(self.work, module)

    def weights(self, path: str | Path) -> Path:
        """Write what the driver on a board needs to load the weights of this accelerator (`load_weights` there), with
        its self-test; returns the file, an .npz. Raises FlowError unless it is `checked`, or where weights are fixed.
        """
        return package.weights(self.work, Path(path))

    # ---- what it does

    def __call__(self, images: np.ndarray, backend: str = "golden") -> np.ndarray:
        """Logits float32 (N, classes) of integer ``images`` (N, *shape); class numbers (N, 1) where the network ends in
        an arg max.

        ``backend``: "golden" (the integer graph as a program), "rtl" (cycle-accurate simulation), "torch", "qonnx", or
        "board" (through the package and its driver: the board's own pynq, or the simulated board).
        Raises ValueError for an unknown backend, or images that do not fit.
        """
        if backend not in BACKENDS:
            raise ValueError(f"backend {backend!r} is unknown: one of {', '.join(BACKENDS)}")
        pixels = self._rungs.image.check(images)
        if backend == "torch":
            if self._rungs.net is None:
                reason = f"{self.settings.source} was not built from a module of this process"
                raise ValueError(f"there is no PyTorch network here: {reason}; use backend='qonnx'")
            return self._rungs.torch_logits(pixels)
        if backend == "qonnx":
            return self._rungs.qonnx_logits(pixels)
        if backend == "board":
            return self._on_board(pixels)
        rung = self._rungs.golden() if backend == "golden" else self._rungs.rtl()
        return self._rungs.head(rung.run(pixels))

    def _on_board(self, pixels: np.ndarray) -> np.ndarray:
        name = f"{self.facts['name']}.bit"
        with Scratch("signflow-board-") as folder, Driver(self.unpack(folder) / name) as driver:
            return driver(pixels)

    def images(
        self,
        images: int | str | Path | np.ndarray | Images | None = None,
        labels: str | Path | np.ndarray | None = None,
        split: str | None = None,
        seed: int = 1,
    ) -> Images:
        """Images with what is known of them: the first so many of ``split`` ("sample", "test", "random"; None: the
        shipped sample where there is one, else random ones), or one's own: an array (N, *shape), a .npy or .npz file, a
        folder of PNG, with their class numbers ``labels``.

        Raises ValueError for what does not fit, DataError for a data set that is not here.
        """
        if isinstance(images, Images):
            return images
        if isinstance(images, int) and images < 1:
            raise ValueError(f"{images} images: give one at least")
        if images is None or isinstance(images, int):
            return images_of(self.work, split, images, seed)
        if isinstance(images, str | Path):
            return from_files(self._rungs.image, Path(images), None if labels is None else Path(labels))
        return own(self._rungs.image, images, labels)

    def climb(
        self, images=None, labels=None, *, stall_images: int = 200, seed: int = 1, tick: Tick = silent,
        cluster: str = "",
    ) -> Climb:  # fmt: skip
        """The ladder on ``images``, chosen as in `images`: its rows and cycles, whatever they say. `verify` also
        raises. ``cluster``: on the workers of the Dask scheduler at that address.
        """
        chosen = self.images(images, labels, seed=seed)
        return verify(self.work, chosen, stall_images, seed, self._net, tick, cluster)

    def verify(self, images=None, labels=None, **options) -> list[Row]:
        """The same images through PyTorch, QONNX, integer graph, FINN's hardware graph and RTL, with and without
        stalls; one row a rung. Options as `climb` has them.

        Raises LadderError that names the first node, pixel and channel that differ.
        """
        found = self.climb(images, labels, **options)
        found.check()
        return found.rows

    def simulate(self, images=None, labels=None, *, stalls: float = 0.0, seed: int = 1, **options) -> Simulation:
        """Cycle-accurate simulation of ``images``, chosen as in `images`: results and cycles. ``stalls``: probability
        of a pause in a cycle on both sides; ``wave``: a file for the waves (.fst or .vcd), ``operator``: of this node
        only; more options as `signflow.deploy.verify.simulate.simulate` has them.
        """
        options = {"in_stall": stalls, "out_stall": stalls, "seed": seed} | options
        return simulate(self.work, self.images(images, labels, seed=seed), **options)

    def report(
        self, exact: bool = False, whole: bool = False, tick: Callable[[int, int], None] = lambda done, total: None
    ) -> Report:
        """LUT, FF, block RAM and DSP of every operator by yosys, and the images a second (`tools.report`)."""
        return report(self.work, exact, whole, tick)

    def page(self, path: str | Path, tick: Callable[[str, int, int], None] = lambda doing, done, total: None) -> Path:
        """Write all that is known of the build as one file of HTML for a browser: graph, ladder, ten images with the
        logits of every rung, cycles, resources on every board; returns its path. What nobody measured yet (`verify`,
        `report`) is said to be missing. ``tick`` gets what is being made, parts done, parts in all.
        """
        from signflow.deploy.page.write import write

        return write(self._rungs, Path(path), tick)

    # ---- what is made of it

    def project(self) -> Path:
        """The project folder of its board (8-project), written now. Raises FlowError unless it is `checked`, and while
        another command works in its folder.
        """
        with products.locked(self.work):
            return bitstream.make_project(self.work)

    def bitstream(self, say: Callable[[str], None] = lambda stage: None) -> dict:
        """Make the bitstream in the project folder with the board's tool chain; returns what that reports.

        Raises what `project` and the tool chain raise: `VendorStepMissing` where Vivado is needed and not here.
        """
        with products.locked(self.work):
            return bitstream.make(self.work, bitstream.make_project(self.work), say)

    def package(self, path: str | Path | None = None, sign: str | Path | None = None) -> Path:
        """One zip for the board: bitstream (or a simulation image), driver, self-test, notebook; returns its path.
        ``sign``: an SSH key (a file) that signs it. Raises what `project` raises, SignatureError for an unusable key.
        """
        destination = self.work / self.settings.package if path is None else Path(path)
        with products.locked(self.work):
            return package.package(self.work, bitstream.make_project(self.work), destination, sign)

    def unpack(self, folder: str | Path) -> Path:
        """The files of `package` in ``folder``, as they lie on the board; returns it."""
        with zipfile.ZipFile(self.package()) as archive:
            archive.extractall(folder)
        return Path(folder)


def load(work: str | Path, net: "nn.Module | None" = None) -> Accelerator:
    """Open a build; see `Accelerator`."""
    return Accelerator(work, net)


def build(
    source: "str | Path | nn.Module",
    board: str = "pynq-z2",
    *,
    shape: tuple[int, ...] = (),
    name: str = "",
    input: str = "",
    fps: float = 0.0,
    prefer: str = "balance",
    stream_bits: int = 0,
    folding: str | Path | Mapping = "",
    batch: int = 0,
    clock: float = 0.0,
    boards: str | Path | None = None,
    weights: str | Path = "",
    random_weights: int | None = None,
    loadable: bool = False,
    check: bool = True,
    out: str | Path | None = None,
    tick: Callable[[str, float | None], None] = lambda step, seconds: None,
) -> Accelerator:
    """Build an accelerator, and prove it on a few images (``check``).

    ``source``: a name of `networks()`, the path of a QONNX file, or a torch module of your own, with ``shape`` of one
    image and a ``name`` [its class]. ``input``: how images reach a file or module ("uint8" is a module's default; also
    "uint8/255", "int8", "bipolar"). ``fps``: target images a second [the fastest that fits the board]; ``prefer``:
    what a folding is to be good at besides, "balance", "luts" (few) or "latency". ``stream_bits``: the widest word of
    the input, for a core that is faster than its link [what the link carries]. ``folding``: a JSON file, or node ->
    attribute -> value. ``batch``: images that a network of dense layers takes together, 1, 2 or 4 [as makes it
    fastest]. ``clock`` in MHz [the board's]; ``boards``: a TOML file of boards of your own. ``weights``: a packed
    weight file, ``random_weights``: a seed, for one of our networks. ``loadable``: weights, thresholds and tables can
    be exchanged at run time (`Accelerator.load_weights`). ``out``: the folder of the products [out/<name>-<board>].
    ``tick`` is called around each step.

    Raises UnsupportedError for what has no exact hardware, ModelFileError for an unusable file, FlowError, BoardError
    and FoldingError for settings that cannot be, ValueError for a module or shape that cannot be built, LadderError
    when the check finds a difference.
    """
    module = source if _is_module(source) else None
    label = _name_of(module, shape, name) if module is not None else str(source)
    own_board = asdict(board_of(board, Path(boards))) if boards else None
    settings = products.Settings(
        label, board, input or ("uint8" if module is not None else ""), str(weights), fps,
        "" if isinstance(folding, Mapping) else str(folding), random_weights, clock, own_board, check, loadable,
        prefer, stream_bits, batch,
    )  # fmt: skip
    work = settings.work if out is None else Path(out)
    with Scratch("signflow-folding-") as scratch:
        if isinstance(folding, Mapping):
            file = Path(scratch) / "folding.json"
            products.write_json(dict(folding), file)
            settings = replace(settings, folding=str(file))
        flow.build(settings, work, tick=tick, module=None if module is None else (module, tuple(shape)))
    return Accelerator(work, module)


def _is_module(source: object) -> bool:
    """Whether it is one of torch, which is not imported to find out."""
    return "torch" in sys.modules and isinstance(source, sys.modules["torch"].nn.Module)


def _name_of(module: "nn.Module", shape: tuple[int, ...], name: str) -> str:
    """The name of a user's module; ValueError where it or ``shape`` cannot be used."""
    if not shape:
        raise ValueError("a torch module needs shape=(channels, height, width), or (features,): one image of its input")
    if not isinstance(shape, tuple | list) or not all(isinstance(size, int) and size > 0 for size in shape):
        raise ValueError(f"shape={shape!r}: the sizes of one image, whole numbers from 1 on, as in shape=(3, 32, 32)")
    label = name or re.sub(r"\W", "_", type(module).__name__)
    if label in known.networks():
        raise ValueError(f"{label!r} is one of signflow's own networks: give your module another name=")
    return label
