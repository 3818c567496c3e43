"""Refusing a step function that the hardware does not know, with the channel, the values, and a picture."""

import numpy as np

from signflow.deploy.compile.errors import UnsupportedError, refuse
from signflow.deploy.compile.passes.regions import QUANTISERS, Region
from signflow.deploy.compile.passes.transitions import Steps
from signflow.deploy.compile.passes.truth import Truth

WIDTH = 64
"""Characters of a picture's line."""
SHOWN = 8
"""Changes listed."""


def picture(steps: Steps, channel: int, width: int = WIDTH) -> str:
    """The channel's function in characters, from its smallest to its largest integer: a row per value, the highest
    first.
    """
    above, _, values = steps.at(channel)
    low, high = int(steps.accumulators.low[channel]), int(steps.accumulators.high[channel])
    at = np.linspace(low, high, min(width, high - low + 1))
    seen = np.concatenate([steps.first[channel : channel + 1], values])[np.searchsorted(above, at, side="right")]
    levels = np.unique(seen)[::-1]
    names = [f"{level:+g}" if level.dtype != bool else ("+1" if level else "-1") for level in levels]
    widest = max(map(len, names))
    lines = [
        f"{name:>{widest}} |" + "".join("#" if value == level else " " for value in seen)
        for name, level in zip(names, levels, strict=True)
    ]
    return "\n".join([*lines, f"{'':>{widest}}  {low:<{max(1, len(seen) - len(str(high)))}}{high}"])


def refuse_steps(region: Region, found: Truth, steps: Steps, wrong: np.ndarray, supported: str) -> None:
    """Raise UnsupportedError for the first channel in ``wrong`` (bool (channels,)), if there is one."""
    if not wrong.any():
        return
    channel = int(np.argmax(wrong))
    above, _, values = steps.at(channel)
    first = steps.first[channel]
    say = "sign" if steps.first.dtype == bool else "value"
    listed = [int(a) for a in above[:SHOWN]]
    reason = (
        f"behind {region.node.name!r}, channel {channel} changes {say} {len(above)} times, at accumulators {listed}"
    )
    if say == "value":
        reason += f", from {first} to {[int(v) for v in values[:SHOWN]]}"
    node = next(node for tensor in region.exits for node in reversed(region.path(tensor)) if node.op_type in QUANTISERS)
    error = refuse(node, reason, supported)
    raise UnsupportedError(error.node, error.operator, reason, f"{supported}\n\n{picture(steps, channel)}\n")
