"""Batches of networks of dense layers: which one is chosen, that nothing of one image reaches another, refusals."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import signflow
from signflow.deploy import products
from signflow.deploy.compile import lower, streamline
from signflow.deploy.compile.export import export
from signflow.deploy.plan import batch, fit, fold, graph
from signflow.deploy.steps import ACCELERATOR, FOLDED, INTEGER
from signflow.deploy.verify.locate import locate
from signflow.deploy.verify.spread import joined
from signflow.hw.boards import board
from signflow.hw.ops.folding import FoldingError
from signflow.hw.ops.vectors import PIXELS
from signflow.hw.sim import SimResult
from signflow.models.networks.chains import cnv, mlp
from signflow.models.untrained import random_images, randomise

SMALL = replace(board("pynq-z2"), lut=3000, bram18=16, stream_bits=64)


def drawn(net, shape, seed=0):
    """With random parameters."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    return randomise(net, random_images(shape, 16, rng), rng)


def hardware(net, shape):
    return lower.lower(streamline.streamline(export(drawn(net, shape), shape)))


@pytest.fixture(scope="module")
def dense():
    return hardware(mlp(128, pixels=64), (1, 8, 8))


def copied(model):
    return type(model)(type(model.model).FromString(model.model.SerializeToString()))


def test_the_fastest_batch(dense):
    """Where block RAM bounds a network, images that share weights make it faster; alone an image is the quickest."""
    cycles = {}
    for batches in ((1,), (2,), (4,), PIXELS):
        model = copied(dense)
        fit.fold_to_board(model, SMALL, batches=batches)
        count = batch.batch_of(graph.operators(model))
        assert count in batches and fold.interval(model) % count == 0
        assert all(op.pixels() <= count for op in graph.operators(model))
        cycles[batches] = fold.interval(model) // count
    assert cycles[PIXELS] == min(cycles.values()) < cycles[1,]
    assert products.Settings("tfc", prefer="latency").batches == (1,)
    assert products.Settings("tfc", batch=2).batches == (2,)


def test_a_rate_takes_the_first_batch_that_reaches_it(dense):
    def folded(cycles, batches):
        model = copied(dense)
        fit.fold_to_fps(model, SMALL, SMALL.clock_mhz * 1e6 / cycles, batches=batches)
        count = batch.batch_of(graph.operators(model))
        assert fold.interval(model) <= cycles * count
        return count

    cycles = 48
    with pytest.raises(FoldingError):
        while folded(cycles, (1,)):
            cycles -= 1
    assert folded(cycles + 1, PIXELS) == 1 < folded(cycles, PIXELS)


@pytest.mark.parametrize(("count", "images"), [(2, 5), (4, 7)])
def test_every_image_of_a_batch(tmp_path, count, images):
    """The ladder, the driver on the simulated board and each operator alone; the last batch is not whole."""
    folding = {
        "Thresholding_sf_0": {"PE": 4},
        "MVAU_sf_0": {"SIMD": 6, "PE": 4, "Pixels": count},
        "MVAU_sf_1": {"SIMD": 3, "PE": 2, "Pixels": 2},
        "MVAU_sf_2": {"SIMD": 4, "PE": 4, "Pixels": count, "ram_style": "distributed"},
        "MVAU_sf_3": {"SIMD": 4, "PE": 1},
    }
    net = drawn(mlp(16, pixels=36), (1, 6, 6), count)
    acc = signflow.build(net, shape=(1, 6, 6), name="batched", folding=folding, out=tmp_path)
    assert acc.batch == count and acc.folding["MVAU_sf_0"]["Pixels"] == count
    pixels = np.random.default_rng(count).integers(0, 256, (images, 1, 6, 6)).astype(np.uint8)
    acc.verify(pixels, stall_images=images)
    np.testing.assert_array_equal(acc(pixels, backend="board"), acc(pixels))
    cycles = acc.simulate(np.repeat(pixels, 8, axis=0)).cycles
    predicted = {key: cycles["predicted"][key] for key in ("latency", "interval")}
    assert cycles["simulated"] == predicted and predicted["interval"] * count == fold.interval(acc.graph(FOLDED))
    assert locate(acc.graph(INTEGER), acc.graph(FOLDED), acc.work / ACCELERATOR, pixels[0]) is None


def test_the_batch_that_a_folding_is_of(dense):
    """That of most vectors side by side; one vector where nothing is said."""
    for pixels, count in (([], 1), ([None, None], 1), ([None, 2, 4], 4), ([1, 2], 2)):
        values = [{"PE": 1} | ({"Pixels": most} if most else {}) for most in pixels]
        assert batch.batch_for({f"MVAU_sf_{k}": each for k, each in enumerate(values)}, dense) == count


def test_spans_of_a_cluster_keep_the_batch():
    """Images 2 and 3 leave with the second batch: an interval of 6 cycles for 2 images."""
    outputs, first, last = np.zeros((4, 1)), np.array([0, 1, 6, 7]), np.array([10, 11, 16, 17])
    span = SimResult(outputs, first, last, (0,), cycles=18, seconds=1.0, cpu_seconds=1.0, batch=2)
    found = joined((span, span), range(0, 8, 4))
    assert (found.latency, found.interval) == (span.latency, span.interval) == (11, 3)


def test_refusals(dense, tmp_path):
    with pytest.raises(products.FlowError, match="a batch of 3 images: it can be 1, 2, 4"):
        products.Settings("tfc", batch=3)
    model = hardware(cnv(width=1 / 16), (1, 32, 32))
    with pytest.raises(FoldingError, match=r"a batch of 2 images: .* looks at a whole map, and only"):
        fit.fold_to_board(model, board("pynq-z2"), batches=(2,))
    fit.fold_to_board(model, board("pynq-z2"), batches=PIXELS)
    assert batch.batch_of(graph.operators(model)) == 1
    net = drawn(mlp(49, pixels=49), (1, 7, 7))
    layers = {f"MVAU_sf_{k}": {"SIMD": 7, "PE": 7, "Pixels": 2} for k in range(3)}
    folding = {"Thresholding_sf_0": {"PE": 7}, **layers, "MVAU_sf_3": {"SIMD": 49, "PE": 10}}
    with pytest.raises(FoldingError, match=r"MVAU_sf_0 takes 49 cycles for a batch of 2 images, which must be whole"):
        signflow.build(net, shape=(1, 7, 7), folding=folding, out=tmp_path)
