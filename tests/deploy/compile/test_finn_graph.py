"""Graphs that FINN made, taken over: what FINN's own Python execution computes, node by node and as networks."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.util.basic import qonnx_make_model

from signflow.deploy.compile import engine, export, finn_graph, streamline
from signflow.deploy.compile.errors import ModelFileError, UnsupportedError
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.compile.passes.head import Head
from signflow.deploy.compile.tidy import tidy
from signflow.deploy.golden.intgraph import IntGraph

engine.boot()
QONNX = "qonnx.custom_op.general"
COMMON = {"domain": finn_graph.HARDWARE, "backend": "fpgadataflow"}


def run(model: ModelWrapper, x: np.ndarray) -> np.ndarray:
    from finn.core.onnx_exec import execute_onnx

    return execute_onnx(model, {model.graph.input[0].name: x.astype(np.float32)})[model.graph.output[0].name]


class Nodes:
    """A chain of FINN's nodes with shapes and data types."""

    def __init__(self, shape, datatype: str):
        self.tensors, self.nodes, self.constants = [("x0", tuple(shape), datatype)], [], {}

    def add(
        self, op_type: str, shape, datatype: str, *constants: np.ndarray, domain: str = "", **attributes
    ) -> "Nodes":
        number = len(self.tensors)
        names = [f"c{number}_{k}" for k in range(len(constants))]
        self.constants |= dict(zip(names, constants, strict=True))
        extra = COMMON if not domain else {"domain": domain}
        inputs, out = [self.tensors[-1][0], *names], f"x{number}"
        self.nodes.append(helper.make_node(op_type, inputs, [out], name=f"{op_type}_{number}", **extra, **attributes))
        self.tensors.append((out, tuple(shape), datatype))
        return self

    def model(self) -> ModelWrapper:
        values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape, _ in self.tensors]
        graph = helper.make_graph(self.nodes, "finn", values[:1], values[-1:], value_info=values[1:-1])
        model = ModelWrapper(qonnx_make_model(graph))
        model.model.opset_import.append(helper.make_opsetid(finn_graph.HARDWARE, 1))  # as FINN's files have it
        for name, value in self.constants.items():
            model.set_initializer(name, value.astype(np.float32))
        for name, _, datatype in self.tensors:
            model.set_tensor_datatype(name, DataType[datatype])
        return model

    def mvau(
        self, rng, mh: int, inputs: str, weights: str, out: str, act: int = 0, xnor: int = 0, acc="INT32"
    ) -> "Nodes":
        *front, mw = self.tensors[-1][1]
        w = DataType[weights]
        values = rng.integers(int(w.min()), int(w.max()) + 1, (mw, mh)) if w.bitwidth() > 1 else rng.choice(
            [0, 1] if xnor else [-1, 1], (mw, mh))  # fmt: skip
        steps = {"": 0, "BIPOLAR": 1, "BINARY": 1, "UINT2": 3, "INT2": 3}[out]
        thresholds = [np.sort(rng.integers(-mw, mw + 1, (mh, steps)), axis=1)] if steps else []
        return self.add(
            "MVAU", (*front, mh), out or "INT32", values, *thresholds, MW=mw, MH=mh, SIMD=1, PE=1, inputDataType=inputs,
            weightDataType=weights, outputDataType=out or "INT32", accDataType=acc, noActivation=int(not out),
            binaryXnorMode=xnor, ActVal=act, numInputVectors=front,
        )  # fmt: skip


def windows(net: Nodes, kernel, stride=(1, 1), dilation=(1, 1), **more) -> Nodes:
    (_, h, w, c), datatype = net.tensors[-1][1:]
    out = [(n - d * (k - 1) - 1) // s + 1 for n, k, s, d in zip((h, w), kernel, stride, dilation, strict=True)]
    return net.add(
        "ConvolutionInputGenerator", (1, *out, kernel[0] * kernel[1] * c), datatype, ConvKernelDim=kernel,
        IFMChannels=c, IFMDim=[h, w], OFMDim=out, SIMD=1, Stride=stride, Dilation=dilation, inputDataType=datatype,
        outputDataType=datatype, **more,
    )  # fmt: skip


def same(net: Nodes, rng, count: int = 3) -> None:
    """FINN's execution, and that of what it is written as."""
    model = net.model()
    written = tidy(finn_graph.rewrite(None, model.model), DataType[net.tensors[0][2]])
    assert all(node.domain in ("", QONNX) and node.op_type not in finn_graph.OF_QONNX for node in written.graph.node)
    assert all(item.domain in ("", QONNX) for item in written.model.opset_import)
    kind = DataType[net.tensors[0][2]]
    for _ in range(count):
        low, high = (-40, 40) if kind.name == "FLOAT32" else (int(kind.min()), int(kind.max()))
        x = rng.integers(low, high + 1, net.tensors[0][1])
        x = np.where(x == 0, 1, x) if kind.name == "BIPOLAR" else x
        one, two = run(model, x), run(written, x)
        if math.prod(one.shape[:-1]) == 1 and one.ndim == 4:
            one = one.reshape(1, -1)  # the end of a network is a vector
        assert one.shape == two.shape and (one == two).all()


SEEDS = st.integers(0, 2**32 - 1)


@given(
    SEEDS, st.sampled_from(["NC", "NCHW", "NHWC"]), st.integers(1, 4), st.sampled_from([(2, -1), (1, 0), (0.3, 0.1)])
)
@settings(max_examples=8)
def test_multithreshold(seed, layout, steps, scaling):
    rng = np.random.default_rng(seed)
    shape = {"NC": (1, 3), "NCHW": (1, 3, 2, 2), "NHWC": (1, 2, 2, 3)}[layout]
    thresholds = rng.choice([*np.arange(-5, 6) / 2, np.inf, -np.inf], (int(rng.choice([1, 3])), steps))
    net = Nodes(shape, "FLOAT32").add(
        "MultiThreshold", shape, "FLOAT32", thresholds, domain=QONNX, out_dtype="INT4", data_layout=layout,
        out_scale=float(scaling[0]), out_bias=float(scaling[1]),
    )  # fmt: skip
    same(net, rng)


@given(SEEDS, st.sampled_from([("BIPOLAR", 0), ("UINT2", 0), ("INT2", -2)]))
@settings(max_examples=4)
def test_thresholding(seed, kind):
    rng = np.random.default_rng(seed)
    steps = 1 if kind[0] == "BIPOLAR" else 3
    net = Nodes((1, 2, 2, 3), "INT8").add(
        "Thresholding", (1, 2, 2, 3), kind[0], np.sort(rng.integers(-128, 128, (3, steps)), axis=1), NumChannels=3,
        PE=1, numSteps=steps, inputDataType="INT8", outputDataType=kind[0], weightDataType="INT8", ActVal=kind[1],
        numInputVectors=[1, 2, 2],
    )  # fmt: skip
    same(net, rng)


PRODUCTS = [
    ("BINARY", "BINARY", 1), ("BIPOLAR", "BIPOLAR", 0), ("UINT4", "BIPOLAR", 0), ("INT8", "INT4", 0),
]  # fmt: skip


@given(SEEDS, st.sampled_from(PRODUCTS), st.sampled_from([("", 0), ("BIPOLAR", 0), ("BINARY", 0), ("INT2", -1)]))
@settings(max_examples=12)
def test_mvau(seed, product, out):
    rng = np.random.default_rng(seed)
    inputs, weights, xnor = product
    shape = ((1, 6), (1, 2, 3, 6))[seed % 2]
    same(Nodes(shape, inputs).mvau(rng, 5, inputs, weights, out[0], out[1], xnor), rng)


@pytest.mark.parametrize("mh", [1, 5])
def test_a_vector_behind_a_map_of_one_pixel(mh):
    """FINN declares (1, MH) for what it computes as (1, 1, 1, MH)."""
    rng = np.random.default_rng(mh)
    net = Nodes((1, 1, 1, 6), "BINARY").mvau(rng, mh, "BINARY", "BINARY", "", xnor=1)
    made = net.model()
    net.tensors[-1] = (net.tensors[-1][0], (1, mh), "INT32")
    written = tidy(finn_graph.rewrite(None, net.model().model), DataType["BINARY"])
    x = rng.integers(0, 2, (1, 1, 1, 6))
    assert (run(written, x) == run(made, x).reshape(1, mh)).all() and run(written, x).shape == (1, mh)


@given(SEEDS, st.sampled_from([(3, 3), (2, 1)]), st.sampled_from([(1, 1), (2, 1)]), st.sampled_from([(1, 1), (1, 2)]))
@settings(max_examples=4)
def test_convolutions(seed, kernel, stride, dilation):
    rng = np.random.default_rng(seed)
    net = windows(Nodes((1, 7, 6, 2), "BINARY"), kernel, stride, dilation)
    same(net.mvau(rng, 4, "BINARY", "BINARY", "BIPOLAR", xnor=1), rng)
    padded = Nodes((1, 4, 4, 2), "BINARY").add(
        "Im2Col", (1, 4, 4, 18), "BINARY", domain=QONNX, kernel_size=[3, 3], stride=[1, 1], pad_amount=[1, 1, 1, 1],
        pad_value=1, input_shape="(1,4,4,2)",
    )  # fmt: skip
    same(padded.add("XnorPopcountMatMul", (1, 4, 4, 3), "UINT32", rng.choice([0, 1], (18, 3)), domain=QONNX), rng)


def test_the_other_operators():
    rng = np.random.default_rng(0)
    net = Nodes((1, 4, 4, 2), "UINT4").add(
        "FMPadding", (1, 6, 5, 2), "UINT4", ImgDim=[4, 4], Padding=[1, 0, 1, 1], NumChannels=2, inputDataType="UINT4"
    )
    windows(net, (2, 2), (2, 2), depthwise=1)
    _, h, w, _ = net.tensors[-1][1]
    net.add(
        "Pool", (1, h, w, 2), "UINT4", Channels=2, PE=1, KernelSize=[2, 2], Function="MaxPool", OutImgDims=[h, w],
        InputDataType="UINT4", OutputDataType="UINT4",
    )  # fmt: skip
    net.add("StreamingFIFO", (1, h, w, 2), "UINT4", depth=8, folded_shape=[1, h, w, 2, 1], normal_shape=[1, h, w, 2],
            dataType="UINT4")  # fmt: skip
    net.add(
        "GlobalAccPool", (1, 1, 1, 2), "UINT8", NumChannels=2, PE=1, inputDataType="UINT4", numInputVectors=[1, h, w]
    )
    same(net, rng)
    pooled = Nodes((1, 4, 4, 3), "INT8").add(
        "MaxPoolNHWC", (1, 2, 2, 3), "INT8", domain=QONNX, kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 0, 0]
    )
    same(pooled, rng)
    label = Nodes((1, 6), "INT8").add("LabelSelect", (1, 1), "UINT8", Labels=6, PE=1, K=1, inputDataType="INT8")
    same(label, rng)


# ---- networks


def hand_made(kind: str, rng) -> Nodes:
    """A network of FINN's operators that no conversion made."""
    if kind == "codes":
        thresholds = np.sort(rng.integers(0, 255, (8, 3)), axis=1)
        net = Nodes((1, 8), "UINT8").add(
            "Thresholding", (1, 8), "UINT2", thresholds, NumChannels=8, PE=1, numSteps=3, inputDataType="UINT8",
            outputDataType="UINT2", weightDataType="UINT8", numInputVectors=[1],
        )  # fmt: skip
        net.mvau(rng, 6, "UINT2", "INT4", "INT2", act=-2).mvau(rng, 4, "INT2", "INT4", "BIPOLAR")
        return net.mvau(rng, 3, "BIPOLAR", "BIPOLAR", "")
    net = Nodes((1, 4, 4, 2), "UINT8").add(
        "Thresholding", (1, 4, 4, 2), "BINARY", rng.integers(50, 200, (2, 1)), NumChannels=2, PE=1, numSteps=1,
        inputDataType="UINT8", outputDataType="BINARY", weightDataType="UINT8", numInputVectors=[1, 4, 4],
    )  # fmt: skip
    net.add(
        "FMPadding", (1, 6, 6, 2), "BINARY", ImgDim=[4, 4], Padding=[1, 1, 1, 1], NumChannels=2, inputDataType="BINARY"
    )
    windows(net, (3, 3)).mvau(rng, 4, "BINARY", "BINARY", "BINARY", xnor=1)
    return windows(net, (4, 4)).mvau(rng, 3, "BINARY", "BINARY", "", xnor=1)


@pytest.mark.parametrize("kind", ["codes", "padded bits"])
def test_networks_made_by_hand(tmp_path, kind):
    rng = np.random.default_rng(5)
    theirs = hand_made(kind, rng).model()
    theirs.save(str(tmp_path / "finn.onnx"))
    taken = export.load(tmp_path / "finn.onnx", "uint8")
    images = rng.integers(0, 256, (6, *ImageInput.of(taken).shape))
    expected = np.concatenate([run(theirs, image[None]).reshape(1, -1) for image in images])
    integer = streamline.streamline(taken)
    assert (Head.of(integer)(IntGraph(integer)(images)).reshape(len(images), -1) == expected).all()


def finns(model: ModelWrapper, hardware: bool) -> ModelWrapper:
    """FINN's own streamlining and conversion of an export."""
    from finn.transformation.fpgadataflow.convert_to_hw.binary_matrix_vector_activation import (
        InferBinaryMatrixVectorActivation,
    )
    from finn.transformation.fpgadataflow.convert_to_hw.conv_inp_gen import InferConvInpGen
    from finn.transformation.fpgadataflow.convert_to_hw.quantized_matrix_vector_activation import (
        InferQuantizedMatrixVectorActivation,
    )
    from finn.transformation.fpgadataflow.convert_to_hw.thresholding import InferThresholdingLayer
    from finn.transformation.qonnx.convert_qonnx_to_finn import ConvertQONNXtoFINN
    from finn.transformation.streamline import Streamline, absorb
    from finn.transformation.streamline.reorder import MakeMaxPoolNHWC
    from finn.transformation.streamline.round_thresholds import RoundAndClipThresholds
    from qonnx.transformation.bipolar_to_xnor import ConvertBipolarMatMulToXnorPopcount
    from qonnx.transformation.infer_data_layouts import InferDataLayouts
    from qonnx.transformation.infer_datatypes import InferDataTypes
    from qonnx.transformation.lower_convs_to_matmul import LowerConvsToMatMul

    steps = [ConvertQONNXtoFINN(), Streamline()]
    if model.get_nodes_by_op_type("Conv"):
        transpose = absorb.AbsorbTransposeIntoMultiThreshold
        steps += [LowerConvsToMatMul(), transpose(), MakeMaxPoolNHWC(), transpose()]
    steps += [ConvertBipolarMatMulToXnorPopcount(), Streamline(), InferDataLayouts(), InferDataTypes()]
    steps += [RoundAndClipThresholds()]
    if hardware:
        steps += [InferBinaryMatrixVectorActivation(), InferQuantizedMatrixVectorActivation()]
        steps += [InferThresholdingLayer(), InferConvInpGen()]
    for step in steps:
        model = model.transform(step)
    return model


@pytest.mark.parametrize("hardware", [False, True])
@pytest.mark.parametrize("name", ["dense", "maps", "codes"])
def test_networks_that_finn_streamlined(chain, tmp_path, name, hardware):
    rng = np.random.default_rng(7)

    def signs(*shape):
        return rng.choice([-1.0, 1.0], size=shape)

    def norm(n):
        return rng.uniform(0.5, 1.5, n), rng.normal(size=n), rng.normal(size=n), rng.uniform(1, 9, n)

    if name == "dense":
        c = chain((12,)).dense(signs(9, 12)).batchnorm(*norm(9)).sign().dense(signs(8, 9)).batchnorm(*norm(8)).sign()
        c.dense(signs(4, 8))
    elif name == "maps":
        whole = {"group": 1, "pads": [0] * 4, "dilations": [1, 1]}
        c = chain((2, 6, 6)).conv(signs(5, 2, 3, 3), **whole).batchnorm(*norm(5)).sign()
        c.op("MaxPool", kernel_shape=[2, 2], strides=[2, 2], pads=[0] * 4)
        c.shape = [1, 5, 2, 2]
        c.conv(signs(4, 5, 2, 2), **whole).sign().flatten().dense(signs(3, 4))
    else:
        c = (
            chain((12,))
            .dense(signs(9, 12))
            .scalar("Mul", 0.125)
            .quant(0.5, 3)
            .dense(signs(4, 9))
            .sign()
            .dense(signs(3, 4))
        )
    theirs = finns(export.load(c.save(tmp_path / "net.onnx"), "uint8"), hardware)
    kinds = {node.op_type for node in theirs.graph.node}
    assert "MVAU" in kinds if hardware else kinds & {"XnorPopcountMatMul", "MultiThreshold"}
    theirs.save(str(tmp_path / "finn.onnx"))
    taken = export.load(tmp_path / "finn.onnx", "uint8")
    images = rng.integers(0, 256, (6, *ImageInput.of(taken).shape))
    expected = np.concatenate([run(theirs, image[None]).reshape(1, -1) for image in images])
    integer = streamline.streamline(taken)
    assert (Head.of(integer)(IntGraph(integer)(images)).reshape(len(images), -1) == expected).all()


# ---- what is refused


def test_an_accumulator_that_is_too_small(chain, tmp_path):
    """Behind FINN's minimised accumulators, its hardware and its graph differ (`test_finn_bugs`)."""
    from finn.transformation.fpgadataflow.minimize_accumulator_width import MinimizeAccumulatorWidth

    rng = np.random.default_rng(0)
    c = chain((40,)).dense(rng.choice([-1.0, 1.0], (4, 40))).sign().dense(rng.choice([-1.0, 1.0], (3, 4)))
    model = finns(export.load(c.save(tmp_path / "net.onnx"), "bipolar"), True)
    finn_graph.rewrite(tmp_path, model.model)
    model = model.transform(MinimizeAccumulatorWidth())
    model.save(str(tmp_path / "finn.onnx"))
    with pytest.raises(UnsupportedError, match=r"its accumulator is \w+, and its sums reach 0..40: FINN's hardware"):
        export.load(tmp_path / "finn.onnx", "bipolar")


def accumulating(net: Nodes, datatype: str) -> ModelWrapper:
    """The product ``net`` with an accumulator of this type."""
    model = net.model()
    next(a for a in model.graph.node[0].attribute if a.name == "accDataType").s = datatype.encode()
    return model


@pytest.mark.parametrize("seed", range(4))
def test_the_sums_of_codes_that_an_accumulator_must_hold(seed):
    """Of INT4 x INT4: the least and the greatest of all columns, by the corners of every product."""
    rng = np.random.default_rng(seed)
    net = Nodes((1, 6), "INT4").mvau(rng, 5, "INT4", "INT4", "")
    weights = net.constants["c1_0"].astype(int)
    low = min(sum(min(-8 * w, 7 * w) for w in column) for column in weights.T)
    high = max(sum(max(-8 * w, 7 * w) for w in column) for column in weights.T)
    fits = next(bits for bits in range(2, 16) if -(2 ** (bits - 1)) <= low and high < 2 ** (bits - 1))
    finn_graph.rewrite(None, accumulating(net, f"INT{fits}").model)
    with pytest.raises(UnsupportedError, match=f"its accumulator is INT{fits - 1}, and its sums reach {low}..{high}:"):
        finn_graph.rewrite(None, accumulating(net, f"INT{fits - 1}").model)


def test_what_has_no_form_is_refused(tmp_path):
    rng = np.random.default_rng(0)
    cases = {
        r"VVAU.*has no exact form here": Nodes((1, 4), "INT4").add("VVAU_hls", (1, 4), "INT8"),
        r"MVAU_sf.*operator of signflow": Nodes((1, 4), "INT4").add("MVAU_sf", (1, 4), "INT8"),
        r"its windows are read by something else": windows(Nodes((1, 4, 4, 2), "INT4"), (2, 2)).add(
            "StreamingFIFO", (1, 3, 3, 8), "INT4"
        ),
        r"it is AvgPool": windows(Nodes((1, 4, 4, 2), "INT4"), (2, 2)).add(
            "Pool", (1, 3, 3, 2), "INT4", Function="AvgPool", Channels=2, PE=1, KernelSize=[2, 2], OutImgDims=[3, 3],
            InputDataType="INT4", OutputDataType="INT4",
        ),
    }  # fmt: skip
    cases[r"selects a class at every position of \[1, 2, 2, 3\]"] = Nodes((1, 2, 2, 3), "INT4").add(
        "LabelSelect", (1, 1), "UINT8", Labels=3, PE=1, K=1, inputDataType="INT4"
    )
    for words, net in cases.items():
        with pytest.raises(UnsupportedError, match=words):
            finn_graph.rewrite(tmp_path, net.model().model)
    moving = Nodes((1, 6), "BINARY").mvau(rng, 5, "BINARY", "BINARY", "", xnor=1).model()
    moving.graph.initializer.pop()
    with pytest.raises(UnsupportedError, match="its parameters are not constant"):
        finn_graph.rewrite(tmp_path, moving.model)


def test_partitions_are_opened(tmp_path):
    rng = np.random.default_rng(0)
    child = Nodes((1, 6), "BINARY").mvau(rng, 5, "BINARY", "BINARY", "BIPOLAR", xnor=1).model()
    child.save(str(tmp_path / "partition.onnx"))
    parent = Nodes((1, 6), "BINARY").add(
        "StreamingDataflowPartition", (1, 5), "BIPOLAR", model=str(tmp_path / "partition.onnx")
    )
    written = tidy(finn_graph.rewrite(tmp_path / "parent.onnx", parent.model().model), DataType["BINARY"])
    for _ in range(4):
        x = rng.integers(0, 2, (1, 6))
        assert (run(written, x) == run(child, x)).all()
    moved = parent.model().model
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "partition.onnx").rename(tmp_path / "elsewhere" / "partition.onnx")
    finn_graph.rewrite(tmp_path / "elsewhere" / "parent.onnx", moved)
    with pytest.raises(ModelFileError, match=r"is the partition in .*no such file"):
        finn_graph.rewrite(tmp_path / "parent.onnx", moved)


@pytest.mark.parametrize("part", ["attribute", "input", "shape", "initializer"])
def test_a_damaged_file_is_refused_or_right(tmp_path, part):
    """One thing of every node removed, each in turn: a refusal, or what FINN's execution of the damaged graph gives."""
    rng = np.random.default_rng(3)
    whole = windows(Nodes((1, 3, 3, 2), "BINARY"), (3, 3)).mvau(rng, 3, "BINARY", "BINARY", "BIPOLAR", xnor=1)
    whole = whole.add("LabelSelect", (1, 1), "UINT8", Labels=3, PE=1, K=1, inputDataType="BIPOLAR").model()
    lists = {
        "attribute": lambda m: [node.attribute for node in m.graph.node],
        "input": lambda m: [node.input for node in m.graph.node],
        "shape": lambda m: [m.graph.value_info],
        "initializer": lambda m: [m.graph.initializer],
    }[part]
    x = rng.integers(0, 2, (1, 3, 3, 2))
    for which, items in enumerate(lists(whole)):
        for place in range(len(items)):
            damaged = ModelWrapper(whole.model, make_deepcopy=True)
            del lists(damaged)[which][place]
            try:
                written = finn_graph.rewrite(tmp_path / "net.onnx", damaged.model)
            except (ModelFileError, UnsupportedError):
                continue
            try:
                expected = run(damaged, x)
            except Exception:  # nothing that FINN runs: what is left must then say the same as the whole
                expected = run(whole, x)
            assert (run(tidy(written, DataType["BINARY"]), x) == expected).all(), (which, place)
