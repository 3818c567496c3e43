"""Every constant in the memories of an accelerator, read back as the headers of `hw/rtl` say, is the integer graph's.

Images show what a circuit computes for them; a threshold that no image comes near is looked at here. The memory images
of every operator, or what is loaded into them, are read word by word, by the headers of the modules and not by what
wrote them, and compared with the constants of the integer graph: weights, thresholds, signs, tables, lines, borders.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy import products
from signflow.deploy.generate.accelerator import WEIGHTS
from signflow.deploy.plan.graph import operators
from signflow.deploy.steps import ACCELERATOR, FOLDED, INTEGER
from signflow.hw.ops.base import StreamOp
from signflow.hw.parameters import is_image

CHAIN = ("SIGNS_FILE", "WEIGHTS_FILE", "START_FILE", "GAP_FILE", *(f"THRESHOLDS_{s}" for s in range(8)))
CHAIN += ("TABLE_FILE", "CONSTANTS_FILE", "BORDER_FILE")
"""The memories of a module in the order of its load chain."""

Held = Mapping[str, list[int]]
"""Parameter of a module -> the words of its memory, or its constant as one word."""
Pairs = Iterator[tuple[str, np.ndarray, np.ndarray]]
"""What is compared; as the hardware has it; as the graph has it."""


class ConstantError(AssertionError):
    """A memory holds something else than the integer graph; the message names it."""


def of(work: Path) -> int:
    """`check` of the build in ``work``."""
    facts, folder = products.accelerator(work), work / ACCELERATOR
    graphs = (products.read(work, product) for product in (INTEGER, FOLDED))
    return check(*graphs, facts, folder / facts["mem_dir"], folder / WEIGHTS)


def check(integer: ModelWrapper, folded: ModelWrapper, facts: Mapping, folder: Path, load: Path) -> int:
    """Compare what the memories hold, files in ``folder`` or, of a loadable accelerator, the words of ``load``, with
    the constants of both graphs. ``facts`` are `accel.json`. Returns how many words were read; raises ConstantError.
    """
    kept = {_key(integer.get_initializer(tensor.name)) for tensor in integer.graph.initializer}
    for op in operators(folded):
        if any(_key(folded.get_initializer(name)) not in kept for name in op.onnx_node.input[op.IN_STREAMS :]):
            raise ConstantError(f"{op.onnx_node.name} has constants that the integer graph has not")
    chain, count = _Chain(load) if facts["loadable"] else None, 0
    for op, entry in zip(operators(folded), facts["operators"], strict=True):
        held = _held(entry["params"], folder, chain)
        count += sum(map(len, held.values()))
        try:
            for pair in READERS.get(entry["module"], _nothing)(op, folded, entry["params"], held):
                _compare(*pair)
        except ConstantError as error:
            raise ConstantError(f"{entry['node']} ({entry['module']}): {error}") from None
    return count


def _compare(what: str, found: np.ndarray, wanted: np.ndarray) -> None:
    if (wrong := np.argwhere(found != wanted)).size:
        at = tuple(int(i) for i in wrong[0])
        place = f"{what}[{', '.join(map(str, at))}]"
        raise ConstantError(f"{place} is {found[at]} in its memory and {wanted[at]} in the integer graph")


def _key(values: np.ndarray) -> tuple:
    return values.shape, np.ascontiguousarray(values, dtype=np.float64).tobytes()


class _Chain:
    """The words of the load chain, 32 bits, from the front."""

    def __init__(self, file: Path):
        self.words = np.fromfile(file, dtype="<u4").tolist()
        self.at = 0

    def take(self, lines: list[str]) -> list[int]:
        """As many memory words as the image has ``lines``, each in so many words of the chain as it needs."""
        parts, found = -(-len(lines[0]) // 8), []
        for _ in lines:
            found.append(sum(word << 32 * k for k, word in enumerate(self.words[self.at : self.at + parts])))
            self.at += parts
        return found


def _held(params: Mapping, folder: Path, chain: _Chain | None) -> Held:
    """What the memories of one module hold."""
    held = {}
    for key in sorted((k for k in params if k in CHAIN and is_image(params[k])), key=CHAIN.index):
        lines = (folder / params[key]).read_text().split()
        loaded = chain is not None and params.get("LOAD") == 1
        held[key] = chain.take(lines) if loaded else [int(line, 16) for line in lines]
    constants = {k: v for k, v in params.items() if isinstance(v, str) and "'h" in v}
    return held | {key: [int(value.split("'h")[1], 16)] for key, value in constants.items()}


def lanes(words: list[int], count: int, bits: int, signed: bool = False) -> np.ndarray:
    """``words`` as int64 (words, count): lane 0 in the low bits, two's complement if ``signed``. Raises ConstantError
    for a word with more bits.
    """
    if any(word >> count * bits for word in words):
        raise ConstantError(f"a memory word is wider than its {count} lanes of {bits} bits")
    mask, half = (1 << bits) - 1, 1 << bits - 1
    rows = [[(word >> k * bits) & mask for k in range(count)] for word in words]
    values = np.array(rows, dtype=np.int64)
    return np.where(values >= half, values - 2 * half, values) if signed else values


# ---- what each module holds


def _nothing(*_) -> Pairs:
    yield from ()


def _product(op: StreamOp, model: ModelWrapper, params: Mapping, held: Held) -> Pairs:
    """See `sf_mvau.sv`, `sf_dot_integer.sv`."""
    mh, mw, pe, simd = (params[name] for name in ("MH", "MW", "PE", "SIMD"))
    nf, sf, bits = -(-mh // pe), -(-mw // simd), params["WEIGHT_WIDTH"]
    words = held["WEIGHTS"] if params.get("ADDERS") else held["WEIGHTS_FILE"]
    rows = lanes(words, nf * sf * pe * simd // len(words), bits, bits > 1).reshape(nf, sf, pe, simd)
    rows = rows.transpose(0, 2, 1, 3).reshape(nf * pe, sf, simd)[:mh]
    weights = model.get_initializer(op.onnx_node.input[1]).T
    yield "weight", rows.reshape(mh, -1)[:, :mw], weights if bits > 1 else weights > 0
    summed = bits == 1 and params["ACT_WIDTH"] > 1
    missing = (rows[:, :, 2::3] == 0).sum(axis=(1, 2)) if summed else np.zeros(mh, np.int64)
    acc = params["ACC_WIDTH"]
    starts = lanes(held["START_FILE"], pe, acc, True).reshape(-1)[:mh] if "START_FILE" in held else 0
    found = [missing - starts]
    if "GAP_FILE" in held:
        found.append(found[0] + lanes(held["GAP_FILE"], pe, acc).reshape(-1)[:mh])
    if params["THRESHOLDS"] == 0:
        yield "start", found[0], np.zeros(mh, np.int64)
        return
    yield from _limits(op, model, weights, np.stack(found, axis=1))


def _limits(op: StreamOp, model: ModelWrapper, weights: np.ndarray, found: np.ndarray) -> Pairs:
    """Thresholds (MH, steps) of accumulators: what is always reached, or never, may be any such number."""
    kind = op.get_input_datatype(0)
    if kind.bitwidth() == 1:
        low, high = 0, weights.shape[1]
    else:
        ends = np.stack([weights * float(kind.min()), weights * float(kind.max())])
        low, high = ends.min(axis=0).sum(axis=1)[:, None], ends.max(axis=0).sum(axis=1)[:, None]
    steps = np.broadcast_to(np.ceil(model.get_initializer(op.onnx_node.input[2]).astype(np.float64)), found.shape)
    yield "threshold", np.clip(found, low, high + 1), np.clip(steps, low, high + 1)


def _planes(op: StreamOp, model: ModelWrapper, params: Mapping, held: Held) -> Pairs:
    """See `sf_mvau_planes.sv`: limits of sums of agreements, of pixels in offset binary."""
    mh, mw, planes = params["MH"], params["MW"], params["PLANES"]
    weights = model.get_initializer(op.onnx_node.input[1]).T
    yield "weight", lanes(held["WEIGHTS"], mh * mw, 1).reshape(mh, mw), weights > 0
    bits = -(-params["ACT_WIDTH"] // planes) * planes
    offset = 1 << params["ACT_WIDTH"] - 1 if params["ACT_SIGNED"] else 0
    constant = offset * weights.sum(axis=1) + (2**bits - 1) * (weights < 0).sum(axis=1)
    found = lanes(held["LIMITS"], mh * params["THRESHOLDS"], bits + mw.bit_length()).reshape(mh, -1)
    yield from _limits(op, model, weights, found - constant[:, None])


def _decided(op: StreamOp, model: ModelWrapper, x: np.ndarray) -> np.ndarray:
    """What the graph makes of the integers ``x``, (channels or 1, count)."""
    get, constants = op.get_nodeattr, [model.get_initializer(name) for name in op.onnx_node.input[1:]]
    if op.onnx_node.op_type == "Lookup_sf":
        rows = np.broadcast_to(constants[0], (len(x), constants[0].shape[1]))
        return np.take_along_axis(rows, np.clip(x - get("lowest"), 0, rows.shape[1] - 1), axis=1)
    signs = constants[1][:, None] if len(constants) > 1 else 1
    count = ((x * signs)[:, :, None] >= constants[0][:, None, :]).sum(axis=2)
    if get("window"):
        return count != 1
    return count + (0 if get("outputDataType") == "BIPOLAR" else get("ActVal"))


def _integers(op: StreamOp, width: int) -> np.ndarray:
    """The integers whose bits are 0, 1, 2, .."""
    kind, bits = op.get_input_datatype(), np.arange(1 << width)
    if kind.name == "BIPOLAR":
        return 2 * bits - 1
    return np.where(bits >= 1 << width - 1, bits - (1 << width), bits) if kind.signed() else bits


def _channels(op: StreamOp) -> int:
    return op.get_normal_input_shape()[-1]


def _table(op: StreamOp, model: ModelWrapper, params: Mapping, held: Held) -> Pairs:
    """See `sf_lut.sv`. Inputs that cannot occur may read anything."""
    width, out, pe = params["IN_WIDTH"], params["OUT_WIDTH"], params["PE"]
    rows = lanes(held["TABLE_FILE"], pe, out).reshape(params["FOLDS"], 1 << width, pe)
    rows = rows.transpose(0, 2, 1).reshape(-1, 1 << width)[np.arange(_channels(op)) % (params["FOLDS"] * pe)]
    x = _integers(op, width)
    occurs = np.ones(len(x), bool)
    if op.onnx_node.op_type == "Lookup_sf":
        first, size = op.get_nodeattr("lowest"), model.get_initializer(op.onnx_node.input[1]).shape[1]
        occurs = (x >= first) & (x < first + size)
    wanted = _decided(op, model, np.broadcast_to(x[occurs], (_channels(op), occurs.sum()))).astype(np.int64)
    yield "code", rows[:, occurs], wanted & (1 << out) - 1


def _search(op: StreamOp, model: ModelWrapper, params: Mapping, held: Held) -> Pairs:
    """See `sf_thresholds.sv`: what it finds next to every threshold, on both sides, and at the ends."""
    width, pe, folds, kind = params["IN_WIDTH"], params["PE"], params["FOLDS"], op.get_input_datatype()
    row = np.arange(_channels(op)) % (folds * pe)
    fold, lane = (part[:, None] for part in np.divmod(row, pe))
    steps, *signs = (model.get_initializer(name) for name in op.onnx_node.input[1:])
    at = np.broadcast_to(np.ceil(steps.astype(np.float64)), (len(row), steps.shape[1]))
    ends = np.broadcast_to(np.array([kind.min(), kind.max()], dtype=np.float64), (len(row), 2))
    x = np.concatenate([ends, at, at - 1, -at, 1 - at] if signs else [ends, at, at - 1], axis=1)
    x = np.clip(x, kind.min(), kind.max()).astype(np.int64)
    x = np.where(x < 0, -1, 1) if kind.name == "BIPOLAR" else x
    u = (x + 1) // 2 if kind.name == "BIPOLAR" else x + (params["IN_SIGNED"] << width - 1)
    if "SIGNS_FILE" in held:
        turned = lanes(held["SIGNS_FILE"], pe, 1)[fold, lane]
        u = np.where(turned == 1, (1 << width) - 1 - u, u)
    found = np.zeros_like(u)
    for s in range(params["STAGES"]):
        found = 2 * found + (lanes(held[f"THRESHOLDS_{s}"], pe, width + 1)[(fold << s) + found, lane] <= u)
    found = found != 1 if params["WINDOW"] else found + params["BIAS"]
    yield "code", found, _decided(op, model, x)


def _line(op: StreamOp, model: ModelWrapper, params: Mapping, held: Held) -> Pairs:
    """See `sf_requantise.sv`."""
    width, pe = params["M_WIDTH"] + params["B_WIDTH"], params["PE"]
    words = [word >> k * width for word in held["CONSTANTS_FILE"] for k in range(pe)]
    words = [word & (1 << width) - 1 for word in words]
    rows = np.arange(_channels(op)) % (params["FOLDS"] * pe)
    factors = lanes([word & (1 << params["M_WIDTH"]) - 1 for word in words], 1, params["M_WIDTH"], True)[rows, 0]
    offsets = lanes([word >> params["M_WIDTH"] for word in words], 1, params["B_WIDTH"], True)[rows, 0]
    if op.onnx_node.op_type == "Requantise_sf":
        wanted = [model.get_initializer(name) for name in op.onnx_node.input[1:]]
    else:  # the line of a Thresholding
        wanted = [np.array(op.get_nodeattr(name)) for name in ("factors", "offsets")]
    for what, found, values in zip(("factor", "offset"), (factors, offsets), wanted, strict=True):
        yield what, found, np.broadcast_to(values, found.shape)


def _border(op: StreamOp, _model: ModelWrapper, params: Mapping, held: Held) -> Pairs:
    """See `sf_swg.sv`, `sf_swg_parallel.sv`: a pixel."""
    if "BORDER_FILE" in held:
        bits, words = params["ELEM_WIDTH"], held["BORDER_FILE"]
        found = lanes(words, params["C"] // len(words), bits).reshape(-1)
        values = np.broadcast_to(np.array(op.get_nodeattr("Border")), found.shape)
        values = values > 0 if op.get_input_datatype().name == "BIPOLAR" else values
        yield "border", found, values & (1 << bits) - 1


READERS = {
    "sf_mvau": _product, "sf_mvau_planes": _planes, "sf_lut": _table, "sf_thresholds": _search,
    "sf_requantise": _line, "sf_swg": _border, "sf_swg_parallel": _border,
}  # fmt: skip
