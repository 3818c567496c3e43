"""The dialect of the integer graph: one class per operator, and all that is known of it.

Maps are NHWC, signs are bits, every tensor has its exact type. A class says which numbers its results can be
(``range``, exact for inputs that do not depend on each other), which hardware operator it becomes (``lower``), and
which layer of the golden program computes it (``pack``). A class in a file of this folder is all that makes an operator
known. `signflow.deploy.compile.passes.integer_graph` builds the nodes; `signflow.deploy.compile.reach`,
`signflow.deploy.compile.lower` and `signflow.deploy.golden.layers` walk over them and ask the table.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile.dialect.base import Operator
from signflow.deploy.compile.errors import refuse

for _file in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_file.name}")


def _operators(kind: type[Operator]) -> Iterator[type[Operator]]:
    """The classes below ``kind`` that are operators, not only what several have in common."""
    for below in kind.__subclasses__():
        yield from _operators(below)
        if not inspect.isabstract(below):
            yield below


OPERATORS: dict[str, type[Operator]] = {
    operator.__name__: operator for operator in sorted(_operators(Operator), key=lambda kind: kind.__name__)
}
"""The operators of the folder's files, by their name in the graph."""


def operator_of(model: ModelWrapper, node: NodeProto) -> Operator:
    """``node`` of an integer graph; raises UnsupportedError for another."""
    if node.op_type not in OPERATORS:
        supported = f"graphs from signflow.deploy.compile.streamline, of {', '.join(OPERATORS)}"
        raise refuse(node, "it has no hardware operator", supported)
    return OPERATORS[node.op_type].of(model, node)
