"""Graphs that fork and join: words, cycles as predicted, FIFOs that are deep enough for any stalls and no deeper."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from qonnx.util.basic import qonnx_make_model

from signflow.deploy.generate.accelerator import generate
from signflow.deploy.plan import buffer, fit, fold, graph, schedule, timing
from signflow.hw import ops
from signflow.hw.boards import board
from signflow.hw.ops.base import RTL_DOMAIN
from signflow.hw.ops.fifo import StreamingFIFO_sf
from signflow.hw.ops.folding import FoldingError
from signflow.hw.sim import RtlSimulator, StreamError

FEW = settings(max_examples=3, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))
STALLS = [(0, 0), (0.5, 0), (0, 0.5), (0.4, 0.4), (0.98, 0)]


class HardwareGraph:
    """Hardware graph with input "x" and output "y"; `op` appends a node."""

    def __init__(self):
        ops.register()
        self.nodes, self.constants = [], {}

    def op(self, op_type, reads, writes, *constants, **attributes):
        names = [f"c{len(self.constants) + k}" for k in range(len(constants))]
        self.constants |= dict(zip(names, constants, strict=True))
        name = f"{op_type}_{sum(n.op_type == op_type for n in self.nodes)}"
        inputs = [*reads.split(), *names]
        node = helper.make_node(
            op_type, inputs, writes.split(), domain=RTL_DOMAIN, backend="fpgadataflow", name=name, **attributes
        )
        self.nodes.append(node)
        return self

    def model(self):
        first, last = getCustomOp(self.nodes[0]), getCustomOp(self.nodes[-1])
        ends = ("x", first.get_normal_input_shape()), ("y", last.get_normal_output_shape())
        x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ends)
        model = ModelWrapper(qonnx_make_model(helper.make_graph(self.nodes, "g", [x], [y])))
        model.set_tensor_datatype("x", first.get_input_datatype())
        for op in map(getCustomOp, self.nodes):
            for k, tensor in enumerate(graph.writes(op)):
                model.set_tensor_shape(tensor, list(op.get_normal_output_shape(k)))
                model.set_tensor_datatype(tensor, op.get_output_datatype(k))
        for name, values in self.constants.items():
            model.set_initializer(name, np.asarray(values, np.float32))
        return model


def thresholding(graph, reads, writes, thresholds, source, result, channels, pe, vectors, offset=0):
    steps = np.asarray(thresholds, np.float32).reshape(1, -1)
    return graph.op(
        "Thresholding_sf", reads, writes, steps, NumChannels=channels, PE=pe, numSteps=steps.shape[1],
        inputDataType=source, weightDataType="INT32", outputDataType=result, ActVal=offset, numInputVectors=vectors,
    )  # fmt: skip


class Diamond:
    """y = [a + s >= 1], a = a code of x in -16..15, s = a level of the sum of a over all positions, 0..15."""

    def __init__(self, h, w, c, lanes):
        self.shape, places = (h, w, c), [1, h, w]
        thr, fork, pool, level, copy, add, sign = lanes
        self.codes, self.levels = np.arange(4, 252, 8), np.arange(-7, 8) * h * w
        g, total = HardwareGraph(), f"INT{5 + (h * w - 1).bit_length()}"
        thresholding(g, "x", "a", self.codes, "UINT8", "INT5", c, thr, places, -16)
        kinds = {"NumChannels": c, "inputDataType": "INT5"}
        g.op("Duplicate_sf", "a", "direct around", PE=fork, numInputVectors=places, **kinds)
        g.op("AccPool_sf", "around", "sum", PE=pool, numInputVectors=places, outputDataType=total, **kinds)
        thresholding(g, "sum", "level", self.levels, total, "UINT4", c, level, [1])
        kinds["inputDataType"] = "UINT4"
        g.op("Replicate_sf", "level", "s", PE=copy, outVectors=places, **kinds)
        kinds |= {"inputDataType": "INT5", "inputDataType1": "UINT4", "outputDataType": "INT6"}
        g.op("Add_sf", "direct s", "t", PE=add, numInputVectors=places, **kinds)
        thresholding(g, "t", "y", [1], "INT6", "BINARY", c, sign, places)
        self.model = g.model()

    def __call__(self, x):
        a = (x[..., None] >= self.codes).sum(-1) - 16
        s = (a.sum((1, 2))[..., None] >= self.levels).sum(-1)
        return (a + s[:, None, None, :] >= 1).astype(np.int64)

    def images(self, rng, count):
        """Random, with means that reach many levels."""
        means = rng.integers(90, 166, (count, 1, 1, self.shape[2]))
        return np.clip(means + rng.integers(-60, 61, (count, *self.shape)), 0, 255)


class Twice(Diamond):
    """y = [d + a >= 0], d = a level of a + s, s of the sum of a over all positions: both joins wait for the sum."""

    def __init__(self, h, w, c, pe):
        self.shape, places = (h, w, c), [1, h, w]
        self.codes, self.levels, self.steps = np.arange(4, 252, 8), np.arange(-7, 8) * h * w, [-3, 2, 9]
        g, total, kinds = HardwareGraph(), f"INT{5 + (h * w - 1).bit_length()}", {"NumChannels": c, "PE": pe}
        thresholding(g, "x", "a", self.codes, "UINT8", "INT5", c, pe, places, -16)
        kinds["inputDataType"] = "INT5"
        g.op("Duplicate_sf", "a", "around both", numInputVectors=places, **kinds)
        g.op("AccPool_sf", "around", "sum", numInputVectors=places, outputDataType=total, **kinds)
        g.op("Duplicate_sf", "both", "direct skip", numInputVectors=places, **kinds)
        thresholding(g, "sum", "level", self.levels, total, "UINT4", c, pe, [1])
        g.op("Replicate_sf", "level", "s", outVectors=places, **kinds | {"inputDataType": "UINT4"})
        kinds |= {"inputDataType1": "UINT4", "outputDataType": "INT6"}
        g.op("Add_sf", "direct s", "t", numInputVectors=places, **kinds)
        thresholding(g, "t", "d", self.steps, "INT6", "UINT2", c, pe, places)
        kinds |= {"inputDataType": "UINT2", "inputDataType1": "INT5"}
        g.op("Add_sf", "d skip", "z", numInputVectors=places, **kinds)
        thresholding(g, "z", "y", [0], "INT6", "BINARY", c, pe, places)
        self.model = g.model()

    def __call__(self, x):
        a = (x[..., None] >= self.codes).sum(-1) - 16
        s = (a.sum((1, 2))[..., None] >= self.levels).sum(-1)
        d = ((a + s[:, None, None, :])[..., None] >= self.steps).sum(-1)
        return (d + a >= 0).astype(np.int64)


class Bypass(Diamond):
    """y = [c + g >= 1], c = a code of x, made in a pipeline beside the branch, g = the sum of x over all positions."""

    def __init__(self, h, w, c, lanes):
        self.shape, places = (h, w, c), [1, h, w]
        fork, code, copy, add, sign = lanes
        self.codes, self.steps = np.linspace(-1900, 1900, 63).astype(int), [-9000, -1000, 0, 20, 5000]
        g, kinds = HardwareGraph(), {"NumChannels": c, "inputDataType": "INT12"}
        g.op("Duplicate_sf", "x", "direct around", PE=fork, numInputVectors=places, **kinds)
        thresholding(g, "direct", "code", self.codes, "INT12", "INT7", c, code, places, -32)
        g.op("AccPool_sf", "around", "sum", PE=fork, numInputVectors=places, outputDataType="INT20", **kinds)
        g.op("Replicate_sf", "sum", "s", PE=copy, outVectors=places, **kinds | {"inputDataType": "INT20"})
        kinds |= {"inputDataType": "INT7", "inputDataType1": "INT20", "outputDataType": "INT21"}
        g.op("Add_sf", "code s", "t", PE=add, numInputVectors=places, **kinds)
        thresholding(g, "t", "y", self.steps, "INT21", "UINT3", c, sign, places)
        self.model = g.model()

    def __call__(self, x):
        c = (x[..., None] >= self.codes).sum(-1) - 32
        return ((c + x.sum((1, 2))[:, None, None, :])[..., None] >= self.steps).sum(-1)

    def images(self, rng, count):
        return rng.integers(-1500, 1500, (count, *self.shape))


class SelfDistribution(Diamond):
    """y = [a + s >= 1], s a level of W2 h, h a level of W1 g, g of the sum of a over all positions; 8-bit weights."""

    def __init__(self, h, w, c, hidden):
        self.shape, places = (h, w, c), [1, h, w]
        rng, total = np.random.default_rng(h), f"INT{5 + (h * w - 1).bit_length()}"
        self.codes, self.means, self.levels = (
            np.arange(4, 252, 8),
            np.arange(-7, 8) * h * w,
            np.arange(-1400, 1401, 200),
        )
        self.weights = [rng.integers(-128, 128, shape) for shape in ((c, hidden), (hidden, c))]
        g, kinds = HardwareGraph(), {"NumChannels": c, "PE": 4}
        thresholding(g, "x", "a", self.codes, "UINT8", "INT5", c, 4, places, -16)
        kinds["inputDataType"] = "INT5"
        g.op("Duplicate_sf", "a", "direct around", numInputVectors=places, **kinds)
        g.op("AccPool_sf", "around", "sum", numInputVectors=places, outputDataType=total, **kinds)
        thresholding(g, "sum", "g", self.means, total, "INT4", c, 1, [1], -8)
        dense = {"SIMD": 1, "PE": 1, "weightDataType": "INT8", "outputDataType": "INT16", "noActivation": 1}
        g.op("MVAU_sf", "g", "u", self.weights[0], MW=c, MH=hidden, inputDataType="INT4", **dense)
        thresholding(g, "u", "h", self.levels, "INT16", "UINT4", hidden, 1, [1])
        g.op("MVAU_sf", "h", "v", self.weights[1], MW=hidden, MH=c, inputDataType="UINT4", **dense)
        thresholding(g, "v", "level", self.levels, "INT16", "UINT4", c, 1, [1])
        kinds["inputDataType"] = "UINT4"
        g.op("Replicate_sf", "level", "s", outVectors=places, **kinds)
        kinds |= {"inputDataType": "INT5", "inputDataType1": "UINT4", "outputDataType": "INT6"}
        g.op("Add_sf", "direct s", "t", numInputVectors=places, **kinds)
        thresholding(g, "t", "y", [1], "INT6", "BINARY", c, 4, places)
        self.model = g.model()

    def __call__(self, x):
        a = (x[..., None] >= self.codes).sum(-1) - 16
        s = (a.sum((1, 2))[..., None] >= self.means).sum(-1) - 8
        for weights in self.weights:
            s = ((s @ weights)[..., None] >= self.levels).sum(-1)
        return (a + s[:, None, None, :] >= 1).astype(np.int64)


def buffered(model):
    buffer.insert_width_converters(model)
    buffer.insert_fifos(model)
    return model


def fifos(model):
    """FIFO by the tensor that it reads."""
    ops = graph.operators(model)
    return {op.onnx_node.input[0]: op for op in ops if op.onnx_node.op_type == "StreamingFIFO_sf"}


def compiled(model, folder):
    """(simulator, prediction) of the buffered graph, its FIFOs exactly as deep as found, not as their memories are."""
    predicted = timing.predict(graph.operators(model))
    facts = {"latency": predicted.latency, "interval": predicted.interval, "bottleneck": predicted.bottleneck}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StreamingFIFO_sf, "capacity", lambda op: op.get_nodeattr("depth"))
        return RtlSimulator(generate(model, "branches", folder, facts)), predicted


def check(net, folder, count=8):
    """Words under stalls; latency and interval as predicted. Buffers the network's graph."""
    simulator, predicted = compiled(buffered(net.model), folder)
    x = net.images(np.random.default_rng(3), count)
    for seed, (source, sink) in enumerate(STALLS):
        run = simulator.run(x, in_stall=source, out_stall=sink, seed=seed, watchdog=20_000)
        np.testing.assert_array_equal(run.outputs.reshape(net(x).shape), net(x), err_msg=f"stalls {source}, {sink}")
        if not source and not sink:
            assert run.latency == predicted.latency
            assert (np.diff(run.last_out)[count // 2 :] == predicted.interval).all()
    return simulator, predicted


@st.composite
def diamonds(draw):
    h, w, c = draw(st.integers(1, 6)), draw(st.integers(1, 6)), draw(st.sampled_from([1, 4, 6]))
    divisors = [d for d in range(1, c + 1) if c % d == 0]
    return h, w, c, [draw(st.sampled_from(divisors)) for _ in range(7)]


@FEW
@given(diamonds())
def test_diamonds(tmp_path_factory, shape):
    net = Diamond(*shape)
    check(net, tmp_path_factory.mktemp("diamond") / "a")


def test_a_fifo_one_word_shorter_is_slower_and_one_without_room_for_the_frame_stands_still(tmp_path):
    net = Diamond(8, 8, 4, [2, 2, 2, 1, 2, 2, 2])
    frame, model = 8 * 8 * 4 // 2, buffered(net.model)
    x, deep = net.images(np.random.default_rng(1), 6), fifos(model)["direct"]
    enough = deep.get_nodeattr("depth")
    for depth, slower in ((enough, 0), (enough - 1, 1)):
        deep.set_nodeattr("depth", depth)
        simulator, predicted = compiled(model, tmp_path / str(depth))
        assert simulator.run(x).interval == predicted.interval + slower
    deep.set_nodeattr("depth", frame - 8)
    with pytest.raises(StreamError, match="no word moved"):
        compiled(model, tmp_path / "short")[0].run(x, watchdog=2000)


def test_a_pipeline_beside_a_branch(tmp_path, monkeypatch):
    """Its words may all have to wait in the FIFO behind it when they come with gaps."""
    check(Bypass(8, 8, 4, [2, 2, 2, 2, 2]), tmp_path / "a")
    net = Bypass(8, 8, 4, [2, 2, 2, 2, 2])
    monkeypatch.setattr(buffer, "pipeline", lambda _: 0)
    simulator, predicted = compiled(buffered(net.model), tmp_path / "b")
    x = net.images(np.random.default_rng(3), 6)
    assert simulator.run(x).interval == predicted.interval
    with pytest.raises(StreamError, match="no word moved"):
        simulator.run(x, in_stall=0.9, watchdog=2000)


def test_a_branch_that_takes_frames(tmp_path):
    """Dense layers that take as long as an image: the FIFO beside them holds several."""
    net = SelfDistribution(4, 4, 16, 4)
    _, predicted = check(net, tmp_path / "a", 12)
    ops, depth = graph.operators(net.model), fifos(net.model)["direct"].get_nodeattr("depth")
    assert predicted.interval == 64 and 3 * 64 < depth < 4 * 64
    assert buffer.depths(ops) == buffer.depths(ops, 12)


def test_what_waits_for_a_sum_on_two_ways_waits_once(tmp_path):
    """A frame in front of the fork, and behind it a few words."""
    net = Twice(4, 4, 8, 2)
    check(net, tmp_path / "a", 12)
    depth = {tensor: fifo.get_nodeattr("depth") for tensor, fifo in fifos(net.model).items()}
    assert 4 * 4 * 4 <= depth["both"] < 2 * 4 * 4 * 4 and max(depth["direct"], depth["skip"]) < 16


@pytest.mark.parametrize("target", [40, 100, pytest.param(400, marks=pytest.mark.slow)])
def test_folded_branches(tmp_path, target):
    """Any target, whatever the widths: legal, met, and as fast as the slowest operator."""
    net = SelfDistribution(4, 4, 16, 4)
    fold.fold_to_cycles(net.model, target)
    assert fold.interval(net.model) <= target
    _, predicted = check(net, tmp_path / "a", 12)
    assert predicted.interval == fold.interval(net.model)


def test_equally_wide_words_beside_each_other():
    """Where nothing asks for another width, forks, joins and sums take that of the word they get: no converters."""
    net = SelfDistribution(8, 8, 16, 4)
    fold.fold_to_cycles(net.model, 8 * 8 * 4)
    lanes = {op.onnx_node.op_type: op.get_nodeattr("PE") for op in graph.operators(net.model)}
    assert lanes["Duplicate_sf"] == lanes["AccPool_sf"] == lanes["Add_sf"] == lanes["Replicate_sf"]


def test_what_a_converter_keeps_leaves_before_its_next_word(monkeypatch):
    """Words due together are due one after the other, as far apart as it makes them; where that is in time."""
    g = HardwareGraph()
    thresholding(g, "x", "a", [64, 128, 192], "UINT8", "UINT2", 16, 1, [1])
    thresholding(g, "a", "y", [2], "UINT2", "BINARY", 16, 4, [1])
    model = g.model()
    buffer.insert_width_converters(model)
    _, converter, reader = ops = graph.operators(model)
    early = timing.step(converter, [np.arange(16)])
    assert early.departures.tolist() == [4, 8, 12, 16]
    for last, found in ((43, [31, 35, 39, 43]), (16, [4, 8, 12, 16]), (15, [12, 13, 14, 15])):
        deadline = np.arange(last - 3, last + 1)
        assert schedule._without_fifo(converter, deadline, early, reader, 0).tolist() == found
    asked = []
    monkeypatch.setattr(schedule, "_without_fifo", lambda op, deadline, *_: asked.append(op) or deadline)
    schedule.schedule(ops, np.arange(16))
    assert asked == [converter]


def test_frame_fifos_count_on_the_board():
    net = SelfDistribution(32, 32, 16, 4)
    fold.fold_to_cycles(net.model, 32 * 32 * 4)
    plain, needed = fit.estimate(net.model), fit.buffered_cost(net.model)
    lut, bram = needed["LUT"], needed["BRAM18"]
    frame = 32 * 32 * 16 * 5  # bits beside the branch
    assert bram - plain["BRAM18"] >= frame // (18 * 1024) and lut > plain["LUT"]
    with pytest.raises(FoldingError, match=rf"{bram} BRAM18 of {bram - 1} \(100%\).*does not fit"):
        fit.check_fits(net.model, replace(board("pynq-z2"), bram18=bram - 1), fit.ALL)
