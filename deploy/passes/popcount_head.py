"""The last layer's popcount p stands for the sum 2p - K of K products of +-1; that map joins the recorded head.

    XnorPopcountMatMul -> Mul(2) -> Add(-K) -> output      becomes      XnorPopcountMatMul -> output,  head(p) = old
    head(2p - K)

The accelerator then ends with raw popcounts. (In front of TopK, FINN drops both nodes itself: they rise and are the
same for all classes.)
"""

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from signflow.deploy.passes.head import Head
from signflow.deploy.passes.transitions import Accumulators


class PopcountHead(Transformation):
    """See the module's docstring. Runs after `ConvertBipolarMatMulToXnorPopcount`."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Changes the end of the graph once."""
        graph, head = model.graph, Head.of(model)
        add = model.find_producer(graph.output[0].name)
        if add is None or add.op_type != "Add" or head.index:
            return model, False
        multiply = model.find_producer(add.input[0])
        product = model.find_producer(multiply.input[0])
        factor, offset = (model.get_initializer(node.input[1]).item() for node in (multiply, add))
        if product.op_type != "XnorPopcountMatMul" or factor != 2.0:
            raise RuntimeError(
                f"Mul(2) and Add(-K) expected behind the last popcount: {multiply.op_type}({factor}), {product.op_type}"
            )
        inputs = -int(offset)
        reach = np.full(len(head.accumulators.low), inputs, dtype=np.int64)
        head.prepend(factor, offset, Accumulators(np.zeros_like(reach), reach, 1))
        head.save_to(model)
        name = product.output[0]
        for node in (multiply, add):
            graph.node.remove(node)
        product.output[0] = graph.output[0].name
        for value in [v for v in graph.value_info if v.name == name]:
            graph.value_info.remove(value)
        return model, False
