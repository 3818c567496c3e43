"""The heart of the compiler: everything between an integer accumulator and the next sign becomes one integer threshold
per channel, by enumeration.

For every product, the network's own nodes behind it are run, in the arithmetic of the reference, on every integer that
its accumulators can reach (ranges from the real weights), per channel; where the sign changes *is* the hardware
(`transitions` explains directions and MaxPools). The input quantiser is enumerated over the values of a pixel in the
same way (`codes`). The part behind the last product is no sign's input: it is cut off into the recorded head (`head`),
and the graph ends with raw accumulators, or with the index of the largest one.

Before: Conv/MatMul with weights +-s, BatchNormalization, Mul, ..., BipolarQuant, MaxPool, Flatten (see `chain.walk`,
after `PlainProducts`). After: Conv/MatMul with BIPOLAR weights, MultiThreshold with BIPOLAR output, MaxPool, Flatten,
TopK; every tensor holds integers.

Each sign is noted in the model (`Sign`): which product it belongs to, which tensor of the QONNX graph shows it, and
which channels are stored complemented.
"""

import json
from dataclasses import asdict, dataclass, replace

import numpy as np
from onnx import TensorProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation
from qonnx.transformation.general import SortGraph
from qonnx.transformation.infer_datatypes import InferDataTypes
from qonnx.transformation.infer_shapes import InferShapes

from signflow.deploy.images import ImageInput, image_kind
from signflow.deploy.passes.chain import POOLS, SHAPES, Stage, walk
from signflow.deploy.passes.codes import integer_type, read_image
from signflow.deploy.passes.head import cut_head
from signflow.deploy.passes.products import Feed, Product
from signflow.deploy.passes.rounding import note, save_notes
from signflow.deploy.passes.transitions import thresholds
from signflow.deploy.passes.truth import truth_table

SIGNS_KEY = "signflow.signs"


@dataclass(frozen=True)
class Sign:
    """One sign of the network, and where to find it again."""

    product: str
    """Node whose accumulators it reads, as the QONNX graph names it."""
    tensor: str
    """Tensor of the QONNX graph that holds it, pooled and flattened: +-magnitude."""
    complement: list[int]
    """Channels that the hardware stores as the complement."""

    @staticmethod
    def of(model: ModelWrapper) -> list["Sign"]:
        """All signs noted in ``model``, in order."""
        return [Sign(**fields) for fields in json.loads(model.get_metadata_prop(SIGNS_KEY) or "[]")]


def _tensor(model: ModelWrapper, name: str, like: str, datatype: str) -> str:
    model.graph.value_info.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, model.get_tensor_shape(like)))
    model.set_tensor_datatype(name, DataType[datatype])
    return name


def _insert_threshold(model: ModelWrapper, name: str, source: str, steps: np.ndarray, datatype: str, bias: int) -> str:
    """MultiThreshold(source, steps int64 (channels or 1, steps)) -> new tensor, whose name is returned."""
    out = _tensor(model, f"{source}_{name}", source, datatype)
    parameter = f"{name}_thresholds"
    model.set_initializer(parameter, steps.astype(np.float32))
    model.set_tensor_datatype(parameter, DataType[integer_type(int(steps.min()), int(steps.max()))])
    scale = 2.0 if datatype == "BIPOLAR" else 1.0
    attributes = {
        "domain": "qonnx.custom_op.general",
        "out_dtype": datatype,
        "out_scale": scale,
        "out_bias": float(bias),
    }
    node = helper.make_node("MultiThreshold", [source, parameter], [out], name=name, **attributes)
    model.graph.node.append(node)
    return out


def _rewire(model: ModelWrapper, stage: Stage, tensor: str) -> str:
    """Drop the stage's scalar nodes, hang its pools and flattens behind ``tensor``; returns the stage's new end."""
    for node in stage.nodes:
        flattens = node.op_type in SHAPES and len(model.get_tensor_shape(node.input[0])) == 4
        if flattens and len(model.get_tensor_shape(node.output[0])) == 2:
            position = list(model.graph.node).index(node)
            model.graph.node.remove(node)
            model.graph.node.insert(position, helper.make_node("Flatten", [tensor], [node.output[0]], name=node.name))
            tensor = node.output[0]
        elif node.op_type in POOLS:
            node.input[0], tensor = tensor, node.output[0]
        else:
            model.graph.node.remove(node)
    return tensor


def _image_stage(model: ModelWrapper, stage: Stage) -> tuple[Feed, str]:
    """Replace the input's scaling and quantiser; returns what the first product reads, and its tensor."""
    image = ImageInput.of(model)
    kind, codes = image_kind(image.kind), read_image(model, stage)
    channels = model.get_tensor_shape(stage.start)[1]
    steps, bias = codes.thresholds(kind.pixels), -1 if codes.bipolar else int(codes.codes.min())
    if kind.datatype == "BIPOLAR":  # the stream carries bits: -1, +1 and "never" become 0, 1 and 2
        steps = (steps + 2) // 2
        replace(image, binary=True).save_to(model)
        model.set_tensor_datatype(stage.start, DataType["BINARY"])
    elif (codes.codes == kind.pixels[:, None]).all():
        return codes.feed, _rewire(model, stage, stage.start)
    by_channel = steps.reshape(channels, -1, steps.shape[1])
    if (by_channel == by_channel[:, :1]).all():  # the same at every position: a threshold on the image itself
        steps = steps[:1] if (steps == steps[:1]).all() else by_channel[:, 0]
        bits = _insert_threshold(model, "InputThreshold", stage.start, steps, codes.datatype, bias)
        return codes.feed, _rewire(model, stage, bits)
    flat = _rewire(model, stage, stage.start)
    return codes.feed, _insert_threshold(model, "InputThreshold", flat, steps, codes.datatype, bias)


class EnumerateThresholds(Transformation):
    """See the module's docstring. Raises UnsupportedError for what has no exact hardware."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Rewrites the whole network at once."""
        image, *stages = walk(model)
        feed, tensor = _image_stage(model, image)
        signs: list[Sign] = []
        notes: list[str] = []
        for i, stage in enumerate(stages):
            product = Product(model, stage.product)
            product.undo(feed)
            accumulators = product.accumulators(feed)
            stage.product.input[0] = tensor
            scale = product.scale * feed.scale
            notes += note(model, stage, accumulators, scale)
            if i == len(stages) - 1:
                product.store()
                cut_head(model, stage, accumulators, scale)
                break
            truth = truth_table(model, stage, accumulators, scale)
            found = thresholds(accumulators, truth.bits, truth.in_front)
            product.negate(found.own)
            product.store()
            signs.append(Sign(stage.product.name, stage.end, [int(c) for c in np.flatnonzero(found.next)]))
            bits = _insert_threshold(model, f"Threshold_{i}", stage.start, found.threshold[:, None], "BIPOLAR", -1)
            tensor = _rewire(model, stage, bits)
            feed = Feed.of_signs(truth.magnitude, found.next)
        save_notes(model, notes)
        model.set_metadata_prop(SIGNS_KEY, json.dumps([asdict(sign) for sign in signs]))
        for step in (SortGraph(), InferShapes(), InferDataTypes()):
            model = model.transform(step)
        return model, False
