"""Every sum of two maps in the papers' networks adds integers: multiples of one power of two, without an offset.

The networks run, narrow and with random parameters, while every addition of two tensors that depend on the image is
watched: it is the numbers themselves that are looked at, not what the modules say of them. That is what makes a join
exact, a shift and an addition in hardware (`signflow.models.layers.stream`).
"""

from collections import Counter

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from signflow.models.layers.abn import ABN
from signflow.models.layers.rprelu import RPReLU
from signflow.models.layers.stream import step_of
from signflow.models.networks import NARROW, NETWORKS, PAPERS
from signflow.models.untrained import random_images, randomise

IMAGES = 6
FINEST = 12
"""No grid here is finer than 2^-this."""
WIDTHS = {
    "binarynet": {"width": 1 / 16, "features": 16, "hidden": 32},
    "abn": {"width": 0.1},
    "sd-resnet20": {"width": 0.5},
}


class Joins(TorchFunctionMode):
    """Collects the operands of all additions of two tensors with the images' first dimension."""

    def __init__(self):
        super().__init__()
        self.seen: list[tuple[Tensor, Tensor]] = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        adds = func in (torch.add, Tensor.add, Tensor.__add__, Tensor.__radd__, Tensor.__iadd__)
        if adds and all(isinstance(a, Tensor) and a.dim() > 1 and len(a) == IMAGES for a in args[:2]):
            self.seen.append((args[0].detach(), args[1].detach()))
        return func(*args, **(kwargs or {}))


def digits(values: Tensor) -> int:
    """Least k >= 0 with all ``values`` multiples of 2^-k; more than `FINEST` where there is none up to it."""
    scaled = values.double()
    return next((k for k in range(FINEST + 1) if torch.equal(scaled * 2**k, (scaled * 2**k).round())), FINEST + 1)


def narrow(name: str, **options) -> tuple[nn.Module, Tensor]:
    """A narrow network with random parameters, and images for it."""
    row = NETWORKS[name]
    small = next((w for key, w in WIDTHS.items() if key in name), {"width": 0.125})
    shape = (row.input_shape[0], *(min(64, n) for n in row.input_shape[1:]))
    rng = np.random.default_rng(7)
    torch.manual_seed(7)
    net = randomise(row.build(**small, **options), random_images(shape, 16, rng), rng)
    return net, torch.from_numpy(random_images(shape, IMAGES, rng)).float()


def joins(name: str, **options) -> list[tuple[Tensor, Tensor]]:
    net, x = narrow(name, **options)
    with Joins() as watched, torch.no_grad():
        net(x)
    return watched.seen


# sums around shortcuts, and those of the attention with what it moves
COUNTS = {
    "binarynet": (0, 0),
    "vgg": (0, 5),
    "sd-resnet20": (18, 18),
    "sd-resnet18-imagenet": (16, 16),
    "sd-resnet18": (8, 16),
    "reactnet18": (16, 0),
    "reactnet-a": (21 + 2 * 5, 0),
    "resnet18": (6, 0),
}
# digits of branch and shortcut: accumulators have 0, streams those of their step; keys match name or method
GRIDS = {
    "bn-resnet18": {(0, 4), (0, 2)},  # "abn-" too; behind the norm of a 1x1 shortcut the step is 1/4
    "sd-resnet20": {(4, 4)},
    "sd-resnet18-imagenet": {(4, 4)},
    "sd-resnet18": {(4, 4)},
    "bnfree": {(3, 3)},
    "reactnet": {(2, 2)},
}


@pytest.mark.parametrize("name", [*PAPERS, *NARROW])
def test_joins_add_integers_on_one_grid_of_powers_of_two(name):
    found = joins(name)
    around = [(a, b) for a, b in found if a.shape == b.shape]
    counts = next(c for key, c in COUNTS.items() if key in name)
    assert (len(around), len(found) - len(around)) == counts
    grids = [(digits(a), digits(b)) for a, b in found]
    assert all(max(pair) <= FINEST for pair in grids), Counter(grids)
    for (a, b), pair in zip(found, grids, strict=True):
        assert ((a.double() + b.double()).abs() * 2 ** max(pair) < 2**24).all()  # float32 adds them exactly
    kind = f"{name} {NETWORKS[name].method}"
    expected = next((pairs for key, pairs in GRIDS.items() if key in kind), set())
    assert {(digits(a), digits(b)) for a, b in around} == expected
    assert all(a.unique().numel() > 3 and b.unique().numel() > 3 for a, b in around)


@pytest.mark.parametrize("name", ["abn-resnet18", "sd-resnet20", "reactnet18"])
def test_the_papers_own_float_streams_do_not(name):
    assert any(max(digits(a), digits(b)) > FINEST for a, b in joins(name, stream_bits=None))


@pytest.mark.parametrize("name", ["sd-resnet18-imagenet", "reactnet18", "reactnet18-bn", "reactnet-a-none"])
def test_a_slope_that_may_be_negative_reads_codes(name):
    """Behind a sum on one grid RPReLU and PReLU are one table a channel, whatever their slopes."""
    net, x = narrow(name)
    seen = []
    for m in [m for m in net.modules() if isinstance(m, RPReLU | nn.PReLU)]:
        m.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    net(x)
    bits = 10 if "imagenet" in name else 7  # a branch of one bit more than the stream's 8, or two streams of 6
    for z in seen:
        assert (z.max() - z.min()) * 2 ** digits(z) < 2**bits
    assert len(seen) >= 16


def test_abn_reads_codes_in_front_of_a_stream_and_accumulators_in_front_of_a_sign():
    net, _ = narrow("abn-resnet18")
    found = [(name, m) for name, m in net.named_modules() if isinstance(m, ABN)]
    for name, m in found:
        step = None if ".branch." in name else 1 / 4 if ".shortcut." in name else 1 / 16
        assert step_of(m.to_code) == step_of(m.to_gated_code) == step, name
    assert len(found) == 1 + 6 + 2 + 5
    assert not [m for _, m in found if m.to_code is m.to_gated_code]
    float_net, _ = narrow("abn-resnet18", stream_bits=None)
    assert all(step_of(m.to_code) is None for m in float_net.modules() if isinstance(m, ABN))
