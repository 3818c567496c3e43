"""Adaptive gradient clipping against loops over units in numpy."""

import numpy as np
import pytest
import torch
from torch import nn

from signflow.models.training.agc import AdaptiveGradientClipping, clipped, exclude_classifier, exclude_named, unit_norm


def by_loops(g: np.ndarray, p: np.ndarray, clip: float) -> np.ndarray:
    """The definition, unit by unit."""
    units = [slice(None)] if p.ndim <= 1 else list(range(len(p)))
    out = g.copy()
    for u in units:
        limit = clip * max(np.sqrt((p[u] ** 2).sum()), 1e-3)
        norm = np.sqrt((g[u] ** 2).sum())
        if norm >= limit:
            out[u] = g[u] * limit / max(norm, 1e-6)
    return out


@pytest.mark.parametrize("shape", [(), (7,), (5, 3), (4, 3, 2, 2), (1, 6, 1, 1), (6, 1, 1, 1)])
def test_the_definition(shape):
    rng = np.random.default_rng(len(shape))
    for scale in (0.0, 1e-5, 0.05, 3.0):  # no gradient, below the limit, about at it, far above it
        p = np.asarray(rng.normal(size=shape))
        g = np.asarray(rng.normal(size=shape)) * scale
        if p.ndim > 1:
            p[0] = 0  # an empty unit: the smallest parameter norm counts
        want = by_loops(g[None] if not shape else g, p[None] if not shape else p, 0.04).reshape(shape)
        got = clipped(torch.tensor(g), torch.tensor(p), 0.04).numpy()
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=0)
        small = unit_norm(torch.tensor(g)) < 0.04 * unit_norm(torch.tensor(p)).clamp(min=1e-3)
        untouched = torch.tensor(got)[small.expand(shape)] if shape else torch.tensor(got)[small]
        assert torch.equal(untouched, torch.tensor(g)[small.expand(shape)] if shape else torch.tensor(g)[small])


def test_a_clipped_unit_has_the_length_of_the_limit():
    p, g = torch.ones(2, 8), torch.stack([torch.full((8,), 100.0), torch.full((8,), 1e-4)])
    got = clipped(g, p, 0.02)
    assert got[0].norm().item() == pytest.approx(0.02 * 8**0.5, rel=1e-6)
    assert torch.equal(got[1], g[1])


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.PReLU(2), nn.Flatten(), nn.Linear(8, 3), nn.BatchNorm1d(3, affine=True))


def test_exclusion():
    names = [name for name, _ in net().named_parameters()]
    assert [n for n in names if exclude_classifier(net())(n)] == ["3.weight", "3.bias"]
    assert exclude_named("fc")("stage.fc.weight") and not exclude_named("fc")("conv.weight")
    with pytest.raises(ValueError, match="no layer with a weight matrix"):
        exclude_classifier(nn.Sequential(nn.PReLU()))
    with pytest.raises(ValueError, match="clip = 0, it must be positive"):
        AdaptiveGradientClipping(torch.optim.SGD(net().parameters(), 0.1), [], 0)


def test_one_step_moves_each_unit_as_the_clipped_gradient_says():
    a, b = net(), net()
    optimiser = AdaptiveGradientClipping(
        torch.optim.SGD(a.parameters(), 1.0), a.named_parameters(), 0.01, exclude_classifier(a)
    )
    torch.manual_seed(1)
    x = torch.randn(4, 1, 4, 4)
    for m in (a, b):
        (m(x) ** 3).sum().backward()
    optimiser.step()
    moved = 0
    for (name, p), q in zip(a.named_parameters(), b.parameters(), strict=True):
        g = q.grad.numpy()
        want = g if name.startswith("3.") else by_loops(g, q.detach().numpy(), 0.01)
        np.testing.assert_allclose((q - p).detach().numpy(), want, rtol=1e-3, atol=1e-6)
        moved += not np.array_equal(want, g)
    assert moved >= 3
    optimiser.zero_grad()
    assert all(p.grad is None for p in a.parameters())
    optimiser.param_groups[0]["lr"] = 0.5
    assert optimiser.state_dict()["param_groups"][0]["lr"] == 0.5
    again = AdaptiveGradientClipping(torch.optim.SGD(a.parameters(), 1.0), a.named_parameters(), 0.01)
    again.load_state_dict(optimiser.state_dict())
    assert again.param_groups[0]["lr"] == 0.5
