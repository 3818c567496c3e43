"""The hardware graph while it is made: an integer graph whose nodes are replaced by signflow's RTL operators."""

import numpy as np
from onnx import NodeProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from signflow.deploy.compile.dialect.program import Windows

RTL_DOMAIN = "finn.custom_op.fpgadataflow.rtl"


class Hardware:
    """Edits ``model`` in place."""

    def __init__(self, model: ModelWrapper):
        self.model, self.graph = model, model.graph

    def shape(self, tensor: str) -> list[int]:
        """With the batch of 1."""
        return list(self.model.get_tensor_shape(tensor))

    def type(self, tensor: str) -> DataType:
        """Exact type of a tensor."""
        return self.model.get_tensor_datatype(tensor)

    def readers(self, tensor: str) -> list[NodeProto]:
        """The nodes that read ``tensor``."""
        return [node for node in self.graph.node if tensor in node.input]

    def writer(self, tensor: str) -> NodeProto | None:
        """The node that gives ``tensor``; None for the graph's input and constants."""
        return next((node for node in self.graph.node if tensor in node.output), None)

    def replace(self, old: list[NodeProto], op_type: str, inputs: list[str], output: str, **attributes) -> NodeProto:
        """One hardware operator in the place of the nodes ``old``."""
        position = list(self.graph.node).index(old[0])
        for node in old:
            self.graph.node.remove(node)
        return self.insert(position, op_type, inputs, [output], **attributes)

    def insert(self, position: int, op_type: str, inputs: list[str], outputs: list[str], **attributes) -> NodeProto:
        """A hardware operator, named without its ending ``_sf``."""
        name = f"{op_type}_at_{outputs[0]}"
        new = helper.make_node(
            f"{op_type}_sf", inputs, outputs, domain=RTL_DOMAIN, backend="fpgadataflow", name=name, **attributes
        )
        self.graph.node.insert(position, new)
        return self.graph.node[position]

    def tensor(self, name: str, shape: list[int], datatype: DataType) -> str:
        """Write down shape and type of a tensor."""
        self.model.set_tensor_shape(name, shape)
        self.model.set_tensor_datatype(name, datatype)
        return name

    def read_as(self, x: str, out: str) -> list[int]:
        """The shape in which an operator on every number reads ``x``, of which it makes ``out``: a flatten between them
        has left no trace, but for the channels of ``out``, where every feature is one.
        """
        return self.shape(x if self.shape(x)[-1] == self.shape(out)[-1] else out)

    def vectors(self, tensor: str, datatype: DataType) -> dict:
        """The attributes of a stream of ``tensor``, pixel by pixel."""
        *vectors, channels = self.shape(tensor)
        return {"NumChannels": channels, "PE": 1, "numInputVectors": vectors, "inputDataType": datatype.name}

    def channels(self, tensor: str, places: str) -> int:
        """Channels of ``tensor`` at every position of ``places``; a flatten in front of them has left no trace."""
        return int(np.prod(self.shape(tensor))) // int(np.prod(self.shape(places)[:-1]))

    def flags(self, tensor: str) -> int:
        """How many bits share a flag, at most, in the stream of ``tensor``; 0: it has no flags."""
        writer = self.writer(tensor)
        padded = writer is not None and writer.op_type == "ConvolutionInputGenerator_sf"
        return getCustomOp(writer).get_nodeattr("padGroup") if padded else 0

    def windows(self, node: NodeProto, x: str, windows: Windows, **border) -> None:
        """A generator of windows of ``x`` in the place of ``node``: with attributes Pads and Border, or padGroup for
        the number 0, where a border stands around it. One for each reader, if it sends flags.

        A generator of single pixels in front, which does nothing but put a border around them, becomes one with it.
        """
        before, (out,), generator = self.writer(x), node.output, "ConvolutionInputGenerator"
        if before is not None and not border and before.op_type == f"{generator}_sf":
            op = getCustomOp(before)
            if any(op.get_nodeattr("Pads")) and op.get_nodeattr("ConvKernelDim") == op.get_nodeattr("Stride") == [1, 1]:
                border = {name: v for name in ("Pads", "Border", "padGroup") if (v := op.get_nodeattr(name))}
                x = before.input[0]
        (_, height, width, channels), kind, readers = self.shape(x), self.type(x), self.readers(out)
        position, flags = list(self.graph.node).index(node), bool(border.get("padGroup"))
        self.graph.node.remove(node)
        outs = [f"{out}_{k}" for k in range(len(readers))] if flags and len(readers) > 1 else [out]
        for reader, name in zip(readers, outs if flags else [], strict=flags):
            reader.input[0] = name
        for k, name in enumerate(outs):
            self.tensor(name, self.shape(out), kind)
            self.insert(
                position + k, generator, [x], [name], ConvKernelDim=windows.kernel, Stride=windows.stride,
                Dilation=windows.dilation, IFMChannels=channels, IFMDim=[height, width],
                OFMDim=self.shape(name)[1:3], SIMD=2 if flags else 1, depthwise=0, is1D=0, inputDataType=kind.name,
                outputDataType=kind.name, **border,
            )  # fmt: skip
        if before is not None and not self.readers(before.output[0]):
            self.graph.node.remove(before)

    def fork(self, tensor: str) -> None:
        """One reader for every stream: duplicates, one behind the other. An operator may read it twice."""
        while (
            len(uses := [(n, i) for n in self.readers(tensor) for i, name in enumerate(n.input) if name == tensor]) > 1
        ):
            shape, datatype = self.shape(tensor), self.type(tensor)
            outs = [self.tensor(f"{tensor}_{side}", shape, datatype) for side in ("a", "b")]
            for k, (reader, i) in enumerate(uses):
                reader.input[i] = outs[min(k, 1)]
            position = list(self.graph.node).index(uses[0][0])
            self.insert(position, "Duplicate", [tensor], outs, **self.vectors(tensor, datatype))
            tensor = outs[1]
