"""Thresholds by enumeration = thresholds by FINN's own streamlining, channel by channel; where they differ, why.

FINN folds batch normalisation algebraically, in floats: A = gamma / sqrt(var + eps), B = beta - A mean, threshold
-B / A, rounded up to an integer. Where the exact point of change lies on an integer, that quotient may land an ulp
above it, and the threshold one accumulator too high. The enumeration asks the reference at every accumulator instead. A
channel with gamma = 0 has no such quotient at all: `test_finn_bugs.test_channel_that_ignores_its_input`.
"""

from dataclasses import dataclass
from decimal import Decimal, getcontext

import numpy as np
import pytest
import torch

from signflow.deploy.compile import export, streamline
from signflow.deploy.golden.thresholds import rules
from signflow.models.networks import network
from signflow.models.weights import trained

getcontext().prec = 60
PRODUCTS = ("MatMul", "XnorPopcountMatMul")


@dataclass
class Signs:
    """One layer of signs: +1 where n * weights >= threshold, n and thresholds in sums of +-1."""

    weights: np.ndarray
    """+-1 (inputs, channels), or integers of the first layer."""
    threshold: np.ndarray
    """float64 (channels,)"""
    reach: np.ndarray
    """int64: every sum that can occur."""

    def decisions(self, sums: np.ndarray) -> np.ndarray:
        """bool (sums, channels)."""
        return sums >= self.threshold


def finn(model):
    """The layers of signs as FINN's passes make them of an exported network."""
    from finn.transformation.qonnx.convert_qonnx_to_finn import ConvertQONNXtoFINN
    from finn.transformation.streamline import Streamline, absorb, reorder
    from finn.transformation.streamline.round_thresholds import RoundAndClipThresholds
    from qonnx.transformation.bipolar_to_xnor import ConvertBipolarMatMulToXnorPopcount
    from qonnx.transformation.infer_datatypes import InferDataTypes
    from qonnx.transformation.lower_convs_to_matmul import LowerConvsToMatMul

    transpose, convolutions = absorb.AbsorbTransposeIntoMultiThreshold, []
    if "Conv" in [node.op_type for node in model.graph.node]:
        convolutions = [LowerConvsToMatMul(), transpose(), reorder.MakeMaxPoolNHWC(), transpose()]
    for step in (ConvertQONNXtoFINN(), Streamline(), *convolutions, ConvertBipolarMatMulToXnorPopcount(), Streamline(),
                 InferDataTypes(), RoundAndClipThresholds()):  # fmt: skip
        model = model.transform(step)
    layers = []
    for node in model.graph.node:
        if node.op_type in PRODUCTS:
            weights, popcount = model.get_initializer(node.input[1]), node.op_type != "MatMul"
            between = []
        elif node.op_type == "MultiThreshold" and model.find_producer(node.input[0]).op_type != "Reshape":
            threshold = model.get_initializer(node.input[1])[:, 0].astype(np.float64)
            raw = popcount and "Add" not in between  # FINN leaves 2 p - K and floats in front of a pool
            layers.append(
                (weights * 2 - 1 if popcount else weights, 2 * threshold - len(weights) if raw else threshold)
            )
        elif layers or node.op_type in ("Mul", "Add"):
            between.append(node.op_type)
    return layers


def ours(model):
    """The same from the enumeration."""
    integer, layers = streamline.streamline(model, keep_constants=True), []
    for rule in rules(integer):
        if rule.sign is None:
            continue
        assert not rule.complement and not rule.windows.any()
        product = integer.find_producer(rule.sums)
        weights, threshold = integer.get_initializer(product.input[1]), rule.thresholds[:, -1].astype(np.float64)
        if product.op_type == "XnorPopcountMatMul":
            fan_in = len(weights)
            layers.append(Signs(weights * 2 - 1, 2 * threshold - fan_in, np.arange(-fan_in, fan_in + 1, 2)))
        else:
            most = int(max(np.abs(rule.low).max(), np.abs(rule.high).max()))
            layers.append(Signs(weights, threshold, np.arange(-most, most + 1)))
    return layers


def directions(weights: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """int (channels,): +1 where both have the same column of weights, -1 where one is negated."""
    found = np.sign((weights * theirs).sum(axis=0)).astype(int)
    assert (theirs == weights * found).all()
    return found


def differences(mine: list[Signs], theirs: list) -> list[tuple[int, int, int]]:
    """(layer, channel, n) wherever the decisions differ; n belongs to our weights."""
    found = []
    assert len(mine) == len(theirs) > 0
    for layer, (one, (weights, threshold)) in enumerate(zip(mine, theirs, strict=True)):
        n = one.reach[:, None]
        wrong = one.decisions(n) != (directions(one.weights, weights) * n >= threshold)
        found += [(layer, int(c), int(one.reach[row])) for row, c in np.argwhere(wrong)]
    return found


def norms_of(net):
    return [module for module in net.modules() if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d)]


def exact(norm, channel: int, n: int) -> Decimal:
    """Batch normalisation of n from the parameters' exact values, 60 digits."""
    gamma, beta, mean, var = (Decimal(float(p[channel])) for p in (norm.weight, norm.bias, norm.running_mean,
                                                                 norm.running_var))  # fmt: skip
    return gamma * (Decimal(n) - mean) / (var + Decimal(norm.eps)).sqrt() + beta


def pytorch(norm, n: np.ndarray) -> np.ndarray:
    """bool (values, channels): PyTorch's signs of accumulators ``n`` (values, channels)."""
    x = torch.from_numpy(np.ascontiguousarray(n, dtype=np.float32))
    with torch.no_grad():
        return (norm(x if isinstance(norm, torch.nn.BatchNorm1d) else x[:, :, None, None]).numpy() >= 0).reshape(
            n.shape
        )


@pytest.mark.parametrize("name", ["tfc", "sfc", pytest.param("cnv", marks=pytest.mark.slow)])
def test_trained_networks_have_finns_thresholds(name):
    """Every decision of every channel on every accumulator that can occur."""
    net = trained(name)
    model = export.export(net, network(name).input_shape)
    mine, theirs = ours(model), finn(model)
    assert differences(mine, theirs) == []
    same = total = 0
    for one, (weights, threshold) in zip(mine, theirs, strict=True):
        alike = directions(one.weights, weights) == 1
        inside = alike & (one.threshold > one.reach[0]) & (one.threshold <= one.reach[-1])
        step = one.reach[1] - one.reach[0]
        rounded = one.reach[0] + step * np.ceil((threshold - one.reach[0]) / step)
        assert (rounded == one.threshold)[inside].all()
        same, total = same + int(inside.sum()), total + len(inside)
    assert same > 0.5 * total, "most channels can be compared threshold by threshold"


def provoke(net) -> None:
    """beta = 0, an even negative mean, and a gamma of which the float32 quotient A mean / A lies above the mean."""
    fan_ins = [module.in_features for module in net.modules() if hasattr(module, "in_features")]
    gammas = np.random.default_rng(0).uniform(0.5, 1.5, 2000).astype(np.float32)
    for norm, fan_in in zip(norms_of(net), fan_ins, strict=False):
        mean = np.float32(-2 * round(0.32 * fan_in))
        norm.running_mean[:], norm.bias.data[:] = float(mean), 0
        for channel, var in enumerate(norm.running_var.numpy()):
            scale = gammas / np.sqrt(var + np.float32(norm.eps))
            norm.weight.data[channel] = float(gammas[np.argmax((scale * mean) / scale > mean)])


def test_differences_on_integer_means_are_finns_rounding(own_network):
    """Exact points of change on integers: where channels differ, it is at the one accumulator at which the exact value
    is 0. There the enumeration is what PyTorch computes, and FINN's threshold is one accumulator too high.
    """
    net, shape = own_network("tfc")
    provoke(net)
    model = export.export(net, shape)
    mine, theirs = ours(model), finn(model)
    norms, found = norms_of(net), differences(mine, theirs)
    for one, norm in zip(mine, norms, strict=True):
        n = np.broadcast_to(one.reach[:, None], (len(one.reach), len(one.threshold)))
        assert (one.decisions(n) == pytorch(norm, n)).all(), "ours is PyTorch everywhere"
    assert found, "FINN's quotient lands on the integer in every channel"
    assert len({(layer, channel) for layer, channel, _ in found}) == len(found)
    for layer, channel, n in found:
        norm, (_, threshold) = norms[layer], theirs[layer]
        assert n == float(norm.running_mean[channel]) and exact(norm, channel, n) == 0
        says = pytorch(norm, np.full((1, len(threshold)), n))[0, channel]
        assert says and mine[layer].threshold[channel] == n and threshold[channel] == n + 2
