"""The dialect of the integer graph: one class per operator, and all that is known of it.

Maps are NHWC, signs are bits, every tensor has its exact type. A class says which numbers its results can be
(``range``, exact for inputs that do not depend on each other), which hardware operator it becomes (``lower``), and
which layer of the golden program computes it (``pack``). `signflow.deploy.compile.passes.integer_graph` builds the
nodes; `signflow.deploy.compile.reach`, `signflow.deploy.compile.lower` and `signflow.deploy.golden.layers` walk over
them and ask the table.
"""

from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile.dialect.base import Operator
from signflow.deploy.compile.dialect.maps import Flatten, Im2Col, MaxPoolNHWC
from signflow.deploy.compile.dialect.products import MatMul, XnorPopcountMatMul
from signflow.deploy.compile.dialect.sums import Add, ReduceSum, TopK
from signflow.deploy.compile.dialect.thresholds import Mul, MultiThreshold, Window
from signflow.deploy.compile.errors import refuse

OPERATORS: dict[str, type[Operator]] = {
    operator.__name__: operator
    for operator in (
        *(Im2Col, Flatten, MaxPoolNHWC),
        *(MatMul, XnorPopcountMatMul),
        *(MultiThreshold, Window, Mul),
        *(ReduceSum, Add, TopK),
    )
}
"""The operators, by their name in the graph."""


def operator_of(model: ModelWrapper, node: NodeProto) -> Operator:
    """``node`` of an integer graph; raises UnsupportedError for another."""
    if node.op_type not in OPERATORS:
        supported = f"graphs from signflow.deploy.compile.streamline, of {', '.join(OPERATORS)}"
        raise refuse(node, "it has no hardware operator", supported)
    return OPERATORS[node.op_type].of(model, node)
