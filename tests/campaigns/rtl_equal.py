"""Whether a mutant is the module that it was made of: for the parameters of a case nothing that leaves it differs.

Both stand in the proof of the module, which drives them, with every input in common and every register that has no
value at the start. From the cycle after the reset on, ABC compares what leaves them, whatever comes, for ever (PDR):
the data of a stream where its valid is 1. What the proof assumes of its surroundings is assumed as long as it has held.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from signflow.deploy.tools import prove, yosys
from signflow.deploy.tools.mutants import Mutant

PATIENCE = 10
"""Seconds for a case."""


@dataclass(frozen=True)
class Circuit:
    """An AIGER file: names of the inputs; the literals of registers (now, next), outputs (by name), constraints and
    gates (is, of, and).
    """

    inputs: list[str]
    latches: list[list[int]]
    outputs: dict[str, int]
    constraints: list[int]
    gates: list[list[int]]

    def blif(self, side: str) -> list[str]:
        """Its registers and gates; ``side`` stands in front of the names of all but the inputs."""
        rows = [f".latch {self.name(side, after)} {self.name(side, now)} 0" for now, after in self.latches]
        for made, *of in self.gates:
            rows.append(f".names {' '.join(self.name(side, x & ~1) for x in of)} {self.name(side, made)}")
            rows.append("".join("01"[~x & 1] for x in of) + " 1")
        plain = {x for row in (*self.latches, self.outputs.values(), self.constraints) for x in row if x & 1}
        return [*rows, f".names {side}0", *(row for x in sorted(plain) for row in self._inverse(side, x))]

    def name(self, side: str, literal: int) -> str:
        """The name of a signal."""
        number = literal // 2
        if 1 <= number <= len(self.inputs) and not literal & 1:
            return self.inputs[number - 1]
        return f"{side}{literal}"

    def _inverse(self, side: str, literal: int) -> list[str]:
        return [f".names {self.name(side, literal - 1)} {side}{literal}", "0 1"]


def equal(mutant: Mutant, case: prove.Case, work: Path) -> bool:
    """Proved to be; False: it is not, or it is not known in time."""
    one, other = _circuit(case, work / "a", []), _circuit(case, work / "b", [mutant.write(work)])
    if one.outputs.keys() != other.outputs.keys():
        return False
    (work / "both.blif").write_text("\n".join(_both(one, other)) + "\n")
    commands = f"read_blif both.blif; strash; scorr; write_blif left.blif; pdr -T {PATIENCE}"
    command = [str(yosys.share().parent / "yosys-abc"), "-c", commands]
    told = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False).stdout
    return "Property proved" in told or ".names differ\n 0\n" in (work / "left.blif").read_text()  # nothing is left


def _both(one: Circuit, other: Circuit) -> list[str]:
    """BLIF of a circuit whose output is 1 where an output of the two differs."""
    inputs = sorted({*one.inputs, *other.inputs})
    rows = [".model both", f".inputs {' '.join(inputs)}", ".outputs differ", *one.blif("a"), *other.blif("b")]
    for k, name in enumerate(one.outputs):
        a, b = one.name("a", one.outputs[name]), other.name("b", other.outputs[name])
        valid = re.sub(r"_data_o\[\d+\]$", "_valid_o[0]", name)
        if valid != name and valid in one.outputs:
            rows += [f".names {a} {b} {one.name('a', one.outputs[valid])} differ{k}", "101 1", "011 1"]
        else:
            rows += [f".names {a} {b} differ{k}", "10 1", "01 1"]
    places = range(len(one.outputs))
    some = ["-" * k + "1" + "-" * (len(places) - k - 1) + " 1" for k in places]
    kept = [one.name("a", x) for x in one.constraints]
    rows += [f".names {' '.join(f'differ{k}' for k in places)} some", *some]
    rows += [f".names {' '.join(kept)} held_q held", "1" * (len(kept) + 1) + " 1", ".latch held held_q 1"]
    return [*rows, ".names one", "1", ".latch one awake 0", ".names some held awake differ", "111 1", ".end"]


def _circuit(case: prove.Case, folder: Path, rtl: list[Path]) -> Circuit:
    """The module of the case and what drives it; the outputs are those of the module."""
    folder.mkdir(parents=True, exist_ok=True)
    instances = re.findall(rf"^\s*{case.module}\b[^;]*?\s(i_\w+) \(", case.file.read_text(), re.MULTILINE)
    ports = re.findall(r"^\s*output\b.*?(\w+_o)\b", (prove.RTL / f"{case.module}.sv").read_text(), re.MULTILINE)
    shown = " ".join(f"prove_{case.file.stem}/w:*{i}.{port}" for i in instances for port in ports)
    commands = prove.model(case, rtl)
    place = commands.index("opt_clean") + 1
    write = "write_aiger -ascii -I -zinit -no-startoffset -map model.aim model.aag"
    prove.convert(
        case,
        folder,
        [*commands[:place], f"expose {shown}", "chformal -remove -assert", *commands[place:-1], write],
    )
    return _read(folder)


def _read(folder: Path) -> Circuit:
    head, *rows = (folder / "model.aag").read_text().splitlines()
    numbers = [[int(word) for word in row.split()] for row in rows if row[:1].isdigit()]
    inputs, latches, outputs, ands, *others = (int(word) for word in head.split()[2:])
    parts = []
    for many in (inputs, latches, outputs, *(others + [0, 0])[:2], ands):
        parts.append(numbers[:many])
        numbers = numbers[many:]
    told = re.findall(r"^(\w+) (\d+) (\d+) (\S+)", (folder / "model.aim").read_text(), re.MULTILINE)
    names = {int(n): f"{name}[{bit}]" for kind, n, bit, name in sorted(told, reverse=True) if kind in ("input", "init")}
    shown = {f"{name}[{bit}]": parts[2][int(n)][0] for kind, n, bit, name in told if kind == "output"}
    return Circuit(
        [names.get(k, f"any{k}") for k in range(inputs)], parts[1], shown, [x for (x,) in parts[4]], parts[5]
    )
