"""Proofs of the RTL: every module of `hw/rtl` against its contract, for every input and any length of time.

    found = prove(cases(["sf_fifo"]), Path("out/proofs"), jobs=2)

A file of `hw/proofs` states the contract of one module as assertions. Its header says what they are proven for:

    //   case DEPTH=3 BLOCK=1       the parameters of a proof, one line each
    //   case WIDTH=4 SF_LUT6_2     a word without a value is a macro: the module as primitives of a device
    //   sum SIMD=128 STAGES=5      the same for a sum too wide for ABC: by polynomials (`signflow.deploy.tools.sums`)
    //   assumes sf_memory          `hw/proofs/assumed/sf_memory.sv` stands in for the module, which has its own proof
    //   file NAME WORD WORD ...    a memory image
    //   free A, B of C             no path without a register leads from the input C to the signals A and B
    //   any                        stated for any parameters, those of an accelerator, too: `deploy/tools/own.py`
    //   alike A, B by WIDTH        words whose bits all go the same way: WIDTH=1 stands for all
    //   mutant OLD => NEW          a fault of the module that a case must refute: proofs that cannot fail say nothing

Yosys turns a case into gates in which every register without an initial value starts in any state. ABC tries induction
over some cycles: the assertions hold after a reset, and in any state that follows as many in which they hold; then PDR
(IC3), which looks for an inductive invariant that implies them, and checks it once more. So they are proved for traces
of any length, or a trace leads to a failure (refuted), or time is up (undecided). An assertion whose name begins with
``reach`` says that something never happens and must be refuted: it does happen.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import signflow.hw.ops.base
from signflow.deploy.tools import induction, sums, yosys

RTL = signflow.hw.ops.base.RTL_DIR
PROOFS = RTL.with_name("proofs")
CELLS = tuple(RTL.with_name("sim") / "cells" / f"{name}.v" for name in ("lut6_2", "carry4", "carry8"))
"""What the primitives do that the RTL names."""
REACH = "reach"
CLOCK = "\\clk_i"
REGISTERS = ("$ff", "$anyinit")
PATIENCE = 120
"""Seconds for a step of a proof, after which it is given up."""


@dataclass(frozen=True)
class Case:
    """A module with one set of parameters."""

    module: str
    parameters: str
    """As in the header: ``DEPTH=3 BLOCK=1``."""
    sums: bool = False
    """By polynomials: that what the instance ``i_delayed`` gets is what it wants."""
    own: bool = False
    """At the parameters of an accelerator: that what the others speak about happens was shown for those of the file."""

    @property
    def file(self) -> Path:
        """The proof."""
        return PROOFS / f"{self.module.removeprefix('sf_')}.sv"

    @property
    def name(self) -> str:
        """One word for files."""
        word = re.sub(r"\W+", "-", f"{self.module} {self.parameters}").strip("-")
        return word if len(word) < 120 else f"{word[:100]}-{sha256(word.encode()).hexdigest()[:12]}"


@dataclass(frozen=True)
class Result:
    """What became of a case."""

    case: Case
    properties: tuple[str, ...]
    """All that must hold."""
    refuted: dict[str, str] = field(default_factory=dict)
    """Properties that do not hold, with the reason or the trace (VCD)."""
    undecided: dict[str, str] = field(default_factory=dict)
    """Properties of which it is not known, with the reason."""
    how: str = ""
    """By what, and how many cycles it looks at: ``induction 2``, ``PDR 7``; empty where each assertion stood alone."""
    seconds: float = 0.0

    @property
    def proved(self) -> bool:
        """Every assertion holds."""
        return not self.refuted and not self.undecided


def modules() -> list[str]:
    """Modules that have a proof."""
    return sorted(f"sf_{p.stem}" for p in PROOFS.glob("*.sv") if lines("case", p.read_text()))


def cases(chosen: Sequence[str] = ()) -> list[Case]:
    """All cases of these modules (``sf_fifo``), or of all. Raises ValueError for a module without a proof."""
    known = modules()
    for module in chosen:
        if module not in known:
            raise ValueError(f"{module!r} has no proof in {PROOFS}; there are {', '.join(known)}")
    texts = [(module, Case(module, "").file.read_text()) for module in chosen or known]
    return [Case(m, line, word == "sum") for m, text in texts for word in ("case", "sum") for line in lines(word, text)]


def prove(
    chosen: Sequence[Case],
    work: Path,
    jobs: int = 1,
    tick: Callable[[Result], None] = lambda result: None,
    rtl: Sequence[Path] = (),
    patience: int = PATIENCE,
) -> list[Result]:
    """Prove the cases, ``jobs`` at a time; ``tick`` gets each result as it comes, traces of failures stay in ``work``.

    ``rtl``: files that take the place of the modules of their name. Raises SynthesisError where Yosys refuses a case.
    """
    return spread(
        lambda case: _prove(case, work / case.name, rtl, patience), chosen, jobs, lambda _, result: tick(result)
    )


def spread(one: Callable, chosen: Sequence, jobs: int, tick: Callable[[Any, Any], None]) -> list:
    """``one`` of each of ``chosen``, in their order, made by ``jobs`` threads; ``tick`` gets each with its result as it
    comes. What has not begun is dropped when one fails or is interrupted.
    """
    with ThreadPoolExecutor(jobs) as pool:
        running = {pool.submit(one, what): what for what in chosen}
        try:
            for done in as_completed(running):
                tick(running[done], done.result())
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [done.result() for done in running]


def fault(
    case: Case, folder: Path, rtl: Sequence[Path], patience: int = PATIENCE // 2, sound: Path | None = None
) -> str:
    """A property of the case that fails, found without a proof of the others; "" if none was found in time, or if the
    circuit is that of the folder ``sound``, which `build` made.
    """
    if case.sums:
        return next(iter(_sum(case, folder, rtl).refuted), "")
    names, true = build(case, folder, rtl)
    if sound and (folder / "model.aig").read_bytes() == (sound / "model.aig").read_bytes():
        return ""
    held = [k for k, name in enumerate(names) if not name.startswith(REACH)]
    told = induction.ask(folder, held, f"scorr; bmc3 -F 200 -T {patience}", patience)
    if found := re.search(r"^Output (\d+) .*was asserted", told, re.MULTILINE):
        return names[held[int(found[1])]]
    _, never = induction.each(folder, [k for k, name in enumerate(names) if name.startswith(REACH)], patience)
    paths = [name for name, found in _paths(case, folder).items() if found]
    never = [names[k] for k in never] + [name for name in true if name.startswith(REACH)]
    return next(iter(never + paths), "")


def build(case: Case, folder: Path, rtl: Sequence[Path] = ()) -> tuple[list[str], list[str]]:
    """Names of the assertions of ``model.aig``, which Yosys makes of the case, and of those that it found true."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in [*folder.glob("*.vcd"), *folder.glob("*.aiw")]:
        old.unlink()
    convert(case, folder, model(case, rtl))
    names = [name[-1].split(".")[-1].lstrip("\\") for name in json.loads((folder / "model.ywm").read_text())["asserts"]]
    stated = re.findall(r"^ *cell \$assert \S*?(\w+)$", (folder / "model.il").read_text(), re.MULTILINE)
    return names, sorted((Counter(stated) - Counter(names)).elements())


def convert(case: Case, folder: Path, commands: Sequence[str]) -> None:
    """Let Yosys do this in the folder, where the memory images of the case lie."""
    for name, *words in map(str.split, lines("file", case.file.read_text())):
        (folder / name).write_text("\n".join(words) + "\n")
    yosys.run([], [(case.name, commands)], folder, 1)


def _prove(case: Case, folder: Path, rtl: Sequence[Path], patience: int) -> Result:
    if case.sums:
        return _sum(case, folder, rtl)
    begun = time.monotonic()
    names, true = build(case, folder, rtl)
    reach = {k for k, name in enumerate(names) if name.startswith(REACH)}
    held = [k for k in range(len(names)) if k not in reach]
    how, depth = induction.together(folder, held, patience)
    failing, holding = (set(), set(held)) if how else induction.each(folder, held, patience)
    shown, never = (reach, set()) if case.own else induction.each(folder, sorted(reach), patience)
    refuted = {names[k]: f"see {_trace(folder, k, names[k])}" for k in sorted(failing)}
    silent = [names[k] for k in sorted(never)] + [name for name in true if name.startswith(REACH) and not case.own]
    refuted |= dict.fromkeys(silent, "it never happens, so the others say nothing")
    paths = _paths(case, folder)
    refuted |= {name: "a path without a register leads there" for name, found in paths.items() if found}
    open_ones = [names[k] for k in range(len(names)) if k not in failing | holding | shown | never]
    undecided = dict.fromkeys(open_ones, f"not decided within {patience} s")
    return Result(
        case,
        (*sorted(name for name in {*names, *true} if not (case.own and name.startswith(REACH))), *paths),
        refuted,
        undecided,
        f"{how} {depth}" if depth else how,
        time.monotonic() - begun,
    )


def _sum(case: Case, folder: Path, rtl: Sequence[Path]) -> Result:
    begun = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    commands = [*_read(case, rtl, sums.LEAVES), "proc", "flatten", "opt_clean", "write_json model.json"]
    yosys.run([], [(case.name, commands)], folder, 1)
    refuted, undecided = {}, {}
    try:
        if how := sums.difference(_netlist(folder), "i_delayed.got_i", "i_delayed.want_q"):
            refuted = {"value": how}
    except sums.NotASum as error:
        undecided = {"value": f"not a sum: {error}"}
    return Result(case, ("value",), refuted, undecided, "polynomials", time.monotonic() - begun)


def _netlist(folder: Path) -> dict[str, Any]:
    (module,) = (m for m in json.loads((folder / "model.json").read_text())["modules"].values() if m["cells"])
    return module


def lines(word: str, text: str) -> list[str]:
    """What stands behind ``//   word`` in the header."""
    return [line.strip() for line in re.findall(rf"^//   {word}\b(.*)$", text, re.MULTILINE)]


def sources(case: Case, rtl: Sequence[Path]) -> str:
    """Options with which slang reads the case."""
    stand_ins = [PROOFS / "assumed" / f"{name}.sv" for name in lines("assumes", case.file.read_text())]
    files = " ".join(str(p) for p in (case.file, *stand_ins, *CELLS, *rtl))
    parameters = " ".join(f"-{'G' if '=' in word else 'D'} {word}" for word in case.parameters.split())
    return f"--std 1800-2023 -y {PROOFS} -y {RTL} -Y .sv {parameters} --top prove_{case.file.stem} {files}"


def _read(case: Case, rtl: Sequence[Path], leaves: Sequence[str] = ()) -> list[str]:
    """Yosys' commands that read the sources; ``leaves`` stay modules of unknown content."""
    closed = " ".join(f"--blackboxed-module {leaf}" for leaf in leaves)
    return [f"read_slang -j 1 {closed} {sources(case, rtl)}", f"hierarchy -top prove_{case.file.stem}"]


def model(case: Case, rtl: Sequence[Path]) -> list[str]:
    """Yosys' commands from the sources to AIGER, with the word-level model kept for traces."""
    return [
        *(*_read(case, rtl), "proc", "flatten", "opt_clean", "memory -nordff -nomap", "memory_map -formal"),
        *("setundef -anyseq", "chformal -lower", "formalff -clk2ff -ff2anyinit", "write_rtlil model.il"),
        *(
            "opt -full",
            "write_json model.json",
            "techmap",
            "opt -fast",
            "dffunmap",
            "setundef -anyseq",
            "aigmap",
            "opt_clean",
        ),
        "write_aiger -I -B -zinit -symbols -no-startoffset -map model.aim -ywmap model.ywm model.aig",
    ]


def _paths(case: Case, folder: Path) -> dict[str, bool]:
    """For every ``free A, B of C``: whether a path without a register leads from an input C to A or B."""
    module = _netlist(folder)
    drivers: dict = {}
    for cell in module["cells"].values():
        if cell["type"] not in REGISTERS:
            way = {port: cell["port_directions"][port] == "output" for port in cell["connections"]}
            ins = {bit for port, bits in cell["connections"].items() for bit in bits if not way[port]}
            drivers |= {bit: ins for port, bits in cell["connections"].items() for bit in bits if way[port]}

    def cone(signal: str) -> set:
        seen, ahead = set(), set(module["netnames"][signal]["bits"])
        while ahead:
            seen |= ahead
            ahead = set().union(*(drivers.get(bit, ()) for bit in ahead)) - seen
        return seen

    found = {}
    for line in lines("free", case.file.read_text()):
        signals, sources = (words.split(", ") for words in line.split(" of "))
        inputs = {bit for source in sources for bit in module["netnames"][source]["bits"]}
        found |= {f"{one} free of {', '.join(sources)}": bool(cone(one) & inputs) for one in signals}
    return found


def _trace(folder: Path, number: int, name: str) -> Path:
    """The failure of an assertion as waves."""
    names = json.loads((folder / "model.ywm").read_text())
    cycles = (folder / f"failure{number}.aiw").read_text().split()[3:-1]  # behind status, property and first state
    signals = [one | {"init_only": False} for one in names["inputs"] if one["path"] != [CLOCK]]
    signals += [one | {"init_only": True} for one in names["inits"]]
    steps = ["".join(row[one["input"]] for one in reversed(signals)).replace("x", "0") for row in cycles]
    told = {
        "format": "Yosys Witness Trace",
        "clocks": [{"path": [CLOCK], "edge": "posedge", "offset": 0}],
        "signals": [{key: one[key] for key in ("path", "offset", "init_only")} | {"width": 1} for one in signals],
        "steps": [{"bits": bits} for bits in steps],
    }
    (folder / f"{name}.yw").write_text(json.dumps(told))
    replay = ["read_rtlil model.il", f"sim -hdlname -r {name}.yw -vcd {name}.vcd"]
    yosys.run([], [(name, replay)], folder, 1)
    return folder / f"{name}.vcd"
