"""What is proven of a built accelerator: each module in it, with the parameters that it has there, and the whole.

    for row in modules(Path("out/cnv-pynq-z2"), work=Path("out/proofs"), patience=10, jobs=2):
        print(row.instance, row.count, row.standing)

The modules are those that slang finds in the sources of the accelerator, and the sources must be the ones that are
proven (`hw/rtl`). Each module is proven at the small parameters of its proof; where the proof is stated for any, at
those of the accelerator, too, as far as that takes no longer than ``patience``. What was proved once is known (the
cache of the simulation), as long as proofs and sources stay as they are.
"""

import json
import re
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from signflow.deploy import products
from signflow.deploy.steps import ACCELERATOR, BITSTREAM
from signflow.deploy.tools import own, prove, yosys
from signflow.deploy.tools.instances import Instance, instances
from signflow.deploy.tools.prove import PROOFS, RTL, Case, Result
from signflow.deploy.verify import check
from signflow.hw.scratch import Scratch
from signflow.hw.sim.toolchain import cached, digest

HERE, SMALLER, NOT = "these parameters", "smaller ones", "not proven"
"""For what a module is proven."""


@dataclass(frozen=True)
class Row:
    """A module with its parameters in an accelerator."""

    instance: Instance
    count: int
    standing: str
    """HERE, SMALLER or NOT."""
    how: str
    """By what; or why not for these parameters."""
    seconds: float
    """That the proof took when it was made."""


@dataclass(frozen=True)
class Fact:
    """Something that holds for the whole accelerator."""

    what: str
    found: str
    how: str
    seconds: float = 0.0


class Refuted(AssertionError):
    """A module does not keep its contract; the message names case, property and trace."""


class _Open(Exception):
    """Time was up for a small case."""

    def __init__(self, found: list[Result]):
        super().__init__()
        self.found = found


def modules(
    work: Path, folder: Path, patience: int, jobs: int, tick: Callable[[str], None] = lambda module: None
) -> list[Row]:
    """The modules of the accelerator in ``work``, by name; ``folder`` gets traces of what is refuted, ``tick`` the
    module that is being proved. Raises Refuted, and SynthesisError.
    """
    accelerator, facts = work / ACCELERATOR, products.accelerator(work)
    tick("elaboration")
    found = instances(facts["top"], [accelerator / name for name in facts["sources"]], checked=False)
    by_module = defaultdict(list)
    for instance in sorted(found):
        if instance.module != facts["top"]:
            by_module[instance.module].append(instance)
    rows = []
    for module, those in by_module.items():
        tick(module)
        source = accelerator / "rtl" / f"{module}.sv"
        if module not in prove.modules():
            standing = dict.fromkeys(those, (NOT, "it has no proof", 0.0))
        elif source.read_bytes() != (RTL / source.name).read_bytes():
            standing = dict.fromkeys(those, (NOT, "its source is not the one that is proven", 0.0))
        else:
            standing = _module(module, those, folder, patience, jobs)
        rows += [Row(instance, found[instance], *standing[instance]) for instance in those]
    return rows


def whole(work: Path) -> list[Fact]:
    """What holds for the accelerator in ``work`` as a whole: proved now, and what was compared, as its products say.
    Raises LadderError where it does not.
    """
    begun = time.monotonic()
    count = check.moves(work)
    moved = time.monotonic()
    words = check.words(work)
    read = time.monotonic()
    facts = [
        Fact("no deadlock", f"{count:,} operators", "one order of moves stands for all", moved - begun),
        Fact("constants", f"{words:,} memory words", "read back, compared with the integer graph", read - moved),
    ]
    noted = products.accelerator(work).get("check") or {}
    images = [f"{rung} {count:,}" for rung, count in noted.get("images", {}).items()]
    facts.append(Fact("results", ", ".join(images) or "not compared", "images, every result, when it was built"))
    return [*facts, _netlist(work)]


def _netlist(work: Path) -> Fact:
    """What `signflow bitstream` noted of the gates of this build."""
    path = work / BITSTREAM
    found = json.loads(path.read_text()).get("netlist") if path.exists() else None
    if not found:
        return Fact("netlist = RTL", "not compared", "`signflow bitstream` simulates the gates of the whole board top")
    *_, gates = found["ladder"]
    return Fact("netlist = RTL", f"{gates['logits']:,} logits, {gates['mismatches']} wrong", "simulated gates")


def summary(rows: Sequence[Row]) -> dict[str, dict[str, int]]:
    """For `accel.json`: of every module its instances, sets of parameters, and for how many of them it is proven."""
    found: dict[str, dict[str, int]] = {}
    for row in rows:
        mine = found.setdefault(row.instance.module, dict.fromkeys(("instances", "parameters", HERE, SMALLER, NOT), 0))
        for name, more in (("instances", row.count), ("parameters", 1), (row.standing, 1)):
            mine[name] += more
    return found


def _module(
    module: str, those: Sequence[Instance], folder: Path, patience: int, jobs: int
) -> dict[Instance, tuple[str, str, float]]:
    small = _known(prove.cases([module]), folder, prove.PATIENCE, jobs)
    if open_ones := [one for one in small if not one.proved]:
        return dict.fromkeys(those, (NOT, f"{open_ones[0].case.parameters}: undecided", 0.0))
    found, wanted = {}, {}
    for instance in those:
        try:
            wanted[instance] = own.own(instance) if patience else []
        except own.NoProofError as error:
            found[instance] = (SMALLER, str(error), 0.0)
    cases = list(dict.fromkeys(case for cases in wanted.values() for case in cases))
    results = {one.case: one for one in _known(cases, folder, patience, jobs)} if cases else {}
    wide = [one for one, cases in wanted.items() if cases and own.wide(one)]
    differs = {}
    if wide:
        with Scratch("signflow-alike-") as name:
            differs = own.alike(wide, Path(name), jobs)
    for instance, cases in wanted.items():
        mine = [results[case] for case in cases]
        seconds = sum(one.seconds for one in mine)
        if not mine:
            found[instance] = (SMALLER, "not tried", 0.0)
        elif not all(one.proved for one in mine):
            found[instance] = (SMALLER, f"not decided within {patience} s", seconds)
        elif differs.get(instance):
            found[instance] = (SMALLER, f"its bits do not all go the same way: {differs[instance]}", seconds)
        else:
            found[instance] = (HERE, ", ".join(sorted({one.how or "PDR" for one in mine})), seconds)
    return found


def _known(cases: Sequence[Case], folder: Path, patience: int, jobs: int) -> list[Result]:
    """What became of the cases of a module, now or when they were proved last. Raises Refuted."""
    asked = json.dumps([asdict(case) for case in cases])
    key = digest(yosys.YOSYS, asked, str(patience), *(path.read_bytes() for path in _sources(cases[0].file)))

    def build(entry: Path) -> None:
        found = prove.prove(cases, folder, jobs, patience=patience)
        for one in found:
            for name, why in one.refuted.items():
                raise Refuted(f"{one.case.module} {one.case.parameters}: {name}: {why}")
        if not all(one.proved or one.case.own for one in found):
            raise _Open(found)  # on a machine that is less busy it may be decided
        (entry / "found.json").write_text(json.dumps([asdict(one) for one in found]))

    try:
        known = json.loads((cached("proofs", key, build) / "found.json").read_text())
    except _Open as error:
        return error.found
    return [Result(**one | {"case": Case(**one["case"]), "properties": tuple(one["properties"])}) for one in known]


def _sources(proof: Path) -> list[Path]:
    """All files that the proof may read: what proofs share, the modules that it names, those that they name, ..."""
    shared = [path for path in sorted(PROOFS.glob("*.sv")) if not prove.lines("case", path.read_text())]
    assumed = [PROOFS / "assumed" / f"{name}.sv" for name in prove.lines("assumes", proof.read_text())]
    found = [proof, *shared, *assumed, *prove.CELLS]
    for path in found:  # grows
        named = (RTL / f"{name}.sv" for name in sorted(set(re.findall(r"\bsf_\w+", path.read_text()))))
        found += [other for other in named if other.exists() and other not in found]
    return found
