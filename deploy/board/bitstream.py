"""From a built accelerator to a bitstream, with everything proven on the way that needs no vendor tool.

project     8-project: the accelerator in the shell of its board; a folder that can be moved anywhere
checks      the project alone: build.tcl, slang, Verilator -Wall, yosys
netlist     the whole board top as gates, simulated, against PyTorch: every logit
bitstream   the board's tool chain (`signflow.deploy.tools`), in 8-project/build
"""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

from signflow.deploy import flow
from signflow.deploy.board.accelerator import Codec, fill
from signflow.deploy.board.serial_link import SerialLink
from signflow.deploy.generate import project, ulx3s
from signflow.deploy.generate.accelerator import WEIGHTS
from signflow.deploy.plan import fit
from signflow.deploy.steps import ACCELERATOR, FOLDED, PROJECT, SYNTHESISED
from signflow.deploy.tools import netlist, toolchain
from signflow.deploy.tools.contract import Check
from signflow.deploy.verify.check import require
from signflow.hw.boards import LINE_MBAUD, Board
from signflow.hw.scratch import Scratch
from signflow.hw.sim import SimError
from signflow.hw.sim.soc import SocModel
from signflow.hw.sim.uart import SimulatedPort, compile_port
from signflow.hw.sim.words import filled

CHUNK = 10
"""Images a packet in a simulated netlist."""
PATIENCE = 4
"""A packet of n images may take so many times their predicted cycles, and the latency, before it counts as stuck."""


def make_project(work: Path) -> Path:
    """Write ``work``/8-project for the board that the accelerator in ``work`` was built for; returns it.

    An unchanged one keeps its build/. Raises FlowError without an accelerator that has passed its check,
    `project.ShellError`.
    """
    require(work)
    accelerator = work / ACCELERATOR
    target = Board.of(flow.accelerator(work))
    extra = toolchain(target).files(project.project_facts(accelerator, target))
    return project.write_project(accelerator, target, work / PROJECT, extra)


class NetlistModel:
    """A project's board top as gates behind its own pins: registers and streams (PYNQ), or the serial line (ulx3s)."""

    def __init__(self, project: Path, facts: Mapping):
        """Synthesise with yosys and compile with Verilator, both cached by content.

        Raises `synthesize.SynthesisError`, `RtlError`.
        """
        if facts.get("loaded") and Board.of(facts).link == "serial":
            raise SimError("the netlist has the weights of its build; others take hours over its simulated serial line")
        gates = netlist.synthesize(project)
        self.codec, self.facts, self.cycles = Codec(dict(facts)), facts, 0
        if Board.of(facts).link == "serial":
            model = compile_port(gates.top, gates.sources, include_dirs=gates.include_dirs)
            clock = facts["clock_mhz"]
            bits = ulx3s.clocks_per_bit(clock)
            self._port = SimulatedPort(model, project, clocks_per_bit=bits, clock_mhz=clock)
            self._link = SerialLink(self._port)
            self._link.open(project, dict(facts))
            self._move = self._serial
        else:
            with Scratch("signflow-gates-") as folder:
                self._soc = SocModel(gates.project(Path(folder)))
            if facts.get("loadable"):
                fill(self._soc, np.fromfile(project / WEIGHTS, "<u4"))
            self._move = self._streams

    def __call__(self, images: np.ndarray, tick: Callable[[int], None] = lambda done: None) -> np.ndarray:
        """``images`` (N, *shape) -> int64 (N, K), `CHUNK` images a packet; SimError when no answer comes."""
        codec, results = self.codec, []
        for at in range(0, len(images), CHUNK):
            asked = codec.check(images[at : at + CHUNK])
            part = filled(asked, codec.batch)
            sent, received = (np.zeros(len(part) * size, np.uint8) for size in (codec.in_bytes, codec.out_bytes))
            codec.pack(part, sent)
            self._move(sent, received, len(part))
            results.append(codec.unpack(received, len(part))[: len(asked)])
            tick(at + len(asked))
        return np.concatenate(results) if results else np.empty((0, codec.count), np.int64)

    def _streams(self, sent: np.ndarray, received: np.ndarray, images: int) -> None:
        predicted, soc = self.facts["predicted"], self._soc
        limit = soc.cycles + PATIENCE * (images * predicted["interval"] + predicted["latency"])
        soc.receive(received)
        soc.send(sent)
        while not soc.received:
            soc.step(1_000_000, until_event=True)
            if soc.cycles > limit:
                raise SimError(f"the netlist gave {soc.received_bytes} of {len(received)} bytes in {limit:,} cycles")
        self.cycles = soc.cycles

    def _serial(self, sent: np.ndarray, received: np.ndarray, images: int) -> None:
        link = self._link
        lines = 10 * (len(sent) + len(received)) / (LINE_MBAUD * 1e6)  # seconds of the line itself
        limit = self._port.now() + 1 + PATIENCE * lines
        link.receive(received, len(received))
        link.send(sent, len(sent))
        while not (link.sent() and link.received()):
            if self._port.now() > limit:
                raise SimError(f"the netlist gave no whole answer to {images} images in {limit:.1f} simulated seconds")
        self.cycles = round(self._port.now() * self.facts["clock_mhz"] * 1e6)


class BitstreamError(RuntimeError):
    """A check of the project failed."""


def project_facts(project: Path) -> dict:
    """`accel.json` of a project."""
    return json.loads((project / "accel.json").read_text())


def checks(
    project: Path, facts: Mapping, synthesis: bool, tick: Callable[[str], None] = lambda name: None
) -> list[Check]:
    """Everything that can be said of the project without running its tool chain: (name, "passed", "failed" or "not
    checked", detail), with yosys' ``synthesis`` unless a netlist is made anyway.
    """
    return toolchain(Board.of(facts)).check(project, synthesis, tick)


def refuse_failures(rows: list[dict]) -> None:
    """Raises BitstreamError with every check that failed."""
    if failed := [row for row in rows if row["result"] == "failed"]:
        listed = "\n  ".join(f"{row['check']}: {row['detail']}" for row in failed)
        raise BitstreamError(f"the project does not pass its checks:\n  {listed}")


def make(work: Path, project: Path, say: Callable[[str], None] = lambda stage: None) -> dict:
    """The bitstream of ``project``, made from the build in ``work``: what its tool chain reports, beside the plan's
    estimate and, where `signflow report` has run, the synthesis'. ``say`` is told what begins. Raises what the tool
    chain raises.
    """
    synthesised = None
    with suppress(FileNotFoundError):
        synthesised = json.loads((work / SYNTHESISED).read_text())
    planned = fit.estimate(flow.read(work, FOLDED))
    return toolchain(Board.of(project_facts(project))).build(project, planned, synthesised, say)
