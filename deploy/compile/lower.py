"""Integer graph -> hardware graph: every operator of the dialect (`signflow.deploy.compile.dialect`) puts one of
signflow's RTL operators (`signflow.hw.ops`) in its place.

A product takes the threshold, the window or the count of two thresholds behind it along, if it alone reads the sums and
the weights are +-1; other thresholds stand alone. A flatten disappears, because a stream has no shape. Where several
nodes read a tensor, the stream is duplicated; where a vector is added to a map, it is repeated for every position. What
is no operator of the dialect is refused by name: nothing stays behind on the CPU.
"""

from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile import engine
from signflow.deploy.compile.dialect import operator_of
from signflow.deploy.compile.dialect.hardware import RTL_DOMAIN, Hardware
from signflow.deploy.compile.names import name_nodes, name_tensors, sort_nodes
from signflow.deploy.compile.straight import add_lines


def lower(model: ModelWrapper) -> ModelWrapper:
    """Hardware graph of an integer graph from `signflow.deploy.compile.streamline`; raises UnsupportedError for an
    operator that has no hardware.

    The result runs in `signflow.deploy.compile.streamline.execute` and is unfolded: PE = SIMD = 1 in every MVAU.
    """
    engine.boot()
    from signflow.hw import ops

    ops.register()
    integer, model = model, ModelWrapper(model.model, make_deepcopy=True)
    hardware, graph = Hardware(model), model.graph
    for node in graph.node:
        operator_of(model, node)
    while node := next((node for node in graph.node if node.domain != RTL_DOMAIN), None):
        operator_of(model, node).lower(hardware)
    add_lines(model, integer)
    for tensor in [graph.input[0].name, *(tensor for node in graph.node for tensor in node.output)]:
        hardware.fork(tensor)
    sort_nodes(graph)
    name_nodes(graph)
    name_tensors(graph)
    return model
