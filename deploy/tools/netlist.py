"""The board top as gates: yosys synthesises a project, and the netlist runs in Verilator in place of the RTL.

    netlist = synthesize(project)                # project/build/netlist.v, and netlist.json for nextpnr (ecp5)
    model = verilator.compile(netlist.top, netlist.sources, include_dirs=netlist.include_dirs, harness=...)
    gates = netlist.project(folder)              # or: a project folder whose RTL are the gates, for all that takes one

The gates are look-up tables, carry chains, flip-flops and memories of the device, with the contents of all block
RAMs; ports and cycles are those of the RTL. Their behaviour comes from Yosys' own cell library and, for what it leaves
empty, from the models in `hw/sim/cells`. In an ECP5 flip-flops move into the block RAMs before them
(`signflow.deploy.tools.outreg`). Both products are of the netlist that this leads to: what is simulated is what is
placed. Devices xc7 and xcup alike are synthesised for the 7 series: the cells of UltraScale+ have no models.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import signflow.hw.sim
from signflow.deploy.tools import outreg, yosys
from signflow.deploy.tools.yosys import YOSYS, SynthesisError
from signflow.hw.boards import Board
from signflow.hw.scratch import Scratch
from signflow.hw.sim.toolchain import cached, digest
from signflow.models.files import replacing

CELLS = Path(signflow.hw.sim.__file__).with_name("cells")
VERILOG, JSON = "netlist.v", "netlist.json"
WRITE = ("splitnets", f"write_verilog -noattr {VERILOG}")
"""Single wires: in vectors Verilator sees loops that are none."""
LINE = 10_000
"""Characters: Verilator takes no line of more than 40,000 words, and Yosys writes a concatenation as one."""


@dataclass(frozen=True)
class Target:
    """How one kind of device is synthesised and simulated."""

    defines: tuple[str, ...]
    """Macros that let `hw/rtl` name primitives of the device."""
    blackboxes: tuple[str, ...]
    """Modules that the RTL instantiates itself, with a model of that name in `hw/sim/cells`."""
    synthesis: tuple[str, ...]
    library: str
    """Folder of the cell library below Yosys' share folder."""
    models: tuple[str, ...]
    """Files of `hw/sim/cells`; they stand before the library's and win."""
    products: tuple[str, ...]

    def words(self) -> str:
        """For `read_slang`, in a folder with "cells"."""
        words = [f"-D {macro}" for macro in self.defines]
        words += [f"cells/{name.lower()}.v --blackboxed-module {name}" for name in self.blackboxes]
        return " ".join(words)


XC7 = Target(
    ("SF_LUT6_2",),
    ("LUT6_2", "CARRY4"),
    ("synth_xilinx -family xc7 -flatten",),
    "xilinx",
    ("ramb.v", "lut_xc7.v", "lut6_2.v", "lutram_xc7.v", "carry4.v"),
    (VERILOG,),
)
ECP5 = Target(
    (),
    ("EHXPLLL",),
    ("synth_ecp5", "setattr -unset src =*", "setattr -mod -unset src =*"),
    "ecp5",
    ("dp16kd.v", "ehxplll.v", "mult18x18d.v"),
    (VERILOG, JSON),
)
TARGETS = {"xc7": XC7, "xcup": XC7, "ecp5": ECP5}


@dataclass(frozen=True)
class Netlist:
    """A synthesised project."""

    facts: dict
    """accel.json of the project."""
    folder: Path
    """Holds netlist.v, and netlist.json for ecp5."""
    target: Target

    @property
    def top(self) -> str:
        """The board top."""
        return self.facts["top"]

    @property
    def verilog(self) -> Path:
        """The gates."""
        return self.folder / VERILOG

    @property
    def sources(self) -> list[Path]:
        """What simulates it, for `verilator.compile`; nothing is read at run time."""
        library = yosys.share() / self.target.library / "cells_sim.v"
        return [*(CELLS / name for name in self.target.models), library, self.verilog]

    @property
    def include_dirs(self) -> list[Path]:
        """Where the library looks for its parts."""
        return [yosys.share() / self.target.library] if self.target is ECP5 else []

    def project(self, folder: Path) -> Path:
        """Make ``folder`` a project that holds the gates instead of the RTL: same accel.json but for "sources"."""
        parts = [path for root in self.include_dirs for path in sorted(root.glob("*.vh"))]
        (folder / "rtl").mkdir(parents=True)
        for path in [*self.sources, *parts]:
            shutil.copyfile(path, folder / "rtl" / path.name)
        facts = self.facts | {"sources": [f"rtl/{path.name}" for path in self.sources]}
        (folder / "accel.json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")
        return folder


def synthesize(project: Path, device: str = "") -> Netlist:
    """Synthesise the board top of ``project`` into ``project``/build; cached by the content of the project's sources.

    ``device`` is that of the board in accel.json unless given. Raises SynthesisError with Yosys' first error.
    """
    path = project / "accel.json"
    if not path.exists():
        raise SynthesisError(f"{path} does not exist: {project} is no project (run `signflow bitstream`)")
    facts = json.loads(path.read_text())
    device = device or Board.of(facts).device
    if device not in TARGETS:
        raise SynthesisError(f"device {device!r} has no synthesis: known are {', '.join(TARGETS)}")
    target, share = TARGETS[device], yosys.share()
    script = _script(facts, target)
    files = [*facts["sources"], *(f"mem/{p.name}" for p in sorted((project / facts["mem_dir"]).iterdir()))]
    content = [part for name in files for part in (name, (project / name).read_bytes())]
    code = b"".join(Path(path).read_bytes() for path in (__file__, outreg.__file__))
    key = digest(YOSYS, (share / target.library / "cells_sim.v").read_bytes(), code, *script, *content)
    entry = cached("netlists", key, lambda folder: _run_yosys(project, facts["top"], script, target, folder))
    output = project / "build"
    output.mkdir(exist_ok=True)
    for name in target.products:
        with replacing(output / name) as partial:
            shutil.copyfile(entry / name, partial)
    return Netlist(facts, output, target)


def _script(facts: dict, target: Target) -> list[str]:
    """Commands of Yosys; paths are relative to a folder with "project" and "cells"."""
    sources = " ".join(f"project/{source}" for source in facts["sources"])
    read = f'read_slang {sources} {target.words()} --top {facts["top"]} -G MEM_DIR="project/{facts["mem_dir"]}/"'
    return [read, *target.synthesis, *([f"write_json {JSON}"] if JSON in target.products else WRITE)]


def _run_yosys(project: Path, top: str, script: list[str], target: Target, folder: Path) -> None:
    """Fill ``folder`` with the products."""
    with Scratch("signflow-netlist-") as name:
        work = Path(name)
        (work / "project").symlink_to(project.resolve())
        (work / "cells").symlink_to(CELLS)
        yosys.run((), [(top, script)], work, 1)
        if JSON in target.products:
            outreg.rewrite(work / JSON)
            yosys.run((), [(top, [f"read_json {JSON}", "opt_clean", f"write_json {JSON}", *WRITE])], work, 1)
        break_lines(work / VERILOG)
        for product in target.products:
            shutil.copyfile(work / product, folder / product)


def break_lines(verilog: Path) -> None:
    """Break what Yosys wrote behind its commas where a line has more than `LINE` characters."""
    with verilog.open() as lines, replacing(verilog) as partial, partial.open("w") as broken:
        for line in lines:
            broken.write(line if len(line) <= LINE else line.replace(", ", ",\n"))


__all__ = ["TARGETS", "Netlist", "Target", "synthesize"]
