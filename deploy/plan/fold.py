"""Folding: how many processing elements (PE) and input lanes (SIMD) each operator gets.

An operator folded to PE and SIMD needs a fixed number of cycles for an image (`get_exp_cycles`); the slowest one sets
the initiation interval. `fold_to_cycles` lets every operator choose the cheapest folding that is no slower than a
target (`signflow.hw.ops.folding`); `signflow.deploy.plan.fit` chooses targets for a board.
"""

import json
import math
from pathlib import Path

from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.plan.graph import edges, operators
from signflow.hw.ops.base import StreamOp
from signflow.hw.ops.folding import Aim, Feed, FoldingError


def apply_folding(model: ModelWrapper, folding: dict[str, dict[str, int]]) -> None:
    """Set ``folding`` (node name -> attribute -> value) on the model; raises FoldingError for an unknown node or
    attribute or an illegal value.
    """
    ops = {op.onnx_node.name: op for op in operators(model)}
    for name, values in folding.items():
        if name not in ops:
            raise FoldingError(
                f"folding names node {name!r}; the network has {', '.join(n for n, op in ops.items() if op.foldings())}"
            )
        allowed = ops[name].foldings()
        for attribute, value in values.items():
            if attribute not in allowed:
                raise FoldingError(
                    f"{name} has no folding attribute {attribute!r}; it has {', '.join(allowed) or 'none'}"
                )
            if value not in allowed[attribute]:
                near = min(allowed[attribute], key=lambda v, x=value: abs(v - x) if isinstance(x, int) else v)
                raise FoldingError(
                    f"{name}: {attribute} = {value!r} is illegal, it must be one of {allowed[attribute]}; "
                    f"the nearest is {near}"
                )
            ops[name].set_nodeattr(attribute, value)
    for op in ops.values():
        op.check_folding()
    share_flags(wiring(model))


def folding_of(model: ModelWrapper) -> dict[str, dict[str, int]]:
    """The folding of every operator, as `apply_folding` reads it."""
    return {op.onnx_node.name: values for op in operators(model) if (values := op.folding())}


Wiring = list[tuple[StreamOp, list[Feed]]]
"""All operators in order, each with where its input streams come from."""


def wiring(model: ModelWrapper) -> Wiring:
    """The operators of a model, each once: who folds it to one target after another keeps what they remember."""
    found = edges(model)
    seen = {op.onnx_node.name: op for edge in found for op in (edge[0], edge[2])}
    ops = [seen.get(op.onnx_node.name, op) for op in operators(model)]
    return [(op, [Feed(source, out, k) for source, out, reader, k in found if reader is op]) for op in ops]


def fold_to_cycles(
    model: ModelWrapper, target: int, stream_bits: int = 64, latency: bool = True, wired: Wiring | None = None
) -> None:
    """Give every operator the cheapest folding of at most ``target`` cycles an image, with an input word of at most
    ``stream_bits``; fewer cycles are worth LUTs only with ``latency``.

    ``wired``: the model's `wiring`, where the caller has it. Raises FoldingError naming the operator that cannot reach
    the target.
    """
    aim, wired = Aim(target, stream_bits, latency), wired or wiring(model)
    for op, feeds in wired:
        op.fold_to(aim, feeds)
        for feed in feeds:
            feed.op.follow(op.get_folded_input_shape(feed.stream)[-1], target)
    for op, _ in wired:
        if (cycles := int(op.get_exp_cycles())) > target:
            raise FoldingError(
                f"{op.onnx_node.name} ({op.onnx_node.op_type}) needs {cycles} cycles an image, the target is {target}"
            )
    share_flags(wired)


def share_flags(wired: Wiring) -> None:
    """Between a border of zeros and its reader, give a flag to as many bits as the words on both sides allow."""
    for consumer, feeds in wired:
        for producer, out, _ in feeds:
            if producer.out_group(out):
                group = math.gcd(producer.get_nodeattr("SIMD"), consumer.get_nodeattr("SIMD"))
                producer.set_nodeattr("padGroup", group)
                consumer.set_nodeattr("padGroup", group)


def interval(model: ModelWrapper) -> int:
    """Initiation interval in cycles: the cycles of the slowest operator."""
    return max(int(op.get_exp_cycles()) for op in operators(model))


def read_folding(path: Path) -> dict[str, dict[str, int]]:
    """Read a folding file (JSON: node -> attribute -> value); raises FoldingError when it is none."""
    rule = 'expected JSON such as {"MVAU_sf_0": {"PE": 4, "SIMD": 16}}'
    try:
        table = json.loads(path.read_text())
    except (OSError, ValueError) as e:
        raise FoldingError(f"{path}: not a folding file ({e}); {rule}") from e
    if not isinstance(table, dict) or not all(isinstance(row, dict) for row in table.values()):
        raise FoldingError(f"{path}: not a folding file; {rule}")
    return table
