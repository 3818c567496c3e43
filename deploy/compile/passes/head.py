"""The part of a network behind its last product: cut off, recorded, and evaluated on the accelerator's integers.

The accelerator ends with the integer accumulators of the last layer. What the network does with them (a scale, a bias,
TensorNorm, a last sign or quantiser) runs on the host: the head is a small ONNX of its own, stored in the model's
metadata, that maps integers to the float logits of the reference, exactly: it is the reference's own nodes, batch
normalisation as PyTorch computes it where the network is a torch module (`torch_norms`). Its inverse maps float logits
back to integers, so that logits are compared without tolerance. Where several integers have one logit, as behind a last
sign, the smallest of them stands for all.

When the network ends with ArgMax or TopK, the index is computed on the integers themselves; that is the same index if,
and only if, the head rises strictly and is the same for every class, which is checked over all reachable integers.
"""

import base64
import json
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.util.basic import qonnx_make_model

from signflow.deploy.compile.errors import ModelFileError, refuse
from signflow.deploy.compile.passes.evaluate import follow
from signflow.deploy.compile.passes.inverse import Inverse, inverse
from signflow.deploy.compile.passes.numbers import Numbers
from signflow.deploy.compile.passes.regions import POOLS, Region, attribute
from signflow.deploy.compile.passes.torch_norms import TorchNorms, follows_torch
from signflow.deploy.compile.passes.transitions import Accumulators
from signflow.deploy.compile.passes.truth import BLOCK
from signflow.deploy.compile.passes.undecided import never_turns_back

HEAD_KEY = "signflow.head"
RANGE_KEY = "signflow.head_range"
TRIED = 1 << 26
"""Integers of all classes together whose logits stand in memory (about 40 bytes each), where they may turn back."""


@dataclass
class Head:
    """Integers of the accelerator -> float logits."""

    model: ModelWrapper
    """The small ONNX: input "accumulators" float32 [1, classes]."""
    accumulators: Accumulators
    """What every class can reach."""
    index: bool
    """The accelerator outputs the index of the class itself; there is nothing left to compute."""
    error: float
    """How far float32 may round the reference's logits away from the head's own, counted in integers (`rounding`)."""

    @staticmethod
    def of(model: ModelWrapper) -> "Head":
        """Read from a model that `streamline` made."""
        text, fields = model.get_metadata_prop(HEAD_KEY), json.loads(model.get_metadata_prop(RANGE_KEY) or "{}")
        if text is None or "error" not in fields:
            what = "no recorded head" if text is None else "a head recorded by an older version of signflow"
            raise ModelFileError(f"the model has {what}: make it with signflow.deploy.compile.streamline")
        reach = Accumulators(np.array(fields["low"]), np.array(fields["high"]), fields["step"])
        model = ModelWrapper(onnx.load_from_string(base64.b64decode(text)))
        return Head(model, reach, fields["index"], fields["error"])

    def save_to(self, model: ModelWrapper) -> None:
        """Store in the model's metadata."""
        data = self.model.model.SerializeToString(deterministic=True)
        reach = self.accumulators
        fields = {"low": reach.low.tolist(), "high": reach.high.tolist(), "step": reach.step}
        fields |= {"index": self.index, "error": self.error}
        model.set_metadata_prop(HEAD_KEY, base64.b64encode(data).decode())
        model.set_metadata_prop(RANGE_KEY, json.dumps(fields))

    def __call__(self, outputs: np.ndarray) -> np.ndarray:
        """Integer ``outputs`` (N, classes) -> float32 logits (N, classes); indices (N, 1) are returned as they are."""
        if self.index:
            return np.asarray(outputs)
        graph = self.model.graph
        ends = graph.input[0].name, graph.output[0].name
        return follow(self.model, list(graph.node), *ends, np.asarray(outputs).astype(np.float32)).end

    @cached_property
    def _inverse(self) -> Inverse:
        nodes = list(self.model.graph.node)
        return inverse(self, self.accumulators, never_turns_back(self.model, nodes))

    def invert(self, logits: np.ndarray) -> tuple[np.ndarray, float]:
        """Float ``logits`` (N, classes) -> the integers (N, classes) whose logits are nearest, and the largest distance
        to them.

        The distance is in steps from one logit to the next: 0 when the logits are the head's own, 0.5 when they mean
        nothing; infinite where a class has a single logit and this is another one.
        """
        if self.index:
            return np.asarray(logits).astype(np.int64), 0.0
        return self._inverse.invert(np.asarray(logits, dtype=np.float64))

    def settle(self, outputs: np.ndarray) -> np.ndarray:
        """Integer ``outputs`` (N, classes), each replaced by the smallest integer that has the same logit."""
        return np.asarray(outputs) if self.index else self._inverse.settle(np.asarray(outputs))

    def prepend(self, multiplier: float, offset: float, accumulators: Accumulators) -> None:
        """Let the head read x where it read ``multiplier * x + offset`` (exact on integers); ``accumulators`` are the
        ranges of x.
        """
        graph, old = self.model.graph, self.model.graph.input[0].name
        product, total = f"{old}_product", f"{old}_sum"
        for node in graph.node:
            for i, name in enumerate(node.input):
                node.input[i] = total if name == old else name
        shape = self.model.get_tensor_shape(old)
        graph.value_info.extend(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in (product, total)
        )
        self.model.set_initializer("popcount_multiplier", np.array([multiplier], dtype=np.float32))
        self.model.set_initializer("popcount_offset", np.array([offset], dtype=np.float32))
        graph.node.insert(0, helper.make_node("Mul", [old, "popcount_multiplier"], [product], name="PopcountMul"))
        graph.node.insert(1, helper.make_node("Add", [product, "popcount_offset"], [total], name="PopcountAdd"))
        self.error /= abs(multiplier)
        self._read(accumulators)

    def shift(self, added: np.ndarray, accumulators: Accumulators) -> None:
        """Let a head behind popcounts read x where it read x + ``added`` int (classes,); ``accumulators`` are the
        ranges of x.
        """
        multiplier, offset = (self.model.get_initializer(f"popcount_{name}") for name in ("multiplier", "offset"))
        rank = len(self.model.get_tensor_shape(self.model.graph.input[0].name))
        more = (multiplier * added).astype(np.float32).reshape(1, -1, *(1,) * (rank - 2))
        self.model.set_initializer("popcount_offset", offset + more)
        self._read(accumulators)

    def _read(self, accumulators: Accumulators) -> None:
        self.accumulators = accumulators
        self.__dict__.pop("_inverse", None)  # it was that of the old integers


def _head_model(model: ModelWrapper, region: Region, numbers: Numbers) -> ModelWrapper:
    """accumulators -> * scale, + offset where there is one -> the region's own nodes."""
    end = next(iter(region.exits))
    start, shape = f"{region.start}_integers", model.get_tensor_shape(region.start)
    per_channel = (1, -1, *(1,) * (len(shape) - 2))
    scaled = f"{region.start}_scaled" if numbers.offset.any() else region.start
    nodes = [helper.make_node("Mul", [start, "weight_scale"], [scaled], name="WeightScale")]
    if numbers.offset.any():
        nodes.append(helper.make_node("Add", [scaled, "weight_offset"], [region.start], name="WeightOffset"))
    nodes += region.path(end)
    graph = helper.make_graph(
        nodes,
        "head",
        [helper.make_tensor_value_info(start, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(end, TensorProto.FLOAT, model.get_tensor_shape(end))],
    )
    head = ModelWrapper(qonnx_make_model(graph, opset_imports=model.model.opset_import))
    head.set_initializer("weight_scale", numbers.scale.reshape(per_channel).astype(np.float32))
    if numbers.offset.any():
        head.set_initializer("weight_offset", numbers.offset.reshape(per_channel).astype(np.float32))
        head.graph.value_info.append(helper.make_tensor_value_info(scaled, TensorProto.FLOAT, shape))
    if region.start != end:
        head.graph.value_info.append(helper.make_tensor_value_info(region.start, TensorProto.FLOAT, shape))
    for node in region.path(end):
        for name in node.input:
            if (value := model.get_initializer(name)) is not None:
                head.set_initializer(name, value)
        if node.output[0] != end:
            shape = model.get_tensor_shape(node.output[0])
            head.graph.value_info.append(helper.make_tensor_value_info(node.output[0], TensorProto.FLOAT, shape))
    return head.transform(TorchNorms(), cleanup=False) if follows_torch(model) else head


def _check_selector(model: ModelWrapper, node: NodeProto, rank: int) -> None:
    supported = "ArgMax, or TopK with k = 1, over the classes, where the first of equal logits wins"
    if attribute(node, "axis", -1 if node.op_type == "TopK" else 0) not in (1, 1 - rank):
        raise refuse(node, f"axis {attribute(node, 'axis', -1)} is not that of the classes", supported)
    if attribute(node, "select_last_index", 0) or not attribute(node, "largest", 1):
        raise refuse(node, "it selects the last of equals, or the smallest", supported)
    if node.op_type == "TopK":
        k = model.get_initializer(node.input[1])
        if k is None or int(k.flat[0]) != 1:
            raise refuse(node, f"k = {None if k is None else int(k.flat[0])}", supported)


def _check_monotone(region: Region, head: Head) -> None:
    """The largest integer must have the largest logit: the same strictly rising head for every class."""
    reach, one = head.accumulators, head.accumulators.union
    union = Accumulators(np.full_like(reach.low, one.low[0]), np.full_like(reach.high, one.high[0]), one.step)
    supported = "a head that rises strictly, the same for all classes, in front of ArgMax; or logits as the output"
    for _, integers in union.blocks(BLOCK):
        table = head(integers)
        if (table != table[:, :1]).any():
            channel = int(np.argmax((table != table[:, :1]).any(axis=0)))
            raise refuse(region.selector, f"class {channel} has another scale or bias than class 0", supported)
        falls = np.diff(table[:, 0]) <= 0
        if falls.any():
            row = int(np.argmax(falls))
            low, high = integers[row, 0], integers[row + 1, 0]
            reason = f"accumulators {low} and {high} give logits {table[row, 0]:.7g} and {table[row + 1, 0]:.7g}"
            raise refuse(region.selector, reason, supported)


def make_head(model: ModelWrapper, region: Region, numbers: Numbers, popcount: int = 0) -> Head:
    """The head of ``model``: what its last ``region`` makes of accumulators n, which stand for ``numbers``. The
    accelerator gives (popcount + n) / 2, where ``popcount`` is not 0.
    """
    blame = region.node
    if (model.get_tensor_shape(region.start) or [1])[2:] not in ([], [1, 1]):
        shape = model.get_tensor_shape(region.start)
        raise refuse(blame, f"the network ends with a map of shape {shape}", "one vector of classes at the end")
    if region.kind not in ("product", "sum", "join") or len(region.exits) > 1:
        raise refuse(blame, "the network ends behind it", "a last layer that is dense, a convolution, a mean or a sum")
    pools = [node for node in region.nodes if node.op_type in POOLS]
    if pools:
        raise refuse(pools[0], "it pools logits", "MaxPool in front of a sign")
    own = _head_model(model, region, numbers)
    head = Head(own, numbers.reach, False, numbers.integers_off(len(own.graph.node)))
    reach = numbers.reach
    head(reach.at(np.array([[0], [reach.count - 1]])))  # refuses what cannot be evaluated
    if region.selector is not None:
        _check_selector(model, region.selector, len(model.get_tensor_shape(next(iter(region.exits)))))
        _check_monotone(region, head)
        head.index = True
    elif reach.count * numbers.channels > TRIED and not never_turns_back(head.model, list(head.model.graph.node)):
        last = region.path(next(iter(region.exits)))[-1]
        many = f"{numbers.channels:,} classes of {reach.count:,} integers"
        supported = "logits that rise or fall with the sums, so without Sigmoid or Tanh; or weights of fewer bits there"
        raise refuse(last, f"logits may turn back behind it, and {many} are too many to try all", supported)
    elif popcount:
        high = np.full(numbers.channels, popcount, dtype=np.int64)
        head.prepend(2.0, -float(popcount), Accumulators(np.zeros_like(high), high, 1))
    return head
