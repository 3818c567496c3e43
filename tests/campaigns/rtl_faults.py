"""Every small fault of a SystemVerilog module, made of its syntax tree: the mutants of `rtl_mutants.py`.

    for fault in faults("sf_fifo"): ...     # `signflow.deploy.tools.mutants.Mutant`: whole lines, and what they become

An operator becomes its sibling (SWAPS), a negation goes, a condition of ``if`` is negated, the arms of ``?:`` change
places, a term of ``&&`` or ``||`` goes, a number is one more or one less, ``'0`` is ``'1``, an index is one too large,
a register is not written. What is new stands in parentheses where precedence would else change more.

Left alone: the widths of declarations and casts, default values of parameters, attributes, names, macros, and what
refuses parameters (``$error``).
"""

from collections.abc import Iterator

from pyslang import BufferID
from pyslang.parsing import Token
from pyslang.syntax import SyntaxKind, SyntaxNode, SyntaxTree

from signflow.deploy.tools import prove
from signflow.deploy.tools.mutants import Mutant

PAIRS = "+ -, & |, && ||, == !=, < <=, > >=, << >>, ^ ~^, += -="
SWAPS = {a: b for pair in PAIRS.split(", ") for a, b in (pair.split(), pair.split()[::-1])} | {">>>": ">>"}
NEGATIONS = (SyntaxKind.UnaryLogicalNotExpression, SyntaxKind.UnaryBitwiseNotExpression)
EQUALITIES = (SyntaxKind.EqualityExpression, SyntaxKind.InequalityExpression)
TERMS = (SyntaxKind.LogicalAndExpression, SyntaxKind.LogicalOrExpression)
INDICES = (SyntaxKind.AscendingRangeSelect, SyntaxKind.DescendingRangeSelect)
ALONE = (
    SyntaxKind.AttributeInstance,
    SyntaxKind.AnsiPortList,
    SyntaxKind.VariableDimension,
    SyntaxKind.ElabSystemTask,
    SyntaxKind.EventControlWithExpression,
)
"""What is left alone with all below it."""
FORMS = ("", "`define SF_LUT6_2\n", "`define SF_LUT6_2\n`define SF_CARRY8\n")
"""Macros that choose between forms of a module, which have faults of their own."""


def faults(module: str) -> list[Mutant]:
    """All faults of the module, each another text, in the order of their places."""
    source, found = (prove.RTL / f"{module}.sv").read_text(), {}
    for form in FORMS:
        raw, ahead = (form + source).encode(), len(form)
        tree = SyntaxTree.fromText(form + source)
        for start, stop, new in _visit(tree.root, raw, tree.root.sourceRange.end.buffer):
            text = (raw[ahead:start] + new.encode() + raw[stop:]).decode()
            if text != source:
                found.setdefault(text, (start - ahead, stop - ahead))
    return [_lines(module, source, text, *found[text]) for text in sorted(found, key=lambda text: (*found[text], text))]


def _lines(module: str, source: str, text: str, start: int, stop: int) -> Mutant:
    """The lines that differ, and as many above as it takes for them to stand in the source only once."""
    first, behind = source.rfind("\n", 0, start) + 1, len(source) - source.find("\n", stop)
    while source.count(source[first:-behind]) > 1:
        first = source.rfind("\n", 0, first - 1) + 1
    old, new = source[first:-behind], text[first:-behind]
    margin = len(old) - len(old.lstrip())
    return Mutant(module, old[margin:], new[margin:]) if source.count(old[margin:]) == 1 else Mutant(module, old, new)


def _visit(node: SyntaxNode | Token, raw: bytes, buffer: BufferID) -> Iterator[tuple[int, int, str]]:
    if not isinstance(node, SyntaxNode) or node.kind in ALONE:
        return
    if node.kind == SyntaxKind.ParameterDeclaration and node.keyword.valueText == "parameter":
        return
    if node.sourceRange.start.buffer == node.sourceRange.end.buffer == buffer:  # not of a macro
        yield from ((*_range(place), new) for place, new in _of(node, raw))
    for child in list(node)[1:] if node.kind == SyntaxKind.CastExpression else node:
        if node.kind != SyntaxKind.IfGenerate or not _refuses(node):
            yield from _visit(child, raw, buffer)


def _of(node: SyntaxNode, raw: bytes) -> Iterator[tuple[SyntaxNode, str]]:
    """(node to replace, by what)"""

    def said(part: SyntaxNode) -> str:
        start, stop = _range(part)
        return raw[start:stop].decode()

    kind = node.kind
    if hasattr(node, "operatorToken") and hasattr(node, "right"):
        left, word, right = said(node.left), node.operatorToken.valueText, said(node.right)
        if kind == SyntaxKind.NonblockingAssignmentExpression:
            yield node.parent, ";"
        elif word in SWAPS:
            plain = kind.name.endswith("AssignmentExpression")
            yield node, f"{left} {SWAPS[word]} {right}" if plain else f"({left} {SWAPS[word]} {right})"
        if kind in TERMS:
            yield node, left
            yield node, right
    elif kind in NEGATIONS:
        yield node, said(node.operand)
    elif kind == SyntaxKind.ConditionalExpression and not _negated(node.predicate):
        yield node, f"({said(node.predicate)} ? ({said(node.right)}) : ({said(node.left)}))"
    elif kind in (SyntaxKind.ConditionalStatement, SyntaxKind.IfGenerate):
        condition = node.predicate if kind == SyntaxKind.ConditionalStatement else node.condition
        if not (_negated(condition) or (kind == SyntaxKind.IfGenerate and _refuses(node))):
            yield condition, f"!({said(condition)})"
    elif kind == SyntaxKind.BitSelect or kind in INDICES:
        index = node.expr if kind == SyntaxKind.BitSelect else node.left
        if "Literal" not in index.kind.name:
            yield index, f"({said(index)}) + 1"
    elif kind == SyntaxKind.IntegerLiteralExpression:
        yield from ((node, str(n)) for n in _near(int(said(node))))
    elif kind == SyntaxKind.IntegerVectorExpression:
        size, base, digits = (token.rawText for token in node)
        value, width = int(digits.replace("_", ""), {"b": 2, "d": 10, "h": 16}[base[-1].lower()]), int(size)
        yield from ((node, f"{width}'d{n}") for n in {n % 2**width for n in _near(value)} - {value})
    elif kind == SyntaxKind.UnbasedUnsizedLiteralExpression:
        yield node, "'1" if said(node) == "'0" else "'0"


def _near(value: int) -> list[int]:
    return [value + 1] + [value - 1] * (value > 0)


def _range(node: SyntaxNode) -> tuple[int, int]:
    return node.sourceRange.start.offset, node.sourceRange.end.offset


def _negated(condition: SyntaxNode) -> bool:
    """The fault of its operator negates it."""
    if condition.kind == SyntaxKind.ConditionalPredicate:
        condition = condition.conditions[0].expr
    return condition.kind in (*NEGATIONS[:1], *EQUALITIES)


def _refuses(node: SyntaxNode) -> bool:
    """``if (...) $error(...)``"""
    return node.block.kind == SyntaxKind.ElabSystemTask
