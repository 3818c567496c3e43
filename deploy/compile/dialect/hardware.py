"""The hardware graph while it is made: an integer graph whose nodes are replaced by signflow's RTL operators."""

import numpy as np
from onnx import NodeProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper

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

    def vectors(self, tensor: str, datatype: DataType) -> dict:
        """The attributes of a stream of ``tensor``, pixel by pixel."""
        *vectors, channels = self.shape(tensor)
        return {"NumChannels": channels, "PE": 1, "numInputVectors": vectors, "inputDataType": datatype.name}

    def channels(self, tensor: str, places: str) -> int:
        """Channels of ``tensor`` at every position of ``places``; a flatten in front of them has left no trace."""
        return int(np.prod(self.shape(tensor))) // int(np.prod(self.shape(places)[:-1]))

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
