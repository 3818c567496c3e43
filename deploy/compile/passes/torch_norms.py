"""Batch normalisation as PyTorch computes it on a CPU: for the logits behind the last layer, and where it is to be
written into the exported graph.

    BatchNormalization(x)   ->   MultiplyAdd(x, a, b)        a = gamma * (1 / sqrt(var + eps)),  b = beta - mean * a

PyTorch folds the statistics into a and b first, and its compiler makes the processor's fused multiply-add of x * a + b,
for every batch size and number of classes; ONNX Runtime rounds every step. Both constants are read off PyTorch itself,
as its results for 0 and for 1. On a processor without a fused multiply-add PyTorch rounds twice: Mul and Add.

Which of the two libraries is the reference is noted in the model by whoever makes it: PyTorch where the source is a
module, ONNX Runtime where it is a file.
"""

from functools import cache

import numpy as np
from onnx import NodeProto, TensorProto, helper
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile.passes.regions import attribute
from signflow.deploy.compile.passes.rewrite import Graph, Rewrite
from signflow.deploy.compile.sum_pool import DOMAIN

REFERENCE_KEY = "signflow.reference"


def follow_torch(model: ModelWrapper) -> None:
    """Note that ``model`` was made of a torch module."""
    model.set_metadata_prop(REFERENCE_KEY, "PyTorch")


def follows_torch(model: ModelWrapper) -> bool:
    """Whether PyTorch is the reference of ``model``."""
    return model.get_metadata_prop(REFERENCE_KEY) == "PyTorch"


def torch_norm(
    x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, mean: np.ndarray, var: np.ndarray, epsilon: float
) -> np.ndarray:
    """PyTorch's own result for ``x`` float32 (N, channels, ...), parameters (channels,)."""
    import torch
    from torch.nn import functional as F

    x, gamma, beta, mean, var = (torch.from_numpy(np.array(part, np.float32)) for part in (x, gamma, beta, mean, var))
    return F.batch_norm(x, mean, var, gamma, beta, False, 0.0, epsilon).numpy()


@cache
def fuses() -> bool:
    """Whether PyTorch rounds x * a + b once on this processor."""
    one, x = np.ones(1), np.array([[1 + 2.0**-12]])
    return bool(torch_norm(x, x[0], -one, 0 * one, one, 0.0)[0, 0] != np.float32(2.0**-11))  # + 2^-24, or rounded off


class TorchNorms(Rewrite):
    """See the module's docstring. Its parameters are constants of the graph."""

    def rewrite(self, graph: Graph, node: NodeProto) -> list[NodeProto]:
        """A batch normalisation."""
        if node.op_type != "BatchNormalization":
            return [node]
        if fuses():
            inputs = [node.input[0], *_constants(graph, node, np.float32)]
            return [helper.make_node("MultiplyAdd", inputs, [node.output[0]], name=node.name, domain=DOMAIN)]
        return _multiply_add(graph, node, node.input[0], node.output[0], np.float32)


class DoubleNorms(Rewrite):
    """The batch normalisations that make the tensors ``norms`` as plain operators of ONNX that round once:

        y = float(double(x) * a + b)

    The product of two float32 numbers is exact in double precision. Its sum with b is rounded there before float32
    rounds it: that is the fused result, unless the real sum lies within 2^-53 of it beside the middle of two float32
    numbers. `signflow.deploy.compile.passes.align` compares every number that matters with PyTorch once more.
    """

    def __init__(self, norms: set[str]):
        super().__init__()
        self.norms = norms

    def rewrite(self, graph: Graph, node: NodeProto) -> list[NodeProto]:
        """One of them; without a fused multiply-add, PyTorch rounds twice, and so do Mul and Add."""
        if node.op_type != "BatchNormalization" or node.output[0] not in self.norms:
            return [node]
        x, y, shape = node.input[0], node.output[0], graph.shape(node.input[0])
        if not fuses():
            return _multiply_add(graph, node, x, y, np.float32)
        wide, sums = (graph.tensor(f"{name}_double", shape, TensorProto.DOUBLE) for name in (x, y))
        return [
            helper.make_node("Cast", [x], [wide], name=f"{node.name}_Double", to=TensorProto.DOUBLE),
            *_multiply_add(graph, node, wide, sums, np.float64),
            helper.make_node("Cast", [sums], [y], name=f"{node.name}_Float", to=TensorProto.FLOAT),
        ]


def _constants(graph: Graph, node: NodeProto, dtype: type) -> list[str]:
    """PyTorch's a and b of a batch normalisation, stored as ``dtype``."""
    gamma, beta, mean, var = (graph.constant(name) for name in node.input[1:])
    epsilon, nothing, shape = attribute(node, "epsilon", 1e-5), np.zeros_like(mean), graph.shape(node.input[0])
    factor = torch_norm(np.ones((1, len(mean))), gamma, nothing, nothing, var, epsilon)
    offset = torch_norm(np.zeros((1, len(mean))), gamma, beta, mean, var, epsilon)
    return [
        graph.store(f"{node.output[0]}_{name}", value.reshape(1, -1, *[1] * (len(shape) - 2)).astype(dtype))
        for name, value in (("factor", factor), ("offset", offset))
    ]


def _multiply_add(graph: Graph, node: NodeProto, x: str, y: str, dtype: type) -> list[NodeProto]:
    """x * a + b, rounded twice."""
    a, b = _constants(graph, node, dtype)
    product = graph.tensor(f"{y}_product", graph.shape(node.input[0]), helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))
    return [
        helper.make_node("Mul", [x, a], [product], name=f"{node.name}_Mul"),
        helper.make_node("Add", [product, b], [y], name=f"{node.name}_Add"),
    ]
