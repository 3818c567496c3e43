"""The foldings of an operator: each with the cycles it takes, what it needs, and the words of its streams.

`StreamOp.options` lists them once; `signflow.deploy.plan.choose` picks one for every operator of a network.
"""

from typing import NamedTuple

RESOURCES = ("LUT", "BRAM18", "DSP", "URAM")
"""What a folding is estimated in: LUTs of six inputs, 18 kbit block RAMs, DSPs, 288 kbit UltraRAMs."""


class OpError(ValueError):
    """A node has attributes or parameters that its operator cannot realise; the message names node, value and rule."""


class FoldingError(OpError):
    """A folding is illegal or no folding meets the target; the message names node, value, rule and the nearest legal
    value.
    """


class Option(NamedTuple):
    """A folding of an operator."""

    values: dict[str, int | str]
    """Of its folding attributes."""
    cycles: int
    """An image takes."""
    need: tuple[int, ...]
    """Of every one of RESOURCES, estimated, with what comes along."""
    taken: tuple[int, ...]
    """Elements of a word of every input stream, of one vector."""
    given: tuple[int, ...]
    """Elements of a word of every output stream, of one vector."""
    room: bool
    """These need no FIFO, where few of them wait."""


def divisors(n: int) -> list[int]:
    """All divisors of ``n``, ascending."""
    return [d for d in range(1, n + 1) if n % d == 0]


def steps(n: int) -> list[int]:
    """The smallest words for every number of words of ``n`` elements, the last of which may be padded; ascending."""
    return sorted({-(-n // k) for k in range(1, n + 1)})


def need(op) -> tuple[int, ...]:
    """What an operator needs of RESOURCES as it is folded now."""
    return tuple(int(getattr(op, f"{what}_estimation")("")) for what in ("lut", "bram", "dsp", "uram"))
