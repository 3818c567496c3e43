"""Networks for the compiler's tests: Brevitas' own, ours, and small QONNX chains built node by node."""

import functools

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from qonnx.util.basic import qonnx_make_model

GENERAL = "qonnx.custom_op.general"


class ChainBuilder:
    """A QONNX chain: every method appends a node; `save` writes the file."""

    def __init__(self, shape: tuple[int, ...]):
        self.shape = [1, *shape]
        self.input = helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)
        self.nodes, self.constants, self.current, self.count = [], {}, "x", 0

    def const(self, value, dtype=np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(value, dtype=dtype)
        return name

    def op(self, op_type: str, *constants, first=(), outputs=1, domain="", **attributes) -> "ChainBuilder":
        self.count += 1
        outs = [f"t{self.count}"] + [f"t{self.count}_{i}" for i in range(1, outputs)]
        inputs = [*first, self.current, *constants]
        self.nodes.append(
            helper.make_node(op_type, inputs, outs, domain=domain, name=f"{op_type}_n{self.count}", **attributes)
        )
        self.current = outs[0]
        return self

    def scalar(self, op_type: str, value) -> "ChainBuilder":
        """Mul, Add, ... with a constant; a vector is per channel."""
        value = np.asarray(value, dtype=np.float32)
        if value.ndim == 1 and len(self.shape) == 4:
            value = value.reshape(1, -1, 1, 1)
        return self.op(op_type, self.const(value))

    def _weights(self, signs, scale, stored=False) -> str:
        """A quantiser of signs; other weights are ``stored``."""
        signs = np.asarray(signs, dtype=np.float32)
        scale = np.asarray(scale, dtype=np.float32)
        scale = scale.reshape(-1, *(1,) * (signs.ndim - 1)) if scale.ndim else scale
        if stored:
            return self.const(signs * scale)
        name = f"w{self.count}"
        inputs = [self.const(signs * 0.37), self.const(scale)]
        self.nodes.append(helper.make_node("BipolarQuant", inputs, [name], domain=GENERAL, name=f"Quant_{name}"))
        return name

    def conv(self, signs, stride=1, scale=1.0, bias=None, stored=False, **attributes) -> "ChainBuilder":
        """Signs, or ``stored`` weights, (out, in, k, k)."""
        weights, k = self._weights(signs, scale, stored), signs.shape[2:]
        extra = [] if bias is None else [self.const(bias)]
        self.op("Conv", weights, *extra, kernel_shape=k, strides=[stride, stride], **attributes)
        _, _, h, w = self.shape
        self.shape = [1, signs.shape[0], (h - k[0]) // stride + 1, (w - k[1]) // stride + 1]
        return self

    def dense(self, signs, scale=1.0, bias=None, gemm=True, stored=False) -> "ChainBuilder":
        """Signs, or ``stored`` weights, (out, in)."""
        if gemm:
            weights = self._weights(signs, scale, stored)
            self.op("Gemm", weights, *([] if bias is None else [self.const(bias)]), transB=1)
        else:
            self.op("MatMul", self.const(np.asarray(signs, dtype=np.float32).T * np.float32(scale)))
        self.shape = [1, signs.shape[0]]
        return self

    def batchnorm(self, gamma, beta, mean, var, eps=1e-5) -> "ChainBuilder":
        return self.op("BatchNormalization", *(self.const(v) for v in (gamma, beta, mean, var)), epsilon=eps)

    def sign(self, scale=1.0) -> "ChainBuilder":
        return self.op("BipolarQuant", self.const(scale), domain=GENERAL)

    def quant(self, scale, bits, signed=1, narrow=0) -> "ChainBuilder":
        parts = [self.const(scale), self.const(0.0), self.const(float(bits))]
        return self.op("Quant", *parts, domain=GENERAL, signed=signed, narrow=narrow, rounding_mode="ROUND")

    def gate(self, slope) -> "ChainBuilder":
        """x * sigmoid(x), x = ``slope`` (per channel) times the current value."""
        x = self.scalar("Mul", slope).current
        self.op("Sigmoid")
        return self.op("Mul", x)

    def pool(self, k=2) -> "ChainBuilder":
        self.op("MaxPool", kernel_shape=[k, k], strides=[k, k])
        self.shape = [*self.shape[:2], self.shape[2] // k, self.shape[3] // k]
        return self

    def flatten(self) -> "ChainBuilder":
        self.op("Flatten", axis=1)
        self.shape = [1, int(np.prod(self.shape))]
        return self

    def proto(self) -> onnx.ModelProto:
        out = helper.make_tensor_value_info(self.current, TensorProto.FLOAT, self.shape)
        if self.nodes[-1].op_type in ("ArgMax", "TopK"):
            out = helper.make_tensor_value_info(self.current, TensorProto.INT64, None)
        graph = helper.make_graph(self.nodes, "chain", [self.input], [out])
        graph.initializer.extend(onnx.numpy_helper.from_array(v, k) for k, v in self.constants.items())
        return qonnx_make_model(graph, opset_imports=[helper.make_opsetid("", 13), helper.make_opsetid(GENERAL, 1)])

    def save(self, path):
        onnx.save(self.proto(), path)
        return path


@pytest.fixture(scope="session")
def chain():
    """The class `ChainBuilder`."""
    return ChainBuilder


def _randomise(net: torch.nn.Module, shape: tuple[int, ...], images) -> torch.nn.Module:
    """Random BatchNorm parameters, negative and zero gammas included, and statistics of random images."""
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            count = module.num_features
            gamma = torch.rand(count) + 0.5
            gamma[torch.rand(count) < 0.25] *= -1
            gamma[torch.rand(count) < 0.05] = 0
            module.weight.data, module.bias.data = gamma, torch.rand(count) * 1.2 - 0.6
    net.train()
    with torch.no_grad():
        for _ in range(4):
            net(images(32))
    return net.eval()


@pytest.fixture(scope="session")
def bnn_pynq():
    """Function name -> (Brevitas' bnn_pynq network, shape of an image); random weights and statistics, the same in
    every call.
    """
    from brevitas_examples.bnn_pynq.models import model_with_cfg

    def make(name: str):
        torch.manual_seed(7)
        net, _ = model_with_cfg(name, False)
        shape = (3, 32, 32) if name.startswith("cnv") else (1, 28, 28)
        return _randomise(net, shape, lambda n: torch.rand(n, *shape)), shape

    return make


@pytest.fixture(scope="session")
def own_network():
    """Function name -> (one of our networks, shape of an image); ``round_means`` puts every mean on an integer and beta
    to 0.
    """
    from signflow.models.networks import network

    def make(name: str, round_means: bool = False):
        torch.manual_seed(11)
        shape = network(name).input_shape
        net = _randomise(network(name).build(), shape, lambda n: torch.randint(0, 256, (n, *shape)).float())
        for module in net.modules() if round_means else ():
            if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
                module.running_mean.round_()
                module.bias.data.zero_()
        return net, shape

    return make


@pytest.fixture(scope="session")
def streamlined(own_network):
    """Function name -> integer graph of one of our networks; made once, to be copied by whoever changes it."""
    from signflow.deploy.compile import export, streamline

    @functools.cache
    def make(name: str):
        net, shape = own_network(name)
        return streamline.streamline(export.export(net, shape))

    return make


@pytest.fixture(scope="session")
def pixels():
    """Function (count, shape) -> uint8 images, the same in every call."""
    return lambda count, shape: np.random.default_rng(3).integers(0, 256, (count, *shape), dtype=np.uint8)
