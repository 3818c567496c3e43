"""Binary neural networks from PyTorch to FPGA dataflow accelerators, proven equal by cycle-accurate simulation.

    import signflow

    acc = signflow.build("cnv", board="pynq-z2")     # or a QONNX file, or a torch module of your own
    logits = acc(images)
    acc.verify(200)

Names are imported when they are first used, so that ``import signflow`` costs nothing.
"""

import warnings
from importlib import import_module
from typing import Any

__version__ = "0.2.0"

# Brevitas says so at every import, in red in a notebook; nothing here uses it
warnings.filterwarnings("ignore", "fast_hadamard_transform package not found")

_WHERE = {
    "signflow.deploy.accelerator": ("Accelerator", "Operator", "build", "load"),
    "signflow.deploy.generate.exchange": ("ExchangeError",),
    "signflow.deploy.compile.errors": ("ModelFileError", "UnsupportedError"),
    "signflow.deploy.plan.timing": ("Prediction",),
    "signflow.deploy.products": ("FlowError",),
    "signflow.deploy.verify.images": ("Images",),
    "signflow.deploy.verify.ladder": ("Row",),
    "signflow.deploy.verify.rungs": ("LadderError",),
    "signflow.deploy.verify.simulate": ("Simulation",),
    "signflow.deploy.tools.report": ("Report",),
    "signflow.hw.boards": ("Board", "BoardError", "boards"),
    "signflow.hw.ops.folding": ("FoldingError",),
    "signflow.models.data": ("DataError",),
    "signflow.models.networks": ("networks",),
    "signflow.models.training": ("Trained", "train"),
    "signflow.models.training.recipe": ("RecipeError",),
}
_NAMES = {name: module for module, names in _WHERE.items() for name in names}
__all__ = [
    "Accelerator", "Board", "BoardError", "DataError", "ExchangeError", "FlowError", "FoldingError", "Images",
    "LadderError", "ModelFileError", "Operator", "Prediction", "RecipeError", "Report", "Row", "Simulation", "Trained",
    "UnsupportedError", "__version__", "boards", "build", "load", "networks", "train",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """The public names, from where they live."""
    if name not in _NAMES:
        raise AttributeError(f"module 'signflow' has no attribute {name!r}; it has {', '.join(__all__)}")
    found = getattr(import_module(_NAMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
