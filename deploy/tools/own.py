"""Proofs of a module at parameters that somebody has, those of a built accelerator, not at the small ones of its file.

    cases = own(Instance("sf_fifo", (("WIDTH", "96"), ("DEPTH", "32"), ("BLOCK", "0"))))
    found = prove.prove(cases, Path("out/proofs"), patience=10)

The header of a proof says whether it is stated for any parameters (`signflow.deploy.tools.prove`). It has those of the
module, by the same names. Whether a case does prove just this instance slang says: the case is elaborated, and its
module must have these very parameters.
"""

import json
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from signflow.deploy.tools import columns, prove, yosys
from signflow.deploy.tools.instances import ElaborationError, Instance, instances
from signflow.deploy.tools.prove import PROOFS, RTL, Case


class NoProofError(ValueError):
    """The proof of the module is not for these parameters; the message says why."""


def own(instance: Instance) -> list[Case]:
    """The cases that together prove the contract of ``instance``: one, or, where the module names primitives of a
    device, one for each of its forms. Raises NoProofError.
    """
    text, names = _proof(instance.module)
    found = prove.lines("any", text)
    if not found:
        raise NoProofError("its proof is stated for small parameters")
    one = _one_bit(instance, text)
    words = " ".join(f"{name}={value}" for name, value in one.parameters if name in names and value != '""')
    forms = ("",) if found[0] == "sum" else _forms(text)
    cases = [Case(instance.module, f"{words} {form}".strip(), found[0] == "sum", own=True) for form in forms]
    try:
        if one not in proven(cases[0]):
            raise NoProofError("its proof leaves other parameters as they are")
    except ElaborationError as error:
        raise NoProofError(f"too large for its proof: {error}") from None
    return cases


def proven(case: Case) -> set[Instance]:
    """The module with the parameters that it has in ``case``. Raises ElaborationError."""
    stand_ins = [PROOFS / "assumed" / f"{name}.sv" for name in prove.lines("assumes", case.file.read_text())]
    words = [word for part in case.parameters.split() for word in ("-G" if "=" in part else "-D", part)]
    words += ["-y", str(PROOFS), "-y", str(RTL), "-Y", ".sv"]
    found = instances(f"prove_{case.file.stem}", [case.file, *stand_ins], words)
    return {instance for instance in found if instance.module == case.module}


def wide(instance: Instance) -> bool:
    """Whether its proof is that of words of a single bit, which `alike` carries over."""
    return _one_bit(instance, _proof(instance.module)[0]) != instance


def alike(chosen: Sequence[Instance], work: Path, jobs: int) -> dict[Instance, str]:
    """For instances that are `wide`: where it is not so many copies of the module for one bit, or "" where it is."""
    work.mkdir(parents=True, exist_ok=True)
    pairs = [(each, other) for one in chosen for each, other in [(one, _one_bit(one, _proof(one.module)[0]))]]
    both = list(dict.fromkeys(one for pair in pairs for one in pair))
    designs = [(str(one), [*_read(one), f"write_json {number}.json"]) for number, one in enumerate(both)]
    yosys.run([], designs, work, jobs)
    netlists = {}
    for number, one in enumerate(both):
        netlists[one] = json.loads((work / f"{number}.json").read_text())["modules"][one.module]
    found = {}
    for one, other in pairs:
        words, width = _words(_proof(one.module)[0])
        found[one] = columns.differs(netlists[one], netlists[other], words, int(dict(one.parameters)[width]))
    return found


@cache
def _proof(module: str) -> tuple[str, frozenset[str]]:
    """Its text, and the names of its parameters. Raises NoProofError."""
    if module not in prove.modules():
        raise NoProofError("it has no proof")
    text = Case(module, "").file.read_text()
    head = re.search(r"^module prove_\w+ #\((.*?)^\) \(", text, re.MULTILINE | re.DOTALL)
    return text, frozenset(re.findall(r"(\w+) *=", head[1]) if head else ())


def _words(text: str) -> tuple[list[str], str]:
    """Of the line ``alike A, B by WIDTH``: inputs and outputs, and the parameter; "" without such a line."""
    lines = prove.lines("alike", text)
    names, _, width = lines[0].partition(" by ") if lines else ("", "", "")
    return names.split(", "), width


def _one_bit(instance: Instance, text: str) -> Instance:
    _, width = _words(text)
    return Instance(instance.module, tuple((n, "1" if n == width else value) for n, value in instance.parameters))


def _forms(text: str) -> tuple[str, ...]:
    """The macros of the file's cases."""
    found = (" ".join(word for word in line.split() if "=" not in word) for line in prove.lines("case", text))
    return tuple(dict.fromkeys(found))


def _read(instance: Instance) -> list[str]:
    words = " ".join(f"-G {name}={value}" for name, value in instance.parameters if value != '""')
    source = RTL / f"{instance.module}.sv"
    return [
        f"read_slang --std 1800-2023 -j 1 -y {RTL} -Y .sv {words} --top {instance.module} {source}",
        f"hierarchy -top {instance.module}",
        *columns.COMMANDS,
    ]
