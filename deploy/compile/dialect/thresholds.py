"""Numbers become codes and bits.

MultiThreshold(x, (C, N))   lowest code + number of thresholds <= x; one bit where it is BINARY
Window(x, (C, 2))           the bit [x < T1 or x >= T2]
Mul(x, (C,))                signs, in front of a MultiThreshold whose code falls
"""

from abc import abstractmethod
from dataclasses import replace

import numpy as np

from signflow.deploy.compile.dialect.base import GENERAL, Operator, Range
from signflow.deploy.compile.dialect.hardware import Hardware
from signflow.deploy.compile.dialect.own import Own
from signflow.deploy.compile.dialect.program import COUNT, STEP, THRESHOLD, WINDOW, Layer, Program, Steps, View
from signflow.deploy.compile.errors import refuse
from signflow.hw.ops.rounding import shift_of


class Threshold(Operator):
    """What compares numbers with constants of their channel."""

    DOMAIN = GENERAL
    HARDWARE = "Thresholding"

    @property
    def rows(self) -> np.ndarray:
        """(channels or 1, N), as written."""
        return self.constants[1]

    @abstractmethod
    def steps(self) -> Steps:
        """What is stored of a number; UnsupportedError for what no hardware does."""

    @abstractmethod
    def taken_along(self, hardware: Hardware) -> bool:
        """A product in front can do it."""

    def pack(self, program: Program, view: View) -> None:
        """A layer of its own."""
        steps = self.steps()
        layer = Layer(THRESHOLD, view.shape, steps.bits, (view.layer,), steps, signs=view.signs)
        program.add(self.node, self.HARDWARE, layer, view)

    def lower(self, hardware: Hardware, signs: "Mul | None" = None) -> None:
        """One operator, with the signs in front."""
        node, before = self.node, self.node if signs is None else signs.node
        x, window = before.input[0], isinstance(self, Window)
        *vectors, channels = hardware.read_as(x, node.output[0])
        hardware.tensor(node.output[0], [*vectors, channels], hardware.type(node.output[0]))
        hardware.replace(
            [node] if signs is None else [before, node], self.HARDWARE,
            [x, node.input[1]] + ([] if signs is None else [before.input[1]]), node.output[0],
            NumChannels=channels, PE=1, numSteps=self.rows.shape[1], inputDataType=hardware.type(x).name,
            weightDataType=hardware.type(node.input[1]).name, outputDataType=hardware.type(node.output[0]).name,
            ActVal=self.lowest, numInputVectors=vectors, window=int(window),
            shared=int(len(self.rows) == 1 and signs is None),
            shift=0 if signs is not None or window else shift_of(self.rows, self.lowest),
        )  # fmt: skip

    @property
    def lowest(self) -> int:
        """The code below all thresholds."""
        return 0


class MultiThreshold(Threshold):
    """lowest + number of thresholds <= x."""

    READS_SIGNS = True

    @property
    def lowest(self) -> int:
        """Attribute ``out_bias``."""
        return int(self.attribute("out_bias"))

    def range(self, x: Range) -> Range:
        """The codes of both ends: codes never fall."""
        return tuple((self.rows <= end[:, None]).sum(axis=1).astype(np.int64) + self.lowest for end in x)

    def steps(self) -> Steps:
        """A count, or one bit."""
        count, scale = self.rows.shape[1], self.attribute("out_scale")
        binary = self.attribute("out_dtype") == "BINARY"
        if scale != 1 or (binary and (count, self.lowest) != (1, 0)):
            reason = f"{count} steps give {self.attribute('out_dtype')}, scale {scale:g}, bias {self.lowest}"
            raise refuse(self.node, reason, "scale 1; BINARY from one step with bias 0, or from a Window")
        return Steps(np.sort(self.rows, axis=1), STEP if binary else COUNT, self.lowest)

    def taken_along(self, hardware: Hardware) -> bool:
        """One threshold, or the count of two."""
        count = {"BINARY": 1, "UINT2": 2}.get(hardware.type(self.node.output[0]).name)
        return self.lowest == 0 and self.rows.shape[1] == count


class Window(Own, Threshold):
    """The bit [x < T1 or x >= T2], T1 <= T2: a sign that is +1 outside an interval. In the sense of a MultiThreshold
    with the same thresholds it says that the count is not 1. Where T1 = T2 the bit is always 1; a T1 below everything
    that can occur leaves the single threshold T2.
    """

    def compute(self, x: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
        """Raises UnsupportedError for T1 > T2."""
        self.steps()
        return (x < thresholds[:, 0]) | (x >= thresholds[:, 1])

    def range(self, x: Range) -> Range:
        """0 if an integer of the range lies between the thresholds, 1 if one lies outside."""
        (low, high), first, last = x, self.rows[:, 0], self.rows[:, -1]
        inside = np.maximum(low, np.ceil(first)) <= np.minimum(high, np.ceil(last) - 1)
        return (~inside).astype(np.int64), ((low < first) | (high >= last)).astype(np.int64)

    def steps(self) -> Steps:
        """A window, its thresholds in order."""
        rows = self.rows
        wrong = rows if rows.shape[1] != 2 else rows[rows[:, 0] > rows[:, 1]]
        if len(wrong):
            raise refuse(self.node, f"its thresholds are {wrong[0].tolist()}", "pairs T1 <= T2")
        return Steps(rows, WINDOW)

    def taken_along(self, hardware: Hardware) -> bool:
        """Always."""
        return True


class Mul(Operator):
    """Signs, in front of a MultiThreshold."""

    HARDWARE = "Thresholding"

    def range(self, x: Range) -> Range:
        """Ends change places where the sign is -1."""
        low, high = (np.asarray(self.constants[1]).reshape(-1).astype(np.int64) * end for end in x)
        return np.minimum(low, high), np.maximum(low, high)

    def lower(self, hardware: Hardware) -> None:
        """The threshold behind takes it along."""
        behind = hardware.readers(self.node.output[0])
        if len(behind) != 1 or behind[0].op_type != MultiThreshold.__name__:
            reason = "it turns the signs of values (a factor of -1) that no sign or quantiser reads"
            raise refuse(self.node, reason, "Mul in front of a MultiThreshold")
        MultiThreshold.of(hardware.model, behind[0]).lower(hardware, self)

    def pack(self, program: Program, view: View) -> None:
        """The threshold behind reads the signs."""
        signs = self.constants[1]
        if signs is None or (np.abs(signs) != 1).any() or signs.size not in (1, view.shape[2]):
            raise refuse(self.node, "its factor is no sign for each channel", "Mul by +-1 (channels,)")
        program.views[self.node.output[0]] = replace(view, signs=signs.ravel())
