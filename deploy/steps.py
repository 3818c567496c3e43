"""The steps of a build in order, each with what it leaves in the work folder: the only table of them."""

from dataclasses import dataclass

NETWORK, INTEGER, HARDWARE = "1-network.onnx", "2-integer.onnx", "3-hardware.onnx"
FOLDING, FOLDED, ACCELERATOR = "4-folding.json", "4-folded.onnx", "5-accelerator"
VERIFIED, SYNTHESISED, PROJECT, BITSTREAM = "6-verify.json", "7-report.json", "8-project", "9-bitstream.json"

RESULTS = (VERIFIED, SYNTHESISED, PROJECT, BITSTREAM)
"""What other commands make of a finished build."""


@dataclass(frozen=True)
class Step:
    """One step."""

    does: str
    """From what to what, in a line."""
    products: tuple[str, ...] = ()
    """What it leaves in the work folder."""


STEPS = {
    "export": Step("Brevitas or a foreign QONNX file -> QONNX with a declared image input.", (NETWORK,)),
    "streamline": Step("QONNX -> integer graph: thresholds by enumeration, XNOR-popcount products.", (INTEGER,)),
    "lower": Step("Integer graph -> hardware operators.", (HARDWARE,)),
    "fold": Step("PE and SIMD of every operator, width converters, FIFO depths.", (FOLDING, FOLDED)),
    "generate": Step("Folded graph -> SystemVerilog, memory images, accel.json.", (ACCELERATOR,)),
    "compile": Step("SystemVerilog -> compiled simulation (cached by content)."),
    "check": Step("The network itself = integer graph = RTL, on images that drive its sums to their ends."),
}
"""Step NAME is the function `step_NAME` of `signflow.deploy.flow`."""


def since(start: str) -> list[str]:
    """The steps from ``start`` to the end."""
    names = list(STEPS)
    return names[names.index(start) :]


def outdated(start: str) -> list[str]:
    """What a build from ``start`` makes anew, or makes wrong: its products and all results."""
    return [product for name in since(start) for product in STEPS[name].products] + list(RESULTS)
