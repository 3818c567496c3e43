"""Writes api.md, the public names of `signflow`, from their docstrings: `python docs/draw_api.py`."""

import dataclasses
import inspect
import textwrap
from pathlib import Path

import signflow

HEAD = """\
# The Python API

Written by `python docs/draw_api.py` from the docstrings; a test holds it current. Everything here is a name of
`import signflow`, which loads nothing until a name is used.
"""
GROUPS = {
    "Build and open": ("build", "load", "Accelerator", "Operator", "Prediction"),
    "What is there": ("networks", "boards", "Board"),
    "Images and results": ("Images", "Row", "Simulation", "Report"),
    "Training": ("train", "Trained"),
    "Errors": (
        *("UnsupportedError", "ModelFileError", "ExchangeError", "FlowError", "BoardError", "FoldingError"),
        *("DataError", "RecipeError", "LadderError"),
    ),
}


class _Function:
    """What is shown of a default that is a function."""

    def __repr__(self) -> str:
        return "..."


def prose(text: str | None) -> str:
    """A docstring as Markdown: double backticks become single ones, indented code stays."""
    return inspect.cleandoc(text or "").replace("``", "`")


def head(name: str, signature: inspect.Signature) -> str:
    """A call with its parameters, a line each where they do not fit in one."""
    plain = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values() if p.name != "self"]
    plain = [p.replace(default=_Function()) if inspect.isfunction(p.default) else p for p in plain]
    call = f"{name}{inspect.Signature(plain)}"
    if len(call) > 100:
        inner = textwrap.fill(call[len(name) + 1 : -1], 100, initial_indent="    ", subsequent_indent="    ")
        call = f"{name}(\n{inner}\n)"
    return f"```text\n{call}\n```"


def members(cls: type) -> list[str]:
    """Public methods and properties of a class, in the order of its source; of a dataclass also the fields."""
    parts = []
    if dataclasses.is_dataclass(cls):
        fields = ", ".join(f"`{field.name}`" for field in dataclasses.fields(cls))
        parts.append(textwrap.fill(f"Fields: {fields}.", 120))
    for name, member in vars(cls).items():
        shown = not name.startswith("_") or name == "__call__"
        if shown and isinstance(member, property):
            parts.append(f"**`.{name}`** {prose(member.fget.__doc__)}")
        elif shown and inspect.isfunction(member):
            called = "acc" if name == "__call__" else f".{name}"
            parts += [head(called, inspect.signature(member)), prose(member.__doc__)]
    return parts


def entry(name: str) -> list[str]:
    """One public name."""
    found = getattr(signflow, name)
    parts = [f"### {name}", prose(found.__doc__)]
    if inspect.isfunction(found):
        parts.insert(1, head(name, inspect.signature(found)))
    elif not issubclass(found, Exception):
        parts += members(found)
    return parts


def text() -> str:
    """The whole page."""
    parts = [HEAD.rstrip()]
    for title, names in GROUPS.items():
        parts.append(f"## {title}")
        for name in names:
            parts += entry(name)
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "api.md").write_text(text())
