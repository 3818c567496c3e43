"""Writes command.md, all verbs and options of `signflow`, from the command itself: `python docs/draw_command.py`."""

import inspect
import re
import textwrap
from pathlib import Path

import click

from signflow.deploy.command.cli import main
from signflow.deploy.command.group import EXITS

HEAD = """\
# The command

Written by `python docs/draw_command.py` from the command itself; a test holds it current. `signflow build --help` says
the same of one verb in the terminal. The verbs stand in the order in which a network passes through them;
[the README](../README.md#the-command) has an example of most.

A verb that needs a build is given the network's name, and finds the build in `out/<net>-<board>`
([products.md](products.md)). A network is one of those that `signflow networks` lists, or a QONNX file.

{exits}
"""


def flat(text: str | None) -> str:
    """Help in one line, in which Markdown and tables mean nothing."""
    return re.sub(r"([<|])", r"\\\1", " ".join(inspect.cleandoc(text or "").split()))


def exits() -> str:
    """Exit codes and environment, as lists."""
    parts = []
    for part in filter(None, EXITS.split("\b\n")):
        title, _, rest = part.partition(":")
        items = [f"- {' '.join(item.split()).rstrip('.')}" for item in rest.split(";")]
        parts.append("\n".join([f"{title.strip()}:", "", *items]))
    return "\n\n".join(parts)


def default_of(option: click.Option) -> tuple[str, str]:
    """What an option says of itself, and what it is where it is not given, which help has in brackets."""
    help, default = re.fullmatch(r"(.*?)(?: \[(.*)\]\.)?", flat(option.help)).groups()
    if option.required:
        default = "must be given"
    elif option.secondary_opts:
        default = option.opts[0] if option.default else option.secondary_opts[0]
    elif option.show_default:
        default = f"`{option.default}`"
    return help if help.endswith(".") else f"{help}.", default or ""


def row(option: click.Option) -> str:
    """An option as a line of the table."""
    names = " / ".join([*option.opts, *option.secondary_opts])
    kinds = {click.IntRange: "N", click.types.IntParamType: "N", click.FloatRange: "X"}
    if not option.is_flag:
        names += f" {option.metavar or kinds.get(type(option.type)) or option.make_metavar(click.Context(main))}"
    help, default = default_of(option)
    return f"| `{names.replace('|', chr(92) + '|')}` | {help} | {default} |"


def entry(name: str, command: click.Command) -> list[str]:
    """One verb: how it is called, what it does, its options."""
    words = [p.make_metavar(click.Context(main)) for p in command.params if isinstance(p, click.Argument)]
    paragraphs = [textwrap.fill(flat(part), 120) for part in (command.help or "").split("\n\n")]
    parts = [f"## {name}", f"```text\nsignflow {' '.join([name, *words])}\n```", *paragraphs]
    options = [p for p in command.params if isinstance(p, click.Option)]
    if options:
        parts.append("\n".join(["| option | what | default |", "|---|---|---|", *map(row, options)]))
    return parts


def text() -> str:
    """The whole page."""
    parts = [HEAD.format(exits=exits()).rstrip()]
    for name, command in main.commands.items():
        parts += entry(name, command)
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "command.md").write_text(text())
