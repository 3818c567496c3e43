"""onnxruntime for models of one node, as qonnx and the enumeration run them: one thread, and a session made once a
process.

A session costs more than to run most nodes: it starts threads, and stops them again.
"""

from functools import lru_cache

import onnxruntime


@lru_cache(maxsize=256)
def session(model: bytes) -> onnxruntime.InferenceSession:
    """For a serialised model of one node whose constants are inputs; nodes run on images and tables again and again.
    Raises what onnxruntime raises for a model that it does not know.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    options.enable_cpu_mem_arena = False
    return onnxruntime.InferenceSession(model, options)
