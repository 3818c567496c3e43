"""What the accelerator costs: yosys `synth_xilinx -family xc7`, per operator and in total.

Every operator is synthesised alone, as it stands in `accel.json`, with its memory images; the total is the sum, which
leaves out the few gates of the top (TLAST) and what optimisation across operators would save. `whole` synthesises the
flattened top as well. Results are cached by content: module text, parameters and memory images.

These are Yosys' numbers, before placement: good for comparing, not a Vivado utilisation report. LUTs are counted as
cells (LUT1 to LUT6 and inverters, plus those used as memory or shift register); two small LUTs that share a site count
twice. `lc` is Yosys' estimate of the sites after such sharing.
"""

import importlib.util
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from rich.table import Table

from signflow.hw.scratch import Scratch
from signflow.hw.sim.toolchain import cache_root, cached, digest

YOSYS = "pyosys==0.70"
LIGHT_BATCH = 12  # operators without much arithmetic that share one process: most of their time is Yosys' own start-up
HEAVY_MACS = 32  # operators with at least so many multiply-accumulates a cycle get a process of their own

# LUT sites that a memory primitive occupies (7 series: UG474, tables 2-3 and 2-5)
LUTRAM_SITES = {
    "RAM32X1S": 1, "RAM64X1S": 1, "RAM128X1S": 2, "RAM256X1S": 4, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4,
    "RAM32M": 4, "RAM64M": 4,
}  # fmt: skip
PLUMBING = {"fifo": "FIFOs", "dwc": "width converters"}
SYNTHESIS = "synth_xilinx -family xc7 -noiopad -noclkbuf"
SCRIPT = [
    'setattr -set rom_style "logic" a:rom_style=distributed',  # Vivado's word for it, which Yosys takes for LUT RAM
    "read_verilog -lib -specify +/xilinx/cells_sim.v",
    "read_verilog -lib +/xilinx/cells_xtra.v",
    f"{SYNTHESIS} -run prepare:check",
    "tee -q -o stat.json stat -json -tech xilinx",
]
CHILD = (
    "import sys\nfrom pyosys import libyosys as ys\ndesign = ys.Design()\n"
    "for line in open('script.ys'):\n    ys.run_pass(line.strip(), design); sys.stdout.flush()"
)

Tick = Callable[[int, int, str], None]  # (operators done, operators in all, name of the last one)


class SynthesisError(RuntimeError):
    """Yosys is missing or refused the design; the message holds its first error."""


@dataclass(frozen=True)
class Resources:
    """Primitives of the 7 series."""

    lut: int = 0  # look-up tables in all: logic + LUT RAM + shift registers
    lutram: int = 0  # of these, used as memory
    srl: int = 0  # of these, used as shift register
    ff: int = 0
    bram36: int = 0  # RAMB36E1
    bram18: int = 0  # RAMB18E1, half a block each
    carry4: int = 0
    dsp: int = 0
    lc: int = 0  # Yosys' estimate of logic cells, without memories

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
    macs: int
    resources: Resources

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

    def as_dict(self) -> dict:
        """For JSON."""
        rows = [asdict(op) | {"lut_per_mac": op.lut_per_mac} for op in self.operators]
        facts = {"name": self.name, "tool": YOSYS, "command": SYNTHESIS, "seconds": round(self.seconds, 1)}
        facts |= {"total_is": "sum of operators synthesised alone", "total": asdict(self.total)}
        facts |= {"lut_per_mac": self.lut_per_mac, "whole": asdict(self.whole) if self.whole else None}
        return facts | {"operators": rows}

    def table(self, available: Mapping[str, int] | None = None) -> Table:
        """For the terminal, FIFOs and width converters in one line each (the JSON has all); `available` (keys lut, ff,
        bram36, dsp) adds a line with the share of the device used.
        """
        table = Table(title=f"{self.name}: Yosys {SYNTHESIS.split(' -no')[0]}")
        for head in ["operator", "LUT", "FF", "BRAM36", "DSP", "MAC/cycle", "LUT/MAC"]:
            table.add_column(head, justify="left" if head == "operator" else "right")
        small = {module: [op for op in self.operators if op.module == module] for module in PLUMBING}
        for op in self.operators:
            if op.module not in PLUMBING:
                table.add_row(op.node, *_cells(op.resources, op.macs))
        for module, ops in small.items():
            if ops:
                cost = sum((op.resources for op in ops), Resources())
                table.add_row(f"{len(ops)} {PLUMBING[module]}", *_cells(cost, 0))
        macs = sum(op.macs for op in self.operators)
        table.add_section()
        table.add_row("sum of operators", *_cells(self.total, macs), style="bold")
        if self.whole:
            table.add_row("whole, flattened", *_cells(self.whole, macs))
        if available:
            used = {"lut": self.total.lut, "ff": self.total.ff, "bram36": self.total.bram, "dsp": self.total.dsp}
            share = [f"{100 * used[key] / available[key]:.1f} %" if available.get(key) else "" for key in used]
            table.add_row("of the device", *share, "", "")
        return table


def synthesize(
    folder: Path, *, whole: bool = False, jobs: int = 2, tick: Tick = lambda done, total, name: None
) -> Synthesis:
    """Synthesise the accelerator in `folder` (with `accel.json`), `jobs` processes at a time.

    `tick` is called from this thread when an operator is done. Raises SynthesisError.
    """
    start = time.perf_counter()
    if importlib.util.find_spec("pyosys") is None:
        raise SynthesisError(f"Yosys is not installed for this Python: run `pip install {YOSYS}`")
    path = folder / "accel.json"
    if not path.exists():
        raise SynthesisError(f"{path} does not exist: {folder} holds no generated accelerator (run `signflow build`)")
    facts = json.loads(path.read_text())
    units = [_operator(folder, facts, entry) for entry in facts["operators"]]
    units += [_whole(folder, facts)] if whole else []
    found = _synthesize_all(folder, units, jobs, tick)
    costs = tuple(
        OperatorCost(entry["node"], entry["op"], entry["module"], int(entry.get("macs", 0)), found[unit.key])
        for entry, unit in zip(facts["operators"], units, strict=False)
    )
    return Synthesis(facts["name"], costs, found[units[-1].key] if whole else None, time.perf_counter() - start)


def synthesize_top(folder: Path) -> Resources:
    """Resources of the flattened top of an accelerator or project in `folder`. Raises SynthesisError."""
    unit = _whole(folder, json.loads((folder / "accel.json").read_text()))
    return _synthesize_all(folder, [unit], 1, lambda done, total, name: None)[unit.key]


@dataclass(frozen=True)
class _Unit:
    """One thing to synthesise: how to read it (paths below "accel/"), its top, and a key of all it depends on."""

    name: str
    read: str
    top: str
    macs: int
    key: str


def _operator(folder: Path, facts: Mapping, entry: Mapping) -> _Unit:
    sources, memory = [f"rtl/{module}.sv" for module in entry.get("modules", [entry["module"]])], facts["mem_dir"]
    content, words = [(folder / source).read_bytes() for source in sources], []
    for name, value in entry["params"].items():
        if isinstance(value, str) and value:  # a memory image
            if not (folder / memory / value).exists():
                raise SynthesisError(f"{entry['node']}: memory image {folder / memory / value} is missing")
            content.append((folder / memory / value).read_bytes())
            value = f"accel/{memory}/{value}"
        words.append(f'-G {name}="{value}"' if isinstance(value, str) else f"-G {name}={int(value)}")
    read = f"read_slang {' '.join(f'accel/{source}' for source in sources)} --top {entry['module']} {' '.join(words)}"
    shape = " ".join(f"{k}={v if isinstance(v, int) else bool(v)}" for k, v in entry["params"].items())
    key = digest(YOSYS, *SCRIPT, entry["module"], shape, *content)
    return _Unit(entry["node"], read, entry["module"], int(entry.get("macs", 0)), key)


def _whole(folder: Path, facts: Mapping) -> _Unit:
    sources = facts["sources"]
    memories = sorted((folder / facts["mem_dir"]).iterdir())
    content = [(folder / source).read_bytes() for source in sources] + [path.read_bytes() for path in memories]
    files = " ".join(f"accel/{source}" for source in sources)
    read = f'read_slang {files} --top {facts["top"]} -G MEM_DIR="accel/{facts["mem_dir"]}/"'
    return _Unit("whole", read, facts["top"], sys.maxsize, digest(YOSYS, *SCRIPT, "whole", *content))


def _synthesize_all(folder: Path, units: Sequence[_Unit], jobs: int, tick: Tick) -> dict[str, Resources]:
    """Resources by key; each key is synthesised once, and only if the cache does not know it."""
    found, missing = {}, {}
    for unit in units:
        if (entry := cache_root() / "cells" / unit.key).is_dir():
            found[unit.key] = _resources(json.loads((entry / "stat.json").read_text()))
        else:
            missing.setdefault(unit.key, unit)
    done = sum(unit.key in found for unit in units)
    tick(done, len(units), "")
    light = [unit for unit in missing.values() if unit.macs < HEAVY_MACS]
    heavy = [unit for unit in missing.values() if unit.macs >= HEAVY_MACS]
    batches = [[unit] for unit in sorted(heavy, key=lambda unit: -unit.macs)]  # the longest first
    batches += [light[k : k + LIGHT_BATCH] for k in range(0, len(light), LIGHT_BATCH)]
    stop = threading.Event()
    with ThreadPoolExecutor(jobs) as pool:
        tasks = {pool.submit(_batch, folder, batch, stop): batch for batch in batches}
        try:
            for task in as_completed(tasks):
                for unit, resources in zip(tasks[task], task.result(), strict=True):
                    found[unit.key] = resources
                    done += sum(other.key == unit.key for other in units)
                    tick(done, len(units), unit.name)
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return found


def _run(command: Sequence[str], cwd: Path, stop: threading.Event) -> tuple[int, str]:
    """Exit status and output of a program, which ends when `stop` is set."""
    with subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        while True:
            try:
                output = process.communicate(timeout=0.2)[0]
                return process.returncode, output
            except subprocess.TimeoutExpired:
                if stop.is_set():
                    process.kill()


def _batch(folder: Path, units: Sequence[_Unit], stop: threading.Event) -> list[Resources]:
    """Synthesise units in one Yosys process, each as a module of its own; caches and returns their resources."""
    with Scratch("signflow-synthesis-") as name:
        work = Path(name)
        (work / "accel").symlink_to(folder.resolve())
        lines = [line for k, unit in enumerate(units) for line in (unit.read, f"rename {unit.top} unit{k}")]
        lines += SCRIPT
        (work / "script.ys").write_text("\n".join(lines) + "\n")
        status, log = _run([sys.executable, "-c", CHILD], work, stop)
        if status:
            raise SynthesisError(_explain(units, log))
        modules = json.loads((work / "stat.json").read_text())["modules"]
    results = [modules[f"\\unit{k}"] for k in range(len(units))]
    for unit, result in zip(units, results, strict=True):
        text = json.dumps(result)
        cached("cells", unit.key, lambda entry, text=text: (entry / "stat.json").write_text(text))
    return [_resources(result) for result in results]


def _resources(module: Mapping) -> Resources:
    """Resources from one module of Yosys' `stat -json`."""
    cells = module["num_cells_by_type"]

    def count(*prefixes: str) -> int:
        return sum(number for kind, number in cells.items() if kind.startswith(prefixes))

    lutram = sum(sites * cells.get(kind, 0) for kind, sites in LUTRAM_SITES.items())
    unknown = [kind for kind in cells if kind.startswith("RAM") and kind[:4] != "RAMB" and kind not in LUTRAM_SITES]
    if unknown or cells.get("$mem_v2"):
        raise SynthesisError(f"cannot count these cells of Yosys: {', '.join(unknown) or '$mem_v2'}")
    logic, srl = sum(cells.get(f"LUT{k}", 0) for k in range(1, 7)) + cells.get("INV", 0), count("SRL")
    return Resources(
        lut=logic + lutram + srl,
        lutram=lutram,
        srl=srl,
        ff=count("FDRE", "FDSE", "FDCE", "FDPE"),
        bram36=count("RAMB36"),
        bram18=count("RAMB18"),
        carry4=count("CARRY4"),
        dsp=count("DSP48"),
        lc=module["estimated_num_lc"],
    )


def _explain(units: Sequence[_Unit], log: str) -> str:
    rows = [row for row in log.splitlines() if row.strip()]
    first = next((k for k, row in enumerate(rows) if "error:" in row.lower()), max(0, len(rows) - 8))
    names = ", ".join(unit.name for unit in units)
    return "\n  ".join([f"Yosys refuses one of {names}:", *rows[first : first + 8]])


def _cells(resources: Resources, macs: int) -> list[str]:
    numbers = [resources.lut, resources.ff, resources.bram, resources.dsp]
    return [*(f"{n:g}" for n in numbers), str(macs or ""), f"{resources.lut / macs:.2f}" if macs else ""]
