"""A convolution of one channel into one is no depthwise convolution.

qonnx' LowerConvsToMatMul recognises depthwise convolutions by group = channels in = channels out, which holds for 1 = 1
= 1; it then marks the weights as sparse, and FINN makes no matrix-vector unit of them. Depthwise convolutions proper
are refused before (`chain`), so every such mark is wrong.
"""

from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.base import Transformation


class PlainWindows(Transformation):
    """Removes the marks. Runs after `LowerConvsToMatMul`."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Only annotations and the depthwise attribute change."""
        for note in model.graph.quantization_annotation:
            for entry in [e for e in note.quant_parameter_tensor_names if e.key == "tensor_sparsity"]:
                note.quant_parameter_tensor_names.remove(entry)
        for node in model.graph.node:
            if node.op_type == "Im2Col":
                getCustomOp(node).set_nodeattr("depthwise", 0)
        return model, False
