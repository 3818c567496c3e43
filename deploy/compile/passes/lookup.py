"""A model for those who only read it: qonnx looks through all tensors for one of them, this one has tables.

The enumeration asks for the constants and shapes of every node several times. Nodes, names and shapes stay what they
are meanwhile, so its time grows with the network and not with its square.
"""

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile.passes.rewrite import Graph


class Lookup(ModelWrapper):
    """Another view of ``model``, not a copy: constants may be set to others of their shape, and nothing else changes
    while it is in use.
    """

    def __init__(self, model: ModelWrapper):
        self._model_proto, self.fix_float64 = model.model, model.fix_float64
        self._graph = Graph(model)

    def get_initializer(self, tensor_name: str, return_dtype: bool = False) -> np.ndarray | None:
        """Value of a constant, None for what depends on the image."""
        if return_dtype:
            return super().get_initializer(tensor_name, return_dtype)
        return self._graph.constant(tensor_name)

    def get_tensor_shape(self, tensor_name: str, fix_missing_init_shape: bool = False) -> list[int] | None:
        """Shape of a tensor or constant, None where the graph does not say."""
        if fix_missing_init_shape:
            return super().get_tensor_shape(tensor_name, fix_missing_init_shape)
        return self._graph.shape(tensor_name) if tensor_name in self._graph else None

    def set_initializer(self, tensor_name: str, tensor_value: np.ndarray) -> None:
        """Exchange a constant for another of its shape and kind."""
        self._graph.exchange(tensor_name, tensor_value)
