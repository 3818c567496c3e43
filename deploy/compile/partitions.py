"""Partitions of FINN's: nodes that stand for a graph in a file of its own."""

from collections.abc import Callable
from pathlib import Path

import onnx
from onnx import GraphProto, ModelProto, NodeProto
from qonnx.custom_op.registry import getCustomOp

from signflow.deploy.compile.errors import ModelFileError


def inlined(path: Path, proto: ModelProto) -> ModelProto:
    """A copy of ``proto``, read from ``path``, with the nodes of its partitions in their places; a partition that is
    not where the node says is looked for beside ``path``. Raises ModelFileError for a file that is missing.
    """
    merged = ModelProto()
    merged.CopyFrom(proto)
    graph = merged.graph
    for node in [node for node in graph.node if node.op_type == "StreamingDataflowPartition"]:
        file = Path(getCustomOp(node).get_nodeattr("model"))
        file = file if file.is_file() else path.parent / file.name
        if not file.is_file():
            raise ModelFileError(f"{path}: node {node.name!r} is the partition in {file}, and there is no such file")
        inner = onnx.load(file).graph
        outside = dict(zip((value.name for value in inner.input), node.input, strict=False))
        outside |= dict(zip((value.name for value in inner.output), node.output, strict=True))
        _merge(graph, inner, node, lambda name, known=outside, at=node.name: known.get(name, f"{at}_{name}"))
    return merged


def _merge(graph: GraphProto, inner: GraphProto, node: NodeProto, named: Callable[[str], str]) -> None:
    """Put ``inner`` in the place of ``node``, its tensors as ``named``."""
    place = list(graph.node).index(node)
    graph.node.remove(node)
    for offset, source in enumerate(inner.node):
        copied = NodeProto()
        copied.CopyFrom(source)
        for side in (copied.input, copied.output):
            side[:] = [named(name) if name else "" for name in side]
        graph.node.insert(place + offset, copied)
    for part, target in ((inner.initializer, graph.initializer), (inner.value_info, graph.value_info)):
        for item in part:
            target.add().CopyFrom(item)
            target[-1].name = named(item.name)
