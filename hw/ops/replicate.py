"""Broadcast of a vector over the positions of a map (`hw/rtl/sf_replicate.sv`)."""

import math

import numpy as np

from signflow.hw.ops.base import RtlInstance, lut_rams
from signflow.hw.ops.channels import ChannelOp

LATENCY = 1


class Replicate_sf(ChannelOp):
    """(1, C) -> outVectors (1, H, W), then C: the vector repeated H*W times."""

    def get_nodeattr_types(self):
        """outVectors: [1, H, W]."""
        return super().get_nodeattr_types() | {"outVectors": ("ints", True, [])}

    def in_vectors(self) -> list[int]:
        """One vector."""
        return [1]

    def out_vectors(self) -> list[int]:
        """[1, H, W]."""
        return list(self.get_nodeattr("outVectors"))

    def copies(self) -> int:
        """H * W."""
        return math.prod(self.out_vectors())

    def execute_node(self, context, graph) -> None:
        """numpy reference."""
        _, *places, channels = self.get_normal_output_shape()
        x = context[self.onnx_node.input[0]].reshape(-1, *(1 for _ in places), channels)
        context[self.onnx_node.output[0]] = np.broadcast_to(x, (len(x), *places, channels)).astype(np.float32)

    def picture(self) -> tuple[str, str]:
        """Data pass."""
        return "movement", ""

    def rtl_instance(self, model) -> RtlInstance:
        """See `sf_replicate.sv`."""
        return RtlInstance(
            "sf_replicate", {"WIDTH": self.get_instream_width(), "WORDS": self.folds(), "COPIES": self.copies()}
        )

    def accepts(self, *arrivals: np.ndarray) -> np.ndarray:
        """Words are taken during the first copy; the others replay them."""
        words = self.folds()
        k = np.arange(len(arrivals[0]))
        ramp = k // words * (words * self.copies()) + k % words
        return np.maximum.accumulate(arrivals[0] - ramp) + ramp

    def timing(self, *arrivals: np.ndarray) -> np.ndarray:
        """One cycle after its word during the first copy, then one word a cycle."""
        first = self.accepts(*arrivals).reshape(-1, self.folds())
        more = first[:, -1:] + 1 + np.arange(self.folds() * (self.copies() - 1))
        return np.concatenate([first, more], axis=1).ravel() + LATENCY

    def holds(self) -> bool:
        """The vector."""
        return True

    def hold(self, arrivals: np.ndarray, leave: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A word is taken when its first copy is asked for."""
        accepts = leave.reshape(-1, self.copies(), self.folds())[:, 0].ravel() - LATENCY
        return accepts, self.timing(accepts)

    def lut_estimation(self, fpgapart: str = "") -> int:
        """Counters; the vector in LUT RAM and a multiplexer, if it is more than one word."""
        width, words = self.get_instream_width(), self.folds()
        return 5 + (lut_rams(width, words) + width + 5 if words > 1 else 0)
