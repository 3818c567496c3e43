"""The ends of an accelerator as nodes: from the network's image to the stream, and from the last integers to logits.

An integer graph of signflow begins with the stream, pixel by pixel and maybe in bits, and ends with integers; how the
image becomes the one and what the network makes of the other stands in its metadata (`ImageInput`, `Head`). FINN keeps
such things in the graph, as nodes in front of and behind the ones that become hardware, and leaves them to the CPU when
it cuts out the dataflow partition. `attach` writes them down like that: the graph then maps the images of the network
to its logits, and FINN's own verification can compare them. `detach` takes them off again.
"""

import json
from collections.abc import Sequence

import numpy as np
from onnx import NodeProto, TensorProto, ValueInfoProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile.errors import ModelFileError
from signflow.deploy.compile.images import ImageInput, image_kind
from signflow.deploy.compile.passes.head import Head

ENDS_KEY = "signflow.ends"


def attach(model: ModelWrapper) -> None:
    """Put the image's nodes in front of an integer or hardware graph and the head's behind it, in place."""
    graph = model.graph
    before, behind = _before(model), _behind(model)
    nodes = [*before, *graph.node, *behind]
    del graph.node[:]
    graph.node.extend(nodes)
    model.set_metadata_prop(ENDS_KEY, json.dumps([len(before), len(behind)]))


def detach(model: ModelWrapper) -> None:
    """Undo `attach` in place, whatever was renamed in between. Raises ModelFileError for a graph without these ends."""
    graph, text = model.graph, model.get_metadata_prop(ENDS_KEY)
    if text is None:
        raise ModelFileError("the graph is not that of step_signflow_streamline: run this step before")
    before, behind = json.loads(text)
    for _ in range(before):
        node = model.find_consumer(graph.input[0].name)
        _end_at(model, graph.input, node.output[0], node)
    for _ in range(behind):
        node = model.find_producer(graph.output[0].name)
        _end_at(model, graph.output, node.input[0], node)
    model.set_metadata_prop(ENDS_KEY, json.dumps([0, 0]))
    model.cleanup()


def _end_at(model: ModelWrapper, ends: Sequence[ValueInfoProto], tensor: str, node: NodeProto) -> None:
    """Let the graph begin or end at ``tensor``, without ``node``."""
    graph = model.graph
    value = next(value for value in graph.value_info if value.name == tensor)
    ends[0].CopyFrom(value)
    graph.value_info.remove(value)
    graph.node.remove(node)


def _before(model: ModelWrapper) -> list[NodeProto]:
    """Nodes from the image, the graph's new input, to the stream, its old one."""
    image, stream = ImageInput.of(model), model.graph.input[0]
    target, shape = tuple(model.get_tensor_shape(stream.name)), (1, *image.shape)
    steps: list[tuple[str, tuple[int, ...], np.ndarray | None, dict]] = []
    if image.order == "NHWC":
        axes = [0, *range(2, len(shape)), 1]
        shape = tuple(shape[axis] for axis in axes)
        steps.append(("Transpose", shape, None, {"perm": axes}))
    if shape != target:
        steps.append(("Reshape", target, np.array(target), {}))
    if image.binary:  # -1 -> 0, +1 -> 1
        steps += [("Add", target, np.ones(1, np.float32), {}), ("Mul", target, np.full(1, 0.5, np.float32), {})]
    if not steps:
        return []
    nodes, tensor = [], "image"
    for number, (operator, shape, constant, attributes) in enumerate(steps):
        inputs = [tensor]
        if constant is not None:
            inputs.append(f"image_constant_{number}")
            model.set_initializer(inputs[1], constant)
        last = number == len(steps) - 1
        tensor = stream.name if last else f"image_{number}"
        nodes.append(helper.make_node(operator, inputs, [tensor], name=f"image_{operator}_{number}", **attributes))
        model.graph.value_info.append(helper.make_tensor_value_info(tensor, TensorProto.FLOAT, shape))
    stream.CopyFrom(helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, *image.shape)))
    model.set_tensor_datatype("image", DataType[image_kind(image.kind).datatype])
    return nodes


def _behind(model: ModelWrapper) -> list[NodeProto]:
    """Nodes from the integers, the graph's old output, to the logits, its new one."""
    head, graph = Head.of(model), model.graph
    if head.index:
        return []
    inner, sums = head.model.graph, graph.output[0]
    start, nodes = inner.input[0], []
    names = {start.name: sums.name}
    shapes = [tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim) for value in (start, sums)]
    if shapes[0] != shapes[1]:
        names[start.name] = "head_integers"
        model.set_initializer("head_shape", np.array(shapes[0]))
        nodes.append(helper.make_node("Reshape", [sums.name, "head_shape"], ["head_integers"], name="head_Reshape"))
        graph.value_info.append(helper.make_tensor_value_info("head_integers", TensorProto.FLOAT, shapes[0]))

    def renamed(name: str) -> str:
        return names.setdefault(name, f"head_{name}")

    for source in inner.node:
        node = NodeProto.FromString(source.SerializeToString())
        node.name = renamed(node.name)
        for side in (node.input, node.output):
            for place, name in enumerate(side):
                side[place] = renamed(name) if name else ""
        nodes.append(node)
    for part, target in ((inner.initializer, graph.initializer), (inner.value_info, graph.value_info)):
        for item in part:
            target.add().CopyFrom(item)
            target[-1].name = renamed(item.name)
    graph.value_info.add().CopyFrom(sums)
    sums.CopyFrom(inner.output[0])
    sums.name = renamed(sums.name)
    return nodes
