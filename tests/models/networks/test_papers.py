"""The papers' networks: counts and schedules by hand, initialisations, gradients, packing."""

from functools import cache

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from signflow.models import weights
from signflow.models.layers.abn import ABN
from signflow.models.layers.asd import ASD
from signflow.models.layers.factor import Factor, PowerOfTwo
from signflow.models.layers.standardise import Gain
from signflow.models.layers.stream import step_of
from signflow.models.methods import METHODS, Method
from signflow.models.networks import (
    BASELINES,
    BORDERS,
    CHAINS,
    NARROW,
    NETWORKS,
    PAPERS,
    PROPOSED,
    STREAMS,
    network,
    predict,
)
from signflow.models.networks.reactnet import Builder, reactnet18, reactnet_a
from signflow.models.networks.resnet import abn_resnet18, sd_resnet18, sd_resnet18_imagenet, sd_resnet20
from signflow.models.networks.vgg import binarynet, vgg_small
from signflow.models.quant import SignQuant

CONVS_18 = 9 * (
    4 * 64 * 64 + 64 * 128 + 3 * 128 * 128 + 128 * 256 + 3 * 256 * 256 + 256 * 512 + 3 * 512 * 512
)  # 3x3 convolutions of a ResNet-18 in four stages
ONES_18 = 64 * 128 + 128 * 256 + 256 * 512  # its 1x1 shortcuts
MAPS_18 = 4 * (64 + 128 + 256 + 512)  # output channels of the 3x3 convolutions, summed
ABN_80 = 9 * (4 * 80**2 + 80 * 160 + 3 * 160**2 + 160 * 320 + 3 * 320**2) + 80 * 160 + 160 * 320
VGG_3 = 9 * (384 * 384 + 384 * 768 + 768 * 768 + 768 * 1536 + 1536 * 512)
VGG_1 = 9 * (128 * 128 + 128 * 256 + 256 * 256 + 256 * 512 + 512 * 512)
REACT_A = 11 * (32**2 + 64**2 + 128**2 + 256**2 + 512**2) + 10 * (128**2 + 256**2 + 5 * 512**2 + 1024**2)
ASD_20 = 2 * (7 * 16 * 1 + 6 * 32 * 2 + 5 * 64 * 4)
ASD_VGG = 2 * (2 * 128 * 8 + 2 * 256 * 16 + 512 * 32)
# reads 64 (5 times), 128 (4), 256 (4), 512 (3), with C / r hidden units
ASD_18 = {r: 2 * (5 * 64 * 64 + 4 * 128 * 128 + 4 * 256 * 256 + 3 * 512 * 512) // r for r in (8, 16)}

BITS = {
    "abn-binarynet": VGG_3 + 8192 * 1024 + 1024 * 1024,
    "abn-binarynet-w1": VGG_1 + 8192 * 1024 + 1024 * 1024,
    "abn-binarynet-tiny": VGG_3 + 32768 * 1024 + 1024 * 1024,
    "abn-resnet18": ABN_80,
    "abn-resnet18-tiny": ABN_80,
    "sd-vgg-small": VGG_1,
    "sd-resnet20": 9 * (6 * 16**2 + 16 * 32 + 5 * 32**2 + 32 * 64 + 5 * 64**2),
    "sd-resnet18": CONVS_18,
    "sd-resnet18-imagenet": CONVS_18,
    "reactnet18": CONVS_18 + ONES_18,
    "reactnet-a": REACT_A,
}

# everything else that is learned: first layer, normalisations (BN 2C, ABN C), shifts, biases and slopes, last layer
OTHERS = {
    "abn-binarynet": 27 * 384 + (2 * 384 + 2 * 768 + 1536 + 512) + 2 * 2 * 1024 + 10240,
    "abn-binarynet-w1": 27 * 128 + (2 * 128 + 2 * 256 + 512 + 512) + 2 * 2 * 1024 + 10240,
    "abn-binarynet-tiny": 27 * 384 + (2 * 384 + 2 * 768 + 1536 + 512) + 2 * 2 * 1024 + 204_800,
    "abn-resnet18": 27 * 80 + (80 + 4 * 80 + 5 * 160 + 4 * 320) + 2 * 320 + 3200 + 10 + 20,
    "abn-resnet18-tiny": 27 * 80 + (80 + 4 * 80 + 5 * 160 + 4 * 320) + 2 * 1280 + 256_000 + 200 + 400,
    "sd-vgg-small": 27 * 128 + 2 * 1792 + 128 + 1536 + ASD_VGG + 81_920 + 10,
    "sd-resnet20": 27 * 16 + 2 * 16 + 3 * 6 * (16 + 32 + 64) + ASD_20 + 2 * 64 + 640 + 10,
    "sd-resnet18": 27 * 64 + 2 * 64 + 3 * MAPS_18 + ONES_18 + 2 * 896 + ASD_18[16] + 2 * 512 + 5120 + 10,
    "sd-resnet18-imagenet": 147 * 64 + 2 * 64 + 4 * MAPS_18 + ONES_18 + 2 * 896 + ASD_18[8] + 512_000 + 1000,
    # gain, b1, slope, b2 of every output; b0 of every input; gains of the first layer and the shortcuts
    "reactnet18": 27 * 64 + 64 + 5 * MAPS_18 + (64 - 512) + 896 + 5120 + 10,
    # the 3x3 and the 1x1 branches read 4960 channels in sum, the 1x1 ones give 5952
    "reactnet-a": 27 * 32 + 32 + 5 * 4960 + 4960 + 4 * 5952 + 1_024_000 + 1000,
}

W = 0.125
SMALL = {  # the same networks, narrow
    "binarynet": (lambda **o: binarynet(width=1 / 16, features=16, hidden=32, **o), 32),
    "vgg-small": (lambda **o: vgg_small(width=W, **o), 32),
    "abn-resnet18": (lambda **o: abn_resnet18(width=0.1, **o), 32),
    "resnet20": (lambda **o: sd_resnet20(width=0.5, **o), 32),
    "sd-resnet18": (lambda **o: sd_resnet18(width=W, **o), 32),
    "bireal": (lambda **o: sd_resnet18_imagenet(10, width=W, **o), 64),
    "reactnet18": (lambda **o: reactnet18(width=W, **o), 32),
    "reactnet-a": (lambda **o: reactnet_a(10, width=W, stream_bits=8, **o), 64),  # 2x2 pixels at the end: fine steps
}


@cache
def full(name: str) -> nn.Module:
    """A network of the table without memory for its parameters."""
    with torch.device("meta"):
        return network(name).build()


@cache
def small(name: str) -> tuple[nn.Module, Tensor]:
    """A narrow network after one step that moves every parameter and statistic; its gradients are those of the step."""
    torch.manual_seed(0)
    build, size = SMALL[name]
    net, x = build(), torch.randint(0, 256, (8, 3, size, size), dtype=torch.uint8)
    optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
    net.train()
    F.cross_entropy(net(x.float()), torch.arange(8)).backward()
    optimiser.step()
    return net, x


def binary_layers(net: nn.Module) -> list[nn.Module]:
    return [
        m
        for m in net.modules()
        if hasattr(m, "weight_quant") and isinstance(getattr(m.weight_quant, "tensor_quant", None), SignQuant)
    ]


@pytest.mark.parametrize("name", BITS)
def test_binary_weight_bits_and_all_other_parameters(name):
    net = full(name)
    bits = sum(m.weight.numel() for m in binary_layers(net))
    assert bits == BITS[name]
    assert sum(p.numel() for p in net.parameters()) - bits == OTHERS[name]


def test_published_counts():
    assert round(VGG_3 / 1e6, 1) == 27.0
    assert round(VGG_1 / 1e6, 1) == 4.6
    assert round(ABN_80 / 1e6, 2) == 4.33
    for name, extra in (("sd-resnet20", 3552), ("sd-vgg-small", 53_248)):
        branches = [m for m in full(name).modules() if isinstance(m, ASD)]
        assert sum(p.numel() for m in branches for p in m.parameters()) == extra


def test_attention_of_16_channels_has_one_hidden_unit():
    hidden = [m.squeeze.out_features for m in full("sd-resnet20").modules() if isinstance(m, ASD)]
    assert hidden == 7 * [1] + 6 * [2] + 5 * [4]


def test_every_row_of_the_table_has_its_own_data_set_and_classes():
    sizes = {"cifar10": (32, 10), "cifar100": (32, 100), "tiny-imagenet": (64, 200), "imagenet": (224, 1000)}
    for row in PAPERS.values():
        assert row.input_shape == (3, sizes[row.dataset][0], sizes[row.dataset][0])
    for name in ("abn-binarynet-tiny", "abn-resnet18-tiny", "sd-resnet18-imagenet", "reactnet-a", "reactnet18"):
        last = [m for m in full(name).modules() if isinstance(m, nn.Linear)][-1]
        assert last.out_features == sizes[PAPERS[name].dataset][1]


BETAS_18 = (1, 1, 0.980581, 0.962250, *(0.944911, 1, 0.980581, 0.962250) * 3)
BETAS_A = (
    *(1, 0.980581, 0.962250, 0.944911, 1, 0.980581, 0.962250, 0.944911, 1, 0.980581, 0.962250, 0.944911),
    *(1, 0.980581, 0.962250, 0.944911, 0.928477, 0.912871, 0.898027, 0.883883, 0.870388, 0.857493),
    *(0.845154, 0.833333, 1, 0.980581),
)


@pytest.mark.parametrize(("name", "betas"), [("reactnet18", BETAS_18), ("reactnet-a", BETAS_A)])
def test_betas_are_the_published_ones(name, betas):
    factors = [f for _, f in sorted(_first_factors(full(name)).items())]
    assert factors == pytest.approx(betas, abs=5e-7)
    assert all(f.factor == 0.2 for f in full(name).modules() if isinstance(f, Factor) and f.factor < 0.5)


def _first_factors(net: nn.Module) -> dict[int, float]:
    """beta of every block: the first `Factor` of its branch."""
    return {i: next(m for m in block.modules() if isinstance(m, Factor)).factor for i, block in enumerate(net.blocks)}


def test_batch_norm_and_bare_variants_have_no_factors():
    for name in ("bn", "magnitude"):
        block = Builder(METHODS[name], -1.0, 8).block(4, 8, 3, 2, 0.9)
        assert not [m for m in block.modules() if isinstance(m, Factor)]
    with pytest.raises(ValueError, match=r"'bf'; known methods: bn, abn, bnfree"):
        reactnet18(normalisation="bf")


@pytest.mark.parametrize("normalisation", ["scale", "abn", "bnfree", "sd"])
@pytest.mark.parametrize("name", SMALL)
def test_every_network_takes_every_kind_of_normalisation(name, normalisation):
    """One that needs the layer, one with statistics, one with weights and an activation, one that moves the sign."""
    torch.manual_seed(0)
    build, size = SMALL[name]
    net, x = build(normalisation=normalisation), torch.randint(0, 256, (4, 3, size, size)).float()
    F.cross_entropy(net(x), torch.arange(4)).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
    kinds = {"scale": PowerOfTwo, "abn": ABN, "bnfree": Gain, "sd": ASD}
    assert [n for n, kind in kinds.items() if any(isinstance(m, kind) for m in net.modules())] == [normalisation]


class Centre(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean((0, 2, 3), keepdim=True)


@pytest.mark.parametrize("name", SMALL)
def test_a_new_line_of_the_table_reaches_every_network(name, monkeypatch):
    monkeypatch.setitem(METHODS, "centre", Method("centred", lambda layer, channels, spatial: [Centre()]))
    build = SMALL[name][0]
    found, bn = ([type(m) for m in build(normalisation=n).modules()] for n in ("centre", "bn"))
    assert found.count(Centre) == bn.count(nn.BatchNorm2d) and nn.BatchNorm2d not in found


def test_every_network_has_a_name_in_every_normalisation():
    for base, row in (CHAINS | PROPOSED).items():
        names = {base if m == row.method else f"{base}-{m}": m for m in METHODS}
        for name, normalisation in names.items():
            if name not in BASELINES:  # "none" of the ReActNets is their papers'
                made = NETWORKS[name]
                assert (made.method, made.input_shape, made.dataset) == (normalisation, row.input_shape, row.dataset)
    own = {name: PAPERS[name].method for name in PAPERS}
    assert own["abn-resnet18"] == "abn" and own["sd-resnet20"] == "sd" and own["reactnet18"] == "bnfree"
    assert own["bn-binarynet"] == "bn" and own["reactnet-a-none"] == "magnitude"
    assert own["reactnet18-bn"] == own["reactnet-a-bn"] == "bn-magnitude"


@pytest.mark.parametrize("name", NARROW)
def test_narrow_networks_begin_with_16_channels_and_fit_a_small_chip(name):
    convs = [m for m in full(name).modules() if isinstance(m, nn.Conv2d)]
    assert (convs[0].in_channels, convs[0].out_channels) == (1, 16)
    weights8 = sum(
        m.weight.numel() for m in (convs[0], [m for m in full(name).modules() if isinstance(m, nn.Linear)][-1])
    )
    bits = sum(m.weight.numel() for m in binary_layers(full(name)))
    assert bits + 8 * weights8 < 4.9e6 / 4
    assert (NARROW[name].input_shape, NARROW[name].dataset) == ((1, 32, 32), "fashion-mnist")


def test_streams_of_other_bits():
    for name in STREAMS:
        base, _, bits = name.rpartition("-")
        want = None if bits == "float" else int(bits.removesuffix("bit"))
        assert NARROW[base].option("stream_bits") != want
        found = {step_of(block.activation) for block in full(name).blocks if step_of(block.activation)}
        limit = 4.0 if "reactnet" in name else 1.0
        assert found == (set() if want is None else {limit * 2.0 ** (1 - want)})
    assert len(STREAMS) == 3 * 5


def test_borders():
    def borders(name):
        return {m.value for m in full(name).modules() if isinstance(m, nn.ConstantPad2d)}

    assert all(borders(name) == {0.0} for name in PAPERS)
    assert all(borders(name) == {-1.0} for name in BORDERS)


@pytest.mark.parametrize("name", SMALL)
def test_shape_and_gradients(name):
    net, x = small(name)
    assert predict(net, x).shape == (8, 10)
    missing = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert not missing
    still = [n for n, p in net.named_parameters() if not p.grad.any()]
    assert not [n for n in still if "squeeze" not in n and "excite" not in n], still  # a ReLU may be shut
    assert len(still) < len(list(net.parameters())) / 10


@pytest.mark.parametrize("name", ["binarynet", "abn-resnet18", "vgg-small", "reactnet18"])
def test_packed_weights_give_the_same_logits(name, tmp_path):
    net, x = small(name)
    want = predict(net, x)
    weights.save(net, tmp_path / "net.npz")
    again = weights.load_into(SMALL[name][0](), tmp_path / "net.npz")
    assert torch.equal(predict(again, x), want)
