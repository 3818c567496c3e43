"""Baking and packing: the same function before and after, plain keys, nothing of the trained network touched."""

import pytest
import torch
from torch import nn

from signflow.models import weights
from signflow.models.layers.bake import bake, baked_state
from signflow.models.layers.binary import binary_linear, is_binary
from signflow.models.layers.standardise import Gain, standardise
from signflow.models.layers.wsd import self_distribute
from signflow.models.methods import METHODS
from signflow.models.networks import cnv, mlp, predict


def images(shape: tuple[int, ...], n: int = 8) -> torch.Tensor:
    return torch.randint(0, 256, (n, *shape), generator=torch.Generator().manual_seed(3), dtype=torch.uint8)


def train_step(net: nn.Module, x: torch.Tensor) -> None:
    """One step that moves every parameter, and the running statistics."""
    net.train()
    optimiser = torch.optim.Adam(net.parameters(), lr=0.02)
    loss = nn.functional.cross_entropy(net(x.float()), torch.arange(len(x)) % 10)
    loss.backward()
    optimiser.step()


def trained(name: str) -> tuple[nn.Module, torch.Tensor]:
    """A small dense network of the method after two steps, and images for it."""
    torch.manual_seed(0)
    net, x = mlp(16, pixels=36, normalisation=name), images((1, 6, 6))
    for _ in range(2):
        train_step(net, x)
    return net, x


@pytest.mark.parametrize("name", METHODS)
def test_bake_keeps_the_logits_and_leaves_plain_keys(name):
    net, x = trained(name)
    before, latent = predict(net, x), {n for n, _ in net.named_parameters() if "parametrizations" in n}
    assert bool(latent) == (METHODS[name].weights(binary_linear(4, 4)).__class__.__name__ != "QuantLinear")
    assert bake(net) is net
    assert torch.equal(predict(net, x), before)
    assert not any("parametrizations" in key for key in net.state_dict())
    assert [key for key in net.state_dict() if key.endswith(".weight") and key in weights.binary_parameters(net)]
    assert torch.equal(predict(bake(net), x), before)  # again: nothing left to do


@pytest.mark.parametrize("name", METHODS)
def test_baked_state_is_that_of_the_baked_network_and_touches_nothing(name):
    net, x = trained(name)
    predict(net, x)  # whatever follows the weights (kappa) is up to date
    before = {key: value.clone() for key, value in net.state_dict().items()}
    kept = {key: value.clone() for key, value in baked_state(net).items()}
    assert net.state_dict().keys() == before.keys()
    for key, value in net.state_dict().items():
        assert torch.equal(value, before[key]), key
    parametrised = {n: p.clone() for n, p in net.named_parameters() if n.endswith("original")}
    train_step(net, x)
    for n, p in net.named_parameters():
        if n in parametrised:
            assert not torch.equal(p, parametrised[n])  # it still trains

    net.load_state_dict(before)
    state = bake(net).state_dict()
    assert list(state) == list(kept)
    for key, value in state.items():
        assert torch.equal(value, kept[key]), key


@pytest.mark.parametrize("name", METHODS)
def test_round_trip_through_packed_weights(name, tmp_path):
    net, x = trained(name)
    before = predict(net, x)
    weights.save(net, tmp_path / "net.npz")
    torch.manual_seed(1)
    other = weights.load_into(mlp(16, pixels=36, normalisation=name), tmp_path / "net.npz")
    assert torch.equal(predict(other, x), before)
    assert torch.equal(predict(net, x), before)
    weights.save(other, tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "net.npz").read_bytes()


@pytest.mark.parametrize("name", ["bnfree", "sd"])
def test_round_trip_of_convolutions(name, tmp_path):
    torch.manual_seed(0)
    net, x = cnv(1, width=0.125, normalisation=name), images((1, 32, 32))
    train_step(net, x)
    before = predict(net, x)
    weights.save(net, tmp_path / "net.npz")
    loaded = weights.load_into(cnv(1, width=0.125, normalisation=name), tmp_path / "net.npz")
    assert torch.equal(predict(loaded, x), before)


def test_a_single_layer_can_be_baked():
    for change in (standardise, self_distribute):
        layer = change(binary_linear(6, 3))
        state = baked_state(layer)
        value = layer.weight.detach().clone()
        assert set(state) == {"weight"} and torch.equal(state["weight"], value)
        assert torch.equal(bake(layer).weight, value)
        assert set(layer.state_dict()) == {"weight"}


def test_kappa_of_the_last_step_stays_after_baking():
    torch.manual_seed(0)
    layer = standardise(binary_linear(6, 3))
    net = nn.Sequential(layer, Gain(layer))
    with torch.no_grad():
        layer.parametrizations.weight.original.pow_(3)  # kappa is out of date until it is refreshed
    want = layer.weight.detach().abs().mean(1)
    assert not torch.allclose(net[1].kappa, want)
    state = baked_state(net)
    assert torch.equal(state["1.kappa"], want)
    bake(net)
    with torch.no_grad():
        layer.weight.mul_(2)  # the weights of a baked layer are signs only
    net(torch.ones(1, 6))
    assert torch.equal(net[1].kappa, want)


def test_a_latent_weight_of_zero_is_packed_as_plus_one(tmp_path):
    net, x = trained("sd")
    layer = next(m for m in net if hasattr(m, "parametrizations"))
    layer.parametrizations.weight.original.data[2] = 0.0  # its mean is 0, so the shift of WSD is 0 as well
    layer.parametrizations.weight.original.data[3] = -0.0
    want = predict(net, x)
    weights.save(net, tmp_path / "net.npz")
    again = weights.load_into(mlp(16, pixels=36, normalisation="sd"), tmp_path / "net.npz")
    assert (next(m for m in again if is_binary(m)).weight[2:4] == 1).all()
    assert torch.equal(predict(again, x), want)
