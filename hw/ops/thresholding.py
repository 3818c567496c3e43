"""Thresholds on integers: a table for narrow ones (`hw/rtl/sf_lut.sv`), a binary search for wide ones
(`hw/rtl/sf_thresholds.sv`), an adder where they only round (`hw/rtl/sf_round.sv`), a product where they lie on lines
(`hw/rtl/sf_requantise.sv`).
"""

import numpy as np
from finn.custom_op.fpgadataflow.thresholding import Thresholding
from onnx import helper

from signflow.hw.ops import rounding
from signflow.hw.ops.base import (
    LUT_PER_BRAM18,
    RTL_DOMAIN,
    RTLBackend,
    RtlInstance,
    StreamOp,
    brams,
    counter_luts,
    hex_words,
    to_bits,
)
from signflow.hw.ops.folding import divisors
from signflow.hw.ops.lookup import TABLE_LATENCY, table
from signflow.hw.ops.requantise import Requantise_sf

MAX_TABLE_WIDTH = 10
MAX_WIDTH = 30
MAX_STEPS = 255  # of a search


class Thresholding_sf(StreamOp, Thresholding, RTLBackend):
    """FINN's Thresholding of integers, (.., NumChannels) -> the same shape: ActVal + how many of the channel's
    thresholds s*x reaches. Thresholds (NumChannels or 1, numSteps) ascend; s is 1, or the third input's sign of the
    channel, (NumChannels,) of +-1. With window = 1 there are two thresholds and the output is BINARY: 1 where their
    number is not 1, that is outside [T1, T2).
    """

    def get_nodeattr_types(self):
        """FINN's attributes; ``window``; ``shared``: one row of thresholds stands for all channels; ``shift``: they are
        those of `signflow.hw.ops.rounding`, 0: any; ``factors``, ``offsets``, ``line``: M and B of every channel;
        shift, lowest and highest code of the line that gives the same codes of every integer that occurs, or none;
        ``form``: which of both the hardware does.
        """
        own = {"window": ("i", False, 0, {0, 1}), "shared": ("i", False, 0, {0, 1}), "shift": ("i", False, 0)}
        own |= {name: ("ints", False, []) for name in ("factors", "offsets", "line")}
        own["form"] = ("s", False, "search", {"search", "line"})
        return super().get_nodeattr_types() | own

    def picture(self) -> tuple[str, str]:
        """A decision; bits in and out."""
        return "decision", f"{self.get_input_datatype().bitwidth()} → {self.get_output_datatype().bitwidth()} bit"

    def foldings(self) -> dict[str, list]:
        """PE divides NumChannels; a product, where there is one and it stays, instead of a search."""
        either = self.get_nodeattr("line") and not self.get_nodeattr("loadable")
        return {"PE": divisors(self.get_nodeattr("NumChannels"))} | ({"form": ["search", "line"]} if either else {})

    def get_instream_width(self, ind: int = 0) -> int:
        """Bits of the data stream; thresholds and signs are no streams here."""
        return Thresholding.get_instream_width(self, 0) if ind == 0 else 0

    def execute_node(self, context, graph) -> None:
        """numpy reference: FINN's, on s*x."""
        x, out = self.onnx_node.input[0], self.onnx_node.output[0]
        signs = context[self.onnx_node.input[2]] if len(self.onnx_node.input) > 2 else 1
        inner = {**context, x: context[x].reshape(self.get_normal_input_shape()) * signs}
        Thresholding.execute_node(self, inner, graph)
        context[out] = (inner[out] != 1).astype(np.float32) if self.get_nodeattr("window") else inner[out]

    def _check(self) -> None:
        get, idt, odt = self.get_nodeattr, self.get_input_datatype(), self.get_output_datatype()
        if get("PE") < 1 or get("NumChannels") % get("PE"):
            raise self.fail(f"PE = {get('PE')} does not divide NumChannels = {get('NumChannels')}")
        if get("runtime_writeable_weights"):
            raise self.fail("runtime_writeable_weights = 1; thresholds are fixed here")
        if not idt.is_integer():
            raise self.fail(f"the input is {idt.name}; thresholds have hardware for integers")
        if idt.bitwidth() > MAX_WIDTH:
            raise self.fail(f"the input is {idt.name}; thresholds have hardware up to {MAX_WIDTH} bits")
        if get("form") == "line" and (get("loadable") or not get("line")):
            raise self.fail(
                f"form = line with loadable = {get('loadable')} and line = {get('line')}; a line is constant"
            )
        if get("window"):
            if (get("numSteps"), get("ActVal"), odt.name) != (2, 0, "BINARY"):
                raise self.fail(
                    f"window = 1 with numSteps = {get('numSteps')}, ActVal = {get('ActVal')} and output {odt.name}; "
                    "a window has numSteps = 2, ActVal = 0 and gives BINARY"
                )
            return
        low = self._bias()
        high = low + get("numSteps")
        if not (high <= 1 if odt.name == "BIPOLAR" else odt.allowed(low) and odt.allowed(high)):
            raise self.fail(
                f"codes {low}..{high} do not fit the output, {odt.name}; numSteps and ActVal must match outputDataType"
            )

    def _bias(self) -> int:
        """The code of no threshold reached; that of a bipolar output is bit 0."""
        return 0 if self.get_nodeattr("outputDataType") == "BIPOLAR" else self.get_nodeattr("ActVal")

    def constants(self, model) -> tuple[np.ndarray, np.ndarray]:
        """Thresholds (rows, numSteps) in float64 and signs -1 as True (rows,), for each channel or one row for all."""
        channels, steps = self.get_nodeattr("NumChannels"), self.get_nodeattr("numSteps")
        t, *more = (model.get_initializer(name) for name in self.onnx_node.input[1:])
        if t is None or t.shape not in ((1, steps), (channels, steps)) or np.isnan(t).any():
            raise self.fail(
                f"thresholds are {None if t is None else t.shape}, must be ({channels} or 1, {steps}) numbers"
            )
        if falls := np.flatnonzero((np.diff(t, axis=1) < 0).any(axis=1)).tolist():
            raise self.fail(f"thresholds of channel {falls[0]} do not ascend: {t[falls[0]].tolist()[:8]}; sort them")
        signs = more[0] if more else np.ones(1)
        if signs is None or (more and signs.shape != (channels,)) or not np.isin(signs, (-1, 1)).all():
            raise self.fail(f"signs must be {channels} values +-1, one for each channel")
        rows = max(len(t), len(signs))
        return np.broadcast_to(t.astype(np.float64), (rows, steps)), np.broadcast_to(signs < 0, rows)

    def limits(self, model) -> tuple[np.ndarray, np.ndarray]:
        """The thresholds in terms of u, the element's bits in offset binary: limits (rows, numSteps) int64 in
        0..2**bits, and turned (rows,) bool. s*x reaches threshold i where u >= limits[i], or 2**bits - 1 - u if turned.
        One row when all channels agree; of a loadable node, when they always must. Raises OpError.
        """
        thresholds, turned = self.constants(model)
        dt, end = self.get_input_datatype(), 1 << self.get_input_datatype().bitwidth()
        scale, low = (2, -1) if dt.name == "BIPOLAR" else (1, -end // 2 if dt.signed() else 0)
        high = scale * (end - 1) + low
        least = np.where(turned, -high, low)[:, None]  # s*x where u, or what is compared in its place, is 0
        limits = np.clip(np.ceil((thresholds - least) / scale), 0, end).astype(np.int64)
        common = (limits == limits[:1]).all() and (turned == turned[:1]).all()
        if self.get_nodeattr("loadable") and not self.get_nodeattr("shared"):
            channels = self.get_nodeattr("NumChannels")
            return np.broadcast_to(limits, (channels, limits.shape[1])), np.broadcast_to(turned, channels)
        return (limits[:1], turned[:1]) if common else (limits, turned)

    # ---- which hardware

    def set_line(self, factor: np.ndarray, offset: np.ndarray, shift: int, low: int, high: int) -> None:
        """The line of every channel, int64 (NumChannels,)."""
        self.set_nodeattr("factors", factor.tolist())
        self.set_nodeattr("offsets", offset.tolist())
        self.set_nodeattr("line", [shift, low, high])

    def product(self) -> Requantise_sf | None:
        """The product that takes its place, if one does."""
        get = self.get_nodeattr
        if get("form") == "search":
            return None
        shift, low, high = get("line")
        same = ("NumChannels", "PE", "inputDataType", "outputDataType", "numInputVectors")
        kinds = {f"{name}DataType": _type_of(get(f"{name}s")) for name in ("factor", "offset")}
        return Requantise_sf(helper.make_node(
            "Requantise_sf", ["x", "m", "b"], ["y"], self.onnx_node.name, domain=RTL_DOMAIN, shift=shift, low=low,
            high=high, **{name: get(name) for name in same}, **kinds,
        ))  # fmt: skip

    def rounds(self) -> bool:
        """Whether the node is an adder, because its thresholds are those of rounding, and stay so."""
        if not self.get_nodeattr("shift") or self.get_nodeattr("loadable"):
            return False
        return self._round_luts() < min(self._search_luts(), self._table_luts())

    def _round_luts(self) -> int:
        bits, out = self.get_input_datatype().bitwidth(), self.get_output_datatype().bitwidth()
        return self.get_nodeattr("PE") * rounding.luts(bits, self.get_nodeattr("shift"), out)

    def stages(self) -> int:
        """Comparisons of a binary search."""
        return int(self.get_nodeattr("numSteps")).bit_length()

    def _folds(self) -> int:
        """Words of a vector that have thresholds of their own."""
        get = self.get_nodeattr
        return 1 if get("shared") else max(1, get("NumChannels") // max(1, get("PE")))

    def is_table(self) -> bool:
        """Whether the node is a table, because that takes no more LUTs."""
        bits = self.get_input_datatype().bitwidth()
        return not self.rounds() and bits <= MAX_TABLE_WIDTH and self._table_luts() <= self._search_luts()

    def _table_luts(self) -> float:
        """A comparator for each threshold, or any function where there are many."""
        bits, out = self.get_input_datatype().bitwidth(), self.get_output_datatype().bitwidth()
        comparators, anything = self.get_nodeattr("numSteps") * self._folds() * bits / 4, (self._folds() << bits) / 53
        return self.get_nodeattr("PE") * self.constant_luts(
            out * min(comparators, anything), out, self._folds() << bits
        )

    def _memories(self) -> list[tuple[int, int]]:
        """(bits, words) of a lane's memory in every stage of a search."""
        return [(self.get_input_datatype().bitwidth() + 1, self._folds() << s) for s in range(self.stages())]

    def _stage_luts(self, width: int, depth: int) -> float:
        """LUT sites of a lane's memory in logic (fitted to yosys); all lanes have the address of the first stage."""
        alike = self.get_nodeattr("PE") if depth == self._folds() else 1
        functions = min(width, 2.0 ** min(depth, 64) / alike)
        return self.constant_luts(functions * max(0.5, depth / 47) if depth > 2 else 0, width, depth)

    def _constant(self, words: int) -> bool:
        """Whether a lane compares with a number that never changes."""
        return words == 1 and not self.get_nodeattr("loadable")

    def _in_block(self, width: int, depth: int) -> bool:
        """Whether a lane's memory lies in block RAM, by what is scarcer on a board."""
        return self._stage_luts(width, depth) > LUT_PER_BRAM18 * brams(width, depth)

    def _search_luts(self) -> float:
        """A comparison and a memory for each stage."""
        memory = self._memories()
        roms = sum(self._stage_luts(*shape) for shape in memory if not self._in_block(*shape))
        compared = sum(-(-bits // (3 if self._constant(words) else 2)) + 1 for bits, words in memory)
        compared += self.get_input_datatype().signed()
        return self.get_nodeattr("PE") * (roms + compared)

    def rtl_instance(self, model) -> RtlInstance:
        """See `sf_lut.sv`, `sf_thresholds.sv`, `sf_round.sv`."""
        self._check()
        if (product := self.product()) is not None:
            return product.instance(*(np.array(self.get_nodeattr(name)) for name in ("factors", "offsets")))
        if self.rounds():
            return self._rounded(self.constants(model)[0])
        limits, turned = self.limits(model)
        if self.get_nodeattr("shared") and len(limits) > 1:
            raise self.fail(f"shared = 1, but thresholds of {len(limits)} channels differ")
        return self._table(limits, turned) if self.is_table() else self._search(limits, turned)

    def _rounded(self, thresholds: np.ndarray) -> RtlInstance:
        get, low, dt = self.get_nodeattr, self._bias(), self.get_input_datatype()
        if rounding.shift_of(thresholds, low) != get("shift") or len(self.onnx_node.input) > 2:
            raise self.fail(f"shift = {get('shift')}, but its thresholds do not round by that power of two")
        params = {
            "IN_WIDTH": dt.bitwidth(), "IN_SIGNED": int(dt.signed()), "SHIFT": get("shift"), "LOW": low,
            "HIGH": low + get("numSteps"), "OUT_WIDTH": self.get_output_datatype().bitwidth(), "PE": get("PE"),
        }  # fmt: skip
        return RtlInstance("sf_round", params)

    def _table(self, limits: np.ndarray, turned: np.ndarray) -> RtlInstance:
        """Output codes (channels or 1, 2**bits), addressed by the input's bits."""
        dt = self.get_input_datatype()
        end = 1 << dt.bitwidth()
        u = np.arange(end) ^ (end // 2 if dt.signed() and dt.name != "BIPOLAR" else 0)
        compared = np.where(turned[:, None], end - 1 - u, u)
        count = (compared[:, None, :] >= limits[:, :, None]).sum(axis=1)
        codes = count != 1 if self.get_nodeattr("window") else count + self._bias()
        return table(self, codes, dt.bitwidth(), self.get_output_datatype().bitwidth())

    def _search(self, limits: np.ndarray, turned: np.ndarray) -> RtlInstance:
        if self.get_nodeattr("numSteps") > MAX_STEPS:
            raise self.fail(f"numSteps = {self.get_nodeattr('numSteps')}; a search has hardware up to {MAX_STEPS}")
        dt, pe, stages, name = self.get_input_datatype(), self.get_nodeattr("PE"), self.stages(), self.onnx_node.name
        bits = dt.bitwidth() + 1
        if len(limits) == 1:
            limits, turned = np.repeat(limits, pe, axis=0), np.repeat(turned, pe)
        tree = np.full((len(limits), (1 << stages) - 1), 1 << dt.bitwidth())  # what is missing is never reached
        tree[:, : limits.shape[1]] = limits
        signs = turned.any() or self.get_nodeattr("loadable")
        mem = {f"{name}_signs.mem": hex_words(turned.reshape(-1, pe))} if signs else {}
        for s in range(stages):  # the middles of 2**s parts
            part = tree[:, (1 << stages - s - 1) - 1 :: 1 << stages - s]
            words = part.reshape(-1, pe, 1 << s).transpose(0, 2, 1).reshape(-1, pe)
            mem[f"{name}_thresholds_{s}.mem"] = hex_words(to_bits(words, bits))
        params = {f"THRESHOLDS_{s}": f"{name}_thresholds_{s}.mem" for s in range(stages)}
        folds = len(limits) // pe
        params |= {
            "IN_WIDTH": dt.bitwidth(), "IN_SIGNED": int(dt.signed() and dt.name != "BIPOLAR"), "STAGES": stages,
            "OUT_WIDTH": self.get_output_datatype().bitwidth(), "BIAS": self._bias(),
            "WINDOW": self.get_nodeattr("window"), "PE": pe, "FOLDS": folds,
            "BLOCK_FROM": sum(not self._in_block(bits, folds << s) for s in range(stages)),
            "SIGNS_FILE": f"{name}_signs.mem" if signs else "",
        } | self.memory_params()  # fmt: skip
        return RtlInstance("sf_thresholds", params, mem)

    def get_exp_cycles(self) -> int:
        """One cycle a word."""
        return int(np.prod(self.get_folded_output_shape()[:-1]))

    def delay(self) -> int:
        """Cycles from a word to its codes: a search reads, then compares, in every stage."""
        if (product := self.product()) is not None:
            return product.delay()
        if self.rounds():
            return rounding.LATENCY
        return TABLE_LATENCY if self.is_table() else 2 * self.stages()

    def lut_estimation(self, fpgapart: str = "") -> int:
        """A table, or the comparisons and shallow memories of a search, for each lane."""
        if (product := self.product()) is not None:
            return product.lut_estimation()
        pe, folds = self.get_nodeattr("PE"), self._folds()
        if self.rounds():
            return self._round_luts() + 2
        control = counter_luts(folds) if folds > 1 else 2
        if self.is_table():
            table = pe * self.get_output_datatype().bitwidth(), folds << self.get_input_datatype().bitwidth()
            return int(self._table_luts()) + self.chain_luts(table) + control
        memories = [(pe, folds), *((pe * bits, words) for bits, words in self._memories())]
        signs = self.constant_luts(0, pe, folds)
        return int(self._search_luts() + signs) + self.chain_luts(*memories) + control * self.stages()

    def bram_estimation(self, fpgapart: str = "") -> int:
        """The deep memories of a search, or the constants of a product."""
        if (product := self.product()) is not None:
            return product.bram_estimation()
        if self.is_table() or self.rounds():
            return 0
        return self.get_nodeattr("PE") * sum(brams(*shape) for shape in self._memories() if self._in_block(*shape))

    def dsp_estimation(self, fpgapart: str = "") -> int:
        """Of a product."""
        return 0 if (product := self.product()) is None else product.dsp_estimation()


def _type_of(values: list[int]) -> str:
    """The narrowest signed integers."""
    return f"INT{max(2, *(max(v, -v - 1).bit_length() + 1 for v in (min(values), max(values))))}"
