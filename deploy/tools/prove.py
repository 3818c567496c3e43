"""Proofs of the RTL: every module of `hw/rtl` against its contract, for every input and any length of time.

    found = prove(cases(["sf_fifo"]), Path("out/proofs"), jobs=2)

A file of `hw/proofs` states the contract of one module as assertions. Its header says what they are proven for:

    //   case DEPTH=3 BLOCK=1       the parameters of a proof, one line each
    //   assumes sf_memory          `hw/proofs/assumed/sf_memory.sv` stands in for the module, which has its own proof
    //   file NAME WORD WORD ...    a memory image
    //   free A, B of C             no path without a register leads from the input C to the signals A and B
    //   mutant OLD => NEW          a fault of the module that a case must refute: proofs that cannot fail say nothing

Yosys turns a case into gates in which every register without an initial value starts in any state. ABC tries induction
over some cycles: the assertions hold after a reset, and in any state that follows as many in which they hold; then PDR
(IC3), which looks for an inductive invariant that implies them, and checks it once more. So they are proved for traces
of any length, or a trace leads to a failure (refuted), or time is up (undecided). An assertion whose name begins with
``reach`` says that something never happens and must be refuted: it does happen.
"""

import json
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import signflow.hw.ops.base
from signflow.deploy.tools import yosys

RTL = signflow.hw.ops.base.RTL_DIR
PROOFS = RTL.with_name("proofs")
REACH = "reach"
CLOCK = "\\clk_i"
REGISTERS = ("$ff", "$anyinit")
STEPS = 6
"""Cycles of induction that are tried before PDR."""
PATIENCE = 60
"""Seconds for a step of a proof, after which it is given up."""


@dataclass(frozen=True)
class Case:
    """A module with one set of parameters."""

    module: str
    parameters: str
    """As in the header: ``DEPTH=3 BLOCK=1``."""

    @property
    def file(self) -> Path:
        """The proof."""
        return PROOFS / f"{self.module.removeprefix('sf_')}.sv"

    @property
    def name(self) -> str:
        """One word for files."""
        return re.sub(r"\W+", "-", f"{self.module} {self.parameters}").strip("-")


@dataclass(frozen=True)
class Result:
    """What became of a case."""

    case: Case
    properties: tuple[str, ...]
    """All that must hold."""
    refuted: dict[str, str] = field(default_factory=dict)
    """Properties that do not hold, with the reason or the trace (VCD)."""
    undecided: tuple[str, ...] = ()
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
    found = [Case(module, "") for module in chosen or known]
    return [Case(c.module, line) for c in found for line in lines("case", c.file.read_text())]


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


def fault(case: Case, folder: Path, rtl: Sequence[Path], patience: int = PATIENCE) -> str:
    """A property of the case that fails, found without a proof of the others; "" if none was found in time."""
    names = _build(case, folder, rtl)
    held = [k for k, name in enumerate(names) if not name.startswith(REACH)]
    told = _abc(folder, held, f"scorr; bmc3 -F 200 -T {patience}", patience)
    if found := re.search(r"^Output (\d+) .*was asserted", told, re.MULTILINE):
        return names[held[int(found[1])]]
    _, never = _each(folder, [k for k, name in enumerate(names) if name.startswith(REACH)], patience)
    paths = [name for name, found in _paths(case, folder).items() if found]
    return next(iter([names[k] for k in never] + paths), "")


def _build(case: Case, folder: Path, rtl: Sequence[Path]) -> list[str]:
    """The names of the assertions of ``model.aig``, which Yosys makes of the case."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in [*folder.glob("*.vcd"), *folder.glob("*.aiw")]:
        old.unlink()
    for name, *words in map(str.split, lines("file", case.file.read_text())):
        (folder / name).write_text("\n".join(words) + "\n")
    yosys.run([], [(case.name, _model(case, rtl))], folder, 1)
    return [name[-1].split(".")[-1].lstrip("\\") for name in json.loads((folder / "model.ywm").read_text())["asserts"]]


def _prove(case: Case, folder: Path, rtl: Sequence[Path], patience: int) -> Result:
    begun = time.monotonic()
    names = _build(case, folder, rtl)
    reach = {k for k, name in enumerate(names) if name.startswith(REACH)}
    held = [k for k in range(len(names)) if k not in reach]
    how, depth = _together(folder, held, patience)
    failing, holding = (set(), set(held)) if how else _each(folder, held, patience)
    shown, never = _each(folder, sorted(reach), patience)
    refuted = {names[k]: f"see {_trace(folder, k, names[k])}" for k in sorted(failing)}
    refuted |= {names[k]: "it never happens, so the others say nothing" for k in sorted(never)}
    paths = _paths(case, folder)
    refuted |= {name: "a path without a register leads there" for name, found in paths.items() if found}
    undecided = tuple(names[k] for k in range(len(names)) if k not in failing | holding | shown | never)
    return Result(
        case,
        (*sorted(set(names)), *paths),
        refuted,
        undecided,
        f"{how} {depth}" if depth else how,
        time.monotonic() - begun,
    )


def lines(word: str, text: str) -> list[str]:
    """What stands behind ``//   word`` in the header."""
    return [line.strip() for line in re.findall(rf"^//   {word}\b(.*)$", text, re.MULTILINE)]


def _model(case: Case, rtl: Sequence[Path]) -> list[str]:
    """Yosys' commands from the sources to AIGER, with the word-level model kept for traces."""
    top = f"prove_{case.file.stem}"
    stand_ins = [PROOFS / "assumed" / f"{name}.sv" for name in lines("assumes", case.file.read_text())]
    sources = " ".join(str(p) for p in (case.file, *stand_ins, *rtl))
    parameters = " ".join(f"-G {word}" for word in case.parameters.split())
    return [
        f"read_slang --std 1800-2023 -j 1 -y {PROOFS} -y {RTL} -Y .sv {parameters} --top {top} {sources}",
        *(f"hierarchy -top {top}", "proc", "flatten", "opt_clean", "memory -nordff -nomap", "memory_map -formal"),
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
    (module,) = (m for m in json.loads((folder / "model.json").read_text())["modules"].values() if m["cells"])
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


def _together(folder: Path, chosen: Sequence[int], patience: int) -> tuple[str, int]:
    """(by what, how many cycles) all these assertions are proved, each with the help of the others; ("", 0): not so."""
    told = _abc(folder, chosen, f"orpos; bmc3 -F {STEPS + 1} -T {patience}; ind -v -F {STEPS} -T {patience}", patience)
    if "No output asserted in" in told and "Networks are equivalent" in told:
        return "induction", len(re.findall(r"^Frame ", told, re.MULTILINE))
    told = _abc(folder, chosen, f"orpos; scorr; pdr -T {patience}", patience)
    if "Property proved" in told and (found := re.search(r"^Invariant F\[(\d+)\]", told, re.MULTILINE)):
        return "PDR", int(found[1])
    return "", 0


def _each(folder: Path, chosen: Sequence[int], patience: int) -> tuple[set[int], set[int]]:
    """(those that fail, those that hold) of the assertions of these numbers, each for itself; the rest is undecided."""
    told = _abc(folder, chosen, f"scorr; pdr -a -X cex -T {patience}", patience) if chosen else ""
    failing = {chosen[int(number)] for number in re.findall(r"^Output (\d+) was asserted", told, re.MULTILINE)}
    holding = {chosen[int(number)] for number in re.findall(r"^Proved output (\d+) ", told, re.MULTILINE)}
    if failing & holding:
        raise RuntimeError(f"the answer of ABC contradicts itself:\n{told}")
    for place, number in enumerate(chosen):
        if number in failing:
            (folder / f"cex{place}.aiw").replace(folder / f"failure{number}.aiw")
    return failing, holding


def _abc(folder: Path, chosen: Sequence[int], commands: str, patience: int) -> str:
    """What ABC says of the assertions of these numbers in ``model.aig``; "" if it does not answer in time."""
    head, *rest = (folder / "model.aig").read_bytes().split(b"\n")
    _, most, inputs, latches, outputs, ands, bad, *others = head.split()
    first = int(latches) + int(outputs)  # lines before those of the assertions
    kept = [rest[first + number] for number in chosen]
    fields = [b"aig", most, inputs, latches, outputs, ands, b"%d" % len(kept), *others]
    (folder / "chosen.aig").write_bytes(
        b"\n".join([b" ".join(fields), *rest[:first], *kept, *rest[first + int(bad) :]])
    )
    command = [str(yosys.share().parent / "yosys-abc"), "-c", f"read_aiger chosen.aig; fold; strash; {commands}"]
    options = {"cwd": folder, "capture_output": True, "text": True, "errors": "replace"}
    try:  # not all of its commands keep their time limit
        return subprocess.run(command, **options, check=False, timeout=2 * patience + 10).stdout
    except subprocess.TimeoutExpired:
        return ""


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
