"""The sums that the reference's rounding may decide otherwise: those at which the network gives something else at an
end of what may be computed (`rounding`) than in the middle.

Where all that follows a sum rises or falls with it, these lie next to a change of the step function, and only its
neighbourhood is tried. Elsewhere every reachable sum is.
"""

from collections.abc import Callable, Iterator

import numpy as np
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile.passes.numbers import Numbers
from signflow.deploy.compile.passes.regions import POOLS, QUANTISERS, SHAPES, data_inputs
from signflow.deploy.compile.passes.transitions import Accumulators, Steps

BLOCK = 1 << 22
"""Numbers tried at a time."""
MONOTONE = (
    *("BatchNormalization", "Mul", "Add", "Sub", "Div", "Neg", "Identity", "Dropout", "Cast", "Relu", "Clip", "Tanh"),
    *("Sigmoid", "HardSigmoid", "Elu", "Softplus", "Min", "Max", "MultiplyAdd", *QUANTISERS, *POOLS, *SHAPES),
)
"""Operators that rise or fall with the one number they read; a division by it does not."""
APPROXIMATED = ("Tanh", "Sigmoid", "HardSigmoid", "Elu", "Softplus")
EXACT = tuple(op_type for op_type in MONOTONE if op_type not in APPROXIMATED)


def rises_or_falls(model: ModelWrapper, nodes: list[NodeProto]) -> bool:
    """Whether ``nodes`` are a chain of such operators."""
    return _chain(model, nodes, MONOTONE)


def never_turns_back(model: ModelWrapper, nodes: list[NodeProto]) -> bool:
    """Whether ``nodes`` are such a chain to the last bit: of operations that round correctly, not of approximations."""
    return _chain(model, nodes, EXACT)


def _chain(model: ModelWrapper, nodes: list[NodeProto], known: tuple[str, ...]) -> bool:
    return all(
        node.op_type in known and len(data_inputs(model, node)) == 1 and model.get_initializer(node.input[0]) is None
        for node in nodes
    )


def find_undecided(
    steps: Steps,
    numbers: Numbers,
    monotone: bool,
    outcome: Callable[[np.ndarray], np.ndarray],
    everyone: Accumulators | None,
) -> tuple[np.ndarray, np.ndarray]:
    """(channels, integers), int64 (count,) each. ``outcome`` is the network, float32 (values, channels) -> the same
    shape. Where one channel of ``steps`` stands for all, ``everyone`` says what each of them reaches.
    """
    found = [np.empty((0, 2), dtype=np.int64)]
    for integers in _tried(steps, numbers, monotone) if numbers.error.any() else ():
        wanted = outcome(numbers.at(integers))
        wrong = np.logical_or(*(outcome(numbers.at(integers, side)) != wanted for side in (-1, 1)))
        row, channel = np.nonzero(wrong)
        found.append(np.stack([channel, integers[row, channel]], axis=1))
    pairs = np.unique(np.concatenate(found), axis=0)
    return _of_everyone(pairs[:, 1], everyone) if everyone is not None else (pairs[:, 0], pairs[:, 1])


def _tried(steps: Steps, numbers: Numbers, monotone: bool) -> Iterator[np.ndarray]:
    """Tables of integers (values, channels)."""
    reach, size = numbers.reach, max(1, BLOCK // numbers.channels)
    near = _near(steps, numbers) if monotone else None
    for first in range(0, reach.count if near is None else len(near), size):
        if near is None:
            yield reach.rows(first, first + size)
        else:
            yield np.minimum(reach.low + reach.step * near[first : first + size], reach.high)


def _near(steps: Steps, numbers: Numbers) -> np.ndarray:
    """Rows (values, channels) around every change, as far as the error goes; channels with few repeat row 0."""
    gap, count = numbers.scale * numbers.reach.step, numbers.reach.count
    span = min(int((numbers.error / gap).max()) + 1, count)
    around = (steps.row[:, None] + np.arange(-span, span)).clip(0, count - 1)
    keys = np.unique(steps.channel[:, None] * count + around)
    channel, row = np.divmod(keys, count)
    sizes = np.bincount(channel, minlength=numbers.channels)
    rows = np.zeros((int(sizes.max(initial=0)), numbers.channels), dtype=np.int64)
    rows[np.arange(len(keys)) - np.repeat(np.cumsum(sizes) - sizes, sizes), channel] = row
    return rows


def _of_everyone(integers: np.ndarray, reach: Accumulators) -> tuple[np.ndarray, np.ndarray]:
    """``integers`` wherever ``reach`` has them."""
    integer = integers[:, None]
    inside = (reach.low <= integer) & (integer <= reach.high) & ((integer - reach.low) % reach.step == 0)
    row, channel = np.nonzero(inside)
    return channel, integers[row]
