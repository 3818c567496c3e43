"""Networks with random parameters: what can be built and compared before anything is trained.

`randomise` runs a network once on random images and draws the parameters of every module as the numbers arrive there:

    running statistics   of the very numbers, so that signs are balanced and thresholds lie among the sums that occur
    gamma, gain, slope   N(0, 1), of both signs
    beta, b              N(0, 0.3) in units of the spread; ABN's among the minima of its function, so that windows occur
    weights              N(0, 1 / fan-in), of which a binary layer's signs are left, or integers times a power of two
    attention            rows whose hidden units are open for the mean image, so that shifts move

Same network, same seed: same parameters. Moments are taken in float64, in which sums of integers are exact.
"""

from collections.abc import Iterator
from functools import partial

import brevitas.nn as qnn
import numpy as np
import torch
from torch import Tensor, nn

from signflow.models.layers.abn import ABN
from signflow.models.layers.asd import ASD, StaticShift
from signflow.models.layers.bake import bake
from signflow.models.layers.rprelu import LearnableBias, RPReLU
from signflow.models.layers.standardise import Gain
from signflow.models.networks import network

WHOLE = (ASD, RPReLU, qnn.QuantConv2d, qnn.QuantLinear)
"""Modules whose parts are drawn together."""
DEEPEST = 0.2785
"""Depth of the minimum of x sigmoid(x): betas in (0, this) make windows."""
PIXELS = 250_000
"""About so many of random images are seen, but 4 to 48 images."""


def untrained(name: str, seed: int) -> nn.Module:
    """The network ``name`` of `NETWORKS` with random parameters that follow from ``seed`` >= 0, baked, in eval mode.

    Raises ValueError for an unknown name or a negative seed.
    """
    row, rng = network(name), np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = row.build()
    count = max(4, min(48, PIXELS // int(np.prod(row.input_shape))))
    return randomise(net, random_images(row.input_shape, count, rng), rng)


def random_images(shape: tuple[int, ...], count: int, rng: np.random.Generator) -> np.ndarray:
    """uint8 (count, *shape), of very different brightness and contrast; ``shape`` (channels, height, width)."""
    mean, contrast = rng.integers(20, 236, (count, shape[0], 1, 1)), rng.integers(5, 120, (count, 1, 1, 1))
    return np.clip(mean + contrast * rng.normal(size=(count, *shape)), 0, 255).astype(np.uint8)


def randomise(
    net: nn.Module, images: np.ndarray, rng: np.random.Generator, wild: bool = False, whole_means: bool = False
) -> nn.Module:
    """Draw all parameters of ``net`` in place and return it baked, in eval mode; see the module's docstring.

    ``images`` uint8 (N, C, H, W) are what statistics come from. ``wild``: also what no training would choose, scales
    and slopes of 0 and far betas, which make constants. ``whole_means``: running means are integers, so that normalised
    values are exactly 0 where rounding decides.
    """
    hooks = [
        part.register_forward_pre_hook(partial(_draw, rng=rng, wild=wild, whole=whole_means)) for part in _parts(net)
    ]
    try:
        with torch.no_grad():
            net.eval()(torch.from_numpy(images).float())
    finally:
        for hook in hooks:
            hook.remove()
    return bake(net)


def _parts(module: nn.Module) -> Iterator[nn.Module]:
    """Every module that has parameters or statistics of its own."""
    if isinstance(module, WHOLE):
        yield module
        return
    if hasattr(module, "running_mean") or any(True for _ in module.parameters(recurse=False)):
        yield module
    for child in module.children():
        yield from _parts(child)


def _moments(x: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of each channel of (N, C, ...), float64."""
    values, axes = x.numpy().astype(np.float64), tuple(axis for axis in range(x.dim()) if axis != 1)
    mean = values.mean(axes)
    return mean, np.maximum((values**2).mean(axes) - mean**2, 0)


def _draw(module: nn.Module, inputs: tuple[Tensor], rng: np.random.Generator, wild: bool, whole: bool) -> None:
    """Parameters of ``module``, which is about to read ``inputs``."""
    mean, var = _moments(inputs[0])
    n, std = len(mean), var**0.5

    def scale() -> np.ndarray:
        return rng.normal(size=n) * (rng.choice([0, 1, 1, 1, 1, 1], n) if wild else 1)

    _put(getattr(module, "running_mean", None), np.rint(mean) if whole else mean)
    _put(getattr(module, "running_var", None), var)
    match module:
        case nn.BatchNorm1d() | nn.BatchNorm2d():
            _put(module.weight, scale())
            _put(module.bias, rng.normal(size=n) * (rng.choice([0, 0.3, 0.3, 3], n) if wild else 0.3))
        case ABN():
            _put(module.gamma, scale())
            _put(module.beta, np.where(rng.random(n) < 0.7, rng.uniform(0, DEEPEST, n), rng.normal(size=n)))
        case Gain():
            _put(module.gain, rng.normal(size=n) + 0.1)
        case LearnableBias():
            _put(module.bias, 0.3 * rng.normal(size=n) * std - mean)
        case RPReLU():
            _put(module.before.bias, 0.3 * rng.normal(size=n) * std - mean)
            _put(module.slope, scale())
            _put(module.after.bias, rng.choice([-1, -1, 1], n) * np.abs(rng.normal(size=n)) * std / 2)
        case StaticShift():
            _put(module.shift, rng.normal(size=n))
        case ASD():
            for layer in (module.squeeze, module.excite):
                _put(layer.weight, rng.normal(size=layer.weight.shape) * rng.choice([0.3, 1, 3]))
            w = module.squeeze.weight.numpy()
            _put(module.squeeze.weight, np.where(w @ _moments(module.clip(inputs[0]))[0] < 0, -1, 1)[:, None] * w)
        case qnn.QuantConv2d() | qnn.QuantLinear():
            for values in module.parameters():  # latent weights, shares of their means, biases
                fan_in = values[0].numel() if values.dim() > 1 else 1
                _put(values, rng.normal(size=values.shape) / fan_in**0.5)
        case _:
            for values in module.parameters(recurse=False):
                _put(values, rng.normal(size=values.shape))


def _put(tensor: Tensor | None, values: np.ndarray) -> None:
    if tensor is not None:
        with torch.no_grad():
            tensor.copy_(torch.from_numpy(np.asarray(values, dtype=np.float32)).reshape(tensor.shape))
