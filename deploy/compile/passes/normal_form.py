"""A network's graph in normal form: few operators, each with one way to say its geometry.

    Conv       (1, C, H, W), one group, no pads; dilations as they are
    MaxPool    explicit pads, all windows in the padded map, not dilated
    SumPool    sums of windows, without pads; Div makes averages of them
    ReduceSum  over all positions
    Pad        a constant border, of height and width or of channels
    Slice      picks pixels by steps, from the first on
    Concat     of channels
    MatMul     (1, features)
    FlattenNHWC, where constants tell the positions of a channel apart behind it
    and        scalar operators, quantisers, Flatten, Reshape, Squeeze, Unsqueeze

`NormalForm` is the list of passes that lead to it, read from top to bottom; every tensor that is still there keeps its
name, and the graph computes, bit for bit, what it computed. `check` refuses what has no normal form.
"""

import numpy as np
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from signflow.deploy.compile.errors import refuse
from signflow.deploy.compile.passes.channels_first import ChannelsFirst
from signflow.deploy.compile.passes.geometry import axes_of, padding_of, slices_of
from signflow.deploy.compile.passes.plain_concats import PlainConcats
from signflow.deploy.compile.passes.plain_flattens import PlainFlattens
from signflow.deploy.compile.passes.plain_groups import PlainGroups
from signflow.deploy.compile.passes.plain_images import PlainImages
from signflow.deploy.compile.passes.plain_pads import PlainPads
from signflow.deploy.compile.passes.plain_pools import PlainPools
from signflow.deploy.compile.passes.plain_products import PlainProducts
from signflow.deploy.compile.passes.plain_ranks import PlainRanks
from signflow.deploy.compile.passes.plain_reductions import PlainReductions
from signflow.deploy.compile.passes.plain_slices import PlainSlices
from signflow.deploy.compile.passes.regions import attribute
from signflow.deploy.compile.passes.rewrite import Graph, remove_unread
from signflow.deploy.compile.tidy import infer_shapes

SHAPES = (
    *(PlainImages, PlainConcats, PlainRanks, ChannelsFirst, PlainGroups, PlainReductions, PlainPools, PlainSlices),
    *(PlainPads, PlainFlattens),
)
MIXING = (
    *("Softmax", "LogSoftmax", "Hardmax", "InstanceNormalization", "LayerNormalization", "GroupNormalization", "LRN"),
    *("LpNormalization", "MeanVarianceNormalization"),
)
RESAMPLING = ("Resize", "Upsample", "ConvTranspose", "DepthToSpace", "SpaceToDepth", "GridSample")


class NormalForm(Transformation):
    """See the module's docstring. Raises UnsupportedError for what has no normal form."""

    def __init__(self):
        super().__init__()
        self.origins: dict[str, np.ndarray] = {}
        """Constant whose numbers were moved -> for each of them, the place (flat) where it was in the model."""
        self.names: dict[str, str] = {}
        """Tensor whose numbers are another's of the model in another order -> that one."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Runs the passes, and checks what they made."""
        model = model.transform(PlainProducts(), make_deepcopy=False, cleanup=False)
        for step in (kind() for kind in SHAPES):
            model = model.transform(step, make_deepcopy=False, cleanup=False)
            self.names |= step.names
            for name, places in step.origins.items():
                before = self.origins.get(name)
                self.origins[name] = places if before is None else before.reshape(-1)[places]
        remove_unread(model)
        infer_shapes(model.model)
        check(model)
        return model, False


def check(model: ModelWrapper) -> None:
    """Raises UnsupportedError for the first node that is not in normal form, with what it should be."""
    graph = Graph(model)
    rules = {
        **{"Conv": _conv, "MaxPool": _pool, "SumPool": _pool, "AveragePool": _average, "Pad": _pad, "Slice": _slice},
        **{"Concat": _concat, "ReduceSum": _sum, "Transpose": _transpose, **dict.fromkeys(RESAMPLING, _resampled)},
        **dict.fromkeys(MIXING, _mixed),
    }
    borders = {}
    for node in model.graph.node:
        if node.op_type in rules:
            rules[node.op_type](graph, node)
        if node.op_type == "Pad":
            borders[node.output[0]] = padding_of(graph, node)
        elif node.input and node.input[0] in borders:
            _border(graph, node, borders[node.input[0]])


def _map(graph: Graph, node: NodeProto) -> None:
    shape = graph.shape(node.input[0])
    if len(shape) != 4:
        raise refuse(node, f"it reads a tensor of shape {shape}", "maps [1, channels, height, width], or of one row")


def _windows(node: NodeProto) -> None:
    auto = attribute(node, "auto_pad", "NOTSET") or "NOTSET"
    if auto != "NOTSET" or attribute(node, "ceil_mode", 0):
        raise refuse(node, f"auto_pad {auto}, ceil_mode {attribute(node, 'ceil_mode', 0)}", "explicit pads")


def _conv(graph: Graph, node: NodeProto) -> None:
    _map(graph, node)
    _windows(node)
    groups, pads = attribute(node, "group", 1), attribute(node, "pads", [])
    if groups != 1 or any(pads):
        raise refuse(node, f"group {groups}, pads {pads}", "Conv of one group, behind a Pad")


def _pool(graph: Graph, node: NodeProto) -> None:
    _map(graph, node)
    _windows(node)
    kernel, pads = attribute(node, "kernel_shape", []), attribute(node, "pads", []) or [0] * 4
    if any(d != 1 for d in attribute(node, "dilations", [1])):
        raise refuse(node, "its windows are dilated", "pools over neighbouring pixels")
    if any(p >= k for p, k in zip(pads, kernel * 2, strict=True)) and any(pads):
        raise refuse(node, f"its pads {pads} are not smaller than its kernel {kernel}", "pads smaller than the kernel")


def _average(graph: Graph, node: NodeProto) -> None:
    raise refuse(node, "it is not written as SumPool and Div", "averages behind the pass PlainPools")


def _pad(graph: Graph, node: NodeProto) -> None:
    border = padding_of(graph, node)
    if len(border.begin) != 4 or border.begin[0] or border.end[0]:
        pads = f"{list(border.begin)} and {list(border.end)}"
        raise refuse(node, f"it pads a tensor of shape {graph.shape(node.input[0])} by {pads}",
                     "Pad of height and width, or of channels, of [1, channels, height, width]")  # fmt: skip
    if not np.isfinite(border.value):
        raise refuse(node, f"its value is {border.value}", "a finite value; -infinity in front of a MaxPool that has "
                                                           "room for it")  # fmt: skip


def _border(graph: Graph, node: NodeProto, border) -> None:
    """No window lies in the padding alone."""
    kernel = attribute(node, "kernel_shape", [])
    dilations = attribute(node, "dilations", [1] * len(kernel))
    for i, name in enumerate(("height", "width")[: len(kernel)]):
        extent, pads = (kernel[i] - 1) * dilations[i] + 1, (border.begin[2 + i], border.end[2 + i])
        if max(pads) >= extent:
            reason = (
                f"a window spans {extent} pixels of the {name}, the padding {list(pads)}, and may hold nothing else"
            )
            raise refuse(node, reason, "pads smaller than the kernel")


def _slice(graph: Graph, node: NodeProto) -> None:
    _map(graph, node)
    slices_of(graph, node)


def _concat(graph: Graph, node: NodeProto) -> None:
    axis, shape = attribute(node, "axis", 0), graph.shape(node.output[0])
    if axis % max(1, len(shape)) != 1:
        raise refuse(node, f"it concatenates along axis {axis} of {shape}", "Concat of channels (axis 1)")


def _sum(graph: Graph, node: NodeProto) -> None:
    shape, axes = graph.shape(node.input[0]), axes_of(graph, node)
    if len(shape) < 3 or axes != list(range(2, len(shape))):
        raise refuse(node, f"it sums {shape} over the axes {axes}", "ReduceSum over all positions of a map")


def _transpose(graph: Graph, node: NodeProto) -> None:
    order, shape = attribute(node, "perm", []), graph.shape(node.input[0])
    reason = f"it puts the axes of {shape} in the order {order}, and no Transpose behind it undoes that"
    raise refuse(node, reason, "Transposes that only relabel: channels last between operators that read them first")


def _resampled(graph: Graph, node: NodeProto) -> None:
    raise refuse(node, "it makes more positions of a map, or moves channels to them", "Conv, pools, Slice and Pad")


def _mixed(graph: Graph, node: NodeProto) -> None:
    reason = "what it makes of a number depends on the other channels or positions of the image"
    raise refuse(node, reason, "BatchNormalization in evaluation mode; logits as the output, without Softmax")
