"""Whatever a layer reads, pixels, signs or codes, and whatever its weights are, +-1 or integers with and without zeros:
the integer graph gives what PyTorch gives, on every logit. The reference is built beside the file, in float64.
"""

import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from signflow.deploy import flow
from signflow.deploy.compile import export, streamline
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.compile.passes.head import Head
from signflow.deploy.golden.intgraph import IntGraph
from signflow.hw.sim import RtlSimulator

COUNT = 40


class Twin:
    """A QONNX chain and the same network in torch, grown together."""

    def __init__(self, chain, shape, seed):
        self.c, self.steps, self.rng = chain(shape), [], np.random.default_rng(seed)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        x = torch.from_numpy(images).double()
        for step in self.steps:
            x = step(x)
        return x.numpy()

    def _per_channel(self, value) -> torch.Tensor:
        value = torch.as_tensor(np.asarray(value, dtype=np.float32)).double()
        return value.reshape(-1, *(1,) * (len(self.c.shape) - 2))

    def scalar(self, op_type: str, value) -> "Twin":
        operation = {"Sub": torch.sub, "Mul": torch.mul, "Add": torch.add, "Div": torch.div}[op_type]
        self.c.scalar(op_type, value)
        value = self._per_channel(value)
        self.steps.append(lambda x: operation(x, value))
        return self

    def abs(self) -> "Twin":
        self.c.op("Abs")
        self.steps.append(torch.abs)
        return self

    def sign(self, scale=1.0) -> "Twin":
        self.c.sign(scale)
        self.steps.append(lambda x: torch.where(x >= 0, scale, -scale).double())
        return self

    def quant(self, scale, bits, signed) -> "Twin":
        self.c.quant(scale, bits, signed)
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        self.steps.append(lambda x: torch.clamp(torch.round(x / scale), low, high) * scale)
        return self

    def pool(self) -> "Twin":
        self.c.pool()
        self.steps.append(lambda x: F.max_pool2d(x, 2))
        return self

    def layer(self, kind: str, outputs: int, kernel: int = 2, stride: int = 1) -> "Twin":
        """A convolution of a map, or a dense layer, with weights of ``kind``."""
        spatial = len(self.c.shape) == 4 and kernel > 0
        if len(self.c.shape) == 4 and not spatial:
            self.c.flatten()
            self.steps.append(lambda x: x.flatten(1))
        shape = (outputs, self.c.shape[1], *(kernel, kernel) * spatial)
        weights, scale = WEIGHTS[kind](self.rng, shape)
        geometry, append = ({"stride": stride}, self.c.conv) if spatial else ({}, self.c.dense)
        append(weights, scale=scale, stored="signs" not in kind, **geometry)
        w = torch.from_numpy(weights * np.reshape(scale, (-1, *(1,) * (weights.ndim - 1)))).double()
        self.steps.append((lambda x: F.conv2d(x, w, stride=stride)) if spatial else (lambda x: x @ w.T))
        return self


def zero_rows(rng, shape) -> np.ndarray:
    weights = rng.integers(-3, 4, shape).astype(np.float64)
    weights[::2] = 0
    return weights


powers = lambda rng, shape: 2.0 ** rng.integers(-3, 3, shape[0])  # noqa: E731
WEIGHTS = {
    "signs": lambda rng, shape: (rng.choice([-1.0, 1.0], shape), 1.0),
    "signs, scale per channel": lambda rng, shape: (rng.choice([-1.0, 1.0], shape), powers(rng, shape)),
    "one sign": lambda rng, shape: (np.ones(shape), 0.5),
    "ternary": lambda rng, shape: (rng.integers(-1, 2, shape).astype(np.float64), 1.0),
    "0 and 1": lambda rng, shape: (rng.integers(0, 2, shape).astype(np.float64), 0.25),
    "two bits": lambda rng, shape: (rng.integers(-2, 2, shape).astype(np.float64), 0.125),
    "positive": lambda rng, shape: (rng.integers(1, 4, shape).astype(np.float64), 1.0),
    "odd": lambda rng, shape: (rng.choice([-3.0, -1.0, 1.0, 3.0], shape), 1.0),
    "four bits": lambda rng, shape: (rng.integers(-7, 8, shape).astype(np.float64), 0.0625),
    "zeros": lambda rng, shape: (np.zeros(shape), 1.0),
    "rows of zeros": lambda rng, shape: (zero_rows(rng, shape), 1.0),
}

ENTRIES = {
    "uint8": ("uint8", lambda t: t),
    "uint8 as signs": ("uint8", lambda t: t.scalar("Sub", 127.5).sign()),
    "uint8 as negated signs": ("uint8", lambda t: t.scalar("Sub", 127.5).scalar("Mul", [1.0, -1.0, -0.5]).sign(0.5)),
    "uint8 as unsigned codes": ("uint8", lambda t: t.scalar("Mul", 0.0625).quant(1.0, 3, 0)),
    "uint8 as signed codes": ("uint8", lambda t: t.scalar("Sub", 120).scalar("Mul", 2**-5).quant(0.5, 3, 1)),
    "uint8 as falling codes": ("uint8", lambda t: t.scalar("Mul", [-0.0625, 1.0, -1.0]).quant(2.0, 4, 1)),
    "int8": ("int8", lambda t: t),
    "int8 as signs": ("int8", lambda t: t.sign()),
    "bipolar": ("bipolar", lambda t: t),
    "bipolar negated": ("bipolar", lambda t: t.scalar("Mul", [1.0, -1.0, -1.0])),
    "bipolar as 0 and 1": ("bipolar", lambda t: t.scalar("Add", 1.0).scalar("Mul", 0.5)),
    "bipolar as 1 and 0": ("bipolar", lambda t: t.scalar("Sub", 1.0).scalar("Mul", -0.5)),
    "bipolar as 1 and 3": ("bipolar", lambda t: t.scalar("Add", 2.0)),
}

MIDDLES = {
    "signs": lambda t, n: t.scalar("Sub", 0.25).sign(),
    "scaled signs": lambda t, n: t.scalar("Mul", gammas(t, n)).scalar("Add", t.rng.integers(-2, 3, n)).sign(0.5),
    "windows": lambda t, n: t.abs().scalar("Sub", 2.5 + np.arange(n) % 3).scalar("Mul", gammas(t, n)).sign(),
    "unsigned codes": lambda t, n: t.scalar("Add", t.rng.integers(-2, 3, n)).quant(1.0, 2, 0),
    "signed codes": lambda t, n: t.scalar("Mul", gammas(t, n)).quant(0.5, 3, 1),
    "one bit": lambda t, n: t.scalar("Add", 0.25).quant(1.0, 1, 0),
}


def gammas(t: Twin, n: int) -> np.ndarray:
    return t.rng.choice([-1.0, 1.0, 0.5, -0.25, 0.0], n)


def images_for(kind: str, shape) -> np.ndarray:
    rng = np.random.default_rng(3)
    low, high = {"int8": (-128, 127), "bipolar": (-1, 1)}.get(kind, (0, 255))
    images = rng.integers(low, high, (COUNT, *shape), endpoint=True)
    images[0], images[1] = low, high
    return np.where(images == 0, 1, images) if kind == "bipolar" else images


def check(t: Twin, kind: str, tmp_path):
    """Every logit of the integer graph, node by node and compiled, is torch's. Returns (graph, images, integers)."""
    model = export.load(t.c.save(tmp_path / "net.onnx"), kind)
    graph, images = streamline.streamline(model), images_for(kind, ImageInput.of(model).shape)
    integers = IntGraph(graph)(images)
    assert (Head.of(graph)(integers) == t(images).reshape(integers.shape)).all()
    assert (streamline.execute(graph, images[:4]) == integers[:4]).all()
    return graph, images, integers


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("weights", WEIGHTS)
def test_images(chain, tmp_path, entry, weights):
    """Dense and convolutional first layers, straight into the logits."""
    kind, start = ENTRIES[entry]
    for shape, kernel in (((3,), 0), ((3, 4, 3), 2)):
        t = start(Twin(chain, shape, 1)).layer(weights, 6, kernel, 1 + (kernel > 0))
        if kernel:
            t.scalar("Sub", 0.25).sign().layer("signs", 4, 0)
        check(t, kind, tmp_path)


@pytest.mark.parametrize("middle", MIDDLES)
@pytest.mark.parametrize("weights", WEIGHTS)
def test_inner_layers(chain, tmp_path, middle, weights):
    """Behind a dense layer of signs, and behind a convolution of pixels with a pool on either side of the sign."""
    t = Twin(chain, (9,), 2).scalar("Sub", 127.5).sign().layer("signs", 8)
    check(MIDDLES[middle](t, 8).layer(weights, 5), "uint8", tmp_path)
    for before in (True, False):
        t = Twin(chain, (2, 6, 6), 3).scalar("Sub", 120).scalar("Mul", 2**-6).quant(1.0, 2, 1)
        t = t.layer("ternary", 8, 3)
        t = t.pool() if before else t
        t = MIDDLES[middle](t, 8)
        t = t.pool() if not before and middle != "windows" else t
        check(t.layer(weights, 5, 0), "uint8", tmp_path)


PATHS = list(itertools.product(["uint8 as negated signs", "bipolar as 0 and 1", "int8"], ["scaled signs", "windows"]))


@pytest.mark.parametrize(("entry", "middle"), PATHS)
def test_the_simulated_accelerator(chain, tmp_path, entry, middle):
    """Ternary weights everywhere, in RTL."""
    kind, start = ENTRIES[entry]
    t = start(Twin(chain, (3, 4, 4), 5)).layer("ternary", 6, 2)
    MIDDLES[middle](t, 6).layer("four bits", 4, 0).scalar("Sub", 0.5).sign().layer("rows of zeros", 3)
    _, images, integers = check(t, kind, tmp_path)
    work = tmp_path / "work"
    flow.build(flow.Settings(str(tmp_path / "net.onnx"), input=kind, fps=1e5), work)
    simulator = RtlSimulator(work / flow.ACCELERATOR)
    image = ImageInput.of(flow.read(work, flow.FOLDED))
    stream = image.stream(images).reshape(COUNT, *simulator.facts["input"]["shape"])
    assert (simulator.run(stream).outputs.reshape(COUNT, -1) == integers).all()
