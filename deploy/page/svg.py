"""Figures of matplotlib as SVG inside a page: letters as shapes, colours as those of the page, light or dark.

A colour of our pictures that stands in `THEME` becomes a CSS variable, so one figure serves both themes and the
printer. Artists with a ``gid`` become groups with that id, which is how a page makes them clickable.
"""

import io
import re

THEME = {
    "#202124": "ink", "#000000": "ink", "#3c4043": "ink", "#5f6368": "soft", "#9aa0a6": "soft", "#b0b0b0": "line",
    "#cccccc": "line", "#ffffff": "paper", "#f1f3f4": "grey-pale", "#e8f0fe": "blue-pale", "#aecbfa": "blue-mid",
    "#d2e3fc": "blue-mid", "#1a73e8": "blue", "#1f77b4": "blue", "#e6f4ea": "green-pale", "#188038": "green",
    "#fef7e0": "amber-pale", "#e37400": "amber", "#fce8e6": "red-pale", "#c5221f": "red", "#d62728": "red",
}  # fmt: skip
"""Colour in a figure -> variable of `page.css`."""
SETTINGS = {"svg.fonttype": "path", "svg.hashsalt": "signflow"}


def svg(figure, label: str) -> str:
    """``figure`` as an <svg> element as wide as its place, with ``label`` for those who cannot see it. The same figure
    gives the same text.
    """
    from matplotlib import rc_context

    text = io.StringIO()
    with rc_context(SETTINGS):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    body = text.getvalue()
    body = body[body.index("<svg") :]
    box = re.search(r'viewBox="([^"]+)"', body)[1]
    body = re.sub(r"<svg[^>]*>", _opening(box, label), body, count=1)
    body = re.sub(r"<metadata>.*?</metadata>|<\?xml.*?\?>|<!--.*?-->", "", body, flags=re.DOTALL)
    return _apart(re.sub("|".join(THEME), lambda found: f"var(--{THEME[found[0]]})", body), label)


def _opening(box: str, label: str) -> str:
    escaped = label.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return f'<svg viewBox="{box}" role="img" aria-label="{escaped}" xmlns:xlink="http://www.w3.org/1999/xlink">'


def _apart(body: str, label: str) -> str:
    """Ids made by matplotlib, which are the same in every figure, made this figure's own."""
    own = re.sub(r"\W+", "-", label)
    body = re.sub(r' id="(?!op:)([^"]+)"', rf' id="{own}.\1"', body)
    return re.sub(r'(href="#|url\(#)([^")]+)', rf"\1{own}.\2", body)
