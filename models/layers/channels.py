"""Per-channel parameters against tensors of channel-second layout."""

from torch import Tensor


def per_channel(values: Tensor, like: Tensor) -> Tensor:
    """``values`` (C,) in the dtype of ``like`` and shaped (1, C, 1, ...) to broadcast over it."""
    return values.to(like.dtype).view(1, -1, *[1] * (like.dim() - 2))
