"""Changes found by bisection are the changes found by trying everything."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signflow.deploy.compile import streamline
from signflow.deploy.compile.errors import UnsupportedError
from signflow.deploy.compile.export import load
from signflow.deploy.compile.passes import truth
from signflow.deploy.compile.passes.bisection import changes, coarse_rows, scattered
from signflow.deploy.compile.passes.regions import Region

from .onnx_networks import node, quant


@given(st.data())
def test_every_change_is_found(data):
    """Step functions of one direction, with changes anywhere, also side by side and at the ends."""
    count, channels = data.draw(st.integers(1, 3000)), data.draw(st.integers(1, 4))
    table = np.zeros((count, channels), dtype=np.int64)
    for c in range(channels):
        places = data.draw(st.lists(st.integers(0, count - 1), max_size=40))
        np.add.at(table[:, c], places, data.draw(st.sampled_from([-1, 1])))
    table = table.cumsum(axis=0)
    seen = []

    def evaluate(rows: np.ndarray) -> np.ndarray:
        seen.append(rows.size)
        return np.take_along_axis(table, rows, axis=0)

    coarse = coarse_rows(count)
    channel, row, value = changes(evaluate, coarse, table[coarse], count)
    at, where = np.nonzero(table[1:] != table[:-1])
    assert sorted(zip(where, at + 1, table[at + 1, where], strict=True)) == sorted(
        zip(channel, row, value, strict=True)
    )
    assert sum(seen) <= 13 * channels * max(1, len(row))


def test_it_gives_up_behind_too_many():
    table = np.arange(5000)[:, None]
    coarse = coarse_rows(5000)
    channel, _, _ = changes(lambda rows: np.take_along_axis(table, rows, axis=0), coarse, table[coarse], 600)
    assert len(channel) > 600


def test_the_most_changes_of_one_channel():
    """Of each, not of all; the quantiser on the way is named."""
    region, nodes = Region("product", node("MatMul", "x w", "a"), "a"), [quant("a", "b"), node("Relu", "b", "c")]
    changed = np.repeat([0, 1], 4096)
    truth._limit(nodes, region, changed, 2)
    with pytest.raises(UnsupportedError, match="Quant: behind 'MatMul_a', channel 1 changes more than 4096 times"):
        truth._limit(nodes, region, np.append(changed, 1), 2)


@pytest.mark.parametrize("channel", [[], [2, 0, 2, 2], [1]])
def test_places_of_single_rows(channel):
    channel, row = np.array(channel, dtype=np.int64), np.arange(len(channel)) + 5
    rows, place = scattered(channel, row, 3)
    assert (rows[place, channel] == row).all()
    assert (
        np.delete(rows.reshape(-1), np.ravel_multi_index((place, channel), rows.shape) if len(row) else []) == 0
    ).all()


@pytest.mark.parametrize("bits", [1, 4])
def test_a_network_compiles_to_the_same(chain, tmp_path, monkeypatch, bits):
    """Thresholds of a layer of pixels, with a pool behind what falls and rises, both ways."""
    rng = np.random.default_rng(bits)
    c = chain((2, 6, 6)).conv(rng.choice([-1.0, 1.0], (6, 2, 3, 3)))
    c.batchnorm(rng.normal(size=6), rng.normal(size=6), rng.normal(size=6) * 90, rng.random(6) * 9000 + 1).pool()
    (c.sign() if bits == 1 else c.quant(0.25, bits)).flatten().dense(rng.choice([-1.0, 1.0], (3, 24)))
    model, graphs = load(c.save(tmp_path / "net.onnx"), "uint8"), []
    for dense in (10**9, 1):
        monkeypatch.setattr(truth, "DENSE", dense)
        graphs.append(streamline.streamline(model))
    one, two = ({tensor.name: tensor.raw_data for tensor in graph.graph.initializer} for graph in graphs)
    assert one == two and [n.op_type for n in graphs[0].graph.node] == [n.op_type for n in graphs[1].graph.node]
