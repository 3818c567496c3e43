"""Exact accumulator types of MVAU nodes, from the real weights (`integer_types`), in place of FINN's minimisation."""

from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.base import Transformation

from signflow.deploy.passes.codes import integer_type
from signflow.deploy.passes.integer_types import product_range


class AccumulatorTypes(Transformation):
    """Sets ``accDataType``, and the output type where there is no threshold; a LabelSelect behind it follows."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Only attributes and annotations change."""
        for node in model.graph.node:
            if node.op_type == "MVAU":
                op = getCustomOp(node)
                name = integer_type(*product_range(model, node, bool(op.get_nodeattr("binaryXnorMode"))))
                op.set_nodeattr("accDataType", name)
                if op.get_nodeattr("noActivation"):
                    op.set_nodeattr("outputDataType", name)
                    model.set_tensor_datatype(node.output[0], DataType[name])
            elif node.op_type == "LabelSelect":
                getCustomOp(node).set_nodeattr("inputDataType", model.get_tensor_datatype(node.input[0]).name)
        return model, False
