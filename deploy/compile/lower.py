"""Integer graph -> hardware graph: one rule per operator, from the dialect of
`signflow.deploy.compile.passes.integer_graph` to signflow's RTL operators (`signflow.hw.ops`).

A product takes the threshold, the window or the count of two thresholds behind it along, if it alone reads the sums and
the weights are +-1; other thresholds stand alone. A flatten disappears, because a stream has no shape. Where several
nodes read a tensor, the stream is duplicated; where a vector is added to a map, it is repeated for every position. What
has no rule is refused by name: nothing stays behind on the CPU.
"""

from collections.abc import Callable

import numpy as np
from onnx import NodeProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.general import (
    GiveReadableTensorNames,
    GiveUniqueNodeNames,
    RemoveUnusedTensors,
    SortGraph,
)

from signflow.deploy.compile import engine
from signflow.deploy.compile.errors import refuse
from signflow.deploy.compile.passes.integer_graph import integer_type

RTL_DOMAIN = "finn.custom_op.fpgadataflow.rtl"


class _Lowering:
    """Replaces the nodes of ``model``, an integer graph, in place."""

    def __init__(self, model: ModelWrapper):
        self.model, self.graph = model, model.graph
        self.rules: dict[str, Callable[[NodeProto], None]] = {
            "Im2Col": self._windows,
            "MatMul": self._product,
            "XnorPopcountMatMul": self._product,
            "MultiThreshold": self._threshold,
            "Window": self._threshold,
            "Mul": self._signs,
            "MaxPoolNHWC": self._pool,
            "ReduceSum": self._total,
            "Add": self._add,
            "Flatten": self._flatten,
            "TopK": self._select,
        }
        for node in list(self.graph.node):
            if node.op_type not in self.rules:
                raise refuse(node, "it has no hardware operator", ", ".join(self.rules))
        while node := next((node for node in self.graph.node if node.domain != RTL_DOMAIN), None):
            self.rules[node.op_type](node)
        for name in [name for node in list(self.graph.node) for name in node.output]:
            self._fork(name)

    # ---- the graph

    def _shape(self, tensor: str) -> list[int]:
        return list(self.model.get_tensor_shape(tensor))

    def _type(self, tensor: str) -> DataType:
        return self.model.get_tensor_datatype(tensor)

    def _readers(self, tensor: str) -> list[NodeProto]:
        return [node for node in self.graph.node if tensor in node.input]

    def _replace(self, old: list[NodeProto], op_type: str, inputs: list[str], output: str, **attributes) -> NodeProto:
        position = list(self.graph.node).index(old[0])
        for node in old:
            self.graph.node.remove(node)
        return self._insert(position, op_type, inputs, [output], **attributes)

    def _insert(self, position: int, op_type: str, inputs: list[str], outputs: list[str], **attributes) -> NodeProto:
        name = f"{op_type}_at_{outputs[0]}"
        new = helper.make_node(
            f"{op_type}_sf", inputs, outputs, domain=RTL_DOMAIN, backend="fpgadataflow", name=name, **attributes
        )
        self.graph.node.insert(position, new)
        return self.graph.node[position]

    def _tensor(self, name: str, shape: list[int], datatype: DataType) -> str:
        self.model.set_tensor_shape(name, shape)
        self.model.set_tensor_datatype(name, datatype)
        return name

    def _fork(self, tensor: str) -> None:
        """One reader for every stream: duplicates, one behind the other."""
        while len(readers := self._readers(tensor)) > 1:
            shape, datatype = self._shape(tensor), self._type(tensor)
            outs = [self._tensor(f"{tensor}_{side}", shape, datatype) for side in ("a", "b")]
            for k, reader in enumerate(readers):
                for i, name in enumerate(reader.input):
                    reader.input[i] = outs[min(k, 1)] if name == tensor else name
            position = list(self.graph.node).index(readers[0])
            self._insert(position, "Duplicate", [tensor], outs, **self._vectors(tensor, datatype))
            tensor = outs[1]

    def _vectors(self, tensor: str, datatype: DataType, vectors: str = "numInputVectors") -> dict:
        *vectors_of, channels = self._shape(tensor)
        return {"NumChannels": channels, "PE": 1, vectors: vectors_of, "inputDataType": datatype.name}

    # ---- one rule per operator

    def _windows(self, node: NodeProto) -> None:
        op = getCustomOp(node)
        _, height, width, channels = self._shape(node.input[0])
        datatype = self._type(node.input[0]).name
        self._replace(
            [node], "ConvolutionInputGenerator", [node.input[0]], node.output[0],
            ConvKernelDim=op.get_nodeattr("kernel_size"), Stride=op.get_nodeattr("stride"), Dilation=[1, 1],
            IFMChannels=channels, IFMDim=[height, width], OFMDim=self._shape(node.output[0])[1:3], SIMD=1, depthwise=0,
            is1D=0, inputDataType=datatype, outputDataType=datatype,
        )  # fmt: skip

    def _product(self, node: NodeProto) -> None:
        sums, weights = node.output[0], node.input[1]
        inputs, outputs = self._shape(weights)
        read, kind, xnor = self._type(node.input[0]), self._type(weights), node.op_type == "XnorPopcountMatMul"
        behind = self._readers(sums)
        fused = behind[0] if len(behind) == 1 and kind.bitwidth() == 1 and self._fits(behind[0]) else None
        nodes, tensors, end = [node], [node.input[0], weights], sums
        if fused is not None:
            nodes, tensors, end = [node, fused], [*tensors, fused.input[1]], fused.output[0]
        self._replace(
            nodes, "MVAU", tensors, end, MW=inputs, MH=outputs, SIMD=1, PE=1, binaryXnorMode=int(xnor),
            inputDataType=read.name, weightDataType=kind.name, accDataType=self._type(sums).name, ActVal=0,
            outputDataType=self._type(end).name, noActivation=int(fused is None),
            numInputVectors=self._shape(sums)[:-1], window=int(fused is not None and fused.op_type == "Window"),
        )  # fmt: skip

    def _fits(self, node: NodeProto) -> bool:
        """One threshold, a window, or the count of two thresholds: what a product can take along."""
        if node.op_type == "Window":
            return True
        if node.op_type != "MultiThreshold" or getCustomOp(node).get_nodeattr("out_bias") != 0:
            return False
        steps = {"BINARY": 1, "UINT2": 2}.get(self._type(node.output[0]).name)
        return self._shape(node.input[1])[1] == steps

    def _threshold(self, node: NodeProto, signs: NodeProto | None = None) -> None:
        x = node.input[0] if signs is None else signs.input[0]
        window = node.op_type == "Window"
        *vectors, channels = self._shape(x)
        self._tensor(node.output[0], [*vectors, channels], self._type(node.output[0]))  # a flatten in front is gone
        self._replace(
            [node] if signs is None else [signs, node], "Thresholding",
            [x, node.input[1]] + ([] if signs is None else [signs.input[1]]), node.output[0],
            NumChannels=channels, PE=1, numSteps=self._shape(node.input[1])[1], inputDataType=self._type(x).name,
            weightDataType=self._type(node.input[1]).name, outputDataType=self._type(node.output[0]).name,
            ActVal=0 if window else int(getCustomOp(node).get_nodeattr("out_bias")), numInputVectors=vectors,
            window=int(window), shared=int(self._shape(node.input[1])[0] == 1 and signs is None),
        )  # fmt: skip

    def _signs(self, node: NodeProto) -> None:
        behind = self._readers(node.output[0])
        if len(behind) != 1 or behind[0].op_type != "MultiThreshold":
            raise refuse(node, "a product with signs that no threshold reads", "Mul in front of a MultiThreshold")
        self._threshold(behind[0], node)

    def _pool(self, node: NodeProto) -> None:
        _, height, width, channels = self._shape(node.input[0])
        self._replace(
            [node], "MaxPool", [node.input[0]], node.output[0], IFMDim=[height, width], Channels=channels,
            PoolDim=getCustomOp(node).get_nodeattr("kernel_shape"), PE=1,
            inputDataType=self._type(node.input[0]).name,
        )  # fmt: skip

    def _total(self, node: NodeProto) -> None:
        x, out = node.input[0], node.output[0]
        attributes = self._vectors(x, self._type(x)) | {"outputDataType": self._type(out).name}
        self._replace([node], "AccPool", [x], out, **attributes)

    def _add(self, node: NodeProto) -> None:
        x, y = sorted(node.input, key=lambda name: -len(self._shape(name)))
        out, shape, datatype = node.output[0], self._shape(node.output[0]), self._type(y)
        attributes = self._vectors(out, self._type(x)) | {
            "inputDataType1": datatype.name,
            "outputDataType": self._type(out).name,
        }
        new = self._replace([node], "Add", [x, y], out, **attributes)
        if int(np.prod(self._shape(y))) != int(np.prod(shape)):
            new.input[1] = self._tensor(f"{y}_at_{out}", shape, datatype)
            places = {"NumChannels": shape[-1], "PE": 1, "outVectors": shape[:-1], "inputDataType": datatype.name}
            self._insert(list(self.graph.node).index(new), "Replicate", [y], [new.input[1]], **places)

    def _flatten(self, node: NodeProto) -> None:
        x, out = node.input[0], node.output[0]
        if x == self.graph.input[0].name:
            self.model.set_tensor_shape(x, self._shape(out))
        self.graph.node.remove(node)
        for reader in self._readers(out):
            for i, name in enumerate(reader.input):
                reader.input[i] = x if name == out else name
        if out == self.graph.output[0].name:
            value = next(v for v in self.graph.value_info if v.name == x)
            del self.graph.output[:]
            self.graph.output.append(value)
            self.graph.value_info.remove(value)

    def _select(self, node: NodeProto) -> None:
        *vectors, labels = self._shape(node.input[0])
        self._replace(
            [node], "LabelSelect", [node.input[0]], node.output[1], Labels=labels, PE=1, K=1,
            inputDataType=self._type(node.input[0]).name, outputDataType=integer_type(0, labels - 1),
            numInputVectors=vectors,
        )  # fmt: skip
        self.model.set_tensor_datatype(node.output[1], DataType[integer_type(0, labels - 1)])


def lower(model: ModelWrapper) -> ModelWrapper:
    """Hardware graph of an integer graph from `signflow.deploy.compile.streamline`; raises UnsupportedError for an
    operator that has no hardware.

    The result runs in `signflow.deploy.compile.streamline.execute` and is unfolded: PE = SIMD = 1 in every MVAU.
    """
    engine.boot()
    from signflow.hw import ops

    ops.register()
    model = ModelWrapper(model.model, make_deepcopy=True)
    _Lowering(model)
    for step in (SortGraph(), RemoveUnusedTensors(), GiveUniqueNodeNames(), GiveReadableTensorNames()):
        model = model.transform(step)
    return model
