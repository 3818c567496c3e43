"""Integer graphs built node by node, for tests of what reads them."""

import numpy as np
from onnx import TensorProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.infer_datatypes import InferDataTypes
from qonnx.util.basic import qonnx_make_model

from signflow.deploy.compile import engine
from signflow.deploy.compile.images import ImageInput, image_kind

GENERAL = "qonnx.custom_op.general"
OWN = {"Window": "BINARY", "ShiftAdd": "INT32"}
"""What qonnx does not infer."""


class Tensor:
    """Name, shape without the batch, and whether it holds bits; numbers lie in -reach..reach."""

    def __init__(self, name, shape, bits, reach):
        self.name, self.shape, self.bits, self.reach = name, tuple(shape), bits, reach


class Graph:
    """An integer graph: every method appends a node and returns its output."""

    def __init__(self, shape, kind="uint8"):
        self.kind, self.shape = kind, tuple(shape)
        self.nodes, self.constants, self.shapes = [], {}, {}
        self.image = Tensor("x", shape, kind == "bipolar", 255)

    def op(self, op_type, x, *constants, shape=None, bits=False, reach=1, domain="", outputs=1, **attributes):
        inputs = [x.name]
        for value in constants:
            if not isinstance(value, Tensor):
                self.constants[f"c{len(self.constants)}"] = value
            inputs.append(value.name if isinstance(value, Tensor) else f"c{len(self.constants) - 1}")
        outs = [f"t{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op_type, inputs, outs, domain=domain, **attributes))
        shape = x.shape if shape is None else shape
        self.shapes.update((name, [1, *shape]) for name in outs)
        return Tensor(outs[-1], shape, bits, reach)

    def threshold(self, x, steps, bias=0, binary=False):
        dtype = "BINARY" if binary else f"{'INT' if bias < 0 else 'UINT'}8"
        layout, reach = "NHWC" if len(x.shape) == 3 else "NC", abs(bias) + steps.shape[1]
        attributes = {"out_dtype": dtype, "out_bias": float(bias), "data_layout": layout, "domain": GENERAL}
        return self.op("MultiThreshold", x, steps.astype(np.float32), bits=binary, reach=reach, **attributes)

    def window(self, x, steps):
        return self.op("Window", x, steps.astype(np.float32), bits=True, domain=GENERAL)

    def signs(self, x, signs):
        return self.op("Mul", x, signs.astype(np.float32), reach=x.reach)

    def im2col(self, x, k, stride):
        (h, w, c), (kh, kw) = x.shape, k
        shape = ((h - kh) // stride[0] + 1, (w - kw) // stride[1] + 1, kh * kw * c)
        attributes = {"kernel_size": k, "stride": stride, "input_shape": f"(1,{h},{w},{c})", "domain": GENERAL}
        return self.op("Im2Col", x, shape=shape, bits=x.bits, reach=x.reach, **attributes)

    def flatten(self, x):
        return self.op("Flatten", x, shape=(int(np.prod(x.shape)),), bits=x.bits, reach=x.reach, axis=1)

    def product(self, x, weights):
        weights, shape = weights.astype(np.float32), (*x.shape[:-1], weights.shape[1])
        if x.bits:
            return self.op("XnorPopcountMatMul", x, weights, shape=shape, reach=len(weights), domain=GENERAL)
        reach = int(np.abs(weights).sum(axis=0).max()) * x.reach
        return self.op("MatMul", x, weights, shape=shape, reach=reach)

    def pool(self, x, k):
        shape = (x.shape[0] // k[0], x.shape[1] // k[1], x.shape[2])
        attributes = {"kernel_shape": k, "strides": k, "pads": [0, 0, 0, 0], "domain": GENERAL}
        return self.op("MaxPoolNHWC", x, shape=shape, bits=x.bits, reach=x.reach, **attributes)

    def total(self, x):
        reach = x.reach * x.shape[0] * x.shape[1]
        return self.op("ReduceSum", x, np.array([1, 2]), shape=x.shape[2:], reach=reach, keepdims=0)

    def add(self, x, y):
        shape = x.shape if len(x.shape) == 3 else y.shape
        return self.op("ShiftAdd", x, y, shape=shape, reach=x.reach + y.reach, domain=GENERAL)

    def topk(self, x):
        return self.op("TopK", x, np.array([1]), shape=(*x.shape[:-1], 1), outputs=2, axis=len(x.shape))

    def needed(self, out: Tensor) -> list:
        """The nodes that ``out`` depends on."""
        wanted, nodes = {out.name}, []
        for node in reversed(self.nodes):
            if wanted & set(node.output):
                wanted.update(node.input)
                nodes.insert(0, node)
        return nodes

    def model(self, out: Tensor) -> ModelWrapper:
        engine.boot()
        dtype = TensorProto.INT64 if self.nodes[-1].op_type == "TopK" else TensorProto.FLOAT
        values = [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, *self.shape]),
            helper.make_tensor_value_info(out.name, dtype, [1, *out.shape]),
        ]
        graph = helper.make_graph(self.needed(out), "integers", values[:1], values[1:])
        opsets = [helper.make_opsetid("", 20), helper.make_opsetid(GENERAL, 1)]
        model = ModelWrapper(qonnx_make_model(graph, opset_imports=opsets))
        for name in {t for node in model.graph.node for t in node.input} & set(self.constants):
            model.set_initializer(name, self.constants[name])
        binary = self.kind == "bipolar"
        model.set_tensor_datatype("x", DataType["BINARY" if binary else image_kind(self.kind).datatype])
        nchw = (self.shape[2], *self.shape[:2]) if len(self.shape) == 3 else self.shape
        ImageInput(self.kind, nchw, "NHWC" if len(self.shape) == 3 else "flat", binary).save_to(model)
        for name in {t for node in model.graph.node for t in node.output} - {out.name}:
            model.set_tensor_shape(name, self.shapes[name])
        for node in model.graph.node:
            if node.op_type == "XnorPopcountMatMul":
                model.set_tensor_datatype(node.input[1], DataType["BINARY"])
            if node.op_type in OWN:
                model.set_tensor_datatype(node.output[0], DataType[OWN[node.op_type]])
        return model.transform(InferDataTypes())
