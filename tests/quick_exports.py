"""What torch reads anew at every export, 1 s of processor time, is read once a process of the tests: its 499 operators
and their signatures, and the names of those that are made of others. And a quarter of an export went into looking for
garbage among the modules, which live as long as the process.
"""

import functools
import gc

import torch._export.utils as names
from torch.onnx._internal.exporter._constants import TORCHLIB_OPSET
from torch.onnx._internal.exporter._registration import ONNXRegistry

_read = functools.cache(ONNXRegistry.from_torchlib)


def _from_torchlib(opset_version: int = TORCHLIB_OPSET) -> ONNXRegistry:
    """A registry of its own for every export: exporters add operators to it."""
    registry = ONNXRegistry()
    registry._opset_version = opset_version
    registry.functions = {target: list(found) for target, found in _read(opset_version).functions.items()}
    return registry


def install() -> None:
    """In this process, for good."""
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)
    ONNXRegistry.from_torchlib = staticmethod(_from_torchlib)
    names._materialize_cpp_cia_ops = functools.cache(names._materialize_cpp_cia_ops)
