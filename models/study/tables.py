"""A table that is made once and shown three ways: in the terminal, in Markdown, as CSV."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box, table
from rich.console import Console

from signflow.models.files import replacing

TERMINAL_WIDTH = 120


@dataclass(frozen=True)
class Table:
    """Rows of text under ``columns``. The first column is left-aligned, the others right."""

    title: str
    columns: list[str]
    rows: list[list[str]]

    def __post_init__(self):
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"row {row} has {len(row)} cells, the table {len(self.columns)} columns")

    def text(self) -> str:
        """For the terminal, drawn by rich, without colours."""
        drawn = table.Table(title=self.title, box=box.SIMPLE_HEAD, title_justify="left")
        for i, column in enumerate(self.columns):
            drawn.add_column(column, justify="right" if i else "left")
        for row in self.rows:
            drawn.add_row(*row)
        console = Console(file=io.StringIO(), width=TERMINAL_WIDTH)
        console.print(drawn, highlight=False, markup=False)
        return console.file.getvalue()

    def markdown(self) -> str:
        """GitHub's table syntax, with the title as a bold line above."""
        rule = ["---"] + ["---:"] * (len(self.columns) - 1)
        rows = [[cell.replace("|", "\\|") for cell in cells] for cells in (self.columns, rule, *self.rows)]
        return "\n".join([f"**{self.title}**", "", *map(_line, rows), ""])


def plain_markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """GitHub's table syntax without a title, all columns as the reader's browser has them; cells as they are."""
    return "\n".join([_line(columns), "|---" * len(columns) + "|", *map(_line, rows)])


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def write_csv(path: Path, columns: list[str], rows: list[list]) -> None:
    """Write a CSV file, whole or not at all; floats as Python prints them."""
    with replacing(path) as partial, open(partial, "w", newline="") as f:
        writer = csv.writer(f, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def read_csv(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file by column, cells as text."""
    with open(path, newline="") as f:
        return list(csv.DictReader(f))


@dataclass(frozen=True)
class Section:
    """A piece of a report. Pictures lie beside the tables' CSV files and are named relative to `docs/`."""

    question: str
    answer: str
    """A sentence made of the numbers."""
    tables: list[Table]
    findings: list[str]
    pictures: list[str]

    def markdown(self) -> str:
        """Heading, answer, findings as a list, pictures, tables."""
        findings = [f"- {finding}" for finding in self.findings]
        pictures = [f"![{self.question}](results/{name})" for name in self.pictures]
        parts = [f"### {self.question}", "", f"**Answer.** {self.answer}", "", *findings, "", *pictures, ""]
        return "\n".join(parts + [table.markdown() for table in self.tables])
