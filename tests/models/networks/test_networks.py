"""Structure of the networks: layer widths, weight bits, integer logits."""

import pytest
import torch
from torch import nn

from signflow.models.methods import METHODS
from signflow.models.networks import NETWORKS, cnv, mlp, network, predict
from signflow.models.quant import SignQuant
from signflow.models.weights import binary_parameters

# weight bits by hand: sum of fan-in times width
BITS = {
    "tfc": 784 * 64 + 2 * 64 * 64 + 64 * 10,
    "sfc": 784 * 256 + 2 * 256 * 256 + 256 * 10,
    "lfc": 784 * 1024 + 2 * 1024 * 1024 + 1024 * 10,
    "cnv": 9 * (1 * 64 + 64 * 64 + 64 * 128 + 128 * 128 + 128 * 256 + 256 * 256) + 256 * 512 + 512 * 512 + 512 * 10,
    "cnv-cifar": 1_542_848,  # published for FINN's CNV
}


CHAINS = [name for name in NETWORKS if name.removesuffix("-cifar").partition("-")[0] in ("tfc", "sfc", "cnv")]


@pytest.mark.parametrize("name", BITS)
def test_weight_bits(name):
    net = NETWORKS[name].build()
    assert sum(net.get_parameter(p).numel() for p in binary_parameters(net)) == BITS[name]


@pytest.mark.parametrize("base", ["tfc", "cnv-s"])
@pytest.mark.parametrize("name", METHODS)
def test_every_method_has_the_same_binary_layers(base, name):
    count = [
        [m.weight.shape for m in NETWORKS[n].build().modules() if hasattr(m, "weight_quant") and binary(m)]
        for n in (base, base if name == "bn" else f"{base}-{name}")
    ]
    assert count[0] == count[1]


def binary(module: nn.Module) -> bool:
    return isinstance(getattr(module.weight_quant, "tensor_quant", None), SignQuant)


@pytest.mark.parametrize("name", CHAINS)
def test_logits_are_integers_times_a_power_of_two(name):
    torch.manual_seed(0)
    net = NETWORKS[name].build()
    images = torch.randint(0, 256, (4, *NETWORKS[name].input_shape), dtype=torch.uint8)
    logits = predict(net, images)
    scaled = logits / 2.0 ** net[-1].exponent
    assert logits.shape == (4, 10)
    assert torch.equal(scaled, scaled.round())


def test_float_parameters_exist_only_in_front_of_a_sign():
    for net in (mlp(64), cnv(1)):
        binary = set(binary_parameters(net))
        for name, module in net.named_children():
            own = {f"{name}.{p}" for p, _ in module.named_parameters()} - binary
            assert not own or isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)


def test_unknown_network_names_the_nearest_one_and_the_list():
    for name, near in (("tfd", "tfc"), ("sd-resnet21", "sd-resnet20")):
        with pytest.raises(ValueError, match=rf"{name}.*did you mean {near}\?\); `signflow networks` lists them"):
            network(name)
    with pytest.raises(ValueError, match=r"unknown network 'qqq'; `signflow networks` lists them"):
        network("qqq")
