"""One bench for every operator: the RTL of a node against its numpy reference and its timing model.

`Bench(op_type, attributes, ...)` builds a graph of one node. `check` compiles its module, streams several frames back
to back and asks for the same words as numpy, the same cycles as `accepts` and `timing`, and nothing left over.

`check_estimate` asks for the LUTs, block RAMs and DSP blocks that yosys counts.

A module with several streams on a side gets a wrapper (`wrapper.py`), because the simulator drives one in and one out.
"""

import json
import math
from dataclasses import dataclass

import numpy as np
import pytest
from onnx import TensorProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from qonnx.util.basic import qonnx_make_model

from signflow.deploy.tools import estimate
from signflow.hw import ops
from signflow.hw.ops.base import RTL_DIR, RTL_DOMAIN, earliest, port_names, to_bits
from signflow.hw.sim import verilator
from signflow.hw.sim.stream import StreamModel
from signflow.hw.sim.words import unpack

from .wrapper import together, wrapper

STALLS = [(0, 0), (0.4, 0), (0, 0.4), (0.3, 0.3)]
OPEN = (1 << 64) - 1  # a gate that never closes; bit c % 64: open in cycle c


@dataclass(frozen=True)
class Stream:
    """One stream of a node: type of an element, shape of a frame, words of a frame, elements of a word, elements that
    share a flag (0: no flags), vectors that stand side by side in a word.
    """

    datatype: DataType
    shape: tuple[int, ...]
    words: int
    lanes: int
    group: int
    pixels: int = 1

    @property
    def width(self) -> int:
        return self.lanes * self.datatype.bitwidth() + (self.lanes // self.group if self.group else 0)

    def bits(self, rng, values):
        """Words of the stream as bits; under a flag they are random."""
        elements = codes(values, self.datatype).reshape(-1, self.shape[-1])
        elements = np.pad(elements, [(0, 0), (0, self.padding)])
        if self.pixels > 1:
            words = elements.shape[1] * self.pixels // self.lanes
            images = elements.reshape(-1, math.prod(self.shape[:-1]), elements.shape[1])
            images = np.pad(images, [(0, 0), (0, -images.shape[1] % self.pixels), (0, 0)], constant_values=1)
            elements = images.reshape(-1, self.pixels, words, self.lanes // self.pixels).swapaxes(1, 2)
        elements = elements.reshape(-1, self.lanes)
        if not self.group:
            return to_bits(elements, self.datatype.bitwidth())
        groups = elements.reshape(len(elements), -1, self.group)
        flags = (groups == ZERO).any(axis=2, keepdims=True)
        data = np.where(flags, rng.integers(0, 2, groups.shape), groups)
        return np.concatenate([data, flags], axis=2).reshape(len(elements), -1)

    @property
    def padding(self) -> int:
        """Elements in the last word of every vector that are none."""
        vectors = math.prod(self.shape[:-1])
        return self.words * self.lanes // (vectors + -vectors % self.pixels) - self.shape[-1]

    def frames(self, planes, n):
        """Codes (n, *shape) of the words."""
        vectors = self.elements(planes)
        if self.pixels > 1:
            words = (self.shape[-1] + self.padding) * self.pixels // self.lanes
            vectors = vectors.reshape(-1, words, self.pixels, self.lanes // self.pixels).swapaxes(1, 2)
            vectors = vectors.reshape(n, -1, self.shape[-1] + self.padding)[:, : math.prod(self.shape[:-1])]
        vectors = vectors.reshape(-1, self.shape[-1] + self.padding)
        return vectors[:, : self.shape[-1]].reshape(n, *self.shape)

    def elements(self, planes):
        """The other way round: codes of the words."""
        if not self.group:
            packed = np.packbits(planes, axis=1, bitorder="little")
            signed = self.datatype.signed() and self.datatype.name != "BIPOLAR"
            return unpack(packed, self.datatype.bitwidth(), self.lanes, signed)
        groups = planes.reshape(len(planes), -1, self.group + 1).astype(np.int64)
        return np.where(groups[..., -1:], ZERO, groups[..., :-1])


ZERO = 2  # code of the number 0 between bits


def codes(values, datatype):
    """Values of a FINN type as the bits of the stream; the number 0 between bits as `ZERO`."""
    values = np.asarray(values)
    values = (values + 1) / 2 if datatype.name == "BIPOLAR" else values
    return np.where(values == 0.5, ZERO, values).astype(np.int64)


def wrong(word):
    """A word in hexadecimal with all bits inverted."""
    return "".join(f"{15 - int(digit, 16):x}" for digit in word)


def draw(rng, datatype, shape, group=0):
    """Random values of a FINN type, extremes more often than by chance; groups of elements may be the number 0."""
    if group:
        bits, zeros = draw(rng, datatype, shape), rng.random((*shape[:-1], shape[-1] // group)) < 0.4
        return np.where(np.repeat(zeros, group, axis=-1), 0 if datatype.name == "BIPOLAR" else 0.5, bits)
    if datatype.name == "BIPOLAR":
        return rng.integers(0, 2, shape) * 2 - 1
    low, high = int(datatype.min()), int(datatype.max())
    values = rng.integers(low, high + 1, shape)
    return np.where(rng.random(shape) < 0.1, rng.choice([low, high], shape), values)


def gated(arrivals, mask):
    """Arrivals behind a FIFO, a gate and another FIFO of the wrapper."""
    open_at = np.array([mask >> c & 1 for c in range(64)], bool)
    result, last = np.empty_like(arrivals), -1
    for k, offered in enumerate(earliest(arrivals) + 1):
        last = max(last + 1, offered)
        while not open_at[last % 64]:
            last += 1
        result[k] = last + 1
    return result


def stream(datatype, shape, folded, group, pixels):
    return Stream(datatype, tuple(shape), int(np.prod(folded[:-1])), folded[-1], group, pixels)


class Bench:
    """A graph of one node, its compiled module and its memory images.

    Frames are one array [n, *shape], or a list of one for each stream where a side has several.
    """

    def __init__(self, folder, op_type, attributes, *constants):
        ops.register()
        node = helper.make_node(op_type, [], [], domain=RTL_DOMAIN, backend="fpgadataflow", name="dut", **attributes)
        op, self.folder = getCustomOp(node), folder
        names, outputs = port_names("x", op.IN_STREAMS), port_names("y", op.OUT_STREAMS)
        fixed = [f"c{i}" for i in range(len(constants))]
        node.input.extend([*names, *fixed])
        node.output.extend(outputs)
        tensors = [
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape(i)) for i, n in enumerate(side)]
            for side, shape in ((names, op.get_normal_input_shape), (outputs, op.get_normal_output_shape))
        ]
        self.model = ModelWrapper(qonnx_make_model(helper.make_graph([node], "g", *tensors)))
        for name, values in zip(fixed, constants, strict=True):
            self.model.set_initializer(name, np.asarray(values, np.float32))
        self.op = op = getCustomOp(self.model.graph.node[0])
        self.ins = [
            stream(
                op.get_input_datatype(i), op.get_normal_input_shape(i), op.get_folded_input_shape(i), group, op.pixels()
            )
            for i, group in enumerate(map(op.in_group, range(op.IN_STREAMS)))
        ]
        self.outs = [
            stream(
                op.get_output_datatype(i),
                op.get_normal_output_shape(i),
                op.get_folded_output_shape(i),
                group,
                op.pixels(),
            )
            for i, group in enumerate(map(op.out_group, range(op.OUT_STREAMS)))
        ]
        self.gates, self.load = (OPEN, OPEN), None

    def compile(self, variant="check", gates=(OPEN, OPEN), **override):
        """The compiled module of the node; `override` replaces parameters, `gates` open its streams where it has
        several on a side. What a loadable node's memories hold comes through the load chain alone: their images are
        wrong in every bit.
        """
        self.rtl, self.gates = self.op.rtl_instance(self.model), gates
        self.load = self.rtl.load() if self.rtl.loadable else None
        for name, lines in self.rtl.mem.items():
            (self.folder / name).write_text("\n".join(lines if self.load is None else map(wrong, lines)) + "\n")
        top, sources, parameters = self.rtl.module, list(self.rtl.modules), self.rtl.params | override
        verilator.lint(top, [RTL_DIR / f"{m}.sv" for m in sources], parameters)
        assert [s.width for s in self.ins] == [self.op.get_instream_width(i) for i in range(len(self.ins))]
        assert [s.width for s in self.outs] == [self.op.get_outstream_width(i) for i in range(len(self.outs))]
        files = []
        if len(self.ins) + len(self.outs) > 2:
            sources, files = sorted({*sources, "sf_fifo", "sf_duplicate"}), [self.folder / f"bench_{top}.sv"]
            files[0].write_text(wrapper(f"bench_{top}", self.rtl, self.ins, self.outs, gates))
            top, parameters = f"bench_{top}", {}
        files += [RTL_DIR / f"{m}.sv" for m in sources]
        self.compiled = verilator.compile(top, files, parameters, variant=variant)
        widths = together(self.ins), sum(s.width for s in self.outs)
        assert (self.compiled.in_bits, self.compiled.out_bits) == widths
        return self

    def golden(self, frames):
        """Outputs of the numpy reference, frame by frame."""
        results = []
        for frame in zip(*self._list(frames), strict=True):
            context = {i.name: self.model.get_initializer(i.name) for i in self.model.graph.initializer}
            context |= {i.name: x.astype(np.float32) for i, x in zip(self.model.graph.input, frame, strict=True)}
            outputs = [o.name for o in self.model.graph.output]
            context |= {o: np.zeros(s.shape, np.float32) for o, s in zip(outputs, self.outs, strict=True)}
            self.op.execute_node(context, self.model.graph)
            results.append([context[o] for o in outputs])
        results = [np.stack(side) for side in zip(*results, strict=True)]
        return results if len(results) > 1 else results[0]

    def _list(self, frames):
        return frames if len(self.ins) > 1 else [frames]

    def stream(self, frames, **options):
        """Run frames through the RTL; returns (outputs as codes, run)."""
        frames = self._list(frames)
        n, here = len(frames[0]), self.here(len(frames[0]))
        bits = [np.zeros((len(h), s.width), np.uint8) for h, s in zip(here, self.ins, strict=True)]
        for part, h, x, s in zip(bits, here, frames, self.ins, strict=True):
            part[h] = s.bits(np.random.default_rng(3), x)
        if len(self.ins) > 1:
            bits += [h[:, None].astype(np.uint8) for h in here]
        words = np.packbits(np.concatenate(bits, axis=1), axis=1, bitorder="little")
        with StreamModel(self.compiled, self.folder, seed=7, load=self.load) as dut:
            run = dut.run(words, n * self.outs[0].words, frames=n, stamps=True, strict=True, watchdog=20_000, **options)
        planes, results, at = np.unpackbits(run.words, axis=1, bitorder="little"), [], 0
        for s in self.outs:
            results.append(s.frames(planes[:, at : at + s.width], n))
            at += s.width
        return (results if len(results) > 1 else results[0]), run

    def here(self, frames):
        """For every input stream, which words of the bench carry one of its words, at the start of each frame."""
        most = max(s.words for s in self.ins)
        return [np.tile(np.arange(most) < s.words, frames) for s in self.ins]

    def draw(self, rng, frames):
        """Random frames."""
        x = [draw(rng, s.datatype, (frames, *s.shape), s.group) for s in self.ins]
        return x if len(x) > 1 else x[0]

    def check_words(self, rng, frames=4):
        """RTL = numpy under all stall patterns."""
        x = self.draw(rng, frames)
        expected = self._codes(self.golden(x))
        for seed, (source, sink) in enumerate(STALLS):
            got, _ = self.stream(x, in_stall=source, out_stall=sink, seed=seed)
            np.testing.assert_array_equal(got, expected, err_msg=f"stalls {source}, {sink}")
        return self

    def _codes(self, golden):
        several = golden if len(self.outs) > 1 else [golden]
        results = [codes(y, s.datatype) for y, s in zip(several, self.outs, strict=True)]
        return results if len(results) > 1 else results[0]

    def check(self, rng, frames=4):
        """RTL = numpy under all stall patterns; RTL = timing model for several arrival patterns, and while words are
        held where no FIFO needs to stand behind; steady interval = get_exp_cycles.
        """
        self.check_words(rng, frames)
        x = self.draw(rng, frames)
        expected = self._codes(self.golden(x))
        for arrivals in self.arrival_patterns(rng, frames):
            got, run = self.stream(x, arrivals=arrivals)
            np.testing.assert_array_equal(got, expected)
            if len(self.ins) > 1:
                apart = [earliest(arrivals)[here] for here in self.here(frames)]
                inside = [gated(*side) for side in zip(apart, self.gates, strict=True)]
                np.testing.assert_array_equal(run.out_cycles, self.op.timing(*inside), err_msg="timing")
                continue
            late = len(self.outs) - 1  # a FIFO of the wrapper
            np.testing.assert_array_equal(run.in_cycles, self.op.accepts(arrivals), err_msg="accepts")
            np.testing.assert_array_equal(run.out_cycles, self.op.timing(arrivals) + late, err_msg="timing")
        if self.op.holds() and self.op.room():
            self.check_held(x, arrivals, expected)
        always = [np.zeros(12 * s.words, np.int64) for s in self.ins]
        last = self.op.timing(*always).reshape(12, -1)[:, -1]
        assert last[-1] - last[-2] == self.op.get_exp_cycles()
        return self

    def check_held(self, x, arrivals, expected):
        """While words wait for their reader, others are taken when `hold` says, and none is late."""
        for stall in (0.3, 0.8):
            got, run = self.stream(x, arrivals=arrivals, out_stall=stall)
            np.testing.assert_array_equal(got, expected)
            accepts, offered = self.op.hold(arrivals, run.out_cycles)
            np.testing.assert_array_equal(run.in_cycles, accepts, err_msg="accepts while words are held")
            assert (offered <= run.out_cycles).all()

    def check_estimate(self):
        """The estimates against yosys: LUTs within a fifth and ten, block RAMs and DSP blocks as counted."""
        self.rtl = rtl = self.op.rtl_instance(self.model)
        for name, lines in rtl.mem.items():
            (self.folder / name).write_text("\n".join(lines) + "\n")
        if not (self.folder / "rtl").exists():
            (self.folder / "rtl").symlink_to(RTL_DIR)
        unit = {"node": "dut", "op": rtl.module, "module": rtl.module, "modules": rtl.modules, "params": rtl.params}
        facts = {"name": "bench", "mem_dir": ".", "operators": [unit]}
        (self.folder / "accel.json").write_text(json.dumps(facts))
        found, op = estimate.synthesize(self.folder, jobs=1).total, self.op
        assert abs(op.lut_estimation() - found.lut) <= 10 + found.lut / 5, found
        assert op.bram_estimation() == found.bram18 + 2 * found.bram36, found
        assert op.dsp_estimation("") == found.dsp, found
        return self

    def arrival_patterns(self, rng, frames):
        """Always there; random gaps, sparse and dense; bursts; late frames."""
        words = max(s.words for s in self.ins)
        n = frames * words
        yield np.zeros(n, np.int64)
        yield np.cumsum(rng.integers(0, 3, n))
        yield np.cumsum(rng.integers(0, 12, n))
        yield np.cumsum((rng.random(n) < 0.05) * rng.integers(0, 60, n))
        slow = self.op.get_exp_cycles() + int(rng.integers(0, 20))
        yield (np.arange(frames)[:, None] * slow + np.arange(words)).ravel()


@pytest.fixture
def bench(tmp_path_factory):
    """`bench(op_type, attributes, *constants)`: a Bench in a folder of its own."""
    return lambda *arguments: Bench(tmp_path_factory.mktemp("node"), *arguments)


@pytest.fixture
def datatype():
    """FINN data type by name."""
    return lambda name: DataType[name]
