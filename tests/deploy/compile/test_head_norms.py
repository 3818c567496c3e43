"""Batch normalisation behind the last layer: every logit is PyTorch's, or ONNX Runtime's where the source is a file."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile import engine, export
from signflow.deploy.compile.errors import UnsupportedError
from signflow.deploy.compile.multiply_add import multiply_add
from signflow.deploy.compile.passes import head as module
from signflow.deploy.compile.passes import inverse
from signflow.deploy.compile.passes.evaluate import follow
from signflow.deploy.compile.passes.head import Head
from signflow.deploy.compile.passes.normal_form import NormalForm
from signflow.deploy.compile.passes.numbers import Numbers
from signflow.deploy.compile.passes.regions import walk
from signflow.deploy.compile.passes.torch_norms import TorchNorms, fuses
from signflow.deploy.compile.passes.transitions import Accumulators
from signflow.deploy.compile.streamline import streamline
from signflow.deploy.golden.intgraph import IntGraph
from signflow.models.layers.binary import binary_linear, sign

from .normal_forms import model_of
from .onnx_networks import node

F = np.float32
NUMBERS = st.floats(width=32, allow_nan=False, allow_infinity=False)


def rounded(value: Fraction) -> np.float32:
    """The float32 nearest to ``value``, the even one of two: by exact comparison with both neighbours."""
    guess = F(float(value))  # rounded twice: right, or next to it
    near = [np.nextafter(guess, F(-np.inf)), guess, np.nextafter(guess, F(np.inf))]
    return min(near, key=lambda x: (abs(Fraction(float(x)) - value), int(np.array(x).view(np.uint32)) & 1))


@settings(max_examples=500)
@given(*[st.floats(-(2.0**40), 2.0**40, width=32)] * 3)
@example(1 + 2.0**-12, 1 + 2.0**-12, 2.0**-60)  # a tie but for the last term
@example(1 + 2.0**-12, 1 + 2.0**-12, -(2.0**-60))
@example(1 + 2.0**-12, -1 - 2.0**-12, 2.0**-60)
@example(2.0**-80, 2.0**-69, 0.0)  # half of the smallest number there is
@example(2.0**-75, 2.0**-75, 2.0**-149)
def test_a_multiply_add_is_rounded_once(x, a, b):
    expected = rounded(Fraction(x) * Fraction(a) + Fraction(b))
    assert multiply_add(x, a, b) == expected


@given(NUMBERS, NUMBERS)
def test_what_is_not_finite_stays_so(x, a):
    assert np.isnan(multiply_add(np.nan, x, a)) and np.isnan(multiply_add(np.inf, 0, a))
    assert multiply_add(np.inf, 1, x) == np.inf


def norm(classes, seed):
    """A BatchNorm1d with parameters of any size."""
    rng, made = np.random.default_rng(seed), torch.nn.BatchNorm1d(classes).eval()
    sizes = 10.0 ** rng.integers(-3, 4, 4)
    with torch.no_grad():
        for parameter, size in zip((made.weight, made.bias, made.running_mean), sizes, strict=False):
            parameter.copy_(torch.from_numpy((rng.normal(size=classes) * size).astype(F)))
        made.running_var.copy_(torch.from_numpy((rng.random(classes) * sizes[3]).astype(F)))
    made.weight.data[rng.random(classes) < 0.1] = 0
    return made


def graph_of(module, classes):
    """A graph of the BatchNormalization ``module`` alone."""
    names = ("weight", "bias", "running_mean", "running_var")
    node = helper.make_node("BatchNormalization", ["x", *names], ["y"], epsilon=module.eps, name="n")
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, classes]) for name in "xy"]
    constants = [numpy_helper.from_array(getattr(module, name).detach().numpy(), name) for name in names]
    graph = helper.make_graph([node], "g", values[:1], values[1:], constants)
    return ModelWrapper(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 40), st.integers(1, 300), st.integers(0, 6), st.integers(0, 2**31), st.sampled_from([1, 2, 7, 64])
)
def test_every_accumulator_gives_the_logit_of_pytorch(classes, fan_in, shift, seed, batch):
    engine.boot()
    module = norm(classes, seed)
    model = graph_of(module, classes).transform(TorchNorms())
    sums = np.repeat(np.arange(-fan_in, fan_in + 1, dtype=F)[:, None], classes, axis=1) * F(2.0**-shift)
    found = follow(model, list(model.graph.node), "x", "y", sums).end
    with torch.no_grad():
        wanted = [module(torch.from_numpy(sums[k : k + batch])).numpy() for k in range(0, len(sums), batch)]
    np.testing.assert_array_equal(found, np.concatenate(wanted))


def test_a_processor_without_fused_multiply_add(monkeypatch):
    monkeypatch.setattr("signflow.deploy.compile.passes.torch_norms.fuses", lambda: False)
    model = graph_of(norm(3, 0), 3).transform(TorchNorms())
    assert [node.op_type for node in model.graph.node] == ["Mul", "Add"]


def test_this_processor_is_asked():
    third = np.array([1 / 3], F)
    module = torch.nn.BatchNorm1d(1, eps=0.0).eval()
    module.weight.data[:] = torch.from_numpy(third)
    module.bias.data[:] = -1
    once, twice = multiply_add(3, third, -1), F(3) * third - F(1)
    with torch.no_grad():
        assert module(torch.tensor([[3.0]])).numpy() == (once if fuses() else twice) and once != twice


@pytest.fixture(scope="module")
def ended():
    """A network that ends with a batch normalisation, its QONNX model and images."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(sign(), binary_linear(40, 64), sign(), binary_linear(64, 10), norm(10, 1)).eval()
    pixels = np.random.default_rng(0).integers(-128, 128, (200, 40))
    return net, export.export(net, (40,), "int8"), pixels


def test_every_logit_is_pytorch_s(ended):
    net, model, pixels = ended
    integer = streamline(model)
    head, outputs = Head.of(integer), IntGraph(integer)(pixels)
    with torch.no_grad():
        logits = net(torch.from_numpy(pixels).float()).numpy()
        single = np.concatenate([net(torch.from_numpy(row[None]).float()).numpy() for row in pixels[:20]])
    np.testing.assert_array_equal(head(outputs), logits)
    np.testing.assert_array_equal(single, logits[:20])
    found, distance = head.invert(logits)
    assert distance == 0
    np.testing.assert_array_equal(found, head.settle(outputs))


def test_many_integers_behind_it_are_inverted_by_halving_rows(ended, monkeypatch):
    """A thousand classes of 8-bit sums would take gigabytes as a table."""
    monkeypatch.setattr(inverse, "DENSE", 8)
    net, model, pixels = ended
    head = Head.of(streamline(model))
    with torch.no_grad():
        logits = net(torch.from_numpy(pixels).float()).numpy()
    by_table = inverse.ByTable(head, head.accumulators)
    assert isinstance(head._inverse, inverse.ByBisection)
    assert head.invert(logits)[1] == by_table.invert(logits)[1] == 0
    np.testing.assert_array_equal(head.invert(logits)[0], by_table.invert(logits)[0])


def test_too_many_integers_whose_logits_may_turn_back(monkeypatch):
    """Sums of 64 signs have 65 values."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(sign(), binary_linear(64, 10), norm(10, 2), torch.nn.Sigmoid()).eval()
    monkeypatch.setattr(module, "TRIED", 650)
    streamline(export.export(net, (64,), "int8"))
    monkeypatch.setattr(module, "TRIED", 649)
    with pytest.raises(
        UnsupportedError, match="operator Sigmoid: logits may turn back behind it, and 10 classes of 65 i"
    ):
        streamline(export.export(net, (64,), "int8"))
    streamline(export.export(net[:-1], (64,), "int8"))


def test_as_many_integers_are_tried_as_fit_into_memory():
    """2 ** 26 of all classes together: of two of them, half as many."""
    nodes = [node("MatMul", "x w", "a"), node("Sigmoid", "a", "y")]
    model = model_of(nodes, [1, 4], w=np.ones((4, 2), dtype=np.float32)).transform(NormalForm())

    def made(most: int) -> module.Head:
        reach = Accumulators(np.zeros(2, dtype=np.int64), np.full(2, most), 1)
        return module.make_head(model, walk(model)[1], Numbers(reach, np.ones(2), np.zeros(2), np.zeros(2)))

    assert made(2**25 - 1).accumulators.count == 2**25
    with pytest.raises(UnsupportedError, match="2 classes of 33,554,433 integers are too many to try all"):
        made(2**25)


class Bias(torch.nn.Module):
    """y = x + b."""

    def __init__(self):
        super().__init__()
        self.b = torch.nn.Parameter(torch.linspace(-1, 1, 10) / 3)

    def forward(self, x):
        return x + self.b


class Centred(torch.nn.Module):
    """y = (x - m) / sqrt(v + eps) * w + b with one number each, as Brevitas' TensorNorm."""

    def forward(self, x):
        return (x - 3.7) / torch.sqrt(torch.tensor([101.3]) + 1e-4) * 0.71 + 0.13


@pytest.mark.parametrize(
    "end",
    [
        [Bias()],
        [Centred()],
        [norm(10, 2), Bias()],
        [Bias(), norm(10, 3)],
        [norm(10, 4), torch.nn.PReLU(10), norm(10, 5)],
        [norm(10, 6), torch.nn.ReLU()],
    ],
)
def test_what_else_stands_behind_the_last_layer(end):
    torch.manual_seed(0)
    net = torch.nn.Sequential(sign(), binary_linear(64, 10), *end).eval()
    pixels = np.random.default_rng(0).integers(-128, 128, (200, 64))
    integer = streamline(export.export(net, (64,), "int8"))
    with torch.no_grad():
        logits = net(torch.from_numpy(pixels).float()).numpy()
    np.testing.assert_array_equal(Head.of(integer)(IntGraph(integer)(pixels)), logits)


def test_every_logit_of_a_file_is_onnx_runtime_s(ended, tmp_path):
    net, model, pixels = ended
    loaded = export.load(export.save(model, tmp_path / "net.onnx"), "int8")
    integer = streamline(loaded)
    logits = Head.of(integer)(IntGraph(integer)(pixels[:40]))
    np.testing.assert_array_equal(logits, export.reference(loaded, pixels[:40])["output"])
    with torch.no_grad():
        assert (logits != net(torch.from_numpy(pixels[:40]).float()).numpy()).any(), "the two references differ"
