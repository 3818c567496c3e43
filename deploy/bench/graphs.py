"""Small hardware graphs of one operator or a few, with random constants: what the bench measures."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from onnx import TensorProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from qonnx.util.basic import qonnx_make_model

from signflow.hw import ops
from signflow.hw.ops.base import RTL_DOMAIN

END = "end"
"""Name of the nodes at the ends of a graph that are there for their words."""


@dataclass(frozen=True)
class Node:
    """An operator: its type, attributes, and constants (values of its further inputs)."""

    kind: str
    attributes: dict
    constants: Sequence[np.ndarray] = field(default_factory=tuple)
    name: str = ""
    """Of the node, with its number; "" takes the type."""


def chain(*nodes: Node) -> ModelWrapper:
    """One behind the other; a fork and a join of two streams share both tensors between them."""
    ops.register()
    made, tensors, values, streams = [], {}, {}, ["x"]
    for number, node in enumerate(nodes):
        fixed = {f"c{number}_{i}": np.asarray(value, np.float32) for i, value in enumerate(node.constants)}
        common = {"domain": RTL_DOMAIN, "backend": "fpgadataflow", "name": f"{node.name or node.kind}_{number}"}
        proto = helper.make_node(node.kind, [], [], **common, **node.attributes)
        op = getCustomOp(proto)
        outputs = [f"t{number}_{k}" for k in range(op.OUT_STREAMS)]
        tensors |= {name: (op.get_normal_input_shape(k), op.get_input_datatype(k)) for k, name in enumerate(streams)}
        tensors |= {name: (op.get_normal_output_shape(k), op.get_output_datatype(k)) for k, name in enumerate(outputs)}
        proto.input.extend([*streams, *fixed])
        proto.output.extend(outputs)
        made.append(proto)
        values |= fixed
        streams = outputs
    infos = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, (shape, _) in tensors.items()
    }
    ends = [[infos.pop("x")], [infos.pop(streams[0])]]
    model = ModelWrapper(qonnx_make_model(helper.make_graph(made, "bench", *ends, value_info=list(infos.values()))))
    for name, value in values.items():
        model.set_initializer(name, value)
    for name, (_, datatype) in tensors.items():
        model.set_tensor_datatype(name, datatype)
    return model


def numbers(rng: np.random.Generator, datatype: str, *shape: int) -> np.ndarray:
    """Random values of a type."""
    kind = DataType[datatype]
    if datatype == "BIPOLAR":
        return rng.integers(0, 2, shape) * 2 - 1
    return rng.integers(int(kind.min()), int(kind.max()) + 1, shape)


def mvau(rng, mw: int, mh: int, simd: int, pe: int, vectors: int = 8, steps: int = 1, **more) -> Node:
    """A matrix-vector unit of bits with ``steps`` thresholds a neuron (0: the sums go out, 2: a window)."""
    kind = {"inputDataType": "BIPOLAR", "weightDataType": "BIPOLAR"} | more
    binary = kind["inputDataType"] == "BIPOLAR"
    width = 0 if binary else DataType[kind["inputDataType"]].bitwidth()
    spread = int(mw**0.5) * 2**width
    middle = mw // 2 if binary else 0
    out = {0: "UINT16" if binary else "INT20", 1: "BIPOLAR", 2: "BINARY"}[steps]
    attributes = {
        "MW": mw, "MH": mh, "SIMD": simd, "PE": pe, "outputDataType": out, "numInputVectors": [1, vectors, 1],
        "binaryXnorMode": 0, "noActivation": int(not steps), "window": int(steps == 2), "ActVal": -int(steps == 1),
    }  # fmt: skip
    weights = numbers(rng, kind["weightDataType"], mw, mh)
    limits = np.sort(middle + rng.integers(-spread, spread + 1, (mh, max(1, steps))), axis=1)
    return Node("MVAU_sf", attributes | kind, [weights, limits] if steps else [weights])


def windows(size: int, channels: int, simd: int, kernel: int = 3, dt: str = "BIPOLAR", pad: int = 0, **more) -> Node:
    """A sliding-window generator of square maps."""
    out = size + 2 * pad - kernel + 1
    return Node("ConvolutionInputGenerator_sf", {
        "ConvKernelDim": [kernel] * 2, "IFMChannels": channels, "IFMDim": [size] * 2, "OFMDim": [out] * 2,
        "SIMD": simd, "Stride": [1, 1], "Dilation": [1, 1], "Pads": [pad] * 4, "inputDataType": dt,
        "outputDataType": dt, "parallel_window": 0,
    } | more)  # fmt: skip


def channels(kind: str, count: int, pe: int, dt: str, constants: Sequence[np.ndarray] = (), **more) -> Node:
    """An operator on the ``count`` channels of 8 x 8 pixels."""
    common = {"NumChannels": count, "PE": pe, "inputDataType": dt}
    vectors = {} if kind == "Replicate_sf" else {"numInputVectors": [1, 8, 8]}
    return Node(kind, common | vectors | more, constants)


def thresholds(rng, count: int, pe: int, dt: str, steps: int, out: str, **more) -> Node:
    """Thresholds on integers."""
    limits = np.sort(numbers(rng, dt, count, steps), axis=1)
    own = {"numSteps": steps, "weightDataType": "INT32", "outputDataType": out, "ActVal": 0}
    return channels("Thresholding_sf", count, pe, dt, [limits], **own, **more)


def requantise(rng, count: int, pe: int, kinds: tuple[str, str, str, str], **more) -> Node:
    """A linear function of integers; ``kinds`` of x, M, B and the codes."""
    dt, factor, offset, code = kinds
    ends = {"low": int(DataType[code].min()), "high": int(DataType[code].max())}
    own = {"factorDataType": factor, "offsetDataType": offset, "outputDataType": code}
    own |= {"shift": DataType[factor].bitwidth(), "shared": 0} | ends
    values = [numbers(rng, kind, count) for kind in (factor, offset)]
    return channels("Requantise_sf", count, pe, dt, values, **own, **more)


def fifo(width: int, depth: int, words: int = 64) -> Node:
    """A FIFO of ``width`` bits."""
    shape = {"folded_shape": [1, words, width], "normal_shape": [1, words, width]}
    return Node("StreamingFIFO_sf", {"depth": depth, "dataType": "BIPOLAR", "ram_style": "auto"} | shape)


def vectors(width: int, count: int) -> Node:
    """Passes ``count`` vectors of ``width`` bits on, each in a word: an end for an operator whose words are padded,
    which nobody synthesises.
    """
    attributes = {"IFMDim": [count, 1], "Channels": width, "PoolDim": [1, 1], "PE": width, "inputDataType": "BIPOLAR"}
    return Node("MaxPool_sf", attributes, name=END)


def dwc(narrow: int, wide: int, up: bool, words: int = 24) -> Node:
    """A width converter of bits."""
    widths = {"inWidth": narrow if up else wide, "outWidth": wide if up else narrow}
    shape = [1, words, wide]
    return Node("StreamingDataWidthConverter_sf", widths | {"inShape": shape, "outShape": shape, "dataType": "BIPOLAR"})
