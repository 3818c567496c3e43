"""Makes the exported BatchNormalization decide like PyTorch's on every accumulator that can occur.

Both libraries compute gamma * (x - mean) / sqrt(var + eps) + beta, but round differently: PyTorch on a CPU computes one
fused multiply-add of folded constants, ONNX Runtime several steps. Where an accumulator lies within rounding of the
point at which the sign changes, they disagree; in a network of some thousand channels that happens. PyTorch is the
reference, so in such a channel the exported beta is moved, by some units in the last place, until the sign is PyTorch's
on every reachable accumulator. Works on BatchNormalization directly between a product (and MaxPools) and BipolarQuant.
"""

from itertools import pairwise

import numpy as np
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from signflow.deploy.passes.chain import POOLS, SHAPES, Stage, attribute, walk
from signflow.deploy.passes.codes import read_image
from signflow.deploy.passes.evaluate import run_node
from signflow.deploy.passes.plain_products import PlainProducts
from signflow.deploy.passes.products import Feed, Product
from signflow.deploy.passes.transitions import Accumulators
from signflow.deploy.passes.truth import BLOCK

MAX_STEPS = 64


def _torch_signs(table: np.ndarray, parameters: list[np.ndarray], epsilon: float) -> np.ndarray:
    """bool (values, channels): PyTorch's batch_norm of ``table`` is >= 0; ``parameters`` are gamma, beta, mean, var."""
    import torch

    gamma, beta, mean, var = map(torch.from_numpy, parameters)
    x = torch.from_numpy(np.ascontiguousarray(table))
    return torch.nn.functional.batch_norm(x, mean, var, gamma, beta, False, 0.0, epsilon).numpy() >= 0


def _wrong(
    model: ModelWrapper, node: NodeProto, parameters: list[np.ndarray], reach: Accumulators, scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """bool (channels,) twice: on some accumulator the sign should be +1 and is not, should be -1 and is not."""
    rows, epsilon = max(1, BLOCK // len(scale)), attribute(node, "epsilon", 1e-5)
    low, high = np.zeros(len(scale), dtype=bool), np.zeros(len(scale), dtype=bool)
    for first in range(0, reach.count, rows):
        table = reach.rows(first, first + rows).astype(np.float32) * scale
        wanted, found = _torch_signs(table, parameters, epsilon), run_node(model, node, table) >= 0
        low |= (wanted & ~found).any(axis=0)
        high |= (found & ~wanted).any(axis=0)
    return low, high


def _align(model: ModelWrapper, node: NodeProto, reach: Accumulators, scale: np.ndarray) -> None:
    """Move beta of ``node`` where its sign is not PyTorch's with the beta it has now."""
    parameters = [np.array(model.get_initializer(name)) for name in node.input[1:]]
    gamma, beta, _, var = parameters
    size = np.maximum(np.abs(reach.low), np.abs(reach.high)) * scale * np.abs(gamma / np.sqrt(var + 1e-12))
    step = np.spacing(np.maximum(np.abs(beta), size.astype(np.float32)))
    for _ in range(MAX_STEPS):
        low, high = _wrong(model, node, parameters, reach, scale)
        if not (low | high).any():
            return
        beta = (beta + np.where(low, step, 0) - np.where(high, step, 0)).astype(np.float32)
        model.set_initializer(node.input[2], beta)
    channel = int(np.argmax(low | high))
    raise RuntimeError(
        f"{node.name}: channel {channel} does not decide like PyTorch's BatchNorm after {MAX_STEPS} steps of its beta"
    )


class AlignBatchNorm(Transformation):
    """See the module's docstring. The weights stay as they are; only betas move."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Walks a plain copy for the ranges, changes ``model`` by node name."""
        plain = model.transform(PlainProducts())
        nodes = {node.name: node for node in model.graph.node}
        stages = walk(plain)
        for before, stage in pairwise(stages):
            scalars = [node for node in stage.nodes if node.op_type not in POOLS]
            feed = _feed(plain, before)
            if [node.op_type for node in scalars[:2]] != ["BatchNormalization", "BipolarQuant"] or feed is None:
                continue
            product = Product(plain, stage.product)
            product.undo(feed)
            _align(model, nodes[scalars[0].name], product.accumulators(feed), product.scale * feed.scale)
        return model, False


def _feed(model: ModelWrapper, stage: Stage) -> Feed | None:
    """What the product behind ``stage`` reads; None where other operators follow the sign."""
    if stage.product is None:
        return read_image(model, stage).feed
    *_, last = [node for node in stage.nodes if node.op_type not in (*POOLS, *SHAPES)] or [None]
    if last is None or last.op_type != "BipolarQuant":
        return None
    scale = model.get_initializer(last.input[1])
    return Feed.of_signs(np.float32(scale.flat[0]), np.zeros(1, dtype=bool)) if scale.size == 1 else None
