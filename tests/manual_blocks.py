"""The commands that the guides show: blocks of code of Markdown, and the words of `signflow` and `make` in them.

A block is run by the slow test unless the line above it says why not: ``<!-- not run: needs Vivado -->``.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import signflow

ROOT = Path(signflow.__file__).parent
PAGES = tuple(
    sorted(
        path
        for folder in (".", "docs", "docker", "hw/rtl")
        for path in ROOT.glob(f"{folder}/*.md")
        if path.name != "CHANGELOG.md"  # speaks of what once was
    )
)
SHELL = ("", "sh", "bash", "console")
FENCE = re.compile(r"(?:^<!-- not run: (.+?) -->\n+)?^```([a-z]*)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """A block of code: its language, the file that it is (title=), why it is not run, its text."""

    language: str
    file: str
    excuse: str
    text: str

    @property
    def commands(self) -> list[list[str]]:
        """The words of every command of ours in it."""
        found = []
        for line in self.text.replace("\\\n", " ").splitlines() if self.language in SHELL else ():
            if re.match(r"(\w+=\S+ )*(uv run )?(signflow|make) ", line):
                found += list(_commands(line))
        return found


def blocks(page: Path) -> list[Block]:
    """The blocks of code of a page, in order."""
    return [Block(kind, name, why, text) for why, kind, name, text in FENCE.findall(page.read_text())]


def mentioned(page: Path) -> list[list[str]]:
    """The words of every command in the prose of a page, in backticks."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    found = re.findall(r"`((?:signflow|make) [^`]+)`", prose)
    return [words for text in found for words in _commands(" ".join(text.split()).replace("<", "").replace(">", ""))]


def _commands(line: str) -> Iterator[list[str]]:
    """The simple commands of a line of shell that are ours, without what sets variables in front of them."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if word and not set(word) <= set("();<>|&"):
            words.append(word)
            continue
        while words and (re.match(r"\w+=", words[0]) or words[0] in ("uv", "run")):
            words.pop(0)
        if words and words[0] in ("signflow", "make"):
            yield words
        words = []
