"""The modules of a design with the parameters that they have in it, as slang elaborates the sources.

found = instances("accelerator", ["rtl/accelerator.sv", "rtl/sf_fifo.sv"])
found[Instance("sf_fifo", (("WIDTH", "8"), ("DEPTH", "2"), ("BLOCK", "0")))]      # how many there are
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyslang

WIDE = 10**9
"""Digits of a number that are written out: all."""


class ElaborationError(ValueError):
    """The sources are no design with these parameters; the message holds the first error."""


@dataclass(frozen=True, order=True)
class Instance:
    """A module and its parameters."""

    module: str
    parameters: tuple[tuple[str, str], ...]
    """Name and value, in the order of the module: small numbers in decimal, others as ``128'h0f``; names of
    memory images and other text as ``""``, since a module is the same whatever its file is called.
    """

    def __str__(self) -> str:
        return " ".join([self.module, *(f"{name}={value}" for name, value in self.parameters)])


def instances(top: str, sources: Sequence[Path], words: Sequence[str] = (), checked: bool = True) -> Counter[Instance]:
    """``top`` and all modules below it, and how often each is there; ``words``: more of slang's command line;
    ``checked``: all statements are looked through, too, which takes twice as long. Raises ElaborationError.
    """
    driver = pyslang.driver.Driver()
    driver.addStandardArgs()
    options = pyslang.driver.CommandLineOptions()
    line = ["slang", "--top", top, *(f'"{word}"' for word in (*words, *(path.resolve() for path in sources)))]
    if not driver.parseCommandLine(" ".join(line), options) or not driver.processOptions():
        raise ElaborationError(f"slang does not take {top}: {' '.join(line)}")
    parsed = driver.parseAllSources()
    compilation = driver.createCompilation()
    told = compilation.getAllDiagnostics() if checked else compilation.getParseDiagnostics()
    errors = [found for found in told if found.isError()]
    if not parsed or errors:
        engine = pyslang.DiagnosticEngine(driver.sourceManager)
        raise ElaborationError("; ".join(map(engine.formatMessage, errors[:1])) or f"slang does not read {top}")
    kinds = pyslang.ast.SymbolKind
    found: Counter[Instance] = Counter()
    scopes = list(compilation.getRoot().topInstances)
    for symbol in scopes:  # grows
        if symbol.kind == kinds.Instance:
            symbol = symbol.body
            own = [p for p in symbol.parameters if p.kind == kinds.Parameter and not p.isLocalParam]
            found[Instance(symbol.definition.name, tuple((p.name, _value(p)) for p in own))] += 1
        elif symbol.kind == kinds.GenerateBlock and symbol.isUninstantiated:
            continue
        nested = kinds.Instance, kinds.InstanceArray, kinds.GenerateBlock, kinds.GenerateBlockArray
        scopes += [member for member in symbol if member.kind in nested]
    return found


def _value(parameter: pyslang.ast.ParameterSymbol) -> str:
    if '""' in str(parameter.syntax):  # its default: the module wants text
        return '""'
    value = parameter.value.value
    number = int(value)
    return str(number) if abs(number) < 2**31 else value.toString(pyslang.LiteralBase.Hex, True, WIDE)
