"""What ABC says of the assertions of a circuit, ``model.aig`` in a folder, by their numbers: for any length of time.

how, cycles = together(Path("out/proofs/sf_fifo-DEPTH-3"), [0, 1, 2], patience=60)
"""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from signflow.deploy.tools import yosys

STEPS = 6
"""Cycles of induction that are tried before PDR."""


def together(folder: Path, chosen: Sequence[int], patience: int) -> tuple[str, int]:
    """(by what, how many cycles) all these assertions are proved, each with the help of the others; ("", 0): not so."""
    told = ask(folder, chosen, f"orpos; bmc3 -F {STEPS + 1} -T {patience}; ind -v -F {STEPS} -T {patience}", patience)
    if "No output asserted in" in told and "Networks are equivalent" in told:
        return "induction", len(re.findall(r"^Frame ", told, re.MULTILINE))
    told = ask(folder, chosen, f"orpos; scorr; pdr -T {patience}", patience)
    if "Property proved" in told and (found := re.search(r"^Invariant F\[(\d+)\]", told, re.MULTILINE)):
        return "PDR", int(found[1])
    return "", 0


def each(folder: Path, chosen: Sequence[int], patience: int) -> tuple[set[int], set[int]]:
    """(those that fail, those that hold) of the assertions of these numbers, each for itself; the rest is undecided."""
    told = ask(folder, chosen, f"scorr; pdr -a -X cex -T {patience}", patience) if chosen else ""
    failing = {chosen[int(number)] for number in re.findall(r"^Output (\d+) was asserted", told, re.MULTILINE)}
    holding = {chosen[int(number)] for number in re.findall(r"^Proved output (\d+) ", told, re.MULTILINE)}
    if failing & holding:
        raise RuntimeError(f"the answer of ABC contradicts itself:\n{told}")
    for place, number in enumerate(chosen):
        if number in failing:
            (folder / f"cex{place}.aiw").replace(folder / f"failure{number}.aiw")
    return failing, holding


def ask(folder: Path, chosen: Sequence[int], commands: str, patience: int) -> str:
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
        done = subprocess.run(command, **options, check=False, timeout=2 * patience + 10)
        if done.returncode < 0:
            raise yosys.SynthesisError(f"yosys-abc was ended by signal {-done.returncode}: too little memory?")
        return done.stdout
    except subprocess.TimeoutExpired:
        return ""
