"""Two-step training: real weights against numpy, parameters handed on by name."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from signflow.models import networks, weights
from signflow.models.data import MemorySource
from signflow.models.layers.binary import binary_conv
from signflow.models.layers.standardise import Gain, standardise
from signflow.models.training import loop, twostep
from signflow.models.training.recipe import Recipe, RecipeError


@pytest.fixture
def first(monkeypatch):
    """A small data set; the recipe of step one."""
    rng = torch.Generator().manual_seed(3)
    images, labels = torch.randint(0, 256, (60, 1, 28, 28), generator=rng).to(torch.uint8), torch.arange(60) % 10
    monkeypatch.setattr(loop, "source", lambda *args: MemorySource(images, labels, 10, args[3]))
    return Recipe("tfc-bnfree", 2, batch=20, binarise="activations")


def test_real_weights_are_the_standardised_ones_times_the_gain():
    torch.manual_seed(0)
    layer = standardise(binary_conv(3, 4, 3))
    net = nn.Sequential(layer, gain := Gain(layer))
    with torch.no_grad():
        gain.gain.copy_(torch.tensor([1.0, -2.0, 0.5, 3.0]).view_as(gain.gain))
    x = torch.randint(0, 2, (2, 3, 3, 3)).float() * 2 - 1
    w = layer.parametrizations.weight.original.detach().double().numpy().reshape(4, 27)
    hat = (w - w.mean(1, keepdims=True)) / (w.std(1, keepdims=True) + 1e-5) / 27**0.5
    flat, g = x.double().numpy().reshape(2, 27), np.array([1.0, -2.0, 0.5, 3.0])
    binary = flat @ np.where(hat >= 0, 1, -1).T * g * np.abs(hat).mean(1)
    np.testing.assert_allclose(net(x).detach().numpy().reshape(2, 4), binary, rtol=1e-5, atol=1e-6)
    assert twostep.real_weights(net) is net
    np.testing.assert_allclose(net(x).detach().numpy().reshape(2, 4), flat @ hat.T * g, rtol=1e-5, atol=1e-6)


def test_every_binary_layer_is_switched_and_nothing_else():
    net = networks.network("tfc-sd").build()
    before = list(net.state_dict())
    twostep.real_weights(net)
    switched = [n for n, m in net.named_modules() if getattr(getattr(m, "weight_quant", None), "disable_quant", False)]
    assert {f"{n}.weight" for n in switched} == set(weights.binary_parameters(net))
    assert list(net.state_dict()) == before


def test_step_two_begins_where_step_one_was_best(first, tmp_path, monkeypatch):
    net = loop.train(first, tmp_path / "one", say=lambda _: None).net
    assert not list((tmp_path / "one").glob("*.npz"))
    best = torch.load(tmp_path / "one/best.pt", weights_only=True)
    last = torch.load(tmp_path / "one/weights.pt", weights_only=True)
    assert best.keys() == last.keys() == networks.network("tfc-bnfree").build().state_dict().keys()
    signs = [n for n, m in net.named_modules() if hasattr(m, "weight_quant") and m.weight.unique().numel() <= 2]
    assert not signs  # real weights
    seen = []

    def epoch(model, *_):
        seen.append({n: p.detach().clone() for n, p in model.named_parameters()})
        return 0.0

    second = replace(first, epochs=1, binarise="both", init=str(tmp_path / "one/best.pt"))
    monkeypatch.setattr(loop, "train_epoch", epoch)
    loop.train(second, tmp_path / "two", say=lambda _: None)
    assert seen[0] and all(torch.equal(p, best[n]) for n, p in seen[0].items())
    packed = weights.load_into(networks.network("tfc-bnfree").build(), tmp_path / "two/weights.npz")
    assert all(packed.get_parameter(n).abs().eq(1).all() for n in weights.binary_parameters(packed))


def test_a_checkpoint_serves_as_well(first, tmp_path):
    loop.train(first, tmp_path, say=lambda _: None)
    a, b = (
        twostep.transfer(networks.network("tfc-bnfree").build(), tmp_path / name).state_dict()
        for name in ("checkpoint.pt", "weights.pt")
    )
    assert all(torch.equal(value, b[name]) for name, value in a.items())


def test_wrong_files(tmp_path):
    net = networks.network("tfc").build()
    with pytest.raises(RecipeError, match=r"init = '.*no.pt': no such file"):
        twostep.transfer(net, tmp_path / "no.pt")
    for contents in (b"not torch", b""):
        (tmp_path / "bad.pt").write_bytes(contents)
        with pytest.raises(RecipeError, match=r"bad.pt': not a checkpoint of a training"):
            twostep.transfer(net, tmp_path / "bad.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(RecipeError, match=r"list.pt': not a checkpoint of a training"):
        twostep.transfer(net, tmp_path / "list.pt")
    weights.save(net, tmp_path / "packed.npz")
    with pytest.raises(RecipeError, match=r"packed.npz': not a checkpoint of a training"):
        twostep.transfer(net, tmp_path / "packed.npz")
    torch.save(networks.network("tfc-abn").build().state_dict(), tmp_path / "abn.pt")
    with pytest.raises(RecipeError, match=r"abn.pt' does not fit the network: .* differ"):
        twostep.transfer(net, tmp_path / "abn.pt")
    torch.save(networks.network("sfc").build().state_dict(), tmp_path / "wide.pt")
    with pytest.raises(RecipeError, match=r"wide.pt' does not fit the network: 3.weight, .* differ"):
        twostep.transfer(net, tmp_path / "wide.pt")
