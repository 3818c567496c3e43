"""What a user should know of a network that builds: stored in the model, printed by `signflow build`, and part of
`accel.json`.
"""

import json

from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile.passes.numbers import Numbers
from signflow.deploy.compile.passes.regions import Region
from signflow.deploy.compile.passes.truth import Truth

NOTES_KEY = "signflow.rounding"
COSTS_KEY = "signflow.costs"


def notes_on(region: Region, tensor: str, numbers: Numbers, found: Truth) -> list[str]:
    """What there is to say of the exit ``tensor`` of ``region``: sums that the order of addition decides (`rounding`),
    and a result that never changes.
    """
    notes, (channel, integer) = [], found.undecided
    if len(channel):
        off = float((numbers.error / numbers.scale).max())
        several = len(set(channel.tolist()))
        notes.append(
            f"{region.node.name}: float32 sums may be off by {off:.2g} of a step. In {several} of {numbers.channels} "
            f"channels {len(channel)} sums lie that near to a switch (channel {channel[0]} at {integer[0]}): there the "
            "order of addition decides in PyTorch, the real sum in hardware"
        )
    if not len(found.steps.value):
        notes.append(
            f"{region.path(tensor)[-1].name}: its result is the same for every image, in every channel, as a sign "
            "behind a Relu is (Brevitas writes a QuantReLU of 1 bit as such a sign: in PyTorch it gives 0 and 1)"
        )
    return notes


def save_notes(model: ModelWrapper, notes: list[str]) -> None:
    """Store in the model's metadata."""
    model.set_metadata_prop(NOTES_KEY, json.dumps(notes))


def save_costs(model: ModelWrapper, costs: dict[str, dict[str, float]]) -> None:
    """Store in the model's metadata what `signflow.deploy.compile.passes.choice` chose from."""
    model.set_metadata_prop(COSTS_KEY, json.dumps(costs))


def costs_of(model: ModelWrapper) -> dict[str, dict[str, float]]:
    """Tensor of codes of a streamlined model -> form -> LUTs for one lane, the cheapest first; it is the one taken.
    Tensors whose form was never in question are not there.
    """
    return json.loads(model.get_metadata_prop(COSTS_KEY) or "{}")


def notes_of(model: ModelWrapper) -> list[str]:
    """The notes of a streamlined model; empty when every sum equals the reference's in any order of addition."""
    return json.loads(model.get_metadata_prop(NOTES_KEY) or "[]")
