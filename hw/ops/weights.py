"""Where the weights of a matrix-vector unit lie: block RAM, logic, UltraRAM, or the adders themselves."""

import math

from signflow.hw.ops.base import bram_luts, brams, rom_luts, urams
from signflow.hw.ops.folding import FoldingError

STEPS, MOST_CONSTANTS = 4, 1 << 16
"""Of weights in the adders: two bits say the step, and Verilator takes constants up to here."""
SHALLOW = 32  # weight memories up to this many words are logic, deeper ones block RAM, unless ram_style says otherwise


class Weights:
    """Of an operator with MW, MH, SIMD, PE and ram_style."""

    def _binary_input(self) -> bool:
        return self.get_input_datatype(0).bitwidth() == 1

    def _weight_bits(self) -> int:
        return self.get_input_datatype(1).bitwidth()

    def _folds(self) -> tuple[int, int]:
        get = self.get_nodeattr
        return -(-get("MH") // get("PE")), -(-get("MW") // get("SIMD"))

    def block(self) -> bool:
        """Weights lie in block RAM: attribute ram_style, "auto" by depth."""
        style = self.get_nodeattr("ram_style")
        return style == "block" or (style == "auto" and self._memory()[1] > SHALLOW)

    def adders(self) -> bool:
        """Weights are constants of the adders."""
        return self.get_nodeattr("ram_style") == "adders"

    def _memory(self) -> tuple[int, int]:
        """(bits, words) of the weight memory."""
        lanes = self.get_nodeattr("PE") * self.get_nodeattr("SIMD")
        return lanes * self._weight_bits(), math.prod(self._folds())

    def memory_bits(self) -> int:
        """Of all weights."""
        return math.prod(self._memory())

    def ultra(self) -> bool:
        """Weights lie in UltraRAM."""
        return self.get_nodeattr("ram_style") == "ultra"

    def uram_estimation(self, fpgapart: str = "") -> int:
        """Weights in UltraRAM."""
        return urams(*self._memory()) if self.ultra() else 0

    def _weight_luts(self) -> float:
        """LUTs of the weights: in logic, or of the banks of block RAM."""
        if self.adders() or self.ultra():
            return 0
        if self.block():
            return bram_luts(*self._memory())
        return self.constant_luts(rom_luts(*self._memory()), *self._memory())

    def check_folding(self) -> None:
        """Weights in the adders: at most four steps and one word a vector; of integers, by bit planes."""
        if bool(self.planes()) != (self.adders() and not self._binary_input()):
            raise FoldingError(
                f"{self.onnx_node.name}: planes = {self.planes()} with ram_style = {self.get_nodeattr('ram_style')}; "
                "bit planes are of integers with weights in the adders, and these of bit planes"
            )
        if self.planes():
            self._check_planes()
        elif self.adders() and (self._folds()[0] > STEPS or self._folds()[1] > 1):
            get = self.get_nodeattr
            raise FoldingError(
                f"{self.onnx_node.name}: ram_style is adders with PE = {get('PE')} of {get('MH')} and SIMD = "
                f"{get('SIMD')} of {get('MW')}; it takes at most {STEPS} steps, so PE >= {-(-get('MH') // STEPS)} and "
                f"SIMD = {get('MW')}"
            )
        if self.adders() and (bits := self.constant_bits() if self.planes() else self.memory_bits()) > MOST_CONSTANTS:
            raise FoldingError(
                f"{self.onnx_node.name}: ram_style is adders with constants of {bits} bits; a parameter holds at "
                f"most {MOST_CONSTANTS}"
            )

    def _check_planes(self) -> None:
        get, bits = self.get_nodeattr, self.get_input_datatype(0).bitwidth()
        if get("PE") != get("MH") or get("SIMD") != get("MW") or not 1 <= self.planes() <= bits:
            raise FoldingError(
                f"{self.onnx_node.name}: planes = {self.planes()} of {bits} with PE = {get('PE')} of {get('MH')} and "
                f"SIMD = {get('SIMD')} of {get('MW')}; bit planes take whole vectors and all neurons"
            )

    def check_weights(self) -> None:
        """Raises OpError where ram_style and what the node is for do not go together."""
        get = self.get_nodeattr
        if self.adders() and (get("loadable") or self._weight_bits() > 1 or (self.planes() and not self._steps())):
            raise self.fail(
                f"ram_style is adders with loadable = {get('loadable')}, weights {get('weightDataType')}, noActivation "
                f"= {get('noActivation')}; weights in adders are constants of +-1, and bit planes need thresholds"
            )
        if self.ultra() and not get("loadable"):
            raise self.fail("ram_style is ultra, and no bitstream fills UltraRAM; build it with --loadable")

    def bram_estimation(self, fpgapart: str = "") -> int:
        """Weights in block RAM."""
        return brams(*self._memory()) if self.block() else 0
