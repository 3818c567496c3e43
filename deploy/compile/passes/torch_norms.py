"""Batch normalisation as PyTorch computes it on a CPU, for the logits behind the last layer.

    BatchNormalization(x)   ->   MultiplyAdd(x, a, b)        a = gamma * (1 / sqrt(var + eps)),  b = beta - mean * a

PyTorch folds the statistics into a and b first, and its compiler makes the processor's fused multiply-add of x * a + b,
for every batch size and number of classes; ONNX Runtime rounds every step. Both constants are read off PyTorch itself,
as its results for 0 and for 1. On a processor without a fused multiply-add PyTorch rounds twice: Mul and Add.

Which of the two libraries is the reference is noted in the model by whoever makes it: PyTorch where the source is a
module, ONNX Runtime where it is a file.
"""

from functools import cache

import numpy as np
from onnx import NodeProto, helper
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
        gamma, beta, mean, var = (graph.constant(name) for name in node.input[1:])
        epsilon, nothing, shape = attribute(node, "epsilon", 1e-5), np.zeros_like(mean), graph.shape(node.input[0])
        factor = torch_norm(np.ones((1, len(mean))), gamma, nothing, nothing, var, epsilon)
        offset = torch_norm(np.zeros((1, len(mean))), gamma, beta, mean, var, epsilon)
        a, b = (
            graph.store(f"{node.output[0]}_{name}", value.reshape(1, -1, *[1] * (len(shape) - 2)))
            for name, value in (("factor", factor), ("offset", offset))
        )
        if fuses():
            inputs = [node.input[0], a, b]
            return [helper.make_node("MultiplyAdd", inputs, [node.output[0]], name=node.name, domain=DOMAIN)]
        product = graph.tensor(f"{node.output[0]}_product", shape)
        return [
            helper.make_node("Mul", [node.input[0], a], [product], name=f"{node.name}_Mul"),
            helper.make_node("Add", [product, b], [node.output[0]], name=f"{node.name}_Add"),
        ]
