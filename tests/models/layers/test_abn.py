"""ABN against numpy in float64: forms, running statistics in both conventions, gradients by finite differences."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from signflow.models.layers.abn import ABN, CONVENTIONS, FORMS

SHAPES = [(6, 3), (4, 3, 5, 2)]
EPS = 1e-5


def moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and biased variance of every channel, by a loop."""
    rows = [x[:, c].ravel() for c in range(x.shape[1])]
    mean = np.array([r.sum() / r.size for r in rows])
    return mean, np.array([((r - m) ** 2).sum() / r.size for r, m in zip(rows, mean, strict=True)])


def reference(x: np.ndarray, mean, var, gamma=None, beta=None) -> np.ndarray:
    """[gamma] sigmoid(xh) xh [+ beta], channel by channel."""
    y = np.empty_like(x)
    for c in range(x.shape[1]):
        xh = (x[:, c] - mean[c]) / math.sqrt(var[c] + EPS)
        y[:, c] = xh / (1 + np.exp(-xh))
        if gamma is not None:
            y[:, c] *= gamma[c]
        if beta is not None:
            y[:, c] += beta[c]
    return y


def layer(form: str, rng: np.random.Generator, **options) -> tuple[ABN, dict]:
    """An ABN of three channels in float64 with random affine parameters, and those parameters."""
    abn, affine = ABN(3, form, **options).double(), {}
    for name in ("gamma", "beta"):
        p = getattr(abn, name)
        assert (p is not None) == (name in form)
        if p is not None:
            affine[name] = rng.normal(size=3)
            p.data.copy_(torch.tensor(affine[name]))
    return abn, affine


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", SHAPES)
def test_forms_in_training_and_in_evaluation(form, shape):
    rng = np.random.default_rng(0)
    abn, affine = layer(form, rng)
    x = rng.normal(2, 0.01, size=shape)  # so narrow that eps counts
    np.testing.assert_allclose(abn(torch.tensor(x)).detach(), reference(x, *moments(x), **affine), atol=1e-10)

    mean, var = rng.normal(size=3), rng.uniform(1e-6, 1e-4, size=3)
    abn.running_mean.copy_(torch.tensor(mean)), abn.running_var.copy_(torch.tensor(var))
    got = abn.eval()(torch.tensor(x))
    np.testing.assert_allclose(got.detach(), reference(x, mean, var, **affine), rtol=1e-10)
    assert abn.running_mean.tolist() == mean.tolist() and abn.running_var.tolist() == var.tolist()


def test_default_is_what_the_authors_code_does():
    abn = ABN(4)
    assert {name: p.tolist() for name, p in abn.named_parameters()} == {"beta": [0.0] * 4}
    assert abn.update == 0.1
    assert ABN(4, "gamma*gate").gamma.tolist() == [1.0] * 4


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_running_statistics_over_steps(convention, shape):
    rng = np.random.default_rng(1)
    abn = ABN(3, momentum=0.3, convention=convention).double()
    new = 0.3 if convention == "torch" else 0.7
    mean, var = np.zeros(3), np.ones(3)
    for step in range(5):
        x = rng.normal(step, 1 + step, size=shape)
        abn(torch.tensor(x))
        batch = moments(x)
        mean, var = (1 - new) * mean + new * batch[0], (1 - new) * var + new * batch[1]
        np.testing.assert_allclose(abn.running_mean, mean, rtol=1e-12)
        np.testing.assert_allclose(abn.running_var, var, rtol=1e-12)
    assert set(abn.state_dict()) == {"beta", "running_mean", "running_var"}
    assert not abn.running_mean.requires_grad and not abn.running_var.requires_grad


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("training", [True, False])
def test_gradients(form, shape, training):
    torch.manual_seed(2)
    abn, _ = layer(form, np.random.default_rng(2))
    abn.train(training)
    names = [name for name, _ in abn.named_parameters()]
    values = [torch.randn(3, dtype=torch.float64, requires_grad=True) for _ in names]

    def function(x, *parameters):
        return torch.func.functional_call(abn, dict(zip(names, parameters, strict=True)), (x,))

    x = (3 * torch.randn(shape, dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(function, (x, *values))


def root(beta: float, low: float, high: float) -> float:
    """Where x sigmoid(x) = -beta, by bisection on an interval on which it is monotone."""

    def above(x: float) -> bool:
        return x / (1 + math.exp(-x)) >= -beta

    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if above(middle) == above(low) else (low, middle)
    return high


@settings(max_examples=60)
@given(beta=st.integers(-600, 600).map(lambda i: i / 1000), mean=st.floats(-20, 20), var=st.floats(0.5, 400))
def test_sign_behind_it_is_minus_one_on_an_interval(beta, mean, var):
    """With m = 0.27846...: +1 always (beta >= m), outside an interval (0 < beta < m), or above one threshold."""
    abn = ABN(1).double().eval()
    abn.beta.data.fill_(beta), abn.running_mean.fill_(mean), abn.running_var.fill_(var)
    acc = torch.arange(-100, 101, dtype=torch.float64)
    least, spread = 0.2784645427610738, math.sqrt(var + EPS)
    xh = (acc.numpy() - mean) / spread
    if beta >= least:
        want, edges = np.ones(201, bool), []
    else:
        edges = [root(beta, -1 - least, 40.0)]
        want = xh >= edges[0]
        if beta > 0:
            edges.append(root(beta, -400.0, -1 - least))
            want |= xh <= edges[1]
    clear = np.all([abs(xh - e) > 1e-6 for e in edges], axis=0) if edges else np.ones(201, bool)
    positive = (abn(acc[:, None])[:, 0] >= 0).numpy()
    np.testing.assert_array_equal(positive[clear], want[clear])
    assert clear.sum() >= 199


def test_equals_batch_norm_behind_its_gate():
    torch.manual_seed(3)
    abn, bn = ABN(3, "gamma*gate+beta"), nn.BatchNorm2d(3, affine=False)
    for _ in range(3):
        x = torch.randn(8, 3, 4, 4) * 2 + 1
        torch.testing.assert_close(abn(x), nn.functional.silu(bn(x)))
    torch.testing.assert_close(abn.running_mean, bn.running_mean)
    start, count = 0.9**3, 8 * 16  # PyTorch's running variance is the unbiased one: compare what the batches added
    torch.testing.assert_close(abn.running_var - start, (bn.running_var - start) * (count - 1) / count)


@pytest.mark.parametrize("option", [{"form": "beta"}, {"convention": "tf"}])
def test_unknown_options_list_the_known_ones(option):
    (name, value), known = *option.items(), FORMS if "form" in option else CONVENTIONS
    with pytest.raises(ValueError, match=rf"{name} = '{value}'; known: {known[0]}, "):
        ABN(3, **option)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("step", [1 / 16, 1 / 4])
def test_on_a_grid(form, step):
    """Normalised and gated values are multiples of the step in [-4, 4), and one table of codes serves every channel."""
    rng = np.random.default_rng(3)
    abn, affine = layer(form, rng)
    abn.put_on_grid(step)
    mean, var = rng.normal(size=3), rng.uniform(1, 100, size=3)
    abn.running_mean.copy_(torch.tensor(mean)), abn.running_var.copy_(torch.tensor(var))
    x = rng.integers(-60, 61, size=(50, 3, 4, 4)).astype(float)
    low, high = round(-4 / step), round(4 / step) - 1
    codes = np.arange(low, high + 1)
    table = np.clip(np.rint(codes * step / (1 + np.exp(-codes * step)) / step), low, high)
    wide = (1, 3, 1, 1)
    xh = (x - mean.reshape(wide)) / np.sqrt(var.reshape(wide) + EPS)
    y = table[np.clip(np.rint(xh / step), low, high).astype(int) - low] * step
    for name, how in (("gamma", np.multiply), ("beta", np.add)):
        if name in affine:
            y = how(y, affine[name].reshape(wide))
    np.testing.assert_allclose(abn.eval()(torch.tensor(x)).detach(), y, rtol=1e-12, atol=1e-12)
    assert (np.diff(table) < 0).any() and len(table) == 8 / step
