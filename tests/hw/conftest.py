"""One bench for every operator: the RTL of a node against its numpy reference and its timing model.

`Bench(op_type, attributes, ...)` builds a graph of one node. `check` compiles its module as it is (no wrapper), streams
several frames back to back and
asks for the same words as numpy, the same cycles as `accepts` and `timing`, and nothing left over.
"""

import numpy as np
import pytest
from onnx import TensorProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from qonnx.util.basic import qonnx_make_model

from signflow.hw import ops
from signflow.hw.ops.base import RTL_DIR, RTL_DOMAIN
from signflow.hw.sim import verilator
from signflow.hw.sim.stream import StreamModel
from signflow.hw.sim.words import pack, unpack

STALLS = [(0, 0), (0.4, 0), (0, 0.4), (0.3, 0.3)]


def codes(values, datatype):
    """Values of a FINN type as the bits of the stream."""
    values = np.asarray(values)
    return ((values + 1) / 2 if datatype.name == "BIPOLAR" else values).astype(np.int64)


def draw(rng, datatype, shape):
    """Random values of a FINN type, extremes more often than by chance."""
    if datatype.name == "BIPOLAR":
        return rng.integers(0, 2, shape) * 2 - 1
    low, high = int(datatype.min()), int(datatype.max())
    values = rng.integers(low, high + 1, shape)
    return np.where(rng.random(shape) < 0.1, rng.choice([low, high], shape), values)


class Bench:
    """A graph of one node, its compiled module and its memory images."""

    def __init__(self, folder, op_type, attributes, *constants):
        ops.register()
        names = ["x", *(f"c{i}" for i in range(len(constants)))]
        node = helper.make_node(
            op_type, names, ["y"], domain=RTL_DOMAIN, backend="fpgadataflow", name="dut", **attributes
        )
        self.op, self.folder = getCustomOp(node), folder
        tensors = [
            helper.make_tensor_value_info(n, TensorProto.FLOAT, s)
            for n, s in (("x", self.op.get_normal_input_shape()), ("y", self.op.get_normal_output_shape()))
        ]
        self.model = ModelWrapper(qonnx_make_model(helper.make_graph([node], "g", tensors[:1], tensors[1:])))
        for name, values in zip(names[1:], constants, strict=True):
            self.model.set_initializer(name, np.asarray(values, np.float32))
        self.op = getCustomOp(self.model.graph.node[0])
        self.types = self.op.get_input_datatype(0), self.op.get_output_datatype(0)
        self.shapes = [tuple(s) for s in (self.op.get_normal_input_shape(), self.op.get_normal_output_shape())]
        folded = self.op.get_folded_input_shape(0), self.op.get_folded_output_shape(0)
        self.words, self.lanes = [int(np.prod(s[:-1])) for s in folded], [s[-1] for s in folded]

    def compile(self, variant="check", **override):
        """The compiled module of the node; `override` replaces parameters."""
        self.rtl = self.op.rtl_instance(self.model)
        for name, lines in self.rtl.mem.items():
            (self.folder / name).write_text("\n".join(lines) + "\n")
        sources = [RTL_DIR / f"{m}.sv" for m in self.rtl.modules]
        parameters = self.rtl.params | override
        verilator.lint(self.rtl.module, sources, parameters)
        self.compiled = verilator.compile(self.rtl.module, sources, parameters, variant=variant)
        assert (self.compiled.in_bits, self.compiled.out_bits) == (
            self.op.get_instream_width(),
            self.op.get_outstream_width(),
        )
        return self

    def golden(self, frames):
        """Outputs of the numpy reference, frame by frame."""
        results = []
        for frame in frames:
            context = {i.name: self.model.get_initializer(i.name) for i in self.model.graph.initializer}
            context |= {"x": frame.astype(np.float32), "y": np.zeros(self.shapes[1], np.float32)}
            self.op.execute_node(context, self.model.graph)
            results.append(context["y"])
        return np.stack(results)

    def stream(self, frames, **options):
        """Run frames [n, *shape] through the RTL; returns (outputs [n, *shape] as codes, run)."""
        words = pack(
            codes(frames, self.types[0]).reshape(len(frames) * self.words[0], self.lanes[0]), self.types[0].bitwidth()
        )
        with StreamModel(self.compiled, self.folder, seed=7) as dut:
            run = dut.run(
                words,
                len(frames) * self.words[1],
                frames=len(frames),
                stamps=True,
                strict=True,
                watchdog=20_000,
                **options,
            )
        signed = self.types[1].signed() and self.types[1].name != "BIPOLAR"
        values = unpack(run.words, self.types[1].bitwidth(), self.lanes[1], signed)
        return values.reshape(len(frames), *self.shapes[1]), run

    def check(self, rng, frames=4):
        """RTL = numpy under all stall patterns; RTL = timing model for several arrival patterns; steady interval =
        get_exp_cycles.
        """
        x = draw(rng, self.types[0], (frames, *self.shapes[0]))
        expected = codes(self.golden(x), self.types[1])
        for seed, (source, sink) in enumerate(STALLS):
            got, _ = self.stream(x, in_stall=source, out_stall=sink, seed=seed)
            np.testing.assert_array_equal(got, expected, err_msg=f"stalls {source}, {sink}")
        for arrivals in self.arrival_patterns(rng, frames):
            got, run = self.stream(x, arrivals=arrivals)
            np.testing.assert_array_equal(got, expected)
            np.testing.assert_array_equal(run.in_cycles, self.op.accepts(arrivals), err_msg="accepts")
            np.testing.assert_array_equal(run.out_cycles, self.op.timing(arrivals), err_msg="timing")
        last = self.op.timing(np.zeros(12 * self.words[0], np.int64)).reshape(12, -1)[:, -1]
        assert last[-1] - last[-2] == self.op.get_exp_cycles()
        return self

    def arrival_patterns(self, rng, frames):
        """Always there; random gaps, sparse and dense; bursts; late frames."""
        n = frames * self.words[0]
        yield np.zeros(n, np.int64)
        yield np.cumsum(rng.integers(0, 3, n))
        yield np.cumsum(rng.integers(0, 12, n))
        yield np.cumsum((rng.random(n) < 0.05) * rng.integers(0, 60, n))
        slow = self.op.get_exp_cycles() + int(rng.integers(0, 20))
        yield (np.arange(frames)[:, None] * slow + np.arange(self.words[0])).ravel()


@pytest.fixture
def bench(tmp_path_factory):
    """`bench(op_type, attributes, *constants)`: a Bench in a folder of its own."""
    return lambda *arguments: Bench(tmp_path_factory.mktemp("node"), *arguments)


@pytest.fixture
def datatype():
    """FINN data type by name."""
    return lambda name: DataType[name]
