"""The page of results: sections between markers, each written by one experiment, everything else by hand."""

import re
import textwrap
from pathlib import Path

from signflow.models.files import replacing

HEAD = "# Results\n"
WIDTH = 120


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


def write_section(page: Path, name: str, body: str) -> None:
    """Put ``body`` between the markers of ``name`` in the Markdown file ``page``; a new section goes to the end.

    The file is replaced as a whole, and the same body gives the same bytes.
    """
    text = page.read_text() if page.exists() else HEAD
    begin, end = f"<!-- {name}: written by `signflow experiment {name}` -->", f"<!-- end of {name} -->"
    section = f"{begin}\n{wrapped(body.strip())}\n{end}"
    if begin in text:
        before, rest = text.split(begin, 1)
        if end not in rest:
            raise ValueError(f"{page}: the marker {end!r} is missing; put it back behind the section")
        text = before + section + rest.split(end, 1)[1]
    else:
        text = f"{text.rstrip()}\n\n{section}\n"
    with replacing(page) as partial:
        partial.write_text(text)
