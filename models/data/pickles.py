"""Pickles of plain values and uint8 arrays, and of nothing else.

A pickle is a program: it may name any function of any module and call it. `read_pickle` gives it three names, those
that numpy wrote into the CIFAR batches, and puts two harmless classes in their place; every other name is refused. So
no function outside this file ever runs, whatever the pickle says.
"""

import io
import math
import pickle

import numpy as np

from signflow.models.data.files import DataError


class _Dtype:
    """In place of ``numpy.dtype``: remembers its code."""

    def __init__(self, code: bytes, *_):
        self.code = code

    def __setstate__(self, state: tuple):
        """Byte order and fields: without meaning for single bytes."""


class _Array:
    """In place of ``numpy.ndarray`` and the function that makes an empty one: takes its state, checked."""

    def __init__(self, *_):
        self.value = None

    def __setstate__(self, state: tuple):
        _, shape, dtype, fortran, raw = state
        if dtype.code not in (b"u1", "u1") or not isinstance(raw, bytes) or math.prod(shape) != len(raw):
            raise pickle.UnpicklingError(
                f"an array of {dtype.code!r}, shape {shape}, is not one of uint8 that is whole"
            )
        self.value = np.frombuffer(raw, np.uint8).reshape(shape, order="F" if fortran else "C")


class _Unpickler(pickle.Unpickler):
    NAMES = {
        ("numpy.core.multiarray", "_reconstruct"): _Array,
        ("numpy", "ndarray"): _Array,
        ("numpy", "dtype"): _Dtype,
    }

    def find_class(self, module: str, name: str) -> type:
        """One of the three known names, else UnpicklingError."""
        if (module, name) not in self.NAMES:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which has no place in a file of plain arrays")
        return self.NAMES[module, name]


def read_pickle(raw: bytes, name: str):
    """The value of a pickle written by Python 2 (its strings become bytes), uint8 arrays as such where they are values
    of a top-level dictionary. ``name`` is for the message of the DataError that any other content raises.
    """
    try:
        value = _Unpickler(io.BytesIO(raw), encoding="bytes").load()
    except Exception as e:  # a damaged pickle may raise anything (documentation of pickle)
        raise DataError(f"{name}: not a readable pickle of plain arrays ({type(e).__name__}: {e})") from e
    if isinstance(value, dict):
        return {key: item.value if isinstance(item, _Array) else item for key, item in value.items()}
    return value
