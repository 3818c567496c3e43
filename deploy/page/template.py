"""Templates of pages: what each of them may use, and how data goes into a page for its script."""

import json
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup


def template(name: str) -> Template:
    """A template of this folder. In it ``inline(file)`` is the text of a file beside it, the filter ``number`` is
    `number`, and ``percent`` takes a share.
    """
    loader = PackageLoader("signflow.deploy.page", "")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True,
                              lstrip_blocks=True)  # fmt: skip
    environment.filters |= {"number": number, "percent": lambda share: f"{100 * share:.{1 if share < 0.1 else 0}f} %"}
    environment.globals["inline"] = lambda name: Markup(Path(__file__).with_name(name).read_text(encoding="utf-8"))
    return environment.get_template(name)


def data(value: object) -> Markup:
    """``value`` as JSON inside a <script> element."""
    return Markup(json.dumps(value).replace("<", "\\u003c"))


def number(value: float | None) -> str:
    """With thousands set apart; empty for None, whole where it is whole."""
    if value is None:
        return ""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
