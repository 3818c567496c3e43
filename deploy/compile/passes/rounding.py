"""Where the reference itself rounds its sums.

Sums of +-1 or of integers are exact in float32, in whatever order they are added, and so are their multiples by a power
of two. A weight or activation scale that is none, or a bias that is added before the sum is complete, makes the float
sums of PyTorch and ONNX Runtime depend on the order of addition: then there is no single result to be equal to when a
sum lies within rounding of a sign's switch. Such layers are compiled as if they rounded once, at the end, and noted
here, so that equality can be tested knowing where it is not guaranteed by construction.
"""

import json

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile.passes.regions import Region, is_power_of_two
from signflow.deploy.compile.passes.transitions import Accumulators

NOTES_KEY = "signflow.rounding"


def note(model: ModelWrapper, region: Region, accumulators: Accumulators, scale: np.ndarray) -> list[str]:
    """What rounds in the sums of ``region``'s product (``scale`` float32 (channels,) of its accumulators); empty when
    nothing does.
    """
    name = region.node.name
    if not is_power_of_two(scale):
        odd = next(float(value) for value in scale if not is_power_of_two(value))
        return [f"{name}: its terms are +-{odd:.7g}, no power of two, so that the reference's float sums round"]
    first = region.nodes[0] if region.nodes else None
    if first is None or first.name != f"{name}_Add":  # `PlainProducts` splits a layer's own bias off under this name
        return []
    bias = model.get_initializer(first.input[1]).reshape(-1)
    bound = (np.maximum(np.abs(accumulators.low), np.abs(accumulators.high)) * scale).astype(np.float32)
    if ((bias + bound) - bound != bias).any() or ((bias - bound) + bound != bias).any():
        return [f"{name}: its bias has more digits than float32 keeps beside its sums, so that they round"]
    return []


def save_notes(model: ModelWrapper, notes: list[str]) -> None:
    """Store in the model's metadata."""
    model.set_metadata_prop(NOTES_KEY, json.dumps(notes))


def notes_of(model: ModelWrapper) -> list[str]:
    """The notes of a streamlined model; empty when every sum of the reference is exact."""
    return json.loads(model.get_metadata_prop(NOTES_KEY) or "[]")
