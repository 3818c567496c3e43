"""Folding: how many processing elements (PE) and input lanes (SIMD) each operator gets.

An operator folded to PE and SIMD needs a fixed number of cycles for an image (`get_exp_cycles`); the slowest one sets
the initiation interval. `fold_to_cycles` finds the cheapest foldings that are no slower than a target
(`signflow.deploy.plan.choose`); `signflow.deploy.plan.fit` finds targets for a board.
"""

import json
from pathlib import Path

from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.plan.choose import AIMS, UNBOUNDED, Aim, Choices, share_flags
from signflow.deploy.plan.graph import edges, operators
from signflow.hw.ops.base import StreamOp
from signflow.hw.ops.folding import FoldingError


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
            if (type(value), value) not in [(type(legal), legal) for legal in allowed[attribute]]:
                raise FoldingError(
                    f"{name}: {attribute} = {value!r} is illegal, it must be one of {allowed[attribute]}; "
                    f"{_remedy(value, allowed[attribute])}"
                )
            ops[name].set_nodeattr(attribute, value)
    for op in ops.values():
        op.check_folding()
    first, last = operators(model)[0], operators(model)[-1]
    _check_end(first, "input", first.get_normal_input_shape()[-1], first.get_folded_input_shape()[-1])
    _check_end(last, "output", last.get_normal_output_shape()[-1], last.get_folded_output_shape()[-1])
    share_flags(edges(model))


def _remedy(value: object, allowed: list) -> str:
    """What to do about an illegal value."""
    if value == "ultra":
        return "no bitstream fills UltraRAM: build with --loadable"
    if type(value) is not int or type(allowed[0]) is not int:
        return "choose one"
    return f"the nearest is {min(allowed, key=lambda v: abs(v - value))}"


def _check_end(op: StreamOp, end: str, vector: int, word: int) -> None:
    if op.pixels() > 1:
        raise FoldingError(
            f"{op.onnx_node.name}: Pixels = {op.pixels()} at the network's {end}; only words inside the network are "
            "interleaved"
        )
    if vector % word:
        raise FoldingError(
            f"{op.onnx_node.name}: words of {word} do not divide the {vector} elements of a vector of the network's "
            f"{end}; only words inside the network are padded"
        )


def folding_of(model: ModelWrapper) -> dict[str, dict[str, int]]:
    """The folding of every operator, as `apply_folding` reads it."""
    return {op.onnx_node.name: values for op in operators(model) if (values := op.folding())}


def fold_to_cycles(
    model: ModelWrapper, target: int, stream_bits: int = 64, aim: Aim = AIMS["balance"], whole: Choices | None = None
) -> None:
    """Give every operator the best folding of at most ``target`` cycles an image, with an input word of at most
    ``stream_bits``, however large it is.

    ``whole``: the model's `Choices`, where the caller has it. Raises FoldingError naming the operator that cannot reach
    the target.
    """
    whole = whole or Choices(model, stream_bits)
    whole.apply(whole.best(target, UNBOUNDED, aim))


def interval(model: ModelWrapper) -> int:
    """Initiation interval in cycles: the cycles of the slowest operator."""
    return max(int(op.get_exp_cycles()) for op in operators(model))


def read_folding(path: Path) -> dict[str, dict[str, int]]:
    """Read a folding file (JSON: node -> attribute -> value); raises FoldingError when it is none."""
    rule = 'expected JSON such as {"MVAU_sf_0": {"PE": 4, "SIMD": 16}}'
    try:
        table = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as e:
        raise FoldingError(f"{path}: not a folding file ({e}); {rule}") from e
    if not isinstance(table, dict) or not all(isinstance(row, dict) for row in table.values()):
        raise FoldingError(f"{path}: not a folding file; {rule}")
    return table
