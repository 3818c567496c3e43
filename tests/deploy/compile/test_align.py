"""The exported graph decides like PyTorch on every reachable integer, also where rounding decides; and would not
without the pass.
"""

from types import SimpleNamespace

import brevitas.nn as qnn
import numpy as np
import pytest
import torch
from onnx import helper
from torch import nn

from signflow.deploy.compile.errors import UnsupportedError
from signflow.deploy.compile.export import export
from signflow.deploy.compile.passes import align
from signflow.deploy.compile.passes.evaluate import follow
from signflow.deploy.compile.passes.normal_form import NormalForm
from signflow.deploy.compile.passes.regions import walk
from signflow.deploy.compile.passes.silu import Silu, silu_input
from signflow.deploy.compile.passes.torch_norms import DoubleNorms
from signflow.deploy.compile.passes.transitions import Accumulators
from signflow.deploy.compile.streamline import streamline
from signflow.models.layers.abn import ABN, FORMS
from signflow.models.layers.binary import binary_conv, binary_linear, sign

CHANNELS, INPUTS = 300, 101
REACHED = np.arange(-INPUTS, INPUTS + 1, 2)
"""Sums of 101 products of signs."""


def normalisation(name: str, seed: int) -> nn.Module:
    """Random BatchNorm or ABN, with parameters that put one reachable integer of every channel on the edge: beta is
    what the others give there, or the mean lies there.
    """
    rng = np.random.default_rng(seed)
    norm = nn.BatchNorm1d(CHANNELS) if name == "bn" else ABN(CHANNELS, name)
    gamma, beta = (norm.weight, norm.bias) if name == "bn" else (norm.gamma, norm.beta)
    edge = torch.from_numpy(rng.choice(REACHED, CHANNELS)).float()
    with torch.no_grad():
        norm.running_var.copy_(torch.from_numpy(10 ** rng.uniform(1, 3, CHANNELS)))
        norm.running_mean.copy_(edge if beta is None else torch.from_numpy(rng.normal(size=CHANNELS) * 9))
        if gamma is not None:
            gamma.copy_(torch.from_numpy(rng.normal(size=CHANNELS)))
        norm.eval()
        if beta is not None:
            beta.zero_()
            beta.copy_(-norm(edge[None])[0])
    return norm


def network(norm: nn.Module) -> nn.Sequential:
    channels = norm.running_mean.numel()
    layers = [nn.Flatten(), sign(), binary_linear(INPUTS, channels), norm, sign(), binary_linear(channels, 2)]
    return nn.Sequential(*layers).eval()


def decisions(model, channels: int = CHANNELS) -> np.ndarray:
    """Signs +-1 of the exported graph for every reachable integer: (integers, channels)."""
    model = model.transform(NormalForm())
    region = walk(model)[1]
    (end,) = region.exits
    table = np.repeat(REACHED.astype(np.float32)[:, None], channels, axis=1)
    return follow(model, region.path(end), region.start, end, table).end


def wanted(net: nn.Sequential, channels: int = CHANNELS) -> np.ndarray:
    """The same by PyTorch, which rounds differently where a tensor is not contiguous."""
    with torch.no_grad():
        x = torch.from_numpy(REACHED.astype(np.float32))[:, None].repeat(1, channels)
        return net[4](net[3](x)).numpy()


@pytest.fixture
def unaligned(monkeypatch):
    """Export as if the pass did not exist."""
    monkeypatch.setattr(align.Align, "apply", lambda _, model: (model, False))


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["bn", *FORMS])
def test_every_reachable_integer(name, seed):
    torch.manual_seed(seed)
    net = network(normalisation(name, seed))
    np.testing.assert_array_equal(decisions(export(net, (INPUTS, 1, 1))), wanted(net))


@pytest.mark.parametrize("name", ["bn", *FORMS])
def test_some_differ_without_it(name, unaligned):
    net = network(normalisation(name, 0))
    different = (decisions(export(net, (INPUTS, 1, 1))) != wanted(net)).any(axis=0)
    assert different.sum() > 5


@pytest.mark.parametrize("name", ["bn", FORMS[0], *(pytest.param(name, marks=pytest.mark.slow) for name in FORMS[1:])])
def test_little_is_moved(name, monkeypatch):
    """Only additive constants, by a few units in the last place, and only of channels that decide otherwise."""
    net = network(normalisation(name, 0))
    moved = export(net, (INPUTS, 1, 1))
    monkeypatch.setattr(align, "enumerate_thresholds", lambda *_: None)
    plain = export(net, (INPUTS, 1, 1))
    different = (decisions(plain) != wanted(net)).any(axis=0)
    changed = {t.name for t in plain.graph.initializer} & {t.name for t in moved.graph.initializer}
    changed = [n for n in changed if (plain.get_initializer(n) != moved.get_initializer(n)).any()]
    assert len(changed) == (different.sum() > 0)
    for before, after in ((plain.get_initializer(n), moved.get_initializer(n)) for n in changed):
        assert ((before != after).reshape(-1) == different).all()
        assert np.abs(before - after).max() < 1e-4


def test_a_channel_that_cannot_be_helped_is_reported(monkeypatch):
    monkeypatch.setattr(align, "MAX_STEPS", 1)  # the first step finds, none repairs
    monkeypatch.setattr(align, "DoubleNorms", lambda _: DoubleNorms(set()))  # nor does another form
    with pytest.raises(UnsupportedError, match="does not decide like PyTorch in double precision either"):
        export(network(normalisation("bn", 0)), (INPUTS, 1, 1))


def test_the_search_ends_between_neighbours():
    """Channel 0 needs a constant between two float32 numbers, channel 1 keeps its own."""
    wanted, found = np.nextafter(np.float32(1.1), np.float32(2)).astype(float) - 3e-8, np.float32(1)
    search = align._Search(np.float32([1, 5]))
    for _ in range(30):
        assert not search.ended
        found = np.float32(search.move(np.array([1 if found < wanted else -1, 0]))[0])
        if search.ended:
            break
    assert search.ended and abs(found - wanted) < 1e-6 and search.values[1] == 5


class Forked(nn.Module):
    """A sigmoid in front of a quantiser, and beside it a second reader, who needs steps of its own."""

    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Flatten(), sign(), binary_linear(INPUTS, 4), nn.Sigmoid())
        self.codes, self.last = qnn.QuantIdentity(bit_width=4), binary_linear(4, 2)

    def forward(self, x):
        x = self.first(x)
        return self.last(self.codes(x) + x)


def test_a_function_that_cannot_be_helped_is_reported(monkeypatch):
    """With the true reason: another one where the network is unsupported anyway."""
    wrong = np.repeat([[False], [False], [True], [False]], 2, axis=1)
    monkeypatch.setattr(align, "_difference", lambda model, constants, region, tensor, numbers: wrong)
    forked = Forked().eval()
    straight = nn.Sequential(*forked.first, forked.codes, forked.last).eval()
    with pytest.raises(UnsupportedError, match=r"Sigmoid: PyTorch and ONNX Runtime round.*channel 2.*fewer bits"):
        export(straight, (INPUTS, 1, 1))
    graph = export(forked, (INPUTS, 1, 1))
    with pytest.raises(UnsupportedError, match=r"Add.*are not integers times one scale"):
        streamline(graph)


class Twice(nn.Module):
    """Side by side with itself."""

    def forward(self, x):
        return torch.cat([x, x], 1)


def test_a_norm_of_positions_is_left_to_the_compiler():
    """Behind a Flatten that is no channels' own: there its constants are more than the channels of the sums."""
    norm = nn.BatchNorm1d(18)
    norm.running_mean.copy_(torch.arange(18.0))
    layers = [sign(), binary_conv(1, 2, 2), nn.Flatten(), norm, sign(), Twice(), binary_linear(36, 2)]
    graph = export(nn.Sequential(*layers).eval(), (1, 4, 4))
    with pytest.raises(UnsupportedError, match="behind a Flatten, its constants differ between positions"):
        streamline(graph)


def test_the_shape_of_a_flatten_is_no_constant_of_positions(monkeypatch):
    """It is two numbers, where a single channel has one of everything else."""
    moved, search = [], align._movable
    monkeypatch.setattr(align, "_movable", lambda *to: moved.append(search(*to)) or moved[-1])
    layers = [sign(), binary_conv(1, 1, 2), nn.BatchNorm2d(1), nn.Flatten(), sign(), binary_linear(9, 2)]
    export(nn.Sequential(*layers).eval(), (1, 4, 4))
    assert len(moved) == 1


def test_the_first_channel_that_differs_is_named(monkeypatch):
    wrong = np.array([[False, False], [False, False], [False, True], [True, True]])
    monkeypatch.setattr(align, "_difference", lambda *_: wrong)
    monkeypatch.setattr(align, "is_shared", lambda *_: False)
    node = helper.make_node("Sigmoid", ["x"], ["y"])
    region = SimpleNamespace(path=lambda tensor: [node], node=SimpleNamespace(name="layer"))
    model, undecided = SimpleNamespace(get_initializer=lambda name: None), []
    align.align(model, region, "y", SimpleNamespace(channels=4), set(), undecided)
    (refusal,) = map(str, undecided)
    assert refusal.startswith("node 'layer', operator Sigmoid: ") and "in channel 2. " in refusal


def test_a_norm_that_no_constant_helps_is_written_in_double_precision(monkeypatch):
    monkeypatch.setattr(align, "MAX_STEPS", 1)
    net = network(normalisation("bn", 0))
    model = export(net, (INPUTS, 1, 1))
    assert [node.op_type for node in model.graph.node].count("Cast") == 2
    np.testing.assert_array_equal(decisions(model), wanted(net))


@pytest.mark.parametrize("form", ["gate", "gate+beta"])
def test_the_one_of_a_sigmoid_is_not_moved(form, monkeypatch):
    """With one channel, its own constants and that 1 have the same size. PyTorch is just below 0 at the mean."""
    moved, search = [], align._movable
    monkeypatch.setattr(align, "_movable", lambda *to: moved.append(search(*to)) or moved[-1])
    norm = ABN(1, form).eval()
    norm.running_mean.fill_(7)
    norm.running_var.fill_(6.864406585693359)
    net = network(norm)
    assert wanted(net, 1)[REACHED == 7] == -1
    model = export(net, (INPUTS, 1, 1))
    np.testing.assert_array_equal(decisions(model, 1), wanted(net, 1))
    assert len(moved) > 0
    ones = [model.get_initializer(n) for node in model.graph.node if node.op_type == "Add" for n in node.input]
    assert [float(c[0]) for c in ones if c is not None and c.shape == (1,)].count(1) == 1


class Negative(nn.Module):
    def __init__(self, form: str):
        super().__init__()
        self.form = form

    def forward(self, x):
        return x * -1.0 if self.form == "factor" else 0.0 - x


@pytest.mark.parametrize("form", ["factor", "difference"])
def test_a_falling_function(form):
    """The search goes the other way behind a factor below 0; behind a difference it runs away, and double precision
    helps, of the constants as they were.
    """
    norm = normalisation("bn", 0)
    layers = [nn.Flatten(), sign(), binary_linear(INPUTS, CHANNELS), norm, Negative(form), sign()]
    net = nn.Sequential(*layers, binary_linear(CHANNELS, 2)).eval()
    with torch.no_grad():
        x = torch.from_numpy(REACHED.astype(np.float32))[:, None].repeat(1, CHANNELS)
        expected = net[5](net[4](net[3](x))).numpy()
    model = export(net, (INPUTS, 1, 1))
    np.testing.assert_array_equal(decisions(model), expected)
    assert ("Cast" in [node.op_type for node in model.graph.node]) == (form == "difference")


def test_saturated_gates():
    """Normalised values below -20: the sigmoid of ONNX Runtime is 0 there, PyTorch's product still negative."""
    norm = ABN(CHANNELS, "gate").eval()
    norm.running_var.copy_(torch.linspace(0.5, 20, CHANNELS))
    net = network(norm)
    expected = wanted(net)
    assert (expected[0] == -1).sum() > CHANNELS // 2
    assert (expected[0] == 1).any()  # below -88.7 the product underflows to -0, whose sign is +1
    np.testing.assert_array_equal(decisions(export(net, (INPUTS, 1, 1))), expected)


def test_saturated_gates_differ_as_two_nodes(unaligned):
    norm = ABN(CHANNELS, "gate").eval()
    norm.running_var.copy_(torch.linspace(0.5, 20, CHANNELS))
    net = network(norm)
    assert (decisions(export(net, (INPUTS, 1, 1)))[0] != wanted(net)[0]).sum() > CHANNELS // 2


def test_silu_is_found_in_either_order_and_only_there(chain, tmp_path):
    from signflow.deploy.compile.export import load

    c = chain((4,)).dense(np.ones((3, 4)))
    x = c.current
    gate = c.op("Sigmoid").current
    c.op("Mul", x).scalar("Add", 1.0)  # Mul(sigmoid(x), x)
    c.op("Mul", first=[gate])  # sigmoid(x) * something else
    y = c.current
    c.op("Sigmoid").op("Mul", first=[y])  # Mul(y, sigmoid(y))
    model = load(c.sign().dense(np.ones((2, 3))).save(tmp_path / "net.onnx"), "uint8").transform(Silu())
    kinds = [node.op_type for node in model.graph.node]
    assert [kinds.count(kind) for kind in ("Sigmoid", "Mul", "Div", "Exp")] == [1, 1, 2, 2]
    makers = {node.output[0]: node for node in model.graph.node}
    found = [name for node in model.graph.node if (name := silu_input(makers, node))]
    assert [makers[name].op_type for name in found] == ["Gemm", "Mul"]


def test_a_constant_of_many_integers_has_no_changes_to_try():
    """Whatever the sums are, all of them give one number: nothing but the coarse rows is tried."""
    reach = Accumulators(np.full(2, -(1 << 15)), np.full(2, 1 << 15), 1)
    constant = lambda integers: np.zeros(integers.shape)  # noqa: E731
    step = lambda integers: (integers > 77).astype(float)  # noqa: E731
    assert len(list(align._tried(reach, (constant, constant), True))) == 1
    coarse, found = align._tried(reach, (constant, step), True)
    assert 77 not in coarse
    assert 78 in found
