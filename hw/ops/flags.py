"""The number 0 between bits: a flag behind every group of them.

A map of bits stands for +-1 and has no 0. Where a stream carries a border of zeros, every ``group`` bits of its words
are followed by one bit more, the flag, which is 1 where all of them are the number 0; then the bits mean nothing.
In tensors that number is 0.5 between 0 and 1 (BINARY), 0 between -1 and +1 (BIPOLAR).
"""

import math

import numpy as np
from qonnx.core.datatype import DataType


def flagged(bits: int, group: int) -> int:
    """Bits of a word of ``bits`` bits with a flag behind every ``group`` of them; without flags if that is 0."""
    return bits + bits // group if group else bits


def zero(datatype: DataType) -> float:
    """The number 0 in a tensor of bits."""
    return 0.0 if datatype.name == "BIPOLAR" else 0.5


def sharing(op) -> int:
    """How many bits of the words of SIMD elements of ``op`` share a flag: at most its attribute padGroup; 0: none."""
    return math.gcd(op.get_nodeattr("padGroup"), op.get_nodeattr("SIMD")) if op.get_nodeattr("padGroup") else 0


def check_flags(op, datatype: DataType) -> None:
    """Raises OpError if the flags of ``op`` do not stand for as many bits as can be half 0 and half 1."""
    group, simd = op.get_nodeattr("padGroup"), op.get_nodeattr("SIMD")
    if group and datatype.bitwidth() != 1:
        raise op.fail(f"padGroup = {group} with {datatype.name}; flags are for bits, others have a number 0")
    if group < 0 or sharing(op) % 2:
        raise op.fail(
            f"padGroup = {group} with SIMD = {simd}: bits that share a flag must be even in number, they count as half "
            "as many places that agree"
        )


def encode(values: np.ndarray, datatype: DataType, group: int) -> np.ndarray:
    """Words (n, lanes) of a tensor of bits as the bits of the stream, uint8, bit 0 first."""
    groups = values.reshape(len(values), -1, group)
    flags = (groups == zero(datatype)).any(axis=2, keepdims=True)
    return np.concatenate([groups > zero(datatype), flags], axis=2).reshape(len(values), -1).astype(np.uint8)


def decode(bits: np.ndarray, datatype: DataType, group: int) -> np.ndarray:
    """The other way round: a tensor (n, lanes), float32."""
    groups = bits.reshape(len(bits), -1, group + 1).astype(np.float32)
    values = groups[..., :-1] * (2 if datatype.name == "BIPOLAR" else 1) - (datatype.name == "BIPOLAR")
    return np.where(groups[..., -1:] == 1, np.float32(zero(datatype)), values).reshape(len(bits), -1)
