"""One block of each of the papers' networks against plain functional arithmetic in float64."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from signflow.models.layers.asd import ASD
from signflow.models.layers.ends import Dense8, Pixels
from signflow.models.methods import METHODS
from signflow.models.networks.reactnet import Builder
from signflow.models.networks.resnet import abn_resnet18, sd_resnet18, sd_resnet18_imagenet, sd_resnet20


def signs(x: Tensor) -> Tensor:
    return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)


def grid(x: Tensor, bits: int | None, limit: float) -> Tensor:
    """Rounded to multiples of 2^(1 - bits) limit inside [-limit, limit)."""
    if bits is None:
        return x
    step = limit * 2.0 ** (1 - bits)
    return (x / step).round().clamp(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) * step


def channels(v: Tensor) -> Tensor:
    return v.detach().double().view(1, -1, 1, 1)


def normalised(m: nn.Module, x: Tensor) -> Tensor:
    return (x - channels(m.running_mean)) / (channels(m.running_var) + 1e-5).sqrt()


def randomise(module: nn.Module, seed: int = 1) -> nn.Module:
    """A value of its own for every bias, slope, gain and statistic."""
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in [p for n, p in module.named_parameters() if "weight" not in n or p.dim() == 1]:
            p.copy_(torch.randn(p.shape, generator=rng) * 0.3 + 0.2)
        for n, b in module.named_buffers():
            if n.endswith("running_mean"):
                b.copy_(torch.randn(b.shape, generator=rng) * 5)
            elif n.endswith("running_var"):
                b.copy_(torch.rand(b.shape, generator=rng) * 60 + 20)
    return module.eval()


def conv_of(module: nn.Module, kernel: int) -> nn.Module:
    return next(m for m in module.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (kernel, kernel))


def stream_of(shape: tuple[int, ...], bits: int | None, limit: float) -> Tensor:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return grid(x, bits, limit).float().double() if bits else x.float().double()


def close(got: Tensor, want: Tensor, step: float) -> None:
    """Equal up to float32 rounding; on a grid no more than one value in a thousand may fall to the next step."""
    off = (got.double() - want).abs() > 2e-5
    assert off.double().mean() < 1e-3
    assert (got.double() - want).abs().max() <= step + 2e-5
    assert want.std() > 0.1


def bf_weight(gain: nn.Module, conv: nn.Module) -> Tensor:
    """gain_o kappa_o sign(w^_o) as one real weight, from the latent one."""
    w = conv.parametrizations.weight.original.detach().double()
    n = w[0].numel()
    w = w.flatten(1)
    standard = (w - w.mean(1, keepdim=True)) / (w.std(1, correction=0, keepdim=True) + 1e-5) / math.sqrt(n)
    scale = gain.gain.detach().double().flatten() * standard.abs().mean(1)
    return (signs(standard) * scale[:, None]).view_as(conv.weight)


def rprelu(m: nn.Module, x: Tensor) -> Tensor:
    x = x + channels(m.before.bias)
    return torch.where(x >= 0, x, channels(m.slope) * x) + channels(m.after.bias)


@pytest.mark.parametrize("bits", [None, 8])
@pytest.mark.parametrize(("out", "stride", "pad"), [(6, 1, -1.0), (12, 2, -1.0), (6, 2, 0.0)])
def test_bnfree_block(out, stride, pad, bits):
    beta = 0.944911
    block = randomise(Builder(METHODS["bnfree"], pad, bits).block(6, out, 3, stride, beta))
    x = stream_of((4, 6, 8, 8), bits, 4.0)
    bias, gains = block.branch[1], [m for m in block.modules() if type(m).__name__ == "Gain"]
    border = F.pad(signs(beta * x + channels(bias.bias)), (1, 1, 1, 1), value=pad)
    y = 0.2 * F.conv2d(border, bf_weight(gains[0], conv_of(block, 3)), stride=stride)
    residual = x
    if stride == 2:
        residual = F.avg_pool2d(beta * x, 2)
        if out != 6:
            residual = F.conv2d(residual, bf_weight(gains[1], conv_of(block, 1)))
        residual = grid(residual, bits, 4.0)
    want = grid(rprelu(block.activation[0], grid(y, bits, 4.0) + residual), bits, 4.0)
    close(block(x.float()), want, 0 if bits is None else 3 * 4.0 / 128)


def test_bnfree_doubling():
    part = randomise(Builder(METHODS["bnfree"], -1.0, None).doubling(6, 0.8))
    x = stream_of((4, 6, 5, 5), None, 4.0)
    double = part[0]
    s = signs(0.8 * x + channels(double.signs[1].bias))
    halves = [
        0.2 * F.conv2d(s, bf_weight(half[1], half[0])) + x
        for half in (double.first, double.second)  # each half: convolution, gain, alpha
    ]
    close(part(x.float()), rprelu(part[1][0], torch.cat(halves, 1)), 0)


@pytest.mark.parametrize("name", ["bn", "magnitude"])
def test_reactnet_block_without_standardisation(name):
    block = randomise(Builder(METHODS[name], -1.0, None).block(6, 6, 3, 1, 0.5))
    conv, norm = block.branch[3], block.branch[4]
    x = stream_of((4, 6, 6, 6), None, 8.0)
    w = conv.weight.detach().double()
    s = F.pad(signs(x + channels(block.branch[0].bias)), (1, 1, 1, 1), value=-1)
    y = F.conv2d(s, signs(w))
    if name == "bn":
        y = channels(norm.weight) * normalised(norm, y) + channels(norm.bias)
    else:
        y = y * channels(w.abs().flatten(1).mean(1))
    close(block(x.float()), rprelu(block.activation[0], y + x), 0)


@pytest.mark.parametrize("index", [0, 2, 5])
def test_abn_block(index):
    """Identity, change of shape, and the last block, which ends with the sum."""
    torch.manual_seed(3)
    block = randomise(abn_resnet18(width=0.1, stream_bits=None, pad_value=0.0).blocks[index])
    convs = [m for m in block.branch if isinstance(m, nn.Conv2d)]
    stride = convs[0].stride[0]
    x = stream_of((2, convs[0].in_channels, 8, 8), None, 1.0)

    def abn(m, v):
        v = normalised(m, v)
        return v * torch.sigmoid(v) + channels(m.beta)

    def conv(layer, v, padding=1):
        return F.conv2d(signs(v), signs(layer.weight.detach().double()), padding=padding, stride=layer.stride)

    inner = conv(convs[0], x)
    want = conv(convs[1], F.hardtanh(abn(block.branch[3], inner)))
    want = want + (x if stride == 1 else abn(block.shortcut[2], conv(block.shortcut[1], x, 0)))
    if index < 5:
        want = F.hardtanh(abn(block.activation[0], want))
    close(block(x.float()), want, 0)


def shifted(m: ASD, x: Tensor) -> Tensor:
    return m(x.float()).double()  # its arithmetic is tested with its own layer


def sd_layer(asd: ASD, conv: nn.Module, bn: nn.Module, x: Tensor, pad: float) -> Tensor:
    latent = conv.parametrizations.weight
    w = latent.original.detach().double()
    alpha = latent[0].alpha.detach().double()
    w = w + (torch.sigmoid(alpha) * 0.01 * w.flatten(1).mean(1)).view(-1, 1, 1, 1)
    y = F.conv2d(F.pad(shifted(asd, x), (1, 1, 1, 1), value=pad), signs(w), stride=conv.stride)
    return channels(bn.weight) * normalised(bn, y) + channels(bn.bias)


@pytest.mark.parametrize("pad", [0.0, -1.0, 1.0])
@pytest.mark.parametrize("bits", [None, 8])
def test_sd_blocks_with_one_convolution(bits, pad):
    """ResNet-20's identity and option A."""
    torch.manual_seed(4)
    blocks = sd_resnet20(width=0.5, stream_bits=bits, pad_value=pad).blocks
    for block, stride in ((blocks[0], 1), (blocks[6], 2)):
        randomise(block)
        x = F.hardtanh(stream_of((2, 8, 8, 8), bits, 1.0))
        y = sd_layer(block.branch[0], block.branch[2], block.branch[3], x, pad)
        shortcut = x
        if stride == 2:
            shortcut = torch.zeros_like(y)
            shortcut[:, 4:12] = x[:, :, ::2, ::2]
        y = grid(y, None if bits is None else 9, 2.0) + shortcut
        close(block(x.float()), F.hardtanh(y) if bits is None else grid(y, 8, 1.0), 0 if bits is None else 2 / 128)


def test_one_more_bit_of_a_branch_loses_nothing():
    """Hardtanh of a sum, on the grid: clipping the branch to twice the range first changes no value."""
    steps = torch.arange(-600, 600).double() / 128
    stream = torch.arange(-128, 128).double() / 128
    total = steps[:, None] + stream
    clipped = grid(steps, 9, 2.0)[:, None] + stream
    assert torch.equal(grid(clipped, 8, 1.0), grid(total, 8, 1.0))


@pytest.mark.parametrize("name", ["sd-resnet18", "bireal"])
def test_real_shortcuts(name):
    """Shape changes with a convolution of 8-bit weights: BN(conv(x)) or BN(conv(AvgPool2(x)))."""
    torch.manual_seed(5)
    net = (sd_resnet18 if name == "sd-resnet18" else sd_resnet18_imagenet)(width=0.125, stream_bits=None)
    block = randomise(net.blocks[2 if name == "sd-resnet18" else 4])
    conv, bn = conv_of(block.shortcut, 1), next(m for m in block.shortcut if isinstance(m, nn.BatchNorm2d))
    w = conv.quant_weight().value.detach().double()
    assert (w - conv.weight.double()).abs().max() <= w.abs().max() / 127  # a rounding
    x = stream_of((2, 8, 8, 8), 8, 1.0)
    read = x[:, :, ::2, ::2] if name == "sd-resnet18" else F.avg_pool2d(x, 2)
    shortcut = channels(bn.weight) * normalised(bn, F.conv2d(read, w)) + channels(bn.bias)
    b = block.branch
    y = sd_layer(b[0], b[2], b[3], x, 0)
    if name == "sd-resnet18":
        y = F.hardtanh(sd_layer(b[4], b[6], b[7], y, 0) + shortcut)
    else:
        z, slope = y + shortcut, channels(block.activation[0].weight)
        y = torch.where(z >= 0, z, slope * z)
    close(block(x.float()), y, 0)


def test_the_last_layer_adds_its_bias_behind_the_complete_sum():
    torch.manual_seed(6)
    layer, x = Dense8(16, 3), torch.randn(5, 16)
    w = layer.quant_weight().value
    assert torch.equal(layer(x), F.linear(x, w) + layer.bias)
    image = torch.arange(256.0).view(1, 1, 16, 16).expand(1, 3, 16, 16)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    want = (image / 255 - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)
    torch.testing.assert_close(Pixels("imagenet")(image), want, atol=1e-6, rtol=1e-6)
    assert want.abs().max() < 4


def test_first_layer_of_the_bnfree_net_is_standardised_without_kappa():
    torch.manual_seed(8)
    stem = Builder(METHODS["bnfree"], -1.0, None).stem(8, 3, 1, "cifar10")
    conv, gain = stem[2], stem[3]
    with torch.no_grad():
        gain.gain.mul_(3)
    w = conv.parametrizations.weight.original.detach().flatten(1)
    standard = (w - w.mean(1, keepdim=True)) / (w.std(1, correction=0, keepdim=True) + 1e-5) / math.sqrt(27)
    x = torch.randint(0, 256, (2, 3, 8, 8)).float()
    got = nn.Sequential(*stem)(x)
    want = 3 * F.conv2d(stem[1](stem[0](x)), standard.view_as(conv.weight), padding=1)
    torch.testing.assert_close(got, want, atol=0.3, rtol=0.02)  # 8-bit weights
    assert (got - want).abs().mean() < 0.02 * want.abs().mean()
