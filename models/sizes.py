"""Networks of other sizes than those in the table, by name: ``sfc-abn-width64-depth2`` is ``sfc-abn`` with the options
``width = 64`` and ``depth = 2`` of its function, and ``reactnet18-width0.5-4bit`` a ReActNet of half the channels with
residual streams of four bits.

A name has one spelling: width, depth and bits in this order, numbers without zeros in front or, behind a point, at the
end; a width has at most five digits before the point and five behind it, depth and bits have two. An option that the
network's function does not have, or of another kind (a fraction where it counts neurons), makes no network.
"""

import re
from collections.abc import Callable, Mapping

KINDS = {"width": (int, float), "depth": (int,), "stream_bits": (int,)}
"""Options that a name may hold, and what numbers they can be."""
WIDTH, FRACTION, COUNT = r"[1-9]\d{0,4}", r"(?:[1-9]\d{0,4}|0)\.\d{0,4}[1-9]", r"[1-9]\d?"
FORM = re.compile(
    rf"(?P<base>.+?)(?:-width(?P<width>{WIDTH}|{FRACTION}))?(?:-depth(?P<depth>{COUNT}))?"
    rf"(?:-(?P<stream_bits>{COUNT})bit)?"
)


def split(name: str) -> tuple[str, dict[str, float]]:
    """The network that ``name`` begins with, and its options, (``name``, {}) where it holds none."""
    found = FORM.fullmatch(name)
    if found is None:
        return name, {}
    words = {key: word for key, word in found.groupdict().items() if key != "base" and word is not None}
    return found["base"], {key: float(word) if "." in word else int(word) for key, word in words.items()}


def join(base: str, options: Mapping[str, float]) -> str:
    """The name of ``base`` with ``options``."""
    said = {key: str(value).removesuffix(".0") for key, value in options.items()}
    parts = [f"-width{said['width']}"] if "width" in said else []
    parts += [f"-depth{said['depth']}"] if "depth" in said else []
    parts += [f"-{said['stream_bits']}bit"] if "stream_bits" in said else []
    return base + "".join(parts)


def options_of(signature: Mapping) -> dict[str, list[str]]:
    """Option -> the kinds of numbers it takes, of the parameters of a network's function (`inspect.signature`)."""
    return {
        key: ["int"] if key != "width" or signature[key].annotation is int else ["int", "float"]
        for key in KINDS
        if key in signature
    }


def can_have(options: Mapping[str, float], known: Mapping[str, list[str]]) -> bool:
    """Whether ``options`` are among the ``known`` ones (`options_of`)."""
    return all(key in known and type(value).__name__ in known[key] for key, value in options.items())


class Sized(dict):
    """A table of networks that also has them in other sizes: name -> row as it stands there, or what ``resize(row,
    options)`` makes of the row its name begins with, where ``offers(row)`` (`options_of`) allows it. Its keys, and what
    one iterates over, are those it was made with.
    """

    def __init__(self, rows: Mapping, offers: Callable, resize: Callable):
        super().__init__(rows)
        self._offers, self._resize = offers, resize

    def __missing__(self, name: str):
        base, options = split(name)
        if not options or not super().__contains__(base) or not can_have(options, self._offers(self[base])):
            raise KeyError(name)
        return self._resize(self[base], options)

    def __contains__(self, name: object) -> bool:
        return self.get(name) is not None

    def get(self, name, default=None):
        """The row of ``name``, or ``default``."""
        try:
            return self[name]
        except (KeyError, TypeError):
            return default
