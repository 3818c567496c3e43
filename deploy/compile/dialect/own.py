"""Operators that neither ONNX nor qonnx has. Such a class of the dialect also says which attributes its nodes have
(``ATTRIBUTES``) and what they compute (``compute``); `register` makes all of them known to qonnx, which then executes
an integer graph node by node.
"""

from abc import abstractmethod
from typing import ClassVar

import numpy as np
from onnx import GraphProto, NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.base import CustomOp
from qonnx.custom_op.registry import add_op_to_domain

from signflow.deploy.compile.dialect.base import GENERAL, Operator


class Own(Operator):
    """A node of the integer graph that is executed as its class says."""

    DOMAIN = GENERAL
    ATTRIBUTES: ClassVar[dict[str, tuple]] = {}
    """Name -> (kind of ONNX attribute, required, default), as qonnx asks for them."""

    @abstractmethod
    def compute(self, *inputs: np.ndarray) -> np.ndarray:
        """The output from all inputs, computed ones (1, ..., C) and constants."""


class _Executed(CustomOp):
    """qonnx' side of an operator."""

    OPERATOR: ClassVar[type[Own]]

    def get_nodeattr_types(self) -> dict:
        """As the dialect's class lists them."""
        return self.OPERATOR.ATTRIBUTES

    def _compute(self, inputs: list[np.ndarray]) -> np.ndarray:
        operator = self.OPERATOR(self.onnx_node, [x.shape[1:] for x in inputs], list(inputs))
        return np.asarray(operator.compute(*inputs), dtype=np.float32)

    def execute_node(self, context: dict, graph: GraphProto) -> None:
        """Integers as floats, like every tensor of an integer graph."""
        context[self.onnx_node.output[0]] = self._compute([context[name] for name in self.onnx_node.input])

    def make_shape_compatible_op(self, model: ModelWrapper) -> NodeProto:
        """The shape of what it computes from zeros and its constants."""
        constants = [(name, model.get_initializer(name)) for name in self.onnx_node.input]
        zeros = [np.zeros(model.get_tensor_shape(name)) if value is None else value for name, value in constants]
        return self.make_const_shape_op(list(self._compute(zeros).shape))

    def infer_node_datatype(self, model: ModelWrapper) -> None:
        """Whoever builds an integer graph writes its exact types down; they stay."""

    def verify_node(self) -> list[str]:
        """Nothing to say: the dialect checks its nodes."""
        return []


def register(operators: list[type[Operator]]) -> None:
    """Make the own ones of ``operators`` known to qonnx. Idempotent."""
    for operator in operators:
        if issubclass(operator, Own):
            name = operator.__name__
            add_op_to_domain(operator.DOMAIN, type(name, (_Executed,), {"OPERATOR": operator}))
