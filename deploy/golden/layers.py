"""The layers of an integer graph, packed for the interpreter of `signflow.deploy.golden.intgraph`.

    nodes                                              layer
    the image; with a MultiThreshold alone behind it   image; Thresholding_sf
    [Im2Col or Flatten], MatMul or XnorPopcountMatMul  MVAU_sf, with a Window, or a MultiThreshold of at most two steps,
                                                       where nothing else reads the product
    [Mul by signs], MultiThreshold; Window             Thresholding_sf
    MaxPoolNHWC; SumPoolNHWC, ReduceSum                MaxPool_sf; AccPool_sf
    ShiftAdd, Concat, TopK                             Add_sf, Concat_sf, LabelSelect_sf
    PadChannels, Lookup, Requantise                    PadChannels_sf, Lookup_sf, Requantise_sf
    Border; MaxPoolNHWC of single pixels               Border, MaxPoolNHWC: no node of the hardware graph

Every operator of the dialect (`signflow.deploy.compile.dialect`) says itself which layer it is. Maps of integers are
floats; a graph whose numbers may leave what float32 counts is refused (`signflow.deploy.compile.reach`).
"""

from dataclasses import replace

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile.dialect import operator_of
from signflow.deploy.compile.dialect.base import Operator
from signflow.deploy.compile.dialect.program import PIXEL, POPCOUNT, TABLE, THRESHOLD, Layer, Program, View
from signflow.deploy.compile.dialect.thresholds import MultiThreshold
from signflow.deploy.compile.errors import refuse
from signflow.deploy.compile.images import ImageInput, image_kind
from signflow.deploy.compile.reach import reaches
from signflow.deploy.golden.pack import WORD, pack_bits, pack_floats, pack_steps, pack_zeros


def program_of(model: ModelWrapper, image: ImageInput) -> Program:
    """The layers in order, and where the tensors lie. Raises UnsupportedError for what is no integer graph."""
    program = Program(model)
    reaches(model)
    _image(program, image)
    for node in model.graph.node:
        if node.output[0] in program.views:
            continue  # belongs to the layer before
        operator, view = operator_of(model, node), program.views.get(node.input[0])
        if view is None:
            raise refuse(node, "it is no node of an integer graph", "graphs from signflow.deploy.compile.streamline")
        for read in [program.views[name] for name in node.input if name in program.views]:
            _check(operator, read)
        operator.pack(program, view)
    if program.views[model.graph.output[0].name].zeros is not None:
        raise refuse(model.graph.node[-1], "its border of bits is the number 0", "products of bits behind it")
    program.done = [_packed(layer, program.done) for layer in program.done]
    return program


def _check(operator: Operator, view: View) -> None:
    """UnsupportedError if ``operator`` does not read such a tensor."""
    if view.window != PIXEL and not operator.READS_WINDOWS:
        raise refuse(operator.node, "it reads windows, or a flattened map of bits", "products there")
    if view.signs is not None and not operator.READS_SIGNS:
        raise refuse(operator.node, "it reads a product with signs", "Mul by signs in front of a MultiThreshold")
    if view.zeros is not None and not operator.READS_ZEROS:
        raise refuse(operator.node, "it reads bits whose border is the number 0", "products of bits there")


def _image(program: Program, image: ImageInput) -> None:
    """Pixels as they are, or as the input's threshold makes them, from a table over the 256 values of a byte."""
    name = program.model.graph.input[0].name
    shape = program.model.get_tensor_shape(name)
    shape = tuple(shape[1:]) if len(shape) == 4 else (1, 1, shape[1])
    byte = np.arange(256, dtype=np.uint8)
    pixel = (byte.view(np.int8) if image_kind(image.kind).low < 0 else byte).astype(np.int64)
    stream = (pixel + 1) // 2 if image.binary else pixel
    table, bits, hardware = stream[None, :], image.binary, ""
    reader = program.reader(name)
    threshold = reader if reader is not None and reader.op_type == MultiThreshold.__name__ else None
    if threshold is not None:
        steps, hardware = MultiThreshold.of(program.model, threshold).steps(), MultiThreshold.HARDWARE
        table, bits = np.stack([np.searchsorted(row, stream, side="right") for row in steps.thresholds]), steps.bits
        table += steps.bias
    order = np.arange(int(np.prod(image.shape)), dtype=np.int32)
    if image.order == "NHWC":
        order = np.ascontiguousarray(np.moveaxis(order.reshape(image.shape), 0, -1)).reshape(-1)
    entries = {"table": np.ascontiguousarray(table, dtype=np.float32), "rows": len(table), "order": order}
    program.add(threshold, hardware, Layer(TABLE, shape, bits, (), entries=entries), View(0, shape))
    program.views[name] = View(0, shape)


def _packed(layer: Layer, layers: list[Layer]) -> Layer:
    """``layer`` with all its entries as the C++ side reads them."""
    entries, steps = layer.entries, layer.steps
    channels, more = entries["in_c"], {"form": steps.form, "bias": steps.bias}
    packed = any(layers[source].bits for source in layer.reads[:1])
    more["in_stride"] = -(-channels // WORD) if packed else channels
    if layer.weights is not None:
        pack, pixels = pack_bits if layer.kind == POPCOUNT else pack_floats, entries["kernel_h"] * entries["kernel_w"]
        more |= pack(layer.weights, steps, pixels, channels) | {"fan_in": len(layer.weights)}
        more |= pack_zeros(layer) if layer.zeros is not None else {}
    elif layer.kind == THRESHOLD:
        more |= pack_steps(steps, layer.signs, channels)
    return replace(layer, entries=entries | more)
