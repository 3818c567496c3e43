"""What is not noted as undecided equals the reference in every order of addition: tried on all inputs and orders."""

import itertools
import json

import numpy as np
import pytest

from signflow.deploy import flow
from signflow.deploy.compile import export, streamline
from signflow.deploy.compile.passes import enumerate_thresholds, truth
from signflow.deploy.compile.passes.head import Head
from signflow.deploy.compile.passes.notes import notes_of
from signflow.deploy.compile.passes.numbers import Numbers
from signflow.deploy.compile.passes.rounding import ROUNDING, grain, sum_error
from signflow.deploy.compile.passes.transitions import Accumulators
from signflow.deploy.golden.intgraph import IntGraph

INPUTS, OUTPUTS = 6, 12
IMAGES = np.array(list(itertools.product([-1, 1], repeat=INPUTS)))


def every_order(terms: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """float32 sums of ``terms`` (images, outputs, inputs) and ``bias`` (outputs,) by every order of the terms, with the
    bias first, last, or added to a sum of the others in pairs: (orders, images, outputs).
    """
    found = []
    for order in itertools.permutations(range(INPUTS)):
        x = terms[:, :, list(order)]
        first, last = np.broadcast_to(bias, x.shape[:2]).copy(), np.zeros(x.shape[:2], dtype=np.float32)
        for i in range(INPUTS):
            first, last = first + x[:, :, i], last + x[:, :, i]
        pairs = x[:, :, 0::2] + x[:, :, 1::2]
        found += [first, last + bias, (pairs[:, :, 0] + pairs[:, :, 1]) + pairs[:, :, 2] + bias]
    return np.stack(found)


@pytest.fixture
def undecided(monkeypatch):
    """Fills with (channel, integer) of all notes."""
    pairs, real = set(), enumerate_thresholds.notes_on

    def notes_on(region, tensor, numbers, found):
        pairs.update(zip(*(column.tolist() for column in found.undecided), strict=True))
        return real(region, tensor, numbers, found)

    monkeypatch.setattr(enumerate_thresholds, "notes_on", notes_on)
    return pairs


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("alike", [False, True])
@pytest.mark.parametrize("turns", [False, True])
def test_every_order_of_addition_decides_alike(chain, tmp_path, undecided, seed, alike, turns):
    """Weights -3..3 times odd scales; switches lie exactly at real sums, and between them."""
    rng = np.random.default_rng(seed)
    integers = rng.integers(-3, 4, (OUTPUTS, INPUTS))
    scale = np.full(OUTPUTS, 0.1) if alike else rng.uniform(0.1, 0.3, OUTPUTS)
    weights = (integers * scale[:, None].astype(np.float32)).astype(np.float32)
    bias = np.zeros(OUTPUTS) if alike else rng.choice([0, 0.1, 0.7], OUTPUTS)
    switch = np.float32(0.6) if alike else (rng.integers(-8, 9, OUTPUTS) / 2 * scale + bias).astype(np.float32)
    c = chain((INPUTS,)).dense(weights, 1.0, bias, stored=True)
    (c.op("Abs") if turns else c).scalar("Sub", switch).sign()
    c.dense(np.diag([1, -1] * (OUTPUTS // 2)), stored=True)
    graph = streamline.streamline(export.load(c.save(tmp_path / "net.onnx"), "bipolar"))

    sums = every_order(IMAGES[:, None] * weights[None], bias.astype(np.float32))
    decisions = np.where((np.abs(sums) if turns else sums) - switch >= 0, 1, -1)
    hardware = IntGraph(graph)(IMAGES) * np.array([1, -1] * (OUTPUTS // 2))
    n = IMAGES @ integers.T
    noted = np.array([[(c, int(v)) in undecided for c, v in enumerate(row)] for row in n])
    assert ((decisions == hardware) | noted).all()
    assert undecided, "some switches lie exactly at a sum"
    assert not noted.all()
    assert len(notes_of(graph)) == 1


@pytest.mark.parametrize("seed", range(4))
def test_no_order_of_addition_leaves_the_recorded_error_of_the_logits(chain, tmp_path, seed):
    """Eight-bit weights times odd scales, which float32 holds as a little more or less, and odd biases."""
    rng = np.random.default_rng(seed)
    integers, scale = rng.integers(-127, 128, (OUTPUTS, INPUTS)), rng.uniform(0.1, 0.3, OUTPUTS)
    integers[:, 0] = 127
    weights = (integers * scale[:, None].astype(np.float32)).astype(np.float32)
    bias = (100 * rng.normal(size=OUTPUTS)).astype(np.float32)
    c = chain((INPUTS,)).dense(weights, 1.0, bias, stored=True)
    graph = streamline.streamline(export.load(c.save(tmp_path / "net.onnx"), "bipolar"))
    head = Head.of(graph)

    logits = every_order(IMAGES[:, None] * weights[None], bias)
    off = np.abs(logits - head(IntGraph(graph)(IMAGES)).astype(np.float64)) / scale
    assert 0 < off.max() <= head.error < 1e-3


def test_errors_are_counted_in_integers():
    """Numbers of -2.5 to 2.5 in steps of 1 / 2 that may be 1 / 4 off, of 0 to -18 that are exact, and one alone."""
    reach = Accumulators(np.array([-7, 0, 5]), np.array([3, 9, 6]), 1)
    scale, offset, error = np.array([0.5, -2.0, 0.0]), np.array([1.0, 0.0, 8.0]), np.array([0.25, 0.0, 1.0])
    numbers = Numbers(reach, scale, offset, error)
    assert numbers.integers_off(0) == 0.5
    assert numbers.integers_off(4) == 0.5 + 4 * ROUNDING * 2.5 / 0.5
    exact = Numbers(reach, scale, offset, np.zeros(3))
    assert exact.integers_off(0) == 0
    assert exact.integers_off(4) == 4 * ROUNDING * 18 / 2


def test_the_error_of_popcounts_is_counted_in_popcounts(chain, tmp_path):
    """A popcount of eight signs is worth two of their sum, which float32 rounds four times at most: the products, the
    bias, and the three nodes of the head.
    """
    scale, bias = 0.3, np.full(2, 0.1)
    c = chain((8,)).dense(np.ones((2, 8)), scale, bias)
    head = Head.of(streamline.streamline(export.load(c.save(tmp_path / "net.onnx"), "bipolar")))
    assert head.accumulators.step == 1 and head.accumulators.high.tolist() == [8, 8]
    one = float(np.float32(scale))
    terms = np.array([[one] * 8 + [0.1]])
    products = sum_error(terms, 0.0)[0]
    assert products / (2 * one) <= head.error <= products / (2 * one) + 3 * 8 * ROUNDING


@pytest.mark.parametrize("bits", [1, 3])
def test_what_is_tried_near_the_switches_is_what_is_tried_everywhere(chain, tmp_path, undecided, monkeypatch, bits):
    """Errors of many steps, pixels of 1/255."""
    rng = np.random.default_rng(bits)
    c = chain((32,)).dense(rng.integers(-127, 128, (6, 32)) * 0.013, stored=True)
    c.batchnorm(rng.normal(size=6), rng.normal(size=6), rng.normal(size=6), rng.random(6) * 50)
    c = c.sign() if bits == 1 else c.quant(0.3, bits)
    file, found = c.dense(np.ones((2, 6))).save(tmp_path / "net.onnx"), []
    for monotone in (truth.rises_or_falls, lambda *_: False):
        monkeypatch.setattr(truth, "rises_or_falls", monotone)
        streamline.streamline(export.load(file, "uint8/255"))
        found.append(undecided.copy())
        undecided.clear()
    assert found[0] == found[1]
    assert len(found[0]) > 5


@pytest.mark.parametrize(
    ("scale", "bias", "switch", "count"),
    [
        (0.5, None, 0.5, 0),
        (0.5, [1.25, -3.0, 0.0], 0.5, 0),
        (0.3, None, 0.5, 0),
        (0.3, None, 0.6, 3),
        (1.0, [0.1, 0.0, 0.0], 0.5, 0),
        (1.0, [0.1, 0.0, 0.0], 2.1, 1),
        (1.0, [0.0, 0.0, 0.0], 2.0, 0),
    ],
)
def test_only_what_is_undecided_is_noted(chain, tmp_path, scale, bias, switch, count):
    """Sums of eight signs: multiples of two. Odd scales alone are no doubt, a switch at a sum is."""
    c = chain((8,)).dense(np.ones((3, 8)), scale, bias).scalar("Sub", switch).sign().dense(np.ones((2, 3)))
    notes = notes_of(streamline.streamline(export.load(c.save(tmp_path / "net.onnx"), "bipolar")))
    assert len(notes) == (count > 0)
    if count:
        assert "Gemm_0: float32 sums may be off by" in notes[0]
        assert f"In {count} of 3 channels {count} sums" in notes[0]
        assert "(channel 0 at 2)" in notes[0]


def test_the_accelerator_says_so(chain, tmp_path):
    c = chain((8,)).dense(np.ones((3, 8)), 0.3).scalar("Sub", 0.6).sign().dense(np.ones((2, 3)))
    settings = flow.Settings(str(c.save(tmp_path / "net.onnx")), input="bipolar", fps=1e5)
    for step in ("export", "streamline", "lower", "fold", "generate"):
        getattr(flow, f"step_{step}")(settings, tmp_path)
    facts = json.loads((tmp_path / flow.ACCELERATOR / "accel.json").read_text())
    assert facts["rounding"] == notes_of(flow.read(tmp_path, flow.INTEGER))
    assert len(facts["rounding"]) == 1


def test_bounds_by_hand():
    assert grain(np.array([0.75, -2.0, 0.0])) == 0.25
    assert grain(np.array([0.0])) == np.inf
    assert sum_error(np.array([[1.0, 2.0**23]]), 1.0) == [0.0]
    assert sum_error(np.array([[1.0, 2.0**24]]), 1.0) > 0
    # 3 + 2 rounds to 5(1 + d), and with 1 to 6(1 + d'); every product once more: u (3*3 + 3*2 + 2*1)
    assert sum_error(np.array([[1.0, 3.0, 2.0]]), 2.0**-30)[0] == pytest.approx(17 * 2.0**-24, rel=1e-6)


def test_numbers_reach_from_below_what_is_computed_to_above_it():
    """float32 that enclose scale * integer + offset -+ error, and no other float32 fits between."""
    rng, integers = np.random.default_rng(0), np.arange(-500, 500)[:, None]
    scale, offset, error = rng.random((3, 8)) + 0.1
    numbers = Numbers(Accumulators(np.full(8, -500), np.full(8, 499), 1), scale, offset, error)
    middle = integers * scale + offset
    np.testing.assert_array_equal(numbers.at(integers), middle.astype(np.float32))
    for side in (-1, 1):
        found, end = numbers.at(integers, side), middle + side * error
        assert found.dtype == np.float32
        assert (side * (found.astype(np.float64) - end) >= 0).all()
        inner = np.nextafter(found, np.float32(-side * np.inf)).astype(np.float64)
        assert (side * (inner - end) < 0).all()
