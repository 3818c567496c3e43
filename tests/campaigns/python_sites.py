"""What can be mutated in a Python file, and a sample of it.

The operators are cosmic-ray's, which work on parso's syntax trees: another binary or unary operator, another
comparison, True and False, and and or, a condition negated, break and continue, a number one more or less, a loop
without a turn, a decorator removed, an exception not caught. Only they are used: its runner writes mutants into the
checkout and starts a process for each, so ours stands in `python_server.py`.

Not mutated is what only people or type checkers read, and what only guards: annotations, what `raise` says, formatted
texts, `__repr__`, `assert`, the arguments ``strict`` (of zip) and ``frozen`` (of dataclasses), and whether a function
keeps its results.
"""

import ast
import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import parso
from cosmic_ray.ast import ast_nodes
from cosmic_ray.operators.provider import OperatorProvider

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("deploy/compile", "deploy/plan", "deploy/golden", "deploy/generate", "models/layers")
"""The folders whose files are mutated."""

_PROVIDED = OperatorProvider()
_OPERATORS = {name: _PROVIDED[name]() for name in _PROVIDED if not name.startswith("Variable")}
"""All but those that need the name of a variable."""
_WORDS = ("and", "or", "not", "True", "False", "break", "continue")
_BINARY = ("+", "-", "*", "/", "//", "%", "**", "<<", ">>", "|", "&", "^")
_FOR = {
    "comparison": "ReplaceComparison",
    "factor": "ReplaceUnary",
    "not_test": "ReplaceUnary",
    "operator": "ReplaceBinary",
}
"""Node -> how the names of the operators begin that know it."""
_ANY = tuple(name for name in _OPERATORS if not name.startswith(tuple(_FOR.values())))
_TYPES = (
    *("number", "comparison", "factor", "not_test", "test", "decorator", "except_clause"),
    *("if_stmt", "while_stmt", "for_stmt"),
)
_PEOPLE = ("raise_stmt", "assert_stmt", "fstring", "annassign", "tfpdef", "import_from")
_GUARDS = ("strict", "frozen")


@dataclass(frozen=True)
class Mutant:
    """One changed source text."""

    path: str
    """Of the file, from the root of the checkout."""
    line: int
    function: str
    """The qualified name of the innermost ``def`` around it; "" outside of all, and in one that the import calls."""
    before: str
    """The changed lines, without their indentation."""
    after: str
    nth: int
    """How many lines above it read as the first of `before`."""
    source: str

    @property
    def name(self) -> tuple[str, str, str, int]:
        """What identifies it as long as its lines stay as they are, wherever they move."""
        return self.path, self.before, self.after, self.nth


def files() -> list[str]:
    """Every file of `ROOMS` that contains more than a docstring."""
    found = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
    return [str(path.relative_to(ROOT)) for path in found if len(ast.parse(path.read_text()).body) > 1]


def sample(count: int, seed: int, paths: list[str]) -> list[Mutant]:
    """About `count` mutants over the files `paths`, each of another line: of a file as many as its lines ask for, two
    at least. What is drawn of a line depends on its text, so an edit elsewhere leaves it as it is.
    """
    all_places = {path: places((ROOT / path).read_text()) for path in paths}
    total = sum(map(len, all_places.values()))
    drawn = []
    for path, lines in all_places.items():
        text, wanted, found = (ROOT / path).read_text(), max(2, round(count * len(lines) / total)), []
        for line in sorted(lines, key=lambda line: _draw(seed, path, _place(text, line))):
            order = sorted(range(len(lines[line])), key=lambda i: _draw(seed, path, _place(text, line), i))
            found += next(([mutant] for i in order if (mutant := mutate(path, text, lines[line][i]))), [])
            if len(found) == wanted:
                break
        drawn += found
    return drawn


def places(text: str) -> dict[int, list[tuple[str, int, int]]]:
    """Line -> the changes that begin in it."""
    found = defaultdict(list)
    for at, node in enumerate(_nodes(text)):
        if _can_change(node) and not _for_people(node):
            prefix = _FOR.get(node.type, "")
            for name in [name for name in _OPERATORS if name.startswith(prefix or _ANY)]:
                for index, (start, _) in enumerate(_OPERATORS[name].mutation_positions(node)):
                    found[start[0]].append((name, at, index))
    return found


def mutate(path: str, text: str, change: tuple[str, int, int]) -> Mutant | None:
    """The mutant that (operator, place of a node among all, which of its mutations) makes of the file's `text`; None if
    that does not parse, or to the same program.
    """
    operator, at, index = change
    node = _nodes(text)[at]
    start, function = list(_OPERATORS[operator].mutation_positions(node))[index][0], _function(node)
    function = "" if function in _read_by_import(text) else function
    kept = [
        (part, list(part.children)) if hasattr(part, "children") else (part, part.value)
        for part in (node.parent, *ast_nodes(node))
    ]
    where = node.parent.children.index(node)
    new = _OPERATORS[operator].mutate(node, index)
    node.parent.children[where : where + 1] = [] if new is None else [new]
    source = _nodes(text)[0].get_code()
    for part, content in kept:
        setattr(part, "children" if hasattr(part, "children") else "value", content)
    try:
        if ast.dump(ast.parse(source)) == _program(text):
            return None
    except SyntaxError:
        return None
    return Mutant(path, start[0], function, *_changed(text, source), _place(text, start[0])[1], source)


@cache
def _nodes(text: str) -> list:
    """All nodes of the text's tree, the root first; `mutate` leaves them as they are."""
    return list(ast_nodes(parso.parse(text)))


@cache
def _program(text: str) -> str:
    return ast.dump(ast.parse(text))


@cache
def _read_by_import(text: str) -> set[str]:
    """The names that are read while the file is imported."""
    left, found = list(ast.parse(text).body), set()
    while left:
        node = left.pop()
        if isinstance(node, ast.Name):
            found.add(node.id)
        inside = isinstance(node, ast.FunctionDef | ast.Lambda)
        left += [*node.args.defaults, *getattr(node, "decorator_list", ())] if inside else ast.iter_child_nodes(node)
    return found


def _draw(*what) -> str:
    return hashlib.sha256(repr(what).encode()).hexdigest()


def _place(text: str, line: int) -> tuple[str, int]:
    """(what the line reads, how many above it read the same)."""
    lines = [word.strip() for word in text.splitlines()]
    return lines[line - 1], lines[: line - 1].count(lines[line - 1])


def _can_change(node) -> bool:
    """An operator may know it: the 200 of them need not be asked about every comma."""
    if node.parent is None or node.parent.type in ("parameters", "lambdef"):
        return False  # the bare * of a signature
    return node.type in _TYPES or getattr(node, "value", None) in (*_WORDS, *_BINARY)


def _for_people(node) -> bool:
    """It is no part of what the program computes, or only guards it."""
    if _keeps(node):
        return True
    for inner, outer in _upwards(node):
        if outer.type in _PEOPLE or (outer.type == "funcdef" and outer.name.value in ("__repr__", "__str__")):
            return True
        if outer.type == "argument" and outer.children[0].get_code().strip() in _GUARDS:
            return True
        if (outer.type == "funcdef" and outer.annotation is inner) or _keeps(outer):
            return True
    return False


def _keeps(node) -> bool:
    """It says that a function keeps its results."""
    return node.type == "decorator" and "cache" in node.get_code()


def _function(node) -> str:
    names = []
    for _, outer in _upwards(node):
        if outer.type == "funcdef":
            names += [outer.name.value] if not names else ["<locals>", outer.name.value]
        elif outer.type == "classdef" and names:
            names.append(outer.name.value)
    return ".".join(reversed(names))


def _upwards(node) -> Iterator[tuple]:
    """(node, parent) from `node` to the root."""
    while node.parent is not None:
        yield node, node.parent
        node = node.parent


def _changed(text: str, source: str) -> tuple[str, str]:
    """The lines that differ, stripped."""
    before, after = text.splitlines(), source.splitlines()
    first = next(i for i, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1])
    last = next(i for i, pair in enumerate(zip(before[::-1], after[::-1], strict=False)) if pair[0] != pair[1])
    parts = (part[first : len(part) - last] for part in (before, after))
    return tuple("\n".join(line.strip() for line in part).strip() for part in parts)
