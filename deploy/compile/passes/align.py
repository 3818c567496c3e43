"""Makes the exported network decide like PyTorch on every integer that can occur.

PyTorch and ONNX Runtime compute the same formulas, but round differently: BatchNormalization is one fused multiply-add
of folded constants here and several steps there, x / (1 + exp(-x)) one kernel here and four there. Where a number lies
within rounding of the point at which a sign or a code changes, they disagree; in a network of some thousand channels
that happens. PyTorch is the reference, so in such a channel an additive constant of the exported graph is moved, by
little more than a unit in the last place, until the result is PyTorch's on every reachable integer: the last
per-channel Add in front of the quantiser, or beta of the BatchNormalization. Where a quantiser has many levels over
many integers, no constant suits all of them: there the batch normalisation is written as PyTorch computes it, in double
precision (`torch_norms`).
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

import numpy as np
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from signflow.deploy.compile.errors import UnsupportedError
from signflow.deploy.compile.passes.bisection import changes, coarse_rows, scattered
from signflow.deploy.compile.passes.enumerate_thresholds import enumerate_thresholds
from signflow.deploy.compile.passes.evaluate import follow, run_node
from signflow.deploy.compile.passes.lookup import Lookup
from signflow.deploy.compile.passes.normal_form import NormalForm
from signflow.deploy.compile.passes.numbers import Numbers
from signflow.deploy.compile.passes.regions import POOLS, SHAPES, Region, attribute
from signflow.deploy.compile.passes.silu import Silu, silu_input
from signflow.deploy.compile.passes.torch_norms import DoubleNorms, torch_norm
from signflow.deploy.compile.passes.transitions import Accumulators
from signflow.deploy.compile.passes.truth import BLOCK, DENSE, is_shared
from signflow.deploy.compile.passes.undecided import never_turns_back

ROUNDS = ("BatchNormalization", "Exp", "Sigmoid", "Tanh")
"""Operators that the two libraries round differently."""
EXACT = "a quantiser of fewer bits behind it, or an activation of straight lines (ReLU, Hardtanh, PReLU)"
MAX_STEPS = 64
FAR = 1e6
"""Times a constant, where the search for another one is given up."""
GROWTH = 8
"""Of the steps in which a constant moves; they start at a unit in its last place."""


def _torch_node(
    model: ModelWrapper, constants: dict[str, np.ndarray], node: NodeProto, known: dict, makers: dict[str, NodeProto]
) -> np.ndarray:
    """One node as PyTorch computes it, on tables float32 (values, channels)."""
    import torch
    from torch.nn import functional as F

    data = [name for name in node.input if name in known]
    x = torch.from_numpy(np.ascontiguousarray(known[data[0]]))
    if node.op_type == "BatchNormalization":
        return torch_norm(x, *(constants[name] for name in node.input[1:]), attribute(node, "epsilon", 1e-5))
    if silu_input(makers, node) is not None:
        return F.silu(x).numpy()
    if node.op_type in ("Sigmoid", "Tanh"):
        return getattr(torch, node.op_type.lower())(x).numpy()
    flat = {
        name: c.reshape(1, -1) if c.ndim > 1 else c for name in node.input if (c := constants.get(name)) is not None
    }
    return run_node(model, node, flat | {name: known[name] for name in data})


def torch_numbers(
    model: ModelWrapper,
    constants: dict[str, np.ndarray],
    nodes: list[NodeProto],
    start: str,
    end: str,
    table: np.ndarray,
) -> np.ndarray:
    """What PyTorch makes of ``table`` float32 (values, channels) on its way through ``nodes``, with these
    ``constants``, from ``start`` to ``end``: (values, channels).
    """
    known, makers = {start: table}, {node.output[0]: node for node in nodes}
    for node in nodes:
        data = next(name for name in node.input if name in known)
        if node.op_type in (*POOLS, *SHAPES):
            known[node.output[0]] = known[data]
            continue
        known[node.output[0]] = _torch_node(model, constants, node, known, makers)
    return known[end]


def _difference(
    model: ModelWrapper,
    constants: dict[str, np.ndarray],
    region: Region,
    tensor: str,
    numbers: Numbers,
) -> np.ndarray:
    """bool (channels, 2): on some integer the exported result should be larger, should be smaller."""
    nodes, reach = region.path(tensor), numbers.reach

    def wanted(integers: np.ndarray) -> np.ndarray:
        return torch_numbers(model, constants, nodes, region.start, tensor, numbers.at(integers))

    def found(integers: np.ndarray) -> np.ndarray:
        end = follow(model, nodes, region.start, tensor, numbers.at(integers)).end
        return end.reshape(*integers.shape, -1)[:, :, 0]

    wrong = np.zeros((numbers.channels, 2), dtype=bool)
    for integers in _tried(reach, (wanted, found), never_turns_back(model, nodes)):
        one, two = wanted(integers), found(integers)
        wrong |= np.stack([(one > two).any(axis=0), (one < two).any(axis=0)], axis=1)
    return wrong


def _tried(reach: Accumulators, functions: tuple[Callable, Callable], bisect: bool) -> Iterator[np.ndarray]:
    """Tables of integers (values, channels) among which a difference of the two functions is, if there is one: all, or
    those from which on one of them has another value, and the first.
    """
    channels = len(reach.low)
    if reach.count <= DENSE or not bisect:
        size = max(1, BLOCK // channels)
        yield from (reach.rows(first, first + size) for first in range(0, reach.count, size))
        return
    coarse = coarse_rows(reach.count)
    table = reach.at(coarse[:, None])
    yield table
    for function in functions:
        channel, row, _ = changes(lambda rows: function(reach.at(rows)), coarse, function(table), reach.count)  # noqa: B023
        if len(channel):  # it is no constant
            yield reach.at(scattered(channel, row, channels)[0])


def _movable(model: ModelWrapper, nodes: list[NodeProto], channels: int) -> tuple[str, np.ndarray] | None:
    """The constant to move, and the direction in which each channel's result follows it. The 1 of x / (1 + exp(-x)) is
    none, which also a single channel has.
    """
    direction, makers = np.ones(channels), {node.output[0]: node for node in nodes}
    for node in reversed(nodes):
        constants = [
            name for name in node.input if (c := model.get_initializer(name)) is not None and c.size == channels
        ]
        if node.op_type == "Add" and constants and "Exp" not in [makers[n].op_type for n in node.input if n in makers]:
            return constants[0], direction
        if node.op_type == "BatchNormalization":
            return node.input[2], direction
        if node.op_type == "Mul":
            known = [c for name in node.input if (c := model.get_initializer(name)) is not None]
            direction = direction * np.sign(known[0].reshape(-1) if known and known[0].size in (1, channels) else 1)
    return None


def align(
    model: ModelWrapper,
    region: Region,
    tensor: str,
    numbers: Numbers,
    norms: set[str],
    undecided: list[UnsupportedError],
) -> None:
    """Move constants of ``model`` where the result at ``tensor`` is not PyTorch's on some reachable one of ``numbers``.
    When that does not help, adds the tensors of the region's batch normalisations to ``norms``, or the refusal to
    ``undecided`` where it has none.
    """
    nodes, channels = region.path(tensor), numbers.channels
    if not any(node.op_type in ROUNDS for node in nodes):
        return
    if is_shared(model, nodes, numbers):
        numbers = numbers.union
    names = {name for node in nodes for name in node.input}
    constants = {name: value for name in names if (value := model.get_initializer(name)) is not None}
    if any(value.dtype.kind == "f" and value.size > channels for value in constants.values()):
        return  # constants of single features, behind a Flatten: `truth` refuses what tells positions apart there
    movable, search = _movable(model, nodes, channels), None
    for _ in range(MAX_STEPS):
        wrong = _difference(model, constants, region, tensor, numbers)
        if not wrong.any():
            return
        if movable is None or wrong.all(axis=1).any():
            break
        name, direction = movable
        value = constants[name]
        search = search or _Search(value.reshape(-1))
        moved = search.move(direction * (wrong[:, 0].astype(int) - wrong[:, 1]))
        if search.ended or np.abs(moved).max() > FAR * (1 + np.abs(value).max()):
            break
        model.set_initializer(name, moved.reshape(value.shape).astype(np.float32))
    if movable is not None:  # back: another form must not begin where the search has gone
        model.set_initializer(movable[0], constants[movable[0]])
    found = {node.output[0] for node in nodes if node.op_type == "BatchNormalization"}
    if found:
        norms |= found
        return
    channel, names = int(np.argmax(wrong.any(axis=1))), {node.op_type for node in nodes if node.op_type in ROUNDS}
    reason = "PyTorch and ONNX Runtime round it differently, and no constant makes the file decide like PyTorch"
    undecided.append(
        UnsupportedError(region.node.name, "/".join(sorted(names)), f"{reason} in channel {channel}", EXACT)
    )


class _Search:
    """Looks for a constant per channel: in steps that grow, and back by halves once it went too far."""

    def __init__(self, values: np.ndarray):
        self.values = values.astype(np.float64)
        self.step = np.spacing(np.abs(values)).astype(np.float64)
        self.low, self.high = np.full_like(self.values, -np.inf), np.full_like(self.values, np.inf)
        self.ended = False
        """For some channel, one float32 is too small and the next one too large."""

    def move(self, direction: np.ndarray) -> np.ndarray:
        """The next values, larger or smaller by the sign of ``direction`` (channels,), the same where it is 0."""
        self.low = np.where(direction > 0, self.values, self.low)
        self.high = np.where(direction < 0, self.values, self.high)
        beyond = np.isfinite(self.low) & np.isfinite(self.high)
        half = np.add(self.low, self.high, where=beyond, out=np.zeros_like(self.low)) / 2
        tried = np.stack([self.low, self.high]).astype(np.float32) == half.astype(np.float32)
        self.ended |= bool((beyond & tried.any(axis=0) & (direction != 0)).any())
        moved = np.where(beyond, half, self.values + np.sign(direction) * self.step)
        self.step = np.where(direction == 0, self.step, self.step * GROWTH)
        self.values = np.where(direction == 0, self.values, moved)
        return self.values


class Align(Transformation):
    """See the module's docstring. The weights stay as they are; x * sigmoid(x) takes PyTorch's form (`silu`), and
    additive constants move.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Enumerates plain copies, as far as the compiler knows the network, until nothing is left to change. Raises
        UnsupportedError where the two libraries cannot be made to agree.
        """
        model, seen, undecided = model.transform(Silu(), cleanup=False), set(), []
        with suppress(UnsupportedError):  # `signflow build` says what is not supported
            while norms := _take_over(model, undecided):
                if norms <= seen:
                    name, reason = sorted(norms)[0], "it does not decide like PyTorch in double precision either"
                    undecided.append(UnsupportedError(name, "BatchNormalization", reason, EXACT))
                    break
                seen |= norms
                model = model.transform(DoubleNorms(norms), cleanup=False)
        if undecided:
            raise undecided[0]
        return model, False


def _take_over(model: ModelWrapper, undecided: list[UnsupportedError]) -> set[str]:
    """Move the constants of ``model`` as those of a plain copy; returns the norms for which that does not help. What
    else it does not help goes to ``undecided``, where nothing else is wrong with the network. Behind such a norm,
    numbers are not PyTorch's yet, so what is found there is looked at once more.
    """
    form, norms, here = NormalForm(), set(), Lookup(model)
    names = {name for node in model.graph.node for name in node.input if here.get_initializer(name) is not None}
    plain = Lookup(model.transform(form, cleanup=False))
    try:
        enumerate_thresholds(plain, partial(align, norms=norms, undecided=undecided))
    except UnsupportedError:
        undecided.clear()
    norms = {form.names.get(name, name) for name in norms}
    if norms:
        undecided.clear()
    for name in sorted(names):
        if (value := plain.get_initializer(name)) is not None:
            known = np.array(here.get_initializer(name))
            known.reshape(-1)[form.origins.get(name, np.arange(value.size)).reshape(-1)] = value.reshape(-1)
            here.set_initializer(name, known)
    return norms
