"""Networks with random parameters: which ones, that they are sane, and that a seed says all."""

import numpy as np
import pytest
import torch
from torch import nn

from signflow.models.layers.abn import ABN
from signflow.models.layers.asd import ASD
from signflow.models.layers.rprelu import RPReLU
from signflow.models.methods import METHODS, Method
from signflow.models.networks import NARROW, NETWORKS, Network, mlp, predict
from signflow.models.untrained import random_images, randomise, untrained

KINDS = [*(f"tfc-{name}" for name in METHODS if name != "bn"), "tfc", "cnv-s"]
KINDS += [pytest.param(name, marks=pytest.mark.slow) for name in ("sd-resnet20", "reactnet18")]


def images(name: str, count: int = 8) -> torch.Tensor:
    return torch.from_numpy(random_images(NETWORKS[name].input_shape, count, np.random.default_rng(99)))


def inputs_of(net: nn.Module, kinds: tuple, x: torch.Tensor) -> list[tuple[nn.Module, torch.Tensor]]:
    seen = []
    for m in [m for m in net.modules() if isinstance(m, kinds)]:
        m.register_forward_pre_hook(lambda m, inputs: seen.append((m, inputs[0].clone())))
    predict(net, x)
    return seen


@pytest.mark.parametrize("name", KINDS)
def test_a_seed_says_all(name):
    torch.manual_seed(5)
    before, x = torch.random.get_rng_state(), images(name)
    one, again, other = untrained(name, 3), untrained(name, 3), untrained(name, 4)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not one.training and not any("parametrizations" in key for key in one.state_dict())
    for key, value in one.state_dict().items():
        assert torch.equal(value, again.state_dict()[key]) and value.isfinite().all(), key
    logits = predict(one, x)
    assert torch.equal(logits, predict(again, x)) and not torch.equal(logits, predict(other, x))
    assert len(logits.unique(dim=0)) > len(x) // 2  # the images are told apart


@pytest.mark.parametrize("name", [name for name in METHODS if name != "none"])
def test_every_parameter_is_drawn(name):
    """Nothing keeps the value that it was made with."""
    made = mlp(8, pixels=16, normalisation=name)
    before = {key: value.clone() for key, value in made.named_parameters()}
    fresh = dict(made.named_parameters())
    randomise(made, np.random.default_rng(0).integers(0, 256, (48, 1, 4, 4), np.uint8), np.random.default_rng(1))
    assert [n for n, p in fresh.items() if torch.equal(p, before[n])] == []


@pytest.mark.parametrize("name", ["bn", "abn"])
def test_statistics_are_those_of_the_images(name):
    rng = np.random.default_rng(2)
    net, x = mlp(8, pixels=16, normalisation=name), random_images((1, 4, 4), 48, rng)
    seen = inputs_of(randomise(net, x, rng), (nn.BatchNorm1d, ABN), torch.from_numpy(x))
    assert len(seen) == 3
    for m, sums in seen:
        sums = sums.double().numpy()
        np.testing.assert_allclose(m.running_mean.numpy(), sums.mean(0), rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(m.running_var.numpy(), sums.var(0), rtol=1e-5, atol=1e-5)


def test_gammas_have_both_signs_and_thresholds_lie_among_the_sums():
    for m, x in inputs_of(untrained("cnv-s", 1), (nn.BatchNorm1d, nn.BatchNorm2d), images("cnv-s", 16)):
        low, high = (f(x.transpose(0, 1).flatten(1), 1).values for f in (torch.min, torch.max))
        threshold = m.running_mean - m.bias / m.weight * (m.running_var + m.eps).sqrt()
        assert ((low < threshold) & (threshold < high)).float().mean() > 0.6
        assert 0.3 < (m.weight > 0).float().mean() < 0.7 and m.weight.abs().min() > 0


def test_slopes_have_both_signs_and_abn_has_windows():
    (m, _), *_ = inputs_of(untrained("tfc-bnfree", 1), (RPReLU,), images("tfc-bnfree"))
    assert 0.2 < (m.slope > 0).float().mean() < 0.8
    norms = [m for m in untrained("tfc-abn", 1).modules() if hasattr(m, "running_mean")]
    assert all(((m.beta > 0) & (m.beta < 0.2785)).float().mean() > 0.5 for m in norms)


@pytest.mark.parametrize("name", NARROW)
def test_streams_of_narrow_networks_use_their_range(name):
    """Neither stuck at a bound nor at a few codes, in any block: else there would be little to compare."""
    net, seen = untrained(name, 2), []
    for block in net.blocks:
        block.register_forward_hook(lambda _, inputs, y: seen.append(y))
    predict(net, images(name))
    for y in seen:
        assert len(y.unique()) >= 8
        assert ((y == y.max()) | (y == y.min())).float().mean() < 0.7
    assert len(seen) in (6, 16, 18)


def test_shifts_of_random_attention_move_with_the_image():
    net, moving = untrained("sd-resnet20-fashion", 1), []
    for m in [m for m in net.modules() if isinstance(m, ASD)]:
        m.clip.register_forward_hook(lambda clip, _, a, m=m: moving.append(len(m.shift(a).unique(dim=0)) > 1))
    predict(net, images("sd-resnet20-fashion", 16))
    assert sum(moving) >= 15 and len(moving) == 18


def test_wild_networks_have_constants_and_whole_means():
    net, rng = mlp(64, pixels=16), np.random.default_rng(0)
    randomise(net, random_images((1, 4, 4), 48, rng), rng, wild=True, whole_means=True)
    norms = [m for m in net if isinstance(m, nn.BatchNorm1d)]
    assert all((m.weight == 0).any() and (m.running_mean % 1 == 0).all() for m in norms)


def test_a_layer_of_the_users_own_is_drawn_too(monkeypatch):
    class Centre(nn.Module):
        def __init__(self, channels: int):
            super().__init__()
            self.register_buffer("running_mean", torch.zeros(channels))
            self.shift = nn.Parameter(torch.zeros(channels))

        def forward(self, x):
            return x - self.running_mean + self.shift

    monkeypatch.setitem(METHODS, "centre", Method("centred", lambda _, channels, spatial: [Centre(channels)]))
    row = Network(lambda: mlp(16, normalisation="centre"), (1, 28, 28), "fashion-mnist")
    monkeypatch.setitem(NETWORKS, "tfc-centre", row)
    for m, x in inputs_of(untrained("tfc-centre", 0), (Centre,), images("tfc-centre", 48)):
        assert m.shift.abs().min() > 0 and (x.mean(0) - m.running_mean).abs().mean() < x.std()


def test_bad_seeds_and_names():
    with pytest.raises(ValueError, match="unknown network 'tfd'"):
        untrained("tfd", 1)
    with pytest.raises(ValueError, match="non-negative"):
        untrained("tfc", -1)
