"""The layers of a few lines, against their definitions."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from signflow.models.layers.abn import ABN
from signflow.models.layers.binary import binary_conv, binary_linear
from signflow.models.layers.ends import feature_bits
from signflow.models.layers.shortcut import PickAndPad
from signflow.models.layers.stream import branch, on_grid, step_of, stream


@pytest.mark.parametrize(("layer", "sizes"), [(binary_linear, (400, 300)), (binary_conv, (20, 50, 10))])
def test_latent_weights_start_a_tenth_of_the_clip_range_wide(layer, sizes):
    w = layer(*sizes).weight.detach().double()
    error = 0.1 / math.sqrt(2 * w.numel())
    assert abs(w.std().item() - 0.1) < 6 * error and abs(w.mean().item()) < 6 * 2 * error


def test_the_most_bits_whose_sums_float32_counts():
    """Features from -2^(bits - 1) on, times weights of 32 steps: below 2^24 steps."""
    for features in (2**power for power in range(19)):
        fit = [bits for bits in range(1, 9) if features * 32 * 2 ** (bits - 1) < 2**24]
        assert feature_bits(features) == max(fit)


def test_even_pixels_between_channels_of_zeros():
    x = torch.arange(2.0 * 3 * 4 * 6).reshape(2, 3, 4, 6) + 1
    want = np.zeros((2, 7, 2, 3), np.float32)
    for h, w in np.ndindex(2, 3):
        want[:, 2:5, h, w] = x[:, :, 2 * h, 2 * w]
    np.testing.assert_array_equal(PickAndPad(3, 7)(x), want)
    np.testing.assert_array_equal(PickAndPad(3, 3)(x), x[:, :, ::2, ::2])


@pytest.mark.parametrize("more", [-4, -2, -1, 1, 3])
def test_channels_that_two_sides_cannot_share_are_refused(more):
    with pytest.raises(ValueError, match=f"{more} new channels: must be an even number, 0 or more"):
        PickAndPad(8, 8 + more)


def test_a_branch_has_the_step_of_its_stream_and_twice_the_range():
    for bits, limit in ((4, 1.0), (3, 4.0), (8, 0.5)):
        step = limit * 2.0 ** (1 - bits)
        for layer, reach in ((stream(bits, limit), limit), (branch(bits, limit), 2 * limit)):
            assert step_of(layer) == step
            far = layer(torch.tensor([[-100.0, 0.6 * step, 100.0]])).tolist()
            assert far == [[-reach, step, reach - step]]
    assert step_of(stream(None, 1.0)) is None and step_of(branch(None, 1.0)) is None


def test_only_what_has_a_grid_inside_is_put_on_that_of_the_quantiser():
    """A gated norm computes on multiples of the step; others, and all without bits, stay as they are."""
    x = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(0)).double()
    for bits in (None, 3):
        norm, other, quantiser = ABN(3).double().eval(), nn.BatchNorm2d(3), stream(bits, 1.0)
        alone = ABN(3).double().eval()
        assert on_grid([other, norm], quantiser) == [other, norm, quantiser]
        if bits is not None:
            alone.put_on_grid(0.25)
        assert torch.equal(norm(x), alone(x))
        assert torch.equal(norm(x), ABN(3).double().eval()(x)) == (bits is None)
