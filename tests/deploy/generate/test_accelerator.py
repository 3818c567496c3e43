"""The generated accelerator: relocatable, same input same bytes, cycles exactly as predicted whatever the folding."""

import re
import shutil

import numpy as np
import pytest

from signflow.deploy import flow
from signflow.deploy.compile.errors import UnsupportedError
from signflow.deploy.compile.export import load
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.compile.lower import lower
from signflow.deploy.compile.streamline import streamline
from signflow.deploy.generate.accelerator import generate
from signflow.deploy.golden.intgraph import IntGraph
from signflow.deploy.plan import buffer, fold, graph, timing
from signflow.hw.sim import RtlSimulator


def accelerator_bytes(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_same_input_same_bytes(mini, tmp_path):
    settings, work = mini
    flow.build(settings, tmp_path / "again", tick=lambda *_: None)
    for product in (flow.NETWORK, flow.INTEGER, flow.HARDWARE, flow.FOLDED):
        assert (work / product).read_bytes() == (tmp_path / "again" / product).read_bytes(), product
    assert accelerator_bytes(work / flow.ACCELERATOR) == accelerator_bytes(tmp_path / "again" / flow.ACCELERATOR)


def test_the_folder_can_be_moved(mini, tmp_path, images):
    _settings, work = mini
    expected = IntGraph(flow.read(work, flow.INTEGER))(images)
    shutil.copytree(work / flow.ACCELERATOR, tmp_path / "elsewhere")
    stream = ImageInput.of(flow.read(work, flow.FOLDED)).stream(images)
    run = RtlSimulator(tmp_path / "elsewhere").run(stream)
    assert np.array_equal(run.outputs.reshape(expected.shape), expected)
    assert str(tmp_path) not in "".join(
        p.read_text() for p in (tmp_path / "elsewhere").rglob("*") if p.suffix in (".sv", ".json")
    )


@pytest.mark.parametrize("target", [1200, 5000, 21_000])
def test_predicted_cycles_are_simulated_cycles(mini, tmp_path, images, target):
    model = flow.read(mini[1], flow.HARDWARE)
    fold.fold_to_cycles(model, target)
    buffer.insert_width_converters(model)
    buffer.insert_fifos(model)
    predicted = timing.predict(graph.operators(model))
    facts = {"latency": predicted.latency, "interval": predicted.interval, "bottleneck": predicted.bottleneck}
    simulator = RtlSimulator(generate(model, "mini", tmp_path / "accelerator", facts))
    run = simulator.run(ImageInput.of(model).stream(images[:12]))
    assert run.latency == predicted.latency
    assert (np.diff(run.last_out)[4:] == predicted.interval).all()
    assert np.array_equal(run.outputs.reshape(12, -1), IntGraph(flow.read(mini[1], flow.INTEGER))(images[:12]))


def test_wrong_weights_are_found(mini, tmp_path, images):
    from signflow.deploy.verify.locate import locate

    folder = tmp_path / "broken"
    shutil.copytree(mini[1] / flow.ACCELERATOR, folder)
    path = folder / "mem" / "MVAU_sf_2_weights.mem"
    lines = ["0" * len(line) for line in path.read_text().splitlines()]  # a neuron alone may be one that never changes
    path.write_text("\n".join(lines) + "\n")
    integer, folded = flow.read(mini[1], flow.INTEGER), flow.read(mini[1], flow.FOLDED)
    found = [locate(integer, folded, folder, image) for image in images[:3]]
    assert {d.node for d in found if d} == {"MVAU_sf_2"}
    assert locate(integer, folded, mini[1] / flow.ACCELERATOR, images[0]) is None


def test_graphs_that_are_refused(mini):
    with pytest.raises(UnsupportedError, match="no operator of the hardware graph"):
        graph.operators(flow.read(mini[1], flow.INTEGER))
    model = flow.read(mini[1], flow.HARDWARE)
    nodes, third = model.graph.node, model.graph.node[2].input[0]
    nodes[3].input[0] = third
    with pytest.raises(UnsupportedError, match=f"{nodes[3].name!r}.* input {third!r} has another reader"):
        graph.operators(model)
    del nodes[3:]
    with pytest.raises(UnsupportedError, match=re.escape(f"nothing reads {[nodes[2].output[0]]}")):
        graph.operators(model)


@pytest.mark.parametrize(("features", "padding"), [(16, ""), (12, "s_axis_tdata[15:12]")])
def test_what_pads_a_word_is_named(chain, tmp_path, features, padding):
    """Bits of the stream that nothing reads, so that lint has nothing to say."""
    rng = np.random.default_rng(0)
    c = chain((features,)).dense(rng.choice([-1, 1], (8, features))).scalar("Sub", 1.0).sign()
    model = lower(streamline(load(c.dense(rng.choice([-1, 1], (3, 8))).save(tmp_path / "net.onnx"), "bipolar")))
    fold.fold_to_cycles(model, 1)
    buffer.insert_width_converters(model)
    buffer.insert_fifos(model)
    predicted = timing.predict(graph.operators(model))
    facts = {"latency": predicted.latency, "interval": predicted.interval, "bottleneck": predicted.bottleneck}
    (top,) = generate(model, "padded", tmp_path / "accelerator", facts).rglob("padded.sv")
    assert re.findall(r"unused_padding = &{1'b0, (.*)}", top.read_text()) == [padding] * bool(padding)
