"""Sums of weights (inputs, outputs) times a pixel, a vector, or a window of pixels.

MatMul               integers times integers
XnorPopcountMatMul   popcounts of equal bits
"""

from abc import abstractmethod

import numpy as np

from signflow.deploy.compile.dialect.base import GENERAL, Operator, Range, partial, weighted
from signflow.deploy.compile.dialect.hardware import Hardware
from signflow.deploy.compile.dialect.program import NOTHING, POPCOUNT, SUM, Layer, Program, View
from signflow.deploy.compile.dialect.thresholds import MultiThreshold, Threshold, Window
from signflow.deploy.compile.errors import refuse

BEHIND: dict[str, type[Threshold]] = {op.__name__: op for op in (MultiThreshold, Window)}
"""What a product can take along."""


class Product(Operator):
    """A matrix of constant weights. The threshold, the window or the count of two thresholds behind it becomes one with
    it, if that alone reads the sums.
    """

    HARDWARE = "MVAU"
    READS_WINDOWS = True
    READS_ZEROS = True
    KIND = SUM

    @property
    def weights(self) -> np.ndarray:
        """(inputs, outputs)"""
        return self.constants[1]

    @abstractmethod
    def range(self, x: Range) -> Range:
        """From the real weights."""

    def lower(self, hardware: Hardware) -> None:
        """An MVAU; a threshold behind goes along if the weights are one bit wide."""
        node, (inputs, outputs) = self.node, self.weights.shape
        sums, weights = node.output[0], node.input[1]
        kind, behind = hardware.type(weights), hardware.readers(sums)
        threshold = None
        if len(behind) == 1 and kind.bitwidth() == 1 and behind[0].op_type in BEHIND:
            threshold = BEHIND[behind[0].op_type].of(hardware.model, behind[0])
        fused = behind[0] if threshold is not None and threshold.taken_along(hardware) else None
        nodes, tensors, end = [node], [node.input[0], weights], sums
        if fused is not None:
            nodes, tensors, end = [node, fused], [*tensors, fused.input[1]], fused.output[0]
        flags = hardware.flags(node.input[0])
        hardware.replace(
            nodes, self.HARDWARE, tensors, end, MW=inputs, MH=outputs, SIMD=2 if flags else 1, PE=1, padGroup=flags,
            binaryXnorMode=int(self.KIND == POPCOUNT), inputDataType=hardware.type(node.input[0]).name,
            weightDataType=kind.name, accDataType=hardware.type(sums).name, ActVal=0,
            outputDataType=hardware.type(end).name, noActivation=int(fused is None),
            numInputVectors=hardware.shape(sums)[:-1],
            window=int(fused is not None and fused.op_type == Window.__name__),
        )  # fmt: skip

    def pack(self, program: Program, view: View) -> None:
        """One layer, with a threshold of at most two steps behind it."""
        bits = program.source(view).bits
        if bits != (self.KIND == POPCOUNT):
            reason = f"it reads {'bits' if bits else 'integers'}"
            raise refuse(self.node, reason, "XnorPopcountMatMul on bits, MatMul on integers")
        last, steps, reader = self.node, NOTHING, program.reader(self.node.output[0])
        if reader is not None and reader.op_type in BEHIND:
            read = BEHIND[reader.op_type].of(program.model, reader).steps()
            last, steps = (reader, read) if read.thresholds.shape[1] <= 2 else (last, steps)
        shape, entries = (*view.window.places(view.shape), self.weights.shape[1]), view.window.entries
        layer = Layer(
            self.KIND, shape, steps.bits, (view.layer,), steps, self.weights, entries=entries, zeros=view.zeros
        )
        program.add(last, self.HARDWARE, layer, view)
        program.views[self.node.output[0]] = program.views[last.output[0]]


class MatMul(Product):
    """Sums of integers times integers."""

    def range(self, x: Range) -> Range:
        """Every input at the end that its weight's sign asks for."""
        return weighted(self.weights, *x)

    def largest(self, x: Range) -> int:
        """Of every partial sum, too."""
        return partial(self.weights, *x)


class XnorPopcountMatMul(Product):
    """Number of inputs whose bit is the weight's."""

    DOMAIN = GENERAL
    KIND = POPCOUNT

    def range(self, x: Range) -> Range:
        """[b = w] is b for a weight 1 and 1 - b for a weight 0."""
        zeros = (1 - self.weights).astype(np.int64).sum(axis=0)
        return tuple(end + zeros for end in weighted(2 * self.weights - 1, *x))
