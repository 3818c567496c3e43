"""What the accelerator costs: yosys `synth_xilinx -family xc7`, per operator and in total.

Every operator is synthesised alone, as it stands in `accel.json`, with its memory images; the total is the sum, which
leaves out the few gates of the top (TLAST) and what optimisation across operators would save. `whole` synthesises the
flattened top as well. Results are cached by content: module text, parameters and memory images.

An MVAU is not synthesised as it is, unless ``exact`` is asked for: weights in block RAM are replaced by a pattern,
since contents of block RAM cost nothing but time (Yosys makes a module of its own of each content); and of the PE dot
products of a large binary one, which are equal or have other constants in the same look-up tables, a single one is
synthesised, and stands for the others. All else - control, weights in logic, accumulators, thresholds - is as it is.
docs/hardware.md has what the figures differ by.

These are Yosys' numbers, before placement: good for comparing, not a Vivado utilisation report. LUTs are counted as
sites: look-up tables (LUT1 to LUT6, LUT6_2 and inverters), of which two that share a site count once
(`signflow.deploy.tools.sites`), and those used as memory or shift register. `cells` is the number without that sharing.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

from signflow.deploy.tools import yosys
from signflow.deploy.tools.netlist import CELLS, XC7
from signflow.deploy.tools.sites import shared
from signflow.deploy.tools.yosys import YOSYS, SynthesisError
from signflow.hw.parameters import is_image, verilog
from signflow.hw.scratch import Scratch
from signflow.hw.sim.toolchain import cache_root, cached, digest

LARGE_MACS = 512  # multiply-accumulates a cycle of a binary MVAU from which one dot product stands for all

# LUT sites that a memory primitive occupies (7 series: UG474, tables 2-3 and 2-5; the last row UltraScale+: UG574)
LUTRAM_SITES = {
    "RAM32X1S": 1, "RAM64X1S": 1, "RAM128X1S": 2, "RAM256X1S": 4, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4,
    "RAM32M": 4, "RAM64M": 4,
    "RAM32M16": 8, "RAM64M8": 8, "RAM256X1D": 8,
}  # fmt: skip
LUTS = ("LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6", "LUT6_2", "INV")
SYNTHESIS = "synth_xilinx -family xc7 -noiopad -noclkbuf"
ULTRA = SYNTHESIS.replace("xc7", "xcup")  # of weights in UltraRAM, which the 7 series has not
LIBRARY = ("read_verilog -lib -specify +/xilinx/cells_sim.v",)
SCRIPT = (
    'setattr -set rom_style "logic" a:rom_style=distributed',  # Vivado's word for it, which Yosys takes for LUT RAM
    f"{SYNTHESIS} -run prepare:check",
)
PARTS = {"sf_dot_binary": "gen_tree", "sf_dot_steps": "gen_steps"}  # the dot products, where sf_dot has them
ONE_PART = (
    "rename {dot}$sf_mvau.gen_vector[0].i_dot.{block}.gen_pe[0].i_dot part",
    "chtype -set part t:{dot}$*",
    "delete {dot}$*",
    "setattr -mod -set keep_hierarchy 1 part",
    "flatten",
    # a dot product alone would be made for speed; in its MVAU the carry chains behind it are slower: 2.5 ns
    "scratchpad -set abc9.D 2500",
)
ALL_PARTS = ("setattr -mod -unset keep_hierarchy part", "flatten", "clean")

Tick = Callable[[int, int, str], None]  # (operators done, operators in all, name of the last one)


@dataclass(frozen=True)
class Resources:
    """Primitives of the 7 series."""

    lut: int = 0  # LUT sites in all: logic + LUT RAM + shift registers
    cells: int = 0  # the same where every function counts, as Yosys writes them
    lutram: int = 0  # of these, used as memory
    srl: int = 0  # of these, used as shift register
    ff: int = 0
    bram36: int = 0  # RAMB36E1
    bram18: int = 0  # RAMB18E1, half a block each
    uram: int = 0  # URAM288
    carry4: int = 0
    dsp: int = 0

    def __add__(self, other: "Resources") -> "Resources":
        return Resources(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def bram(self) -> float:
        """Block RAMs of 36 kbit."""
        return self.bram36 + self.bram18 / 2


@dataclass(frozen=True)
class OperatorCost:
    """One operator; `macs` are its multiply-accumulates a cycle (0 for data movement)."""

    node: str
    op: str
    module: str
    plumbing: str  # what the table calls many of them, if they only carry words between operators
    macs: int
    resources: Resources
    exact: bool = True
    """Synthesised as it is."""

    @property
    def lut_per_mac(self) -> float | None:
        """LUTs for one binary multiply-accumulate a cycle; None for operators without arithmetic."""
        return self.resources.lut / self.macs if self.macs else None


@dataclass(frozen=True)
class Synthesis:
    """The cost of an accelerator."""

    name: str
    operators: tuple[OperatorCost, ...]
    whole: Resources | None  # the flattened top, if it was asked for
    seconds: float

    @property
    def total(self) -> Resources:
        """Sum over the operators."""
        return sum((op.resources for op in self.operators), Resources())

    @property
    def lut_per_mac(self) -> float | None:
        """All LUTs of the accelerator by all its multiply-accumulates a cycle."""
        macs = sum(op.macs for op in self.operators)
        return self.total.lut / macs if macs else None

    @property
    def exact(self) -> bool:
        """Every operator was synthesised as it is."""
        return all(op.exact for op in self.operators)

    def as_dict(self) -> dict:
        """For JSON."""
        rows = [asdict(op) | {"lut_per_mac": op.lut_per_mac} for op in self.operators]
        facts = {"name": self.name, "tool": YOSYS, "command": SYNTHESIS, "seconds": round(self.seconds, 1)}
        facts |= {"exact": self.exact, "total_is": "sum of operators synthesised alone", "total": asdict(self.total)}
        facts |= {"lut_per_mac": self.lut_per_mac, "whole": asdict(self.whole) if self.whole else None}
        return facts | {"operators": rows}


def synthesize(
    folder: Path,
    *,
    exact: bool = False,
    whole: bool = False,
    jobs: int = 2,
    tick: Tick = lambda done, total, name: None,
) -> Synthesis:
    """Synthesise the accelerator in ``folder`` (with `accel.json`), ``jobs`` operators at a time; with ``exact`` all
    of them as they are.

    ``tick`` is called from this thread when an operator is done. Raises SynthesisError.
    """
    start = time.perf_counter()
    yosys.share()  # raises first when there is none
    path = folder / "accel.json"
    if not path.exists():
        raise SynthesisError(f"{path} does not exist: {folder} holds no generated accelerator (run `signflow build`)")
    facts = json.loads(path.read_text())
    units = [_operator(folder, facts, entry, exact) for entry in facts["operators"]]
    units += [_whole(folder, facts)] if whole else []
    found = _synthesize_all(folder, units, jobs, tick)
    costs = tuple(
        OperatorCost(
            *(entry[key] for key in ("node", "op", "module")),
            entry.get("plumbing", ""),
            int(entry.get("macs", 0)),
            found[unit.key],
            unit.exact,
        )
        for entry, unit in zip(facts["operators"], units, strict=False)
    )
    return Synthesis(facts["name"], costs, found[units[-1].key] if whole else None, time.perf_counter() - start)


def synthesize_top(folder: Path) -> Resources:
    """Resources of the flattened top of an accelerator or project in ``folder``. Raises SynthesisError."""
    unit = _whole(folder, json.loads((folder / "accel.json").read_text()))
    return _synthesize_all(folder, [unit], 1, lambda done, total, name: None)[unit.key]


@dataclass(frozen=True)
class _Unit:
    """One thing to synthesise: the commands of Yosys that read it (paths below "accel/" and "patterns/")."""

    name: str
    top: str
    read: str
    macs: int
    key: str
    """A digest of all it depends on."""
    dot: str = ""
    """The module of which one instance stands for all, a key of PARTS."""
    patterns: Mapping[str, str] = field(default_factory=dict)
    """Memory images of its own, name -> text."""
    ultra: bool = False
    """It has weights in UltraRAM."""

    @property
    def exact(self) -> bool:
        """As it stands in `accel.json`."""
        return not self.dot and not self.patterns

    def commands(self, result: str) -> list[str]:
        """All commands; the last ones write the cells of module "unit" to files ``result``."""
        before = [line.format(dot=self.dot, block=PARTS[self.dot]) for line in ONE_PART] if self.dot else []
        after = ALL_PARTS if self.dot else ()
        script = [line.replace(SYNTHESIS, ULTRA) if self.ultra else line for line in SCRIPT]
        lines = [self.read, f"rename {self.top} unit", *before, *script, *after]
        return [*lines, *written(result)]


def _operator(folder: Path, facts: Mapping, entry: Mapping, exact: bool) -> _Unit:
    """An operator of `accel.json`, as it is or, an MVAU without ``exact``, made lighter."""
    sources, memory = [f"rtl/{module}.sv" for module in entry.get("modules", [entry["module"]])], facts["mem_dir"]
    params, macs = entry["params"], int(entry.get("macs", 0))
    matrix = not exact and entry["module"] == "sf_mvau"
    large = matrix and params["ACT_WIDTH"] == 1 and macs >= LARGE_MACS
    dot = ("sf_dot_steps" if params.get("ADDERS") else "sf_dot_binary") if large else ""
    content, words, patterns = [(folder / source).read_bytes() for source in sources], [], {}
    for name, value in params.items():
        if is_image(value):
            if not (folder / memory / value).exists():
                raise SynthesisError(f"{entry['node']}: memory image {folder / memory / value} is missing")
            text = (folder / memory / value).read_text()
            if matrix and params["BLOCK"] and name == "WEIGHTS_FILE":
                patterns[value] = text = _pattern(text)
            content.append(text)
            value = f"{'patterns' if value in patterns else f'accel/{memory}'}/{value}"
        elif isinstance(value, str):
            content.append(value)
        words.append(f"-G {name}={verilog(value)}")
    read = f"read_slang {' '.join(f'accel/{source}' for source in sources)} {XC7.words()}"
    read += f" --top {entry['module']} {' '.join(words)}"
    read += " --best-effort-hierarchy" if dot else ""
    shape = " ".join(f"{k}={v if isinstance(v, int) else bool(v)}" for k, v in params.items())
    ultra = params.get("ULTRA") == 1
    unit = _Unit(entry["node"], entry["module"], read, macs, "", dot, patterns, ultra)
    key = digest(YOSYS, *LIBRARY, *unit.commands("")[1:], shape, *content)
    return replace(unit, key=key)


def written(result: str) -> list[str]:
    """Commands that count the cells of module "unit", ``result``.json, and write its netlist, ``result``.net.json."""
    count = f"tee -q -o {result}.json stat -json -tech xilinx"
    return [count, "select -module unit", f"write_json -selected {result}.net.json", "select -clear"]


def _pattern(image: str) -> str:
    """A memory image of the same shape: words of zeros and of ones, in turn."""
    rows = image.split()
    return "".join(("0" if k % 2 else "f") * len(row) + "\n" for k, row in enumerate(rows))


def _whole(folder: Path, facts: Mapping) -> _Unit:
    sources = facts["sources"]
    memories = sorted((folder / facts["mem_dir"]).iterdir())
    content = [(folder / source).read_bytes() for source in sources] + [path.read_bytes() for path in memories]
    files = " ".join(f"accel/{source}" for source in sources)
    read = f'read_slang {files} {XC7.words()} --top {facts["top"]} -G MEM_DIR="accel/{facts["mem_dir"]}/"'
    ultra = any(entry["params"].get("ULTRA") == 1 for entry in facts.get("operators", ()))
    unit = _Unit("the whole accelerator", facts["top"], read, sys.maxsize, "", ultra=ultra)
    return replace(unit, key=digest(YOSYS, *LIBRARY, *unit.commands("")[2:], "whole", *content))


def _synthesize_all(folder: Path, units: Sequence[_Unit], jobs: int, tick: Tick) -> dict[str, Resources]:
    """Resources by key; each key is synthesised once, and only if the cache does not know it."""
    found, missing = {}, {}
    for unit in units:
        if (entry := cache_root() / "cells" / unit.key).is_dir():
            found[unit.key] = Resources(**json.loads((entry / "resources.json").read_text()))
        else:
            missing.setdefault(unit.key, unit)
    tick(sum(unit.key in found for unit in units), len(units), "")
    todo = sorted(missing.values(), key=lambda unit: -unit.macs)  # the longest first
    with Scratch("signflow-synthesis-") as name:
        work = Path(name)
        (work / "accel").symlink_to(folder.resolve())
        (work / "cells").symlink_to(CELLS)
        (work / "patterns").mkdir()
        for image, text in (pair for unit in todo for pair in unit.patterns.items()):
            (work / "patterns" / image).write_text(text)

        def done(number: int) -> None:
            unit, stat, net = todo[number], *(work / f"{number}{name}" for name in (".json", ".net.json"))
            found[unit.key] = _resources(*(json.loads(path.read_text())["modules"] for path in (stat, net)))
            text = json.dumps(asdict(found[unit.key]))
            cached("cells", unit.key, lambda entry: (entry / "resources.json").write_text(text))
            net.unlink()
            tick(sum(unit.key in found for unit in units), len(units), unit.name)

        if todo:
            designs = [(unit.name, unit.commands(str(number))) for number, unit in enumerate(todo)]
            yosys.run(LIBRARY, designs, work, jobs, done)
    return found


def _resources(stat: Mapping, net: Mapping) -> Resources:
    """Resources of module "unit", from the modules of Yosys' `stat -json` and `write_json`."""
    cells = stat["\\unit"]["num_cells_by_type"]

    def count(*prefixes: str) -> int:
        return sum(number for kind, number in cells.items() if kind.startswith(prefixes))

    lutram = sum(sites * cells.get(kind, 0) for kind, sites in LUTRAM_SITES.items())
    unknown = [kind for kind in cells if kind.startswith("RAM") and kind[:4] != "RAMB" and kind not in LUTRAM_SITES]
    if unknown or cells.get("$mem_v2"):
        raise SynthesisError(f"cannot count these cells of Yosys: {', '.join(unknown) or '$mem_v2'}")
    logic, srl = sum(cells.get(kind, 0) for kind in LUTS), count("SRL")
    return Resources(
        lut=logic - shared(net["unit"]) + lutram + srl,
        cells=logic + lutram + srl,
        lutram=lutram,
        srl=srl,
        ff=count("FDRE", "FDSE", "FDCE", "FDPE"),
        bram36=count("RAMB36"),
        bram18=count("RAMB18"),
        uram=count("URAM288"),
        carry4=count("CARRY4") + 2 * count("CARRY8"),
        dsp=count("DSP48"),
    )
