"""Pages of results: sections between markers, each written by one experiment, everything else by hand."""

import re
import textwrap
from pathlib import Path

from signflow.models.files import replacing

WIDTH = 120
LIST = ("<!-- list of sections -->", "<!-- end of the list -->")


def wrapped(body: str) -> str:
    """Markdown with its paragraphs and list items in lines of at most `WIDTH` columns; tables, headings, pictures and
    markers stay as they are.
    """
    lines = []
    for line in body.splitlines():
        mark = re.match(r"\s*([-*] |\d+\. )?", line)[0]
        plain = len(line) > WIDTH and not line.startswith(("|", "#", "!", "<", "    "))
        indent = " " * len(mark)
        lines += textwrap.wrap(line, WIDTH, subsequent_indent=indent, break_on_hyphens=False) if plain else [line]
    return "\n".join(lines)


def head(name: str, heading: str) -> str:
    """The heading of a section, with the anchor ``#name`` that stays when the heading changes."""
    return f"## {heading}" if heading.lower() == name else f'<a id="{name}"></a>\n\n## {heading}'


def write_section(page: Path, name: str, body: str, command: str = "") -> None:
    """Put ``body`` between the markers of ``name`` in the Markdown file ``page``, and the list of all sections between
    those of the list, where the page has them; a new section goes to the end. ``command`` wrote it
    [signflow experiment NAME].

    The file is replaced as a whole, and the same body gives the same bytes.
    """
    text = page.read_text() if page.exists() else f"# {page.stem.capitalize()}\n"
    begin, end = f"<!-- {name}: written by `{command or f'signflow experiment {name}'}` -->", f"<!-- end of {name} -->"
    if begin not in text:
        text = f"{text.rstrip()}\n\n{begin}\n{end}\n"
    text = _between(text, begin, end, wrapped(body.strip()), page)
    if LIST[0] in text:
        text = _between(text, *LIST, contents(text), page)
    with replacing(page) as partial:
        partial.write_text(text)


def contents(text: str) -> str:
    """The sections of a page as a list of links."""
    sections = re.findall(r"^<!-- (\S+): written by .*?^## (.*?)$", text, re.MULTILINE | re.DOTALL)
    return "\n".join(f"- [{heading}](#{name})" for name, heading in sections)


def _between(text: str, begin: str, end: str, body: str, page: Path) -> str:
    before, rest = text.split(begin, 1)
    if end not in rest:
        raise ValueError(f"{page}: the marker {end!r} is missing; put it back behind the section")
    return f"{before}{begin}\n{body}\n{end}{rest.split(end, 1)[1]}"
