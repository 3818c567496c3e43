"""What `signflow thresholds` says = the definitions, on every integer in range and on what the compiled graph gives."""

import itertools
import json
from dataclasses import astuple

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from rich.console import Console
from torch.nn import functional as F

from signflow.deploy import flow
from signflow.deploy.command import thresholds
from signflow.deploy.command.cli import main
from signflow.deploy.compile import export, streamline
from signflow.deploy.compile.dialect.program import Windows
from signflow.deploy.compile.reach import reaches
from signflow.deploy.golden.intgraph import IntGraph
from signflow.deploy.golden.thresholds import (
    Rule,
    ThresholdsError,
    drop_lower,
    integers,
    most_two_sided,
    moving,
    rules,
    sides,
    with_output,
)
from signflow.deploy.pictures import draw_thresholds
from signflow.deploy.pictures.draw_thresholds import curve
from signflow.deploy.verify.images import sample


@pytest.fixture(scope="module")
def shipped():
    """Name -> (QONNX, integer graph, 150 images)."""
    made = {}

    def make(name):
        if name not in made:
            settings = flow.Settings(name)
            made[name] = (*thresholds.graphs(settings), sample(name, 150).pixels)
        return made[name]

    return make


@pytest.fixture(scope="module")
def pooled(chain, tmp_path_factory):
    """Windows in front of pools and behind them: (QONNX, integer graph, images)."""
    rng = np.random.default_rng(4)

    def signs(*shape):
        return rng.choice([-1.0, 1.0], size=shape)

    weights = signs(8, 2, 3, 3)
    centre = weights.sum(axis=(1, 2, 3)) * 127.5 + 300  # of the largest of four sums over random pixels
    c = chain((2, 14, 14)).conv(weights).pool().scalar("Sub", centre + rng.normal(0, 100, 8))
    c = c.gate(rng.choice([-1, 1], 8) * 0.015).scalar("Add", rng.uniform(0.02, 0.27, 8)).scalar("Mul", signs(8)).sign()
    c = c.conv(signs(8, 8, 3, 3)).scalar("Mul", rng.uniform(0.05, 0.3, 8)).scalar("Sub", rng.normal(0, 1, 8)).gate(
        np.ones(8)).scalar("Add", rng.uniform(0.02, 0.27, 8)).sign().flatten().dense(signs(4, 128))  # fmt: skip
    network = export.load(c.save(tmp_path_factory.mktemp("pooled") / "net.onnx"), "uint8")
    images = rng.integers(0, 256, (150, 2, 14, 14), dtype=np.uint8)
    return network, streamline.streamline(network, keep_constants=True), images


def bits_of(rule, x):
    """The bits of a rule, by its definition, complement undone by nobody."""
    if rule.windowed:
        return (x < rule.thresholds[:, 0]) | (x >= rule.thresholds[:, 1])
    return x >= rule.thresholds[:, 0]


def graph_of(which, shipped, pooled):
    return pooled if which == "pooled" else shipped(which)


@pytest.mark.parametrize("which", ["sfc-abn", "sfc-sd", "pooled"])
def test_integers_and_thresholds_give_the_bits_of_the_graph(which, shipped, pooled):
    _, integer, images = graph_of(which, shipped, pooled)
    graph, checked = IntGraph(integer), 0
    for rule in rules(integer):
        producer, image = integer.find_producer(rule.sums), integer.graph.input[0].name
        if producer is None or image in producer.input:
            continue  # the image's own threshold
        x = np.concatenate(list(integers(integer, rule, images)))
        assert (x >= rule.low).all() and (x <= rule.high).all()
        if rule.sign is None:
            continue
        found = graph.maps(images, graph.layer_of[rule.sign.integer])
        assert (bits_of(rule, x) == found.reshape(x.shape)).all()
        if rule.windowed:
            low, high = rule.thresholds.T
            expected = [(x < low).sum((0, 1)), ((x >= low) & (x < high)).sum((0, 1)), (x >= high).sum((0, 1))]
            assert (sides(integer, rule, images) == np.stack(expected, axis=1)).all()
        checked += 1
    assert checked == {"sfc-abn": 3, "sfc-sd": 3, "pooled": 2}[which]


@pytest.mark.parametrize("which", ["sfc-abn", "pooled"])
def test_kinds_of_channels_by_every_integer_in_range(which, shipped, pooled):
    _, integer, _ = graph_of(which, shipped, pooled)
    windows = 0
    for rule in rules(integer):
        for c in range(len(rule.low)):
            x = np.arange(rule.low[c], rule.high[c] + 1)[:, None]
            table = bits_of(rule, np.broadcast_to(x, (len(x), len(rule.low))))[:, c]
            changes = int((table[1:] != table[:-1]).sum())
            assert (changes == 2) == rule.windows[c] and (changes == 0) == rule.constant[c]
            windows += changes == 2
    assert windows > 0


def test_two_pools_in_front_of_one_sign_keep_their_order(chain, tmp_path):
    rng = np.random.default_rng(3)
    c = chain((1, 14, 14)).conv(rng.choice([-1.0, 1.0], (4, 1, 3, 3))).pool(2).pool(3).quant(64.0, 4)
    c = c.flatten().dense(rng.choice([-1.0, 1.0], (3, 16)))
    integer = streamline.streamline(export.load(c.save(tmp_path / "n.onnx"), "uint8"))
    assert [rule.pools for rule in rules(integer)] == [(Windows((2, 2), (2, 2)), Windows((3, 3), (3, 3)))]


def test_a_window_may_end_at_the_largest_integer_in_range():
    """Bits 1 0 0 0 1 over 0..4: both sides occur, so T2 = 4 makes a window; T2 = 5 leaves a single threshold."""
    ends = np.array([[1, 4], [1, 5], [0, 4], [2, 2]])
    rule = Rule("n", None, "x", (), ends, np.zeros(4, np.int64), np.full(4, 4), "BINARY", None)
    assert rule.windows.tolist() == [True, False, False, False]
    x = np.arange(5)[:, None]
    bits = (x < ends[:, 0]) | (x >= ends[:, 1])
    assert rule.constant.tolist() == (bits == bits[:1]).all(axis=0).tolist() == [False, False, False, True]


def test_ranges_are_reached(chain, tmp_path):
    """Every image of 3 x 3 bits: the extremes of every channel occur, and nothing beyond."""
    rng = np.random.default_rng(1)
    c = chain((1, 3, 3)).conv(rng.choice([-1.0, 1.0], (5, 1, 2, 2))).sign().flatten()
    integer = streamline.streamline(
        export.load(c.dense(rng.choice([-1.0, 1.0], (3, 20))).save(tmp_path / "n.onnx"), "bipolar")
    )
    images = np.array(list(itertools.product([-1, 1], repeat=9)), dtype=np.int8).reshape(-1, 1, 3, 3)
    node = next(node for node in integer.graph.node if node.op_type == "XnorPopcountMatMul")
    low, high = reaches(integer)[node.output[0]]
    x = IntGraph(with_output(integer, node.output[0]))(images).reshape(-1, 5)
    assert (x.min(axis=0) == low).all() and (x.max(axis=0) == high).all()


def test_ranges_of_pixels_and_integer_weights(chain, tmp_path):
    """The all-dark and all-bright corners of every channel."""
    rng = np.random.default_rng(2)
    weights = rng.choice([-1.0, 1.0], (6, 8))
    c = chain((8,)).dense(weights).scalar("Sub", 3.0).sign().dense(np.ones((2, 6)))
    integer = streamline.streamline(export.load(c.save(tmp_path / "n.onnx"), "uint8"))
    node = next(node for node in integer.graph.node if node.op_type == "MatMul")
    low, high = reaches(integer)[node.output[0]]
    corners = np.where(weights > 0, 255, 0).astype(np.uint8)
    cut = IntGraph(with_output(integer, node.output[0]))
    own = integer.get_initializer(node.input[1]).T[:, :1] * weights[:, :1]  # rows that the compiler negated
    ends = np.sort(np.stack([np.diag(cut(corners)), np.diag(cut(255 - corners))]), axis=0)
    assert (ends[0] == low).all() and (ends[1] == high).all() and (np.abs(own) == 1).all()


@pytest.mark.parametrize("which", ["sfc-abn", "pooled"])
def test_windows_without_their_lower_threshold(which, shipped, pooled):
    _, integer, images = graph_of(which, shipped, pooled)
    rule, channel = most_two_sided(integer, images)
    assert sides(integer, rule, images)[channel, [0, 2]].min() > 0
    cut, graph = drop_lower(integer, rule.layer, channel), IntGraph(integer)
    name = graph.layer_of[rule.sign.integer]
    before, after = graph.maps(images, name), IntGraph(cut).maps(images, name)
    x = np.concatenate(list(integers(integer, rule, images)))
    expected = bits_of(rule, x)
    expected[..., channel] = x[..., channel] >= rule.thresholds[channel, 1]
    assert (after.reshape(x.shape) == expected).all() and (before != after).any()
    assert not any(one.windows.any() for one in rules(drop_lower(integer)))


@pytest.mark.parametrize("name", ["sfc-sd", pytest.param("cnv-sd", marks=pytest.mark.slow)])
def test_moving_thresholds_give_the_signs(name, shipped):
    _, integer, images = shipped(name)
    graph, found = IntGraph(integer), moving(integer)
    for sign in found:
        thresholds = sign.thresholds(graph.maps(images, sign.level)[:, 0, 0])
        x = np.concatenate(list(integers(integer, sign.code, images)))
        bits = graph.maps(images, sign.rule.layer)
        assert ((x >= thresholds[:, None]) == bits.reshape(x.shape)).all()
        assert (thresholds.max(axis=0) > thresholds.min(axis=0)).any()
    assert len(found) == len({sign.rule.layer for sign in found}) == {"sfc-sd": 3, "cnv-sd": 8}[name]


def test_curve_is_the_formula_of_abn(shipped):
    exported, integer, images = shipped("sfc-abn")
    rule, channel = most_two_sided(integer, images)
    found = curve(exported, integer, rule, channel, images)
    norms = [module for module in flow.torch_network(flow.Settings("sfc-abn")).modules()
             if type(module).__name__ == "ABN"]  # fmt: skip
    norm = norms[[r.layer for r in rules(integer) if r.sign].index(rule.layer)]
    n = torch.from_numpy(found.reach.astype(np.float64))
    xh = (n - norm.running_mean[channel]) / torch.sqrt(norm.running_var[channel] + norm.eps)
    value = (F.silu(xh) + norm.beta[channel]).detach().numpy()
    np.testing.assert_allclose(found.value, value, atol=1e-5)
    assert (found.plus == (found.value >= 0)).all() and found.seen.sum() == len(images)
    assert [int(n) for n in found.reach[1:][found.plus[1:] != found.plus[:-1]]] == found.changes
    assert len(found.changes) == 2 and min(found.shares) > 0 and sum(found.shares) == pytest.approx(1)


def test_a_curve_is_found_block_by_block(shipped, monkeypatch):
    """Millions of integers a channel do not stand in memory for all channels at once."""
    exported, integer, images = shipped("sfc-abn")
    rule, channel = most_two_sided(integer, images)
    whole = curve(exported, integer, rule, channel, images)
    monkeypatch.setattr(draw_thresholds, "BLOCK", 7 * len(rule.low))
    parts = curve(exported, integer, rule, channel, images)
    assert len(whole.reach) > 100
    for one, two in zip(astuple(whole), astuple(parts), strict=True):
        np.testing.assert_array_equal(one, two)


def test_curve_of_pooled_complements_and_negated_rows(pooled):
    """Shares of the signs = shares in the compiled graph, complement undone."""
    exported, integer, images = pooled
    graph, complemented = IntGraph(integer), 0
    for rule in rules(integer):
        bits = graph.maps(images, graph.layer_of[rule.sign.integer]).reshape(-1, len(rule.low))
        bits[:, rule.complement] ^= 1
        for channel in range(len(rule.low)):
            found = curve(exported, integer, rule, channel, images)
            assert found.seen[found.plus].sum() == bits[:, channel].sum()
            assert found.seen.sum() == len(bits)
        complemented += len(rule.complement)
    assert complemented


def test_command(tmp_path):
    def run(*words):
        result = CliRunner().invoke(main, ["thresholds", *map(str, words)])
        return result.exit_code, result.output.replace("\n", " ")

    file, png = tmp_path / "t.json", tmp_path / "t.png"
    code, text = run("sfc-abn", "--images", 200, "--drop-lower", "-o", png, "--json", file)
    facts = json.loads(file.read_text())
    assert code == 0 and "of 200 images change a logit" in text and png.stat().st_size > 10_000
    assert [row["channels"] for row in facts["layers"] if row["gives"] == "sign"] == [256, 256, 256]
    assert all(row["single"] + row["windows"] + row["constant"] == row["channels"] for row in facts["layers"])
    assert facts["without lower"]["logits changed"] > 0 and len(facts["picture"]["changes"]) == 2
    code, text = run("tfc", "-o", png)
    assert code == 1 and "error: no window in the network" in text


def test_questions_without_an_answer(shipped, tmp_path):
    exported, integer, images = shipped("sfc-abn")
    for layer, channel, message in (
        ("", 3, "--channel needs --layer"),
        ("conv1", 3, "no thresholds in 'conv1'; they are in Thresholding_sf_0, MVAU_sf_0"),
        ("MVAU_1", 3, "no thresholds in 'MVAU_1'; did you mean 'MVAU_sf_1'[?]; they are in Thresholding_sf_0"),
        ("MVAU_sf_1", 256, "MVAU_sf_1 has no channel 256: name one of 0..255"),
        ("Thresholding_sf_0", 0, "Thresholding_sf_0 is no sign behind a product"),
    ):
        with pytest.raises(ThresholdsError, match=message):
            thresholds.picture(
                Console(quiet=True), "sfc-abn", exported, integer, images, layer, channel, tmp_path / "none.png"
            )
    with pytest.raises(ThresholdsError, match="no threshold moves with the image"):
        thresholds.moves(Console(quiet=True), "sfc-abn", integer, images)
    assert not list(tmp_path.iterdir())
