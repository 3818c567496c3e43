"""Integer graph -> hardware graph: FINN's conversions, then every operator replaced by signflow's own RTL operator of
the same kind.

The operators of `signflow.hw.ops` are named after FINN's with the suffix ``_sf`` and subclass them, so a node keeps its
attributes. What has no such operator is refused by name: nothing stays behind on the CPU.
"""

from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.base import Transformation

from signflow.deploy import engine
from signflow.deploy.passes.accumulator_types import AccumulatorTypes
from signflow.deploy.passes.errors import refuse
from signflow.deploy.passes.lower_max_pool import RTL_DOMAIN, LowerMaxPool

OPERATORS = ("MVAU", "ConvolutionInputGenerator", "Thresholding", "LabelSelect")
SUFFIX = "_sf"


class ToSignflowOperators(Transformation):
    """FINN's hardware operators -> ours of the same kind."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Renames nodes; attributes that ours do not have are dropped."""
        for node in model.graph.node:
            if node.op_type.endswith(SUFFIX):
                continue
            if node.op_type not in OPERATORS:
                raise refuse(node, "it has no hardware operator", ", ".join((*OPERATORS, "MaxPool")))
            node.op_type, node.domain = node.op_type + SUFFIX, RTL_DOMAIN
            known = getCustomOp(node).get_nodeattr_types()
            kept = [attribute for attribute in node.attribute if attribute.name in known]
            del node.attribute[:]
            node.attribute.extend(kept)
        return model, False


def passes() -> list:
    """The passes in order. (A function, because FINN is imported only after `engine.boot`.)"""
    from finn.transformation.fpgadataflow.convert_to_hw.binary_matrix_vector_activation import (
        InferBinaryMatrixVectorActivation,
    )
    from finn.transformation.fpgadataflow.convert_to_hw.conv_inp_gen import InferConvInpGen
    from finn.transformation.fpgadataflow.convert_to_hw.label_select import InferLabelSelectLayer
    from finn.transformation.fpgadataflow.convert_to_hw.quantized_matrix_vector_activation import (
        InferQuantizedMatrixVectorActivation,
    )
    from finn.transformation.fpgadataflow.convert_to_hw.thresholding import InferThresholdingLayer
    from finn.transformation.move_reshape import RemoveCNVtoFCFlatten
    from qonnx.transformation.general import GiveReadableTensorNames, GiveUniqueNodeNames, RemoveUnusedTensors

    return [
        # products with their thresholds, windows, input quantiser, arg max (FINN)
        InferBinaryMatrixVectorActivation(),
        InferQuantizedMatrixVectorActivation(),
        InferThresholdingLayer(),
        InferConvInpGen(),
        InferLabelSelectLayer(),
        # pool as OR, exact types (ours)
        LowerMaxPool(),
        AccumulatorTypes(),
        # a stream has no shape (FINN)
        RemoveCNVtoFCFlatten(),
        # our operators
        ToSignflowOperators(),
        RemoveUnusedTensors(),
        GiveUniqueNodeNames(),
        GiveReadableTensorNames(),
    ]


def lower(model: ModelWrapper) -> ModelWrapper:
    """Hardware graph of an integer graph from `signflow.deploy.streamline`; raises UnsupportedError for an operator
    that has no hardware.

    The result runs in `signflow.deploy.streamline.execute` and is unfolded: PE = SIMD = 1 in every MVAU.
    """
    engine.boot()
    from signflow.hw import ops

    ops.register()
    for step in passes():
        model = model.transform(step)
    return model
