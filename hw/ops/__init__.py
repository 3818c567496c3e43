"""The operators, one file each, and their registration with FINN.

They live in FINN's own RTL domain under the name ``<FINN operator>_sf``, so that FINN's passes treat them as its own.
Every class of this folder whose name ends so is an operator: its file is all that makes it known.
Import this package after `signflow.deploy.compile.engine.boot`.
"""

import pkgutil
import sys
from importlib import import_module
from types import ModuleType

UNUSED = "finn.custom_op.fpgadataflow.layernorm"
"""The one module of FINN's operators that imports PyTorch, a second of every command."""


def _without_torch() -> None:
    """Put a class that nobody can make anything of in the place of FINN's LayerNorm, which no graph here has."""

    def refuse(*_args, **_kwargs):
        raise NotImplementedError("FINN's LayerNorm is not part of signflow: it has no RTL and needs PyTorch")

    if UNUSED not in sys.modules:
        sys.modules[UNUSED] = ModuleType(UNUSED)
        sys.modules[UNUSED].LayerNorm = type("LayerNorm", (), {"__init__": refuse})


_without_torch()


def register() -> None:
    """Make all operators known to qonnx and FINN. Idempotent."""
    from qonnx.custom_op.registry import add_op_to_domain

    from signflow.hw.ops.base import RTL_DOMAIN

    for file in pkgutil.iter_modules(__path__):
        for name, op in vars(import_module(f"{__name__}.{file.name}")).items():
            if name.endswith("_sf"):
                add_op_to_domain(RTL_DOMAIN, op)
