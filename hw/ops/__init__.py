"""The operators, one file each, and their registration with FINN.

They live in FINN's own RTL domain under the name ``<FINN operator>_sf``, so that FINN's passes treat them as its own.
Every class of this folder whose name ends so is an operator: its file is all that makes it known.
Import this package after `signflow.deploy.compile.engine.boot`.
"""

import pkgutil
from importlib import import_module


def register() -> None:
    """Make all operators known to qonnx and FINN. Idempotent."""
    from qonnx.custom_op.registry import add_op_to_domain

    from signflow.hw.ops.base import RTL_DOMAIN

    for file in pkgutil.iter_modules(__path__):
        for name, op in vars(import_module(f"{__name__}.{file.name}")).items():
            if name.endswith("_sf"):
                add_op_to_domain(RTL_DOMAIN, op)
