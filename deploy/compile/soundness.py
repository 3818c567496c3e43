"""Whether a file is a sound ONNX model, before anything else looks at it.

ONNX' own checker knows the form of a model: every tensor is made once and before it is read, every operator has the
inputs and attributes of its schema. It does not know the quantisers of QONNX, which are checked here against qonnx'
classes. What lies behind (shape inference, constant folding) may loop or crash on a file that is not sound.
"""

import re

import numpy as np
import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from onnx import ModelProto, NodeProto, numpy_helper
from qonnx.custom_op.registry import getCustomOp

from signflow.deploy.compile.errors import ModelFileError, called, refuse

STANDARD = ("", "ai.onnx")
QONNX = "qonnx.custom_op.general"
ALIASES = (QONNX, "onnx.brevitas", "finn.custom_op.general")
"""Domains under which QONNX' quantisers are found in files: today's, and those of older exporters."""
QUANTISERS = {"Quant": 4, "IntQuant": 4, "BipolarQuant": 2, "Trunc": 6}
"""Operator -> inputs; of Trunc since version 2 of the domain, 5 before."""
COUNTS = ("blocksize", "dilations", "group", "kernel_shape", "num_groups", "num_outputs", "strides")
"""Attributes that count something, which is there."""
TYPES = {"i": onnx.AttributeProto.INT, "s": onnx.AttributeProto.STRING, "f": onnx.AttributeProto.FLOAT}
"""qonnx' names of the types of attributes that quantisers have."""
LINE = 300
"""Characters kept of another library's message."""


def one_line(error: BaseException) -> str:
    """What a library's exception says, in one line of bearable length."""
    text = re.sub(r"\s*(==> Context:.*)?\s+", " ", str(error)).strip() or type(error).__name__
    return text if len(text) <= LINE else text[: LINE - 3] + "..."


def make_sound(path, proto: ModelProto) -> None:
    """Check ``proto``, read from ``path``, and write its quantisers as today's QONNX does (in place).

    Raises ModelFileError for a file that breaks ONNX' rules, UnsupportedError for an operator of a domain, or with a
    sub-graph, that has no place in a supported network.
    """
    functions = {(function.domain, function.name) for function in proto.functions}
    for node in proto.graph.node:
        _check_operator(node, functions)
        _check_counts(path, node)
    _rename_quantisers(proto)
    _check_form(path, proto)
    _check_constants(path, proto)
    _check_modes(proto)
    _check_shapes(path, proto)
    _check_reach(path, proto)
    _part_inputs(proto)


def check_texts(path, message: Message) -> None:
    """Raises ModelFileError for a name or text of the file that is no UTF-8: protobuf would give bytes for it."""
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for part in [value] if isinstance(value, Message) else value:
                check_texts(path, part)
        elif field.type == FieldDescriptor.TYPE_STRING:
            for text in [value] if isinstance(value, str | bytes) else value:
                if not isinstance(text, str):
                    what = f"{message.DESCRIPTOR.name}.{field.name}"
                    raise ModelFileError(f"{path}: not a valid ONNX model: {what} {text!r:.60} is no text in UTF-8")


def _check_form(path, proto: ModelProto) -> None:
    """ONNX' own rules, and qonnx' for its quantisers."""
    try:
        onnx.checker.check_model(_with_shapes(proto))
    except Exception as error:
        raise ModelFileError(f"{path}: not a valid ONNX model: {one_line(error)}") from error
    version = next((opset.version for opset in proto.opset_import if opset.domain == QONNX), 1)
    if version < 1:
        raise ModelFileError(f"{path}: it asks for version {version} of {QONNX}: its versions begin with 1")
    for node in proto.graph.node:
        if node.domain == QONNX:
            _check_quantiser(path, node, version)


def _check_shapes(path, proto: ModelProto) -> None:
    """Shapes and types, node by node by our own rules first: ONNX' inference ends the process on some that differ."""
    from signflow.deploy.compile.tidy import check_shapes

    try:
        check_shapes(proto)
        onnx.shape_inference.infer_shapes(proto, check_type=True, strict_mode=True)
    except Exception as error:
        raise ModelFileError(f"{path}: not a valid ONNX model: {one_line(error)}") from error


def _check_constants(path, proto: ModelProto) -> None:
    """ONNX' checker does not compare the bytes of every constant with its shape."""
    for tensor in proto.graph.initializer:
        try:
            numpy_helper.to_array(tensor)
        except Exception as error:
            raise ModelFileError(f"{path}: its constant {tensor.name!r} is damaged: {one_line(error)}") from error


def _check_reach(path, proto: ModelProto) -> None:
    """The result depends on the image."""
    constants = {tensor.name for tensor in proto.graph.initializer}
    moving = {value.name for value in proto.graph.input} - constants
    for node in proto.graph.node:
        if moving & set(node.input):
            moving |= set(node.output)
    if proto.graph.output[0].name not in moving:
        raise ModelFileError(f"{path}: its output {proto.graph.output[0].name!r} does not depend on its input")


def _check_modes(proto: ModelProto) -> None:
    """A normalisation that works on a batch, or a Dropout that works by chance, belongs to a network in training."""
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    for node in proto.graph.node:
        training = any(item.name == "training_mode" and item.i for item in node.attribute)
        if node.op_type == "BatchNormalization":  # more than one output is how training looked before opset 14
            training |= sum(map(bool, node.output)) > 1
        if node.op_type == "Dropout" and len(node.input) > 2 and node.input[2]:
            training |= bool(np.any(constants.get(node.input[2], True)))
        if training:
            supported = "networks in evaluation mode: call net.eval() before the export"
            raise refuse(node, "it is in training mode", supported)


def _part_inputs(proto: ModelProto) -> None:
    """No node reads a tensor twice (qonnx renames one of the two places only): an Identity makes another one of it."""
    graph = proto.graph
    for node in list(graph.node):
        for i, name in enumerate(node.input):
            if name and name in list(node.input[:i]):
                node.input[i] = f"{name}_again_{node.output[0]}_{i}"
                again = onnx.helper.make_node("Identity", [name], [node.input[i]], name=f"Again_{node.output[0]}_{i}")
                graph.node.insert(list(graph.node).index(node), again)


def _with_shapes(proto: ModelProto) -> ModelProto:
    """A copy whose outputs have a shape, any shape: many files leave it to shape inference, ONNX' checker wants one."""
    copy = ModelProto()
    copy.CopyFrom(proto)
    for output in copy.graph.output:
        if output.type.HasField("tensor_type") and not output.type.tensor_type.HasField("shape"):
            output.type.tensor_type.shape.dim.add().dim_param = "any"
    return copy


def _check_operator(node: NodeProto, functions: set[tuple[str, str]]) -> None:
    """Only operators of ONNX itself and QONNX' quantisers, without sub-graphs, and none that the file defines."""
    known = f"operators of ONNX, and {', '.join(QUANTISERS)} of {QONNX}"
    if node.domain not in STANDARD and (node.domain not in ALIASES or node.op_type not in QUANTISERS):
        raise refuse(node, f"it belongs to the domain {node.domain!r}, whose meaning is not known", known)
    if (node.domain, node.op_type) in functions:
        raise refuse(node, "the file defines it as a function", "models whose functions are inlined")
    if any(item.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for item in node.attribute):
        raise refuse(node, "it holds a graph of its own", "networks without control flow")


def _check_counts(path, node: NodeProto) -> None:
    """ONNX' shape inference divides by these without a look, and a process that divides by 0 is ended."""
    for item in node.attribute:
        numbers = [item.i] if item.type == onnx.AttributeProto.INT else list(item.ints)
        if item.name in COUNTS and min(numbers, default=1) < 1:
            where = f"{path}: node {called(node)!r}, operator {node.op_type}"
            raise ModelFileError(f"{where}: attribute {item.name!r} is {numbers}; its numbers are 1 or more")


def _rename_quantisers(proto: ModelProto) -> None:
    """One domain, one name: older exporters' domains become QONNX', IntQuant becomes Quant."""
    found = [node for node in proto.graph.node if node.domain in ALIASES]
    for node in found:
        node.domain = QONNX
        node.op_type = "Quant" if node.op_type == "IntQuant" else node.op_type
    versions = {opset.domain: opset.version for opset in proto.opset_import}
    if found and QONNX not in versions:
        proto.opset_import.append(onnx.helper.make_opsetid(QONNX, 1))


def _check_quantiser(path, node: NodeProto, version: int) -> None:
    """Inputs and attributes as the class of qonnx in ``version`` declares them."""
    where = f"{path}: node {called(node)!r}, operator {node.op_type}"
    wanted = QUANTISERS[node.op_type] - (node.op_type == "Trunc" and version < 2)
    if len(node.input) != wanted or not all(node.input) or len(node.output) != 1 or not node.output[0]:
        given = f"{len(node.input)} inputs and {len(node.output)} outputs"
        raise ModelFileError(f"{where}: it has {given}; the operator has {wanted} and 1, none of them empty")
    op = getCustomOp(node, version)
    types = op.get_nodeattr_types()
    given = [item.name for item in node.attribute]
    for attribute in given:
        if attribute not in types:
            known = ", ".join(types) or "none"
            raise ModelFileError(f"{where}: attribute {attribute!r} is unknown; known are {known}")
    for attribute, (kind, required, *_) in types.items():
        if any(item.name == attribute and item.type != TYPES[kind] for item in node.attribute):  # qonnx would read 0
            raise ModelFileError(f"{where}: attribute {attribute!r} is not of type {kind}")
        if required and attribute not in given:
            raise ModelFileError(f"{where}: attribute {attribute!r} is missing")
        try:
            op.get_nodeattr(attribute)
        except Exception as error:
            raise ModelFileError(f"{where}: attribute {attribute!r}: {one_line(error)}") from error
    for flag in ("signed", "narrow"):  # libraries differ in what they make of another number
        if flag in types and (value := op.get_nodeattr(flag)) not in (0, 1):
            raise ModelFileError(f"{where}: attribute {flag!r} is {value}; it is 0 or 1")
