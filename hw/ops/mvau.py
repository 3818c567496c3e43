"""MVAU (`hw/rtl/sf_mvau.sv`): XNOR-popcount for binary inputs, sums of +-x for integer ones, products for integer
weights; up to two thresholds behind them.
"""

import math
from functools import cache

import numpy as np
from finn.custom_op.fpgadataflow.matrixvectoractivation import MVAU
from qonnx.core.datatype import DataType

from signflow.hw.ops.base import RTLBackend, RtlInstance, StreamOp, hex_words, lut_rams, to_bits
from signflow.hw.ops.compress import CHAIN, FAST_CHAIN, popcount, popcount_of_constants
from signflow.hw.ops.flags import check_flags, sharing
from signflow.hw.ops.folding import steps
from signflow.hw.ops.planes import Planes
from signflow.hw.ops.vectors import PIXELS, Vectors
from signflow.hw.ops.weights import Weights

_datatype = cache(DataType.__getitem__)


class MVAU_sf(Vectors, Weights, Planes, StreamOp, MVAU, RTLBackend):
    """FINN's MVAU: (.., MW), weights (MW, MH), thresholds (MH or 1, 1 or 2) or none (noActivation) -> (.., MH).

    The output is the number of thresholds reached; with window = 1, whether that number is not 1: +1 outside the
    interval between two thresholds. Inputs that are bits may hold the number 0 (`signflow.hw.ops.flags`).
    """

    def get_nodeattr_types(self):
        """FINN's attributes; window: the output bit is [acc < T1 or acc >= T2]; padGroup: bits that share a flag;
        ram_style may be "adders": weights are constants of the adders (`sf_dot_steps.sv`), those of integers in
        ``planes`` bits of every activation a cycle (`sf_mvau_planes.sv`); Pixels: vectors that share the weights that
        are read.
        """
        types = super().get_nodeattr_types()
        kind, required, default, styles = types["ram_style"]
        types["ram_style"] = (kind, required, default, {*styles, "adders"})
        types |= {"Pixels": ("i", False, 1), "planes": ("i", False, 0)}
        return types | {"window": ("i", False, 0, {0, 1}), "padGroup": ("i", False, 0)}

    def get_input_datatype(self, ind: int = 0):
        """Of activations and weights, looked up once a name."""
        return _datatype(self.get_nodeattr(("inputDataType", "weightDataType")[ind]))

    def get_output_datatype(self, ind: int = 0):
        """Of results, looked up once a name."""
        return _datatype(self.get_nodeattr("outputDataType"))

    def in_group(self, ind: int = 0) -> int:
        """Of inputs that may be the number 0."""
        return sharing(self) if ind == 0 else 0

    def picture(self) -> tuple[str, str]:
        """A product; its sizes."""
        thresholds = ", thresholds" if self._steps() else ""
        return "product", f"{self.get_nodeattr('MW')} → {self.get_nodeattr('MH')}{thresholds}"

    def foldings(self) -> dict[str, list]:
        """SIMD and PE that take fewer steps than smaller ones, the last of them padded where they do not divide MW or
        MH; SIMD is even where bits have flags. Where the weights lie. Of integers, bit planes a cycle.
        """
        simd, pe = (steps(self.get_nodeattr(size)) for size in ("MW", "MH"))
        simd = [n for n in simd if not (self.get_nodeattr("padGroup") and n % 2)]
        loadable, constants = self.get_nodeattr("loadable"), self._weight_bits() == 1
        constants = constants and bool(self._binary_input() or self._steps())
        styles = ["auto", "block", "distributed", *(["ultra"] if loadable else ["adders"] if constants else [])]
        vectors = math.prod(self.get_nodeattr("numInputVectors"))
        pixels = [n for n in PIXELS if self._binary_input() and n <= vectors]
        names = {"SIMD": simd, "PE": pe, "ram_style": styles} | ({"Pixels": pixels} if len(pixels) > 1 else {})
        if constants and not self._binary_input():
            names["planes"] = [0, *(() if loadable else steps(self.get_input_datatype(0).bitwidth()))]
        return names

    def candidates(self) -> dict[str, list]:
        """Where the last step is padded, only few steps: many short ones have divisors enough."""
        names = super().candidates()
        for lanes, size, most in (("SIMD", self.get_nodeattr("MW"), 8), ("PE", self.get_nodeattr("MH"), 12)):
            names[lanes] = [n for n in names[lanes] if size % n == 0 or size <= most * n]
        return names

    def execute_node(self, context, graph) -> None:
        """FINN's reference; with window = 1 its count becomes a bit."""
        super().execute_node(context, graph)
        if self.get_nodeattr("window"):
            count = context[self.onnx_node.output[0]]
            context[self.onnx_node.output[0]] = (count != 1).astype(count.dtype)

    def _steps(self) -> int:
        """Thresholds of a neuron: 0, 1 or 2."""
        if self.get_nodeattr("noActivation"):
            return 0
        return 2 if self.get_nodeattr("window") else self.get_output_datatype().bitwidth()

    def _acc_range(self) -> tuple[int, int]:
        """Least and largest accumulator for any weights."""
        mw = self.get_nodeattr("MW")
        if self._binary_input():
            return 0, mw
        most = math.prod(int(max(abs(dt.min()), abs(dt.max()))) for dt in map(self.get_input_datatype, (0, 1))) * mw
        return -most, most

    def acc_width(self) -> int:
        """Bits of the accumulator, which holds acc - T1 for every reachable acc and a T1 from "always" to "never";
        without thresholds, of the output.
        """
        if self.get_nodeattr("noActivation"):
            return self.get_output_datatype().bitwidth()
        low, high = self._acc_range()
        return (high - low).bit_length() + 1

    def _replays(self) -> bool:
        """The words of a vector go through a buffer."""
        return min(self._folds()) > 1

    def latency(self) -> int:
        """Cycles from the last step of a fold to its output word: one register in front of the products, one more where
        they are replayed or wait for a register behind the weights, their tree, two behind, and one for a second
        threshold.
        """
        simd = self.get_nodeattr("SIMD")
        if self.planes():
            return 3 + self.plane_stages()
        if self._binary_input():
            stages = self._count()[0]
        else:
            stages = 2 + (-(-simd // (1 if self._weight_bits() > 1 else 3)) - 1).bit_length()
        later = self._replays() or (self.get_nodeattr("fast") and (self.block() or self.ultra()))
        return 3 + bool(later) + stages + (self._steps() == 2)

    def _count(self) -> tuple[int, int]:
        """(STAGES, LUTs) of the popcount of a PE."""
        simd, group = self.get_nodeattr("SIMD"), self.in_group()
        if self.adders():
            return popcount_of_constants(simd, group)
        return popcount(simd, group, FAST_CHAIN if self.get_nodeattr("fast") else CHAIN)

    def _check(self) -> None:
        get = self.get_nodeattr
        for lanes, size in (("SIMD", "MW"), ("PE", "MH")):
            if not 1 <= get(lanes) <= get(size):
                raise self.fail(f"{lanes} = {get(lanes)}, must be 1..{size} = {get(size)}")
        if not self.get_input_datatype(0).is_integer():
            raise self.fail(f"inputDataType is {get('inputDataType')}; only integers have hardware here")
        if not 1 <= self.pixels() <= math.prod(vectors := get("numInputVectors")):
            raise self.fail(f"Pixels = {self.pixels()}, must be 1..{math.prod(vectors)}, the vectors of an image")
        if self.pixels() > 1 and not self._binary_input():
            raise self.fail(f"Pixels = {self.pixels()} with {get('inputDataType')}; only bits share weights here")
        self._check_weight_type()
        self._check_activation()
        check_flags(self, self.get_input_datatype(0))
        self.check_folding()
        self.check_weights()

    def _check_weight_type(self) -> None:
        get, dt = self.get_nodeattr, self.get_input_datatype(1)
        if dt.name not in ("BIPOLAR", "BINARY") and not (dt.is_integer() and dt.signed()):
            raise self.fail(f"weights are {dt.name}; BIPOLAR weights and signed integers have hardware here")
        if dt.bitwidth() > 1 and self._binary_input():
            raise self.fail(
                f"weights are {dt.name} and the input is {get('inputDataType')}; integer weights have hardware for "
                "inputs of 2 bits and more"
            )
        if (get("inputDataType") == "BINARY") != bool(get("binaryXnorMode")):
            raise self.fail(
                f"inputDataType is {get('inputDataType')} {'with' if get('binaryXnorMode') else 'without'} "
                "binaryXnorMode; BINARY inputs need it (or make them BIPOLAR), others have no XNOR"
            )

    def _check_activation(self) -> None:
        get, out = self.get_nodeattr, self.get_nodeattr("outputDataType")
        if get("noActivation"):
            if get("window"):
                raise self.fail("window = 1 with noActivation = 1; a window needs two thresholds")
            return
        legal = ["BINARY"] if get("window") else ["BINARY", "BIPOLAR", "UINT2"]
        if out not in legal:
            raise self.fail(
                f"the activation gives {out}, with window = {get('window')} only {', '.join(legal)} have hardware; "
                "put more steps into a Thresholding"
            )
        if get("ActVal") and out != "BIPOLAR":
            raise self.fail(
                f"ActVal = {get('ActVal')}; counts of thresholds start at 0 here, put others into a Thresholding"
            )

    def _weights(self, model) -> np.ndarray:
        """Weights, (MH, MW), int64, {0, 1} of XNOR mode as +-1. Raises OpError for values not of their type."""
        values, dt = model.get_initializer(self.onnx_node.input[1]), self.get_input_datatype(1)
        if values is None or values.shape != (self.get_nodeattr("MW"), self.get_nodeattr("MH")):
            raise self.fail(f"weights are {None if values is None else values.shape}, must be (MW, MH)")
        if dt.bitwidth() > 1:
            if illegal := [v for v in np.unique(values).tolist() if not dt.allowed(v)]:
                raise self.fail(f"weights hold values that {dt.name} has not: {illegal[:5]}")
            return values.T.astype(np.int64)
        legal = {0.0, 1.0} if self.get_nodeattr("binaryXnorMode") else {-1.0, 1.0}
        if not (found := set(np.unique(values).tolist())) <= legal:
            raise self.fail(f"weights hold values other than +-1: {sorted(found - legal)[:5]}")
        return np.where(values.T > 0, 1, -1)

    def _thresholds(self, model) -> np.ndarray:
        """Integers, (MH, steps), ascending, clipped to "always" .. "never"; zeros, (MH, 1), without activation."""
        mh, steps = self.get_nodeattr("MH"), self._steps()
        if steps == 0:
            return np.zeros((mh, 1), np.int64)
        t = model.get_initializer(self.onnx_node.input[2])
        if t.ndim != 2 or t.shape[0] not in (1, mh) or t.shape[1] != steps or np.isnan(t).any():
            raise self.fail(f"thresholds are {t.shape}, must be ({mh} or 1, {steps}) numbers: {steps} for a neuron")
        low, high = self._acc_range()
        t = np.clip(np.ceil(t.astype(np.float64)), low, high + 1).astype(np.int64)
        if (bad := np.flatnonzero(t[:, 0] > t[:, -1])).size:
            raise self.fail(f"thresholds of neuron {bad[0]} are {t[bad[0]].tolist()}; they must ascend, sort them")
        return np.broadcast_to(t, (mh, steps))

    def _starts(self, weights: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
        """Start values of the accumulators, (MH,): -T1, and what `sf_dot_integer.sv` leaves out."""
        if self._binary_input() or self._weight_bits() > 1:
            return -thresholds[:, 0]
        last_of_threes = self._padded(weights)[: len(weights), :, 2::3]
        return (last_of_threes < 0).sum(axis=(1, 2)) - thresholds[:, 0]

    def _check_output(self, weights: np.ndarray) -> None:
        """Raw accumulators must fit the output type, with these weights."""
        dt, odt = self.get_input_datatype(0), self.get_output_datatype()
        low, high = 0, weights.shape[1]
        if not self._binary_input():
            products = weights * int(dt.min()), weights * int(dt.max())
            low, high = np.minimum(*products).sum(axis=1).min(), np.maximum(*products).sum(axis=1).max()
        if not (odt.allowed(low) and odt.allowed(high)):
            raise self.fail(f"outputDataType {odt.name} does not hold the accumulators, {int(low)}..{int(high)}")

    def _words(self, weights: np.ndarray) -> np.ndarray:
        """Weights (MH, MW) as words (nf, sf) of lanes (p, s), integers."""
        (nf, sf), pe, simd = self._folds(), self.get_nodeattr("PE"), self.get_nodeattr("SIMD")
        codes = self._padded(weights if self._weight_bits() > 1 else weights > 0)
        return codes.reshape(nf, pe, sf, simd).transpose(0, 2, 1, 3).reshape(nf * sf, pe * simd)

    def _images(self, weights: np.ndarray, thresholds: np.ndarray) -> dict[str, list[str]]:
        """Memory images by the parameter of `sf_mvau.sv` that names them; no entry where a module needs none."""
        get, bits, acc = self.get_nodeattr, self._weight_bits(), self.acc_width()
        nf, pe = self._folds()[0], get("PE")
        words = self._words(weights)
        images = {} if self.adders() else {"WEIGHTS_FILE": hex_words(to_bits(words, bits))}
        starts = self._starts(weights, thresholds)
        summed = not self._binary_input() and bits == 1  # by sf_dot_integer.sv
        if self._steps() or starts.any() or (get("loadable") and summed):
            images["START_FILE"] = hex_words(to_bits(np.resize(starts, (nf, pe)), acc))
        if self._steps() == 2:
            gaps = thresholds[:, 1] - thresholds[:, 0]
            images["GAP_FILE"] = hex_words(to_bits(np.resize(gaps, (nf, pe)), acc))
        return images

    def _padded(self, weights: np.ndarray) -> np.ndarray:
        """(MH, MW) -> (NF*PE, SF, SIMD), ones where there are none."""
        (nf, sf), pe, simd = self._folds(), self.get_nodeattr("PE"), self.get_nodeattr("SIMD")
        more = [(0, nf * pe - len(weights)), (0, sf * simd - weights.shape[1])]
        return np.pad(weights, more, constant_values=1).reshape(nf * pe, sf, simd)

    def rtl_instance(self, model) -> RtlInstance:
        """See `sf_mvau.sv`."""
        self._check()
        get = self.get_nodeattr
        weights = self._weights(model)
        if get("noActivation"):
            self._check_output(weights)
        if self.planes():
            return self.planes_instance(weights, self._thresholds(model))
        images = self._images(weights, self._thresholds(model))
        files = {
            key: f"{self.onnx_node.name}_{key.removesuffix('_FILE').lower()}.mem"
            for key in ("WEIGHTS_FILE", "START_FILE", "GAP_FILE")
        }
        params = {
            "MW": get("MW"), "MH": get("MH"), "SIMD": get("SIMD"), "PE": get("PE"), "PIXELS": get("Pixels"),
            "ACT_WIDTH": self.get_input_datatype(0).bitwidth(),
            "ACT_SIGNED": int(not self._binary_input() and self.get_input_datatype(0).signed()),
            "WEIGHT_WIDTH": self._weight_bits(), "GROUP": self.in_group(), "ACC_WIDTH": self.acc_width(),
            "THRESHOLDS": self._steps(), "WINDOW": get("window"), "BLOCK": int(self.block()),
        }  # fmt: skip
        if self._binary_input():
            params["TREE_STAGES"] = self._count()[0]
        params |= self.memory_params() | ({"ULTRA": 1} if self.ultra() else {})
        params |= {"FAST": 1} if get("fast") else {}
        params |= {key: name if key in images else "" for key, name in files.items()}
        if self.adders():
            bits = self._words(weights).reshape(1, -1)
            params |= {"ADDERS": 1, "WEIGHTS": f"{bits.size}'h{hex_words(bits)[0]}"}
        return RtlInstance("sf_mvau", params, {files[key]: words for key, words in images.items()})

    def get_exp_cycles(self) -> int:
        """NF * SF cycles for each of the input vectors of an image, or those of its bit planes."""
        return (self.plane_steps() if self.planes() else math.prod(self._folds())) * math.prod(self._groups())

    def accepts(self, arrivals: np.ndarray) -> np.ndarray:
        """Words are taken during the first fold, then (NF - 1) * SF steps replay them, or take their other planes."""
        nf, sf = (self.plane_steps(), 1) if self.planes() else self._folds()
        word = np.arange(len(arrivals))
        ramp = word // sf * (nf * sf) + word % sf
        return np.maximum.accumulate(arrivals - ramp) + ramp

    def timing(self, arrivals: np.ndarray) -> np.ndarray:
        """One word after the last step of every fold."""
        if self.planes():
            return self.accepts(arrivals) + self.plane_steps() - 1 + self.latency()
        nf, sf = self._folds()
        return (self.accepts(arrivals)[sf - 1 :: sf, None] + np.arange(nf) * sf).ravel() + self.latency()

    def macs_per_cycle(self) -> int:
        """Pixels * PE * SIMD, by bit planes a part of it."""
        lanes = self.pixels() * self.get_nodeattr("PE") * self.get_nodeattr("SIMD")
        return max(1, lanes // self.plane_steps()) if self.planes() else lanes

    def _tree_luts(self) -> float:
        """Products and their trees."""
        pe, simd, bits = self.get_nodeattr("PE"), self.get_nodeattr("SIMD"), self._weight_bits()
        act = self.get_input_datatype(0).bitwidth()
        if bits > 1:
            multipliers = 0 if self.dsp_estimation() else pe * simd * act * bits
            return multipliers + pe * (simd - 1) * (act + bits + 1)
        if act == 1:
            return self.pixels() * pe * (self._count()[1] + 3)  # and shift registers
        threes = math.ceil(simd / 3)
        return threes * 4 * (act + 2) + pe * (threes * 2 * (act + 2) + (threes - 1) * (act + 4))

    def _row_luts(self) -> float:
        """LUTs of the start values and of the gaps to a second threshold, a row of each for every fold, and of the
        comparison with the latter.
        """
        nf, width = self._folds()[0], self.get_nodeattr("PE") * self.acc_width()
        summed = not self._binary_input() and self._weight_bits() == 1
        row = width * ((nf / 64) ** 0.5 if nf <= 64 else (nf / 64) ** 1.8)
        rows = [row] if self._steps() or summed else []
        rows += [2 * row] if self._steps() == 2 else []
        loaded = sum(self.constant_luts(luts, width, nf) for luts in rows) + self.chain_luts(*[(width, nf)] * len(rows))
        return (loaded if self.get_nodeattr("loadable") else sum(rows)) + width / 2 * (self._steps() == 2)

    def lut_estimation(self, fpgapart: str = "") -> int:
        """Sites of: trees of products, weights in logic, accumulators, thresholds, replay buffer, FIFO, control."""
        if self.planes():
            return int(self.plane_luts())
        pe, sf = self.get_nodeattr("PE"), self._folds()[1]
        weights = self._weight_luts() + self.chain_luts(self._memory())
        replay = lut_rams(self.get_instream_width(), sf) if self._replays() else 0
        out = lut_rams(self.get_outstream_width(), 32) + 20
        return int(
            weights + self._tree_luts() + self.pixels() * pe * self.acc_width() + self._row_luts() + replay + out + 20
        )

    def dsp_estimation(self, fpgapart: str = "") -> int:
        """Integer weights: a DSP block for each multiplier whose product has 9 bits or more."""
        bits = self._weight_bits()
        in_dsp = bits > 1 and self.get_input_datatype(0).bitwidth() + bits >= 9
        return self.macs_per_cycle() if in_dsp else 0
