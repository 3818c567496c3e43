"""MVAU with BIPOLAR weights: XNOR-popcount for binary inputs, sums of +-x for integer ones (`hw/rtl/mvau.sv`)."""

import math

import numpy as np
from finn.custom_op.fpgadataflow.matrixvectoractivation import MVAU

from signflow.hw.ops.base import RTLBackend, RtlInstance, StreamOp, brams, hex_words, to_bits

SHALLOW = 32  # weight memories up to this many words are logic, deeper ones block RAM, unless ram_style says otherwise


class MVAU_sf(StreamOp, MVAU, RTLBackend):
    """FINN's MVAU: (.., MW), weights (MW, MH), thresholds (MH or 1, 1) or none (noActivation) -> (.., MH)."""

    def _binary_input(self) -> bool:
        return self.get_input_datatype(0).bitwidth() == 1

    def _folds(self) -> tuple[int, int]:
        get = self.get_nodeattr
        return get("MH") // get("PE"), get("MW") // get("SIMD")

    def _acc_range(self) -> tuple[int, int]:
        """Least and largest accumulator for any weights."""
        mw, dt = self.get_nodeattr("MW"), self.get_input_datatype(0)
        if self._binary_input():
            return 0, mw
        most = int(max(abs(dt.min()), abs(dt.max()))) * mw
        return -most, most

    def acc_width(self) -> int:
        """Bits of the accumulator, which holds acc - T for every reachable acc and a T from "always" to "never";
        without thresholds, of the output.
        """
        if self.get_nodeattr("noActivation"):
            return self.get_output_datatype().bitwidth()
        low, high = self._acc_range()
        return (high - low).bit_length() + 1

    def block(self) -> bool:
        """Weights lie in block RAM: attribute ram_style, "auto" by depth."""
        style = self.get_nodeattr("ram_style")
        return style == "block" or (style == "auto" and math.prod(self._folds()) > SHALLOW)

    def latency(self) -> int:
        """Cycles from the last step of a fold to its output word: one register in front of the products, their tree,
        two behind.
        """
        simd = self.get_nodeattr("SIMD")
        leaves = -(-simd // (15 if self._binary_input() else 3))
        return 5 + (leaves - 1).bit_length()

    def _check(self) -> None:
        get = self.get_nodeattr
        for lanes, size in (("SIMD", "MW"), ("PE", "MH")):
            if get(lanes) < 1 or get(size) % get(lanes):
                raise self.fail(f"{lanes} = {get(lanes)} does not divide {size} = {get(size)}")
        if get("weightDataType") not in ("BIPOLAR", "BINARY"):
            raise self.fail(f"weights are {get('weightDataType')}; only BIPOLAR weights have hardware here")
        if get("inputDataType") == "BINARY" and not get("binaryXnorMode"):
            raise self.fail(
                "inputDataType is BINARY without binaryXnorMode; products of {0, 1} have no hardware here, "
                "make the input BIPOLAR"
            )
        if not self.get_input_datatype(0).is_integer():
            raise self.fail(f"inputDataType is {get('inputDataType')}; only integers have hardware here")
        if not get("noActivation") and self.get_output_datatype().bitwidth() != 1:
            raise self.fail(
                f"the activation gives {get('outputDataType')}; only one threshold (one bit) has hardware here"
            )
        if get("ram_style") == "ultra":
            raise self.fail("ram_style is ultra; weights lie in block or distributed memory here")

    def _weights(self, model) -> np.ndarray:
        """Weights +1 as True, (MH, MW); raises OpError when there are others than +-1 ({0, 1} in XNOR mode)."""
        values = model.get_initializer(self.onnx_node.input[1])
        legal = {0.0, 1.0} if self.get_nodeattr("binaryXnorMode") else {-1.0, 1.0}
        if values is None or values.shape != (self.get_nodeattr("MW"), self.get_nodeattr("MH")):
            raise self.fail(f"weights are {None if values is None else values.shape}, must be (MW, MH)")
        if not (found := set(np.unique(values).tolist())) <= legal:
            raise self.fail(f"weights hold values other than +-1: {sorted(found - legal)[:5]}")
        return values.T > 0

    def _thresholds(self, model) -> np.ndarray:
        """One integer for every neuron, (MH,), clipped to "always" .. "never"; zeros without activation."""
        mh = self.get_nodeattr("MH")
        if self.get_nodeattr("noActivation"):
            return np.zeros(mh, np.int64)
        t = model.get_initializer(self.onnx_node.input[2])
        if t.ndim != 2 or t.shape[0] not in (1, mh) or t.shape[1] != 1 or np.isnan(t).any():
            raise self.fail(f"thresholds are {t.shape}, must be ({mh} or 1, 1) numbers: one threshold for a neuron")
        low, high = self._acc_range()
        return np.broadcast_to(np.clip(np.ceil(t[:, 0].astype(np.float64)), low, high + 1), mh).astype(np.int64)

    def _starts(self, weights: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
        """Start values of the accumulators, (MH,): -T, and what `dot_integer.sv` leaves out."""
        if self._binary_input():
            return -thresholds
        simd = self.get_nodeattr("SIMD")
        last_of_threes = weights.reshape(len(weights), -1, simd)[:, :, 2::3]
        return (~last_of_threes).sum(axis=(1, 2)) - thresholds

    def _check_output(self, weights: np.ndarray) -> None:
        """Raw accumulators must fit the output type, with these weights."""
        dt, odt = self.get_input_datatype(0), self.get_output_datatype()
        plus, minus = weights.sum(axis=1), (~weights).sum(axis=1)
        low, high = (
            (0, weights.shape[1])
            if self._binary_input()
            else ((plus * dt.min() - minus * dt.max()).min(), (plus * dt.max() - minus * dt.min()).max())
        )
        if not (odt.allowed(low) and odt.allowed(high)):
            raise self.fail(f"outputDataType {odt.name} does not hold the accumulators, {int(low)}..{int(high)}")

    def rtl_instance(self, model) -> RtlInstance:
        """See `mvau.sv`."""
        self._check()
        get, name = self.get_nodeattr, self.onnx_node.name
        mw, mh, simd, pe, acc = get("MW"), get("MH"), get("SIMD"), get("PE"), self.acc_width()
        weights = self._weights(model)
        if get("noActivation"):
            self._check_output(weights)
        # (MH, MW) -> word (nf, sf), bit (p, s)
        rom = weights.reshape(mh // pe, pe, mw // simd, simd).transpose(0, 2, 1, 3).reshape(-1, pe * simd)
        mem = {f"{name}_weights.mem": hex_words(rom)}
        starts = self._starts(weights, self._thresholds(model))
        if has_starts := not (get("noActivation") and self._binary_input()):
            mem[f"{name}_start.mem"] = hex_words(to_bits(starts.reshape(mh // pe, pe), acc))
        params = {
            "MW": mw, "MH": mh, "SIMD": simd, "PE": pe, "ACT_WIDTH": self.get_input_datatype(0).bitwidth(),
            "ACT_SIGNED": int(not self._binary_input() and self.get_input_datatype(0).signed()), "ACC_WIDTH": acc,
            "THRESHOLDS": int(not get("noActivation")), "BLOCK": int(self.block()),
            "WEIGHTS_FILE": f"{name}_weights.mem", "START_FILE": f"{name}_start.mem" if has_starts else "",
        }  # fmt: skip
        return RtlInstance("mvau", params, mem)

    def get_instream_width(self, ind: int = 0) -> int:
        """Bits of the activation stream; weights and thresholds are no streams here."""
        return MVAU.get_instream_width(self, 0) if ind == 0 else 0

    def get_exp_cycles(self) -> int:
        """NF * SF cycles for each of the input vectors of an image."""
        return math.prod(self._folds()) * int(np.prod(self.get_nodeattr("numInputVectors")))

    def accepts(self, arrivals: np.ndarray) -> np.ndarray:
        """Words are taken during the first fold, then (NF - 1) * SF steps replay them."""
        nf, sf = self._folds()
        word = np.arange(len(arrivals))
        ramp = word // sf * (nf * sf) + word % sf
        return np.maximum.accumulate(arrivals - ramp) + ramp

    def timing(self, arrivals: np.ndarray) -> np.ndarray:
        """One word after the last step of every fold."""
        nf, sf = self._folds()
        return (self.accepts(arrivals)[sf - 1 :: sf, None] + np.arange(nf) * sf).ravel() + self.latency()

    def macs_per_cycle(self) -> int:
        """PE * SIMD."""
        return self.get_nodeattr("PE") * self.get_nodeattr("SIMD")

    def lut_estimation(self, fpgapart: str = "") -> int:
        """Trees of products, weights in logic, accumulators, replay buffer, control."""
        (nf, sf), pe, simd, acc = self._folds(), self.get_nodeattr("PE"), self.get_nodeattr("SIMD"), self.acc_width()
        act, depth = self.get_input_datatype(0).bitwidth(), nf * sf
        rom = 0 if self.block() or depth == 1 else min(pe * simd, 2.0**depth) * math.ceil(depth / 64)
        tree = pe * simd * 1.75 if act == 1 else pe * simd * 0.75 * act + simd / 3 * 4 * (act + 2)
        start = pe * acc * math.ceil(nf / 64) if nf > 8 else 0
        replay = simd * act * (1 + math.ceil(sf / 32) * 0.7) if nf > 1 else 0
        return int(rom + tree + pe * acc + start + replay + 30)

    def bram_estimation(self, fpgapart: str = "") -> int:
        """Weights in block RAM."""
        return (
            brams(self.get_nodeattr("PE") * self.get_nodeattr("SIMD"), math.prod(self._folds())) if self.block() else 0
        )
