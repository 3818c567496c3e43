"""MVAU with BIPOLAR weights: XNOR-popcount for binary inputs, sums of +-x for integer ones (`hw/rtl/mvau.sv`)."""

import math

import numpy as np
from finn.custom_op.fpgadataflow.matrixvectoractivation import MVAU

from signflow.hw.ops.base import RTLBackend, RtlInstance, StreamOp, brams, earliest, hex_words, to_bits

LATENCY = 3
SHALLOW = 64  # weight memories up to this many words are logic, deeper ones block RAM (mvau.sv, DEEP)


class MVAU_sf(StreamOp, MVAU, RTLBackend):
    """FINN's MVAU: input (.., MW), weights (MW, MH), thresholds (MH or 1, 1) or none (noActivation); output (.., MH)."""

    def _binary_input(self) -> bool:
        return self.get_input_datatype(0).bitwidth() == 1

    def _acc_range(self) -> tuple[int, int]:
        mw = self.get_nodeattr("MW")
        if self._binary_input():
            return 0, mw
        dt = self.get_input_datatype(0)
        most = int(max(abs(dt.min()), abs(dt.max()))) * mw
        return -most, most

    def acc_width(self) -> int:
        """Bits of the accumulator: they hold its range and a threshold just beyond it ("never")."""
        if self.get_nodeattr("noActivation"):
            return self.get_output_datatype().bitwidth()
        low, high = self._acc_range()
        return (high + 1).bit_length() + (low < 0)

    def _check(self) -> None:
        get = self.get_nodeattr
        for lanes, size in (("SIMD", "MW"), ("PE", "MH")):
            if get(lanes) < 1 or get(size) % get(lanes):
                raise self.fail(f"{lanes} = {get(lanes)} does not divide {size} = {get(size)}")
        if get("weightDataType") not in ("BIPOLAR", "BINARY"):
            raise self.fail(f"weights are {get('weightDataType')}; only BIPOLAR weights have hardware here")
        if not get("noActivation") and self.get_output_datatype().bitwidth() != 1:
            raise self.fail(f"the activation gives {get('outputDataType')}; only one threshold (one bit) has hardware here")

    def rtl_instance(self, model) -> RtlInstance:
        """See `mvau.sv`."""
        self._check()
        get, node = self.get_nodeattr, self.onnx_node
        mw, mh, simd, pe, acc = get("MW"), get("MH"), get("SIMD"), get("PE"), self.acc_width()
        weights = model.get_initializer(node.input[1])
        values = set(np.unique(weights).tolist())
        if not values <= ({0.0, 1.0} if get("binaryXnorMode") else {-1.0, 1.0}):
            raise self.fail(f"weights hold values other than +-1: {sorted(values)[:5]}")
        # (MW, MH) -> word (nf, sf), bit (p, s)
        w = (weights.T > 0).reshape(mh // pe, pe, mw // simd, simd).transpose(0, 2, 1, 3).reshape(-1, pe * simd)
        mem = {f"{node.name}_weights.mem": hex_words(w)}
        embedded = not get("noActivation")
        if embedded:
            low, high = self._acc_range()
            t = np.clip(np.ceil(model.get_initializer(node.input[2]).astype(np.float64)), low, high + 1).astype(np.int64)
            t = np.broadcast_to(t[:, :1], (mh, 1)).reshape(mh // pe, pe)
            mem[f"{node.name}_thresholds.mem"] = hex_words(to_bits(t, acc))
        params = {
            "MW": mw, "MH": mh, "SIMD": simd, "PE": pe, "ACT_WIDTH": self.get_input_datatype(0).bitwidth(),
            "ACT_SIGNED": int(not self._binary_input() and self.get_input_datatype(0).signed()), "ACC_WIDTH": acc, "THRESHOLDS": int(embedded),
            "WEIGHTS_FILE": f"{node.name}_weights.mem", "THRESH_FILE": f"{node.name}_thresholds.mem" if embedded else "",
        }  # fmt: skip
        return RtlInstance("mvau", params, mem)

    def _folds(self) -> tuple[int, int]:
        get = self.get_nodeattr
        return get("MH") // get("PE"), get("MW") // get("SIMD")

    def get_exp_cycles(self) -> int:
        """NF * SF cycles for each of the input vectors of an image."""
        return math.prod(self._folds()) * int(np.prod(self.get_nodeattr("numInputVectors")))

    def _steps(self, arrivals: np.ndarray) -> np.ndarray:
        """Cycle of every step, (vectors, NF, SF): the SF steps of the first fold wait for their word."""
        nf, sf = self._folds()
        bound = np.full((len(arrivals) // sf, nf, sf), np.iinfo(np.int64).min // 2)
        bound[:, 0, :] = arrivals.reshape(-1, sf)
        return earliest(bound.ravel()).reshape(bound.shape)

    def accepts(self, arrivals: np.ndarray) -> np.ndarray:
        """Words are taken during the first fold."""
        return self._steps(arrivals)[:, 0, :].ravel()

    def timing(self, arrivals: np.ndarray) -> np.ndarray:
        """One word after the last step of every fold."""
        return self._steps(arrivals)[:, :, -1].ravel() + LATENCY

    def macs_per_cycle(self) -> int:
        """PE * SIMD."""
        return self.get_nodeattr("PE") * self.get_nodeattr("SIMD")

    def lut_estimation(self, fpgapart: str = "") -> int:
        """Popcount trees, shallow weights, accumulators and comparators, replay buffer."""
        (nf, sf), pe, simd, acc = self._folds(), self.get_nodeattr("PE"), self.get_nodeattr("SIMD"), self.acc_width()
        act = self.get_input_datatype(0).bitwidth()
        rom = 0 if nf * sf > SHALLOW else pe * simd * (0.5 if nf * sf <= 32 else 1.0)
        tree = pe * simd * (1.3 if act == 1 else 1.2 * act)
        replay = simd * act * math.ceil(sf / 32) * 0.7 if nf > 1 else 0
        return int(rom + tree + pe * acc * 2 + replay + 30)

    def bram_estimation(self, fpgapart: str = "") -> int:
        """Weights deeper than 64 words."""
        nf, sf = self._folds()
        return brams(self.get_nodeattr("PE") * self.get_nodeattr("SIMD"), nf * sf) if nf * sf > SHALLOW else 0
