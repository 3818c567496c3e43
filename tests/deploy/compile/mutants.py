"""Small networks, each with one thing changed: most are no longer valid, some compute something else."""

from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .onnx_networks import GENERAL, network, node, quant, sign, signs

OPERATORS = (
    *(
        "Relu",
        "Neg",
        "Abs",
        "Sigmoid",
        "Identity",
        "Flatten",
        "Softmax",
        "Transpose",
        "Mul",
        "Add",
        "Sub",
        "Div",
        "MatMul",
    ),
    *(
        "Gemm",
        "Conv",
        "MaxPool",
        "AveragePool",
        "Reshape",
        "Concat",
        "Scan",
        "If",
        "Loop",
        "BatchNormalization",
        "Clip",
    ),
    *("Dropout", "ReduceSum", "Quant", "BipolarQuant", "ArgMax", "Squeeze", "Pad", "Nonsense", ""),
)
DOMAINS = ("", "ai.onnx", "ai.onnx.ml", GENERAL, "finn", "onnx.brevitas", "os.path", "x" * 300)
NUMBERS = (np.nan, np.inf, -np.inf, 0.0, -0.0, -1.0, 1e-45, 1e38, 2.0**24, 0.1)
SIZES = (0, 1, 2, 3, 7, -1, 1 << 40)


def networks() -> list[onnx.ModelProto]:
    """Dense with a Gemm and a batch normalisation; convolutions with a pool; a join of codes; an arg max."""
    entry, rng = [node("Sub", "x half", "x0"), sign("x0", "s0")], np.random.default_rng(5)
    norm = {name: rng.uniform(0.5, 2, 6).astype(np.float32) for name in ("gamma", "beta", "mean", "var")}
    dense = [*entry, node("Gemm", "s0 w0 b", "a0", transB=1),
             node("BatchNormalization", "a0 gamma beta mean var", "n0"), sign("n0", "s1"),
             node("MatMul", "s1 w1", "a1"), node("Mul", "a1 quarter", "y")]  # fmt: skip
    maps = [*entry, node("Conv", "s0 k0", "a0", kernel_shape=[3, 3]), sign("a0", "s1"),
            node("MaxPool", "s1", "p1", kernel_shape=[2, 2], strides=[2, 2]), node("Flatten", "p1", "f", axis=1),
            node("MatMul", "f w2", "y")]  # fmt: skip
    join = [*entry, node("MatMul", "s0 w3", "a0"), quant("a0", "q0"), node("MatMul", "q0 w4", "a1"), quant("a1", "q1"),
            node("Add", "q0 q1", "j"), sign("j", "s1"), node("MatMul", "s1 w1", "y")]  # fmt: skip
    first = [*entry, node("MatMul", "s0 w3", "a0"), node("Add", "a0 gamma", "n0"), sign("n0", "s1"),
             node("MatMul", "s1 w1", "a1"), node("Reshape", "a1 flat", "y")]  # fmt: skip
    return [
        network(dense, [1, 8], [1, 3], w0=signs(6, 8), w1=signs(6, 3), b=np.float32([0, 1, -2, 3, 0, 5]), **norm),
        network(maps, [1, 1, 8, 8], [1, 3], k0=signs(4, 1, 3, 3), w2=signs(36, 3)),
        network(join, [1, 8], [1, 3], w3=signs(8, 6), w4=signs(6, 6), w1=signs(6, 3)),
        network(first, [1, 8], [1, 3], w3=signs(8, 6), w1=signs(6, 3), gamma=norm["gamma"], flat=np.array([1, -1])),
    ]


def _pick(rng: np.random.Generator, items):
    items = list(items)
    return items[int(rng.integers(len(items)))]


def _tensors(graph) -> list[str]:
    made = [name for item in graph.node for name in (*item.input, *item.output)]
    return [*dict.fromkeys([*made, "x", "y", "nowhere", ""])]


def _node(change: Callable) -> Callable:
    """A mutation of one node."""
    return lambda model, rng: change(model.graph, _pick(rng, model.graph.node), rng)


def _remove(graph, item, rng):
    graph.node.remove(item)


def _double(graph, item, rng):
    graph.node.insert(int(rng.integers(len(graph.node) + 1)), item)


def _swap(graph, item, rng):
    graph.node.remove(item)
    graph.node.insert(int(rng.integers(len(graph.node) + 1)), item)


def _reread(graph, item, rng):
    item.input[int(rng.integers(len(item.input)))] = _pick(rng, _tensors(graph))


def _rewrite(graph, item, rng):
    item.output[0] = _pick(rng, _tensors(graph))


def _forget(graph, item, rng):
    item.input.pop(int(rng.integers(len(item.input))))


def _more(graph, item, rng):
    (item.input if rng.random() < 0.7 else item.output).append(_pick(rng, _tensors(graph)))


def _rename(graph, item, rng):
    item.op_type = _pick(rng, OPERATORS)


def _move(graph, item, rng):
    item.domain = _pick(rng, DOMAINS)


def _attribute(graph, item, rng):
    """One less, one more, one twice, or another value."""
    way, known = rng.integers(4), list(item.attribute)
    if way == 0 and known:
        item.attribute.remove(_pick(rng, known))
    elif way == 1 and known:
        item.attribute.append(_pick(rng, known))
    elif way == 2 and known:
        one = _pick(rng, known)
        item.attribute.remove(one)
        value = _pick(
            rng, [0, 1, -1, 2, 1 << 40, 0.5, np.inf, [1, 1], [2, 3], [0, 0], [1, 1, 1, 1], "SAME_UPPER", "CEIL"]
        )
        item.attribute.append(helper.make_attribute(one.name, value))
    else:
        name = _pick(
            rng, ["transA", "alpha", "beta", "pads", "strides", "dilations", "group", "auto_pad", "training_mode"]
        )
        value = {"alpha": 0.5, "beta": 2.0, "auto_pad": "SAME_LOWER"}.get(
            name, _pick(rng, [1, [1, 1], [1, 1, 1, 1], [2, 1]])
        )
        item.attribute.append(helper.make_attribute(name, value))


def _constant(model, rng):
    """Another shape, type, number or value of a constant; or it is gone, or there twice."""
    graph = model.graph
    tensor = _pick(rng, graph.initializer)
    value, way = numpy_helper.to_array(tensor).copy(), int(rng.integers(8))
    if way == 0:
        graph.initializer.remove(tensor)
        return
    if way == 1:
        graph.initializer.append(tensor)
        return
    if way == 2:
        value = value.astype(_pick(rng, [np.float64, np.int64, np.int32, np.float16, np.uint8, bool]))
    elif way == 3:
        value = _pick(rng, [value.T, value.reshape(-1), value[None], value.reshape(-1)[:1], value.reshape(-1)[:0]])
    elif way == 4:
        value = np.concatenate([value.reshape(-1), value.reshape(-1)[:1]])
    elif value.dtype == np.float32:
        flat = value.reshape(-1)
        flat[int(rng.integers(flat.size))] = _pick(rng, NUMBERS)
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(value), tensor.name))


def _edge(model, rng):
    """Another size, rank, type or name of what goes in or out."""
    graph = model.graph
    value, way = (graph.input if rng.random() < 0.5 else graph.output)[0], int(rng.integers(6))
    shape = value.type.tensor_type.shape
    if way == 0:
        _pick(rng, shape.dim).dim_value = _pick(rng, SIZES)
    elif way == 1:
        shape.dim.add().dim_value = _pick(rng, SIZES)
    elif way == 2:
        shape.dim.pop()
    elif way == 3:
        value.type.tensor_type.elem_type = _pick(
            rng, [TensorProto.INT64, TensorProto.DOUBLE, TensorProto.UNDEFINED, 99]
        )
    elif way == 4:
        value.name = _pick(rng, _tensors(graph))
    else:
        (graph.input if rng.random() < 0.5 else graph.output).append(
            helper.make_tensor_value_info(_pick(rng, _tensors(graph)) or "z", TensorProto.FLOAT, [1, 8])
        )


def _version(model, rng):
    """Another version of an operator set, or none; another version of the format."""
    if rng.random() < 0.3:
        model.ir_version = int(_pick(rng, [0, 1, 3, 4, 99]))
    elif rng.random() < 0.3:
        model.opset_import.remove(_pick(rng, model.opset_import))
    else:
        _pick(rng, model.opset_import).version = int(_pick(rng, [0, 1, 6, 7, 9, 11, 12, 14, 17, 20, 99]))


MUTATIONS = {
    "remove": _node(_remove), "double": _node(_double), "swap": _node(_swap), "reread": _node(_reread),
    "rewrite": _node(_rewrite), "forget": _node(_forget), "more": _node(_more), "rename": _node(_rename),
    "move": _node(_move), "attribute": _node(_attribute), "constant": _constant, "edge": _edge, "version": _version,
}  # fmt: skip


def mutant(seed: int) -> tuple[str, onnx.ModelProto]:
    """(what was changed, the model), the same for the same ``seed``; every tenth has two changes."""
    rng, known = np.random.default_rng(seed), networks()
    which = seed % len(known)
    model, said = known[which], []
    for _ in range(1 + (seed % 10 == 9)):
        name = list(MUTATIONS)[int(rng.integers(len(MUTATIONS)))]
        MUTATIONS[name](model, rng)
        said.append(name)
    return f"seed {seed}: network {which}, {' and '.join(said)}", model
