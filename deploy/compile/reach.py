"""The exact range of every tensor of an integer graph, channel by channel, from its weights and thresholds."""

from collections.abc import Iterator

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile.dialect import operator_of
from signflow.deploy.compile.dialect.base import Range, check_exact
from signflow.deploy.compile.errors import refuse
from signflow.deploy.compile.images import ImageInput, image_kind


def reaches(model: ModelWrapper) -> dict[str, Range]:
    """Tensor -> range of its channels, for every computed tensor of an integer graph; a flattened map has a channel for
    every position. Raises UnsupportedError for a node that is none of the dialect's, or whose numbers may be larger
    than `signflow.deploy.compile.dialect.base.EXACT`.
    """
    *_, (_, found) = walk(model)
    return found


def walk(model: ModelWrapper) -> Iterator[tuple[str, dict[str, Range]]]:
    """Every tensor of `reaches`, in the order of the graph, with the ranges up to there. What lies behind it is looked
    at afterwards: it may be changed meanwhile, and so may the ranges.
    """
    image, name = ImageInput.of(model), model.graph.input[0].name
    pixels = np.array([0, 1]) if image.binary else image_kind(image.kind).pixels
    channels = model.get_tensor_shape(name)[-1]
    found = {name: tuple(np.full(channels, end, dtype=np.int64) for end in (pixels.min(), pixels.max()))}
    yield name, found
    for node in model.graph.node:
        operator, inputs = operator_of(model, node), [found[tensor] for tensor in node.input if tensor in found]
        if not inputs:
            raise refuse(node, "nothing that it reads is computed", "nodes that read the image, or results of others")
        check_exact(node, operator.largest(*inputs))
        found[node.output[-1]] = operator.range(*inputs)
        yield node.output[-1], found
