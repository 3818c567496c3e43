"""What an operator of the integer graph must say about itself, and which integers are exact."""

from abc import ABC, abstractmethod
from typing import ClassVar, Self

import numpy as np
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from signflow.deploy.compile.dialect.hardware import Hardware
from signflow.deploy.compile.dialect.program import Program, View
from signflow.deploy.compile.errors import refuse

GENERAL = "qonnx.custom_op.general"
EXACT = 2**24 - 1
"""Largest integer that may occur. PyTorch, qonnx and the golden program count in float32, which holds every integer up
to 2^24: this one, and one more, which is the threshold that it never reaches.
"""

Range = tuple[np.ndarray, np.ndarray]
"""(smallest, largest) of every channel, int64."""


def check_exact(node: NodeProto, largest: int) -> None:
    """Raises UnsupportedError if a number of ``node`` may have a magnitude, ``largest``, beyond `EXACT`."""
    if largest > EXACT:
        raise refuse(node, f"it can reach {largest}", f"numbers up to {EXACT}, which float32 and its thresholds count")


def integer_type(low: int, high: int) -> str:
    """Smallest UINTn or INTn, n >= 2, that holds low..high (one bit is left to BINARY and BIPOLAR, which mean more than
    a range).
    """
    if low >= 0:
        return f"UINT{max(2, high.bit_length())}"
    return f"INT{max(2, (-low - 1).bit_length() + 1, high.bit_length() + 1)}"


def weighted(weights: np.ndarray, low: np.ndarray, high: np.ndarray) -> Range:
    """Ranges of the sums of ``weights`` int (inputs, outputs) times inputs in ``low``..``high``, each of which may take
    any value there.
    """
    plus, minus = (np.maximum(sign * weights, 0).astype(np.int64) for sign in (1, -1))
    return low @ plus - high @ minus, high @ plus - low @ minus


def partial(weights: np.ndarray, low: np.ndarray, high: np.ndarray) -> int:
    """Largest magnitude of all partial sums of `weighted`, in whatever order."""
    return int((np.maximum(np.abs(low), np.abs(high)) @ np.abs(weights).astype(np.int64)).max())


class Operator(ABC):
    """A node of the integer graph."""

    DOMAIN: ClassVar[str] = ""
    HARDWARE: ClassVar[str] = ""
    """The hardware operator that it becomes, without ``_sf``; "" for what no stream needs."""
    READS_WINDOWS: ClassVar[bool] = False
    """The golden program can read it windows, or a flattened map of bits."""
    READS_SIGNS: ClassVar[bool] = False
    """It can read a product with signs."""
    READS_ZEROS: ClassVar[bool] = False
    """It can read a map of bits whose border is the number 0."""

    def __init__(self, node: NodeProto, shapes: list[tuple[int, ...]], constants: list[np.ndarray | None]):
        """``shapes`` of the inputs without the batch, (H, W, C) or (F,), and their values, None where computed."""
        self.node, self.shapes, self.constants = node, shapes, constants

    @classmethod
    def of(cls, model: ModelWrapper, node: NodeProto) -> Self:
        """``node`` of ``model``."""
        shapes = [tuple((model.get_tensor_shape(name) or [])[1:]) for name in node.input]
        return cls(node, shapes, [model.get_initializer(name) for name in node.input])

    def attribute(self, name: str):
        """An attribute of the node, or its default."""
        return getCustomOp(self.node).get_nodeattr(name)

    @property
    def positions(self) -> int:
        """Pixels of the first input; 1 of a vector."""
        return int(np.prod(self.shapes[0][:-1]))

    @abstractmethod
    def range(self, *inputs: Range) -> Range:
        """What every channel of the output can hold, from what the channels of the computed inputs can."""

    def largest(self, *inputs: Range) -> int:
        """Largest magnitude on the way to the output, which `check_exact` compares."""
        low, high = self.range(*inputs)
        return int(max(-low.min(), high.max()))

    @abstractmethod
    def lower(self, hardware: Hardware) -> None:
        """Put the hardware operator in the place of the node, and of what it takes along."""

    @abstractmethod
    def pack(self, program: Program, view: View) -> None:
        """Append the layer of the golden program that computes the node from ``view``, its first input; or leave a
        view. Raises UnsupportedError for attributes and constants that the dialect does not have.
        """
