"""MaxPoolNHWC on bits -> MaxPool_sf: the largest of a window of bits is their OR.

FINN would make a depthwise window generator and a Pool of it, which exists as HLS only.
"""

from onnx import helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.base import Transformation

from signflow.deploy.passes.errors import refuse

RTL_DOMAIN = "finn.custom_op.fpgadataflow.rtl"


class LowerMaxPool(Transformation):
    """See the module's docstring."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Replaces every MaxPoolNHWC."""
        for i, node in enumerate(model.graph.node):
            if node.op_type != "MaxPoolNHWC":
                continue
            datatype = model.get_tensor_datatype(node.input[0])
            if datatype != DataType["BINARY"]:
                raise refuse(node, f"it pools numbers of type {datatype.name}", "MaxPool behind a sign")
            _, height, width, channels = model.get_tensor_shape(node.input[0])
            new = helper.make_node(
                "MaxPool_sf",
                [node.input[0]],
                [node.output[0]],
                domain=RTL_DOMAIN,
                backend="fpgadataflow",
                name=node.name,
                IFMDim=[height, width],
                Channels=channels,
                PoolDim=getCustomOp(node).get_nodeattr("kernel_shape"),
                PE=1,
                inputDataType=datatype.name,
            )
            model.graph.node.remove(node)
            model.graph.node.insert(i, new)
        return model, False
