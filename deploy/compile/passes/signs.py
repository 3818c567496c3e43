"""Where the network's signs are in the integer graph, noted in the model."""

import json
from dataclasses import asdict, dataclass

from qonnx.core.modelwrapper import ModelWrapper

SIGNS_KEY = "signflow.signs"


@dataclass(frozen=True)
class Sign:
    """One sign of the network, and where to find it again."""

    product: str
    """Node whose accumulators it reads, as the QONNX graph names it."""
    tensor: str
    """Tensor of the QONNX graph that holds it, pooled and flattened: +-magnitude."""
    integer: str
    """Tensor of the integer graph that holds its bits."""
    channels: list[int]
    """Channel of the network that each stored channel is: all, but for constant ones that were folded away."""
    complement: list[int]
    """Channels of the network that the hardware stores as the complement."""

    @staticmethod
    def of(model: ModelWrapper) -> list["Sign"]:
        """All signs noted in ``model``, in order."""
        return [Sign(**fields) for fields in json.loads(model.get_metadata_prop(SIGNS_KEY) or "[]")]


def save_signs(model: ModelWrapper, signs: list[Sign]) -> None:
    """Store in the model's metadata."""
    model.set_metadata_prop(SIGNS_KEY, json.dumps([asdict(sign) for sign in signs]))
