"""Faults that the proofs of the RTL must find: a proof that cannot fail says nothing.

    how = refute(mutants(["sf_fifo"]), Path("out/proofs"))

A line ``//   mutant OLD => NEW`` in the header of a proof (`signflow.deploy.tools.prove`) is one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from signflow.deploy.tools import prove


@dataclass(frozen=True)
class Mutant:
    """A module with a fault: ``old`` in its source is ``new``."""

    module: str
    old: str
    new: str

    def write(self, folder: Path) -> Path:
        """The faulty source. Raises ValueError where ``old`` does not stand in the module exactly once."""
        text = (prove.RTL / f"{self.module}.sv").read_text()
        if text.count(self.old) != 1:
            raise ValueError(f"{self.module}: {self.old!r} stands there {text.count(self.old)} times, must be once")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.module}.sv").write_text(text.replace(self.old, self.new))
        return folder / f"{self.module}.sv"


def mutants(chosen: Sequence[str] = ()) -> list[Mutant]:
    """The faults that the proofs of these modules, or of all, must find."""
    files = {case.module: case.file for case in prove.cases(chosen)}
    rows = [(m, line.split(" => ")) for m, file in files.items() for line in prove.lines("mutant", file.read_text())]
    return [Mutant(module, old.strip(), new.strip()) for module, (old, new) in rows]


def refute(
    chosen: Sequence[Mutant], work: Path, jobs: int = 1, tick: Callable[[Mutant, str], None] = lambda mutant, how: None
) -> dict[Mutant, str]:
    """For every mutant the first case and property that refute it, or "" where none does: it survived."""

    def one(numbered: tuple[int, Mutant]) -> str:
        number, mutant = numbered
        folder = work.resolve() / f"{mutant.module}-mutant-{number}"  # Yosys works elsewhere
        source = mutant.write(folder)
        for case in prove.cases([mutant.module]):
            if name := prove.fault(case, folder / case.name, [source]):
                return f"{case.parameters}: {name}" if case.parameters else name
        return ""

    found = prove.spread(one, list(enumerate(chosen)), jobs, lambda numbered, how: tick(numbered[1], how))
    return dict(zip(chosen, found, strict=True))
