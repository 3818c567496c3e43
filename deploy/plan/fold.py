"""Folding: how many processing elements (PE) and input lanes (SIMD) each operator gets.

An operator folded to PE and SIMD needs a fixed number of cycles for an image (`get_exp_cycles`); the slowest one sets
the initiation interval. `fold_to_cycles` gives every operator the cheapest folding (estimated LUTs, then block RAM)
that is no slower than a target (`signflow.deploy.plan.fit` chooses targets for a board). Legal are divisors only, and
every stream width must be a multiple of one neighbour's, or their least common multiple is built on the way.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path

from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.plan.graph import edges, operators
from signflow.hw.ops.base import StreamOp

MAX_LANES = 128
"""Largest SIMD chosen for an MVAU: the popcount of one step has one clock cycle, and 128 bits settle within 10 ns on
the slowest part.
"""

BRAM_AS_LUT, CYCLES_AS_LUT, CONVERTER_LUT = 60, 64, 40
"""What a folding may cost: one 18 kbit block RAM counts as 60 LUTs, 64 cycles (latency of an image) as one, a width
converter and its FIFO as 40.
"""


class FoldingError(ValueError):
    """A folding is illegal or no folding meets the target; the message names node, value, rule and the nearest legal
    value.
    """


RAM_STYLES = ["auto", "block", "distributed"]


def divisors(n: int) -> list[int]:
    """All divisors of ``n``, ascending."""
    return [d for d in range(1, n + 1) if n % d == 0]


def legal(op: StreamOp) -> dict[str, list[int]]:
    """Folding attributes of an operator and their legal values, ascending; empty when it has none to choose."""
    get = op.get_nodeattr
    match op.onnx_node.op_type:
        case "MVAU_sf":
            return {"SIMD": divisors(get("MW")), "PE": divisors(get("MH")), "ram_style": RAM_STYLES}
        case "ConvolutionInputGenerator_sf":
            return {"SIMD": divisors(get("IFMChannels")), "parallel_window": [0, 1]}
        case "MaxPool_sf":
            return {"PE": divisors(get("Channels"))}
        case "Thresholding_sf" | "Duplicate_sf" | "Replicate_sf" | "Add_sf" | "AccPool_sf":
            return {"PE": divisors(get("NumChannels"))}
    return {}


def apply_folding(model: ModelWrapper, folding: dict[str, dict[str, int]]) -> None:
    """Set ``folding`` (node name -> attribute -> value) on the model; raises FoldingError for an unknown node or
    attribute or an illegal value.
    """
    ops = {op.onnx_node.name: op for op in operators(model)}
    for name, values in folding.items():
        if name not in ops:
            raise FoldingError(
                f"folding names node {name!r}; the network has {', '.join(n for n, op in ops.items() if legal(op))}"
            )
        allowed = legal(ops[name])
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
        check_window(op)


def check_window(op: StreamOp) -> None:
    """A window generator that emits whole windows needs all channels at once; raises FoldingError otherwise."""
    if (
        op.onnx_node.op_type == "ConvolutionInputGenerator_sf"
        and op.get_nodeattr("parallel_window")
        and op.get_nodeattr("SIMD") != op.get_nodeattr("IFMChannels")
    ):
        raise FoldingError(
            f"{op.onnx_node.name}: parallel_window = 1 needs SIMD = {op.get_nodeattr('IFMChannels')} "
            f"(all channels), it is {op.get_nodeattr('SIMD')}"
        )


def folding_of(model: ModelWrapper) -> dict[str, dict[str, int]]:
    """The folding of every operator, as `apply_folding` reads it."""
    return {op.onnx_node.name: {a: op.get_nodeattr(a) for a in legal(op)} for op in operators(model) if legal(op)}


def cost(op: StreamOp) -> tuple[int, int]:
    """Estimated (LUT, 18 kbit block RAM) of an operator as it is folded now."""
    return int(op.lut_estimation()), int(op.bram_estimation())


Feed = tuple[StreamOp, int]
"""Where an input stream comes from: the operator and the number of its output stream."""


def _cheapest(op: StreamOp, options: list[dict[str, int]], target: int, feeds: Sequence[Feed] = ()) -> None:
    """Fold ``op`` the cheapest way within ``target`` cycles: by the estimates and the width converters to its
    ``feeds``, or its own cycles when there are none to fit; raises FoldingError when even the fastest option is slower.
    """
    best, fastest = None, None
    for option in options:
        for attribute, value in option.items():
            op.set_nodeattr(attribute, value)
        cycles = int(op.get_exp_cycles())
        fastest = min(cycles, fastest or cycles)
        if cycles <= target:
            lut, bram = cost(op)
            rank = lut + BRAM_AS_LUT * bram + (_converters(op, feeds) if feeds else cycles / CYCLES_AS_LUT)
            best = min(best or (rank, option), (rank, option), key=lambda b: b[0])
    if best is None:
        raise FoldingError(
            f"{op.onnx_node.name} ({op.onnx_node.op_type}) needs at least {fastest} cycles an image, "
            f"the target is {target}"
        )
    for attribute, value in best[1].items():
        op.set_nodeattr(attribute, value)


def _converters(op: StreamOp, feeds: Sequence[Feed]) -> int:
    """LUTs of the width converters in front of ``op``, each with the FIFO that comes with it."""
    widths = [(feed.get_outstream_width(k), op.get_instream_width(i)) for i, (feed, k) in enumerate(feeds)]
    return sum(CONVERTER_LUT + (wide if wide > narrow else 0) for wide, narrow in widths if wide != narrow)


def _fitting(lanes: list[int], feeds: Sequence[Feed]) -> list[int]:
    """Those of ``lanes`` that divide the word of every feed or are a multiple of it: no least common multiple."""
    words = [feed.get_folded_output_shape(k)[-1] for feed, k in feeds]
    return [n for n in lanes if all(n % word == 0 or word % n == 0 for word in words)]


def fold_to_cycles(model: ModelWrapper, target: int, stream_bits: int = 64) -> None:
    """Give every operator the cheapest folding of at most ``target`` cycles an image, with an input word of at most
    ``stream_bits``.

    Raises FoldingError naming the operator that cannot reach it.
    """
    ops, all_feeds = operators(model), {}
    for producer, out, consumer, _ in edges(model):
        all_feeds.setdefault(consumer.onnx_node.name, []).append((producer, out))
    for op in ops:
        feeds, lanes = all_feeds.get(op.onnx_node.name, []), legal(op).get("PE", [])
        match op.onnx_node.op_type:
            case "MVAU_sf":
                op.set_nodeattr("ram_style", "auto")
                _fold_mvau(op, feeds, target)
            case "MaxPool_sf":
                _cheapest(op, [{"PE": p} for p in _fitting(lanes, feeds)], target)
            case "Add_sf":
                vectors = [feed for feed, _ in feeds if feed.onnx_node.op_type == "Replicate_sf"]
                feeds = [(feed, out) for feed, out in feeds if feed not in vectors]
                _cheapest(op, [{"PE": p} for p in _fitting(lanes, feeds)], target, feeds)
                for feed in vectors:  # in step with what it is added to
                    feed.set_nodeattr("PE", op.get_nodeattr("PE"))
            case "Thresholding_sf" | "Duplicate_sf" | "AccPool_sf":
                bits = op.get_input_datatype().bitwidth()
                lanes = _fitting(lanes, feeds) if feeds else [p for p in lanes if p * bits <= max(stream_bits, bits)]
                _cheapest(op, [{"PE": p} for p in lanes], target, feeds)
            case "LabelSelect_sf" | "ConvolutionInputGenerator_sf" | "Replicate_sf":
                pass
            case other:
                raise FoldingError(f"{op.onnx_node.name}: no folding rule for {other}")
    for op in ops:
        if (cycles := int(op.get_exp_cycles())) > target:
            raise FoldingError(
                f"{op.onnx_node.name} ({op.onnx_node.op_type}) needs {cycles} cycles an image, the target is {target}"
            )


def _fold_mvau(op: StreamOp, feeds: Sequence[Feed], target: int) -> None:
    """Fold an MVAU, together with the window generator that feeds it if one does: SIMD fits the generator's channels or
    the feed's word.
    """
    simd, pe = [s for s in divisors(op.get_nodeattr("MW")) if s <= MAX_LANES], divisors(op.get_nodeattr("MH"))
    window = feeds[0][0] if feeds and feeds[0][0].onnx_node.op_type == "ConvolutionInputGenerator_sf" else None
    if window is None:
        return _cheapest(op, [{"SIMD": s, "PE": p} for s in _fitting(simd, feeds) for p in pe], target)
    channels = window.get_nodeattr("IFMChannels")
    options = [{"SIMD": s, "PE": p} for s in simd if channels % s == 0 or s % channels == 0 for p in pe]
    try:
        window.set_nodeattr("parallel_window", 0)
        window.set_nodeattr("SIMD", channels)
        if int(window.get_exp_cycles()) > target:
            raise FoldingError
        _cheapest(op, options, target)
        window.set_nodeattr("SIMD", math.gcd(channels, op.get_nodeattr("SIMD")))
        if int(window.get_exp_cycles()) > target:
            window.set_nodeattr("SIMD", channels)
    except FoldingError:
        window.set_nodeattr("SIMD", channels)
        window.set_nodeattr("parallel_window", 1)
        _cheapest(op, options, target)
    return None


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
