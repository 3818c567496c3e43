"""The driver on the simulated board: equal results for every kind of network, batch and order; what it refuses."""

import ast
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import signflow.deploy.board.accelerator
from signflow.deploy import flow
from signflow.deploy.board.accelerator import Accelerator, AcceleratorError, Codec
from signflow.deploy.compile.images import KINDS, ImageInput
from signflow.deploy.compile.passes.head import Head
from signflow.deploy.golden.intgraph import IntGraph
from signflow.hw.sim.words import pack, unpack
from signflow.models.weights import trained

from .board_folder import build, copy, packed


@pytest.fixture
def tfc(bitfile):
    with Accelerator(bitfile) as accelerator:
        yield accelerator


def draw(kind, shape, seed=0):
    """Random images; every value that is allowed occurs."""
    kind = KINDS[kind]
    images = np.random.default_rng(seed).choice(kind.pixels, shape)
    return images.astype(np.int8 if kind.low < 0 else np.uint8)


def test_logits_are_those_of_pytorch(tfc):
    images = draw("uint8", (300, 1, 28, 28))
    logits = tfc(images)
    with torch.no_grad():
        expected = trained("tfc")(torch.from_numpy(images).float()).numpy()
    assert logits.dtype == np.float32
    np.testing.assert_array_equal(logits, expected)


@pytest.mark.parametrize("count", [0, 1, 2, 6, 7, 8, 14, 15, 100])
def test_batches_of_any_size(bitfile, work, count, monkeypatch):
    from signflow.deploy.board.pynq_link import PynqLink

    monkeypatch.setattr(PynqLink, "chunk_bytes", 7 * 98 * 8 + 5)  # 7 images
    images = draw("uint8", (count, 1, 28, 28), seed=count)
    with Accelerator(bitfile) as tfc:
        results = tfc.results(images)
    assert results.shape == (count, 10) and results.dtype == np.int64
    np.testing.assert_array_equal(results, IntGraph(flow.read(work, flow.INTEGER))(images))


def test_the_next_chunk_is_packed_while_one_runs(bitfile, monkeypatch):
    from signflow.deploy.board.pynq_link import PynqLink

    monkeypatch.setattr(PynqLink, "chunk_bytes", 4 * 98 * 8)
    events = []

    def noted(name, function):
        def call(*arguments):
            events.append(name)
            return function(*arguments)

        return call

    with Accelerator(bitfile) as tfc:
        for owner, name in ((tfc._codec, "pack"), (tfc._codec, "unpack"), (tfc._link, "send"), (tfc, "_wait")):
            monkeypatch.setattr(owner, name, noted(name, getattr(owner, name)))
        tfc(draw("uint8", (12, 1, 28, 28)))
    assert events == [
        *("pack", "send", "pack", "_wait"), *("send", "pack", "unpack", "_wait"), *("send", "unpack", "_wait", "unpack")
    ]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.uint32])
def test_any_integer_type_and_memory_order(tfc, dtype):
    images = draw("uint8", (5, 1, 28, 28))
    expected = tfc.results(images)
    np.testing.assert_array_equal(tfc.results(images.astype(dtype)), expected)
    np.testing.assert_array_equal(tfc.results(np.asfortranarray(images.astype(dtype))), expected)
    np.testing.assert_array_equal(tfc.results(images.repeat(2, axis=0)[::2]), expected)


@pytest.mark.parametrize(
    ("images", "error", "text"),
    [
        ([[0]], TypeError, "no numpy array but list"),
        (torch.zeros(1, 1, 28, 28, dtype=torch.uint8), TypeError, "no numpy array but Tensor"),
        (
            np.zeros((1, 28, 28), np.uint8),
            ValueError,
            r"shape \(1, 28, 28\): .*integers 0..255 of shape \(N, 1, 28, 28\)",
        ),
        (np.zeros((28, 28), np.uint8), ValueError, r"shape \(28, 28\)"),
        (np.zeros((), np.uint8), ValueError, r"shape \(\)"),
        (np.zeros((2, 1, 28, 27), np.uint8), ValueError, r"shape \(2, 1, 28, 27\)"),
        (np.zeros((1, 1, 28, 28), np.float32), TypeError, "type float32: .*do not scale them"),
        (np.zeros((1, 1, 28, 28), bool), TypeError, "type bool"),
        (np.full((1, 1, 28, 28), 256), ValueError, r"pixel \(0, 0, 0, 0\) is 256"),
        (np.full((1, 1, 28, 28), -1), ValueError, r"pixel \(0, 0, 0, 0\) is -1"),
    ],
)
def test_images_that_do_not_fit(tfc, images, error, text):
    with pytest.raises(error, match=text):
        tfc(images)
    assert tfc.self_test() == 256  # a refusal is no fault


def test_fixed_weights_stay(tfc, tmp_path):
    with pytest.raises(AcceleratorError, match="weights are fixed: build it with --loadable to load others"):
        tfc.load_weights(tmp_path / "any.npz")


def test_throughput(tfc):
    result = tfc.throughput_test(500)
    assert result.images == 500 and result.clock_mhz == 100
    assert (result.predicted_latency, result.predicted_interval) == (226, 49)
    assert result.latency == pytest.approx(226, abs=8)  # the shell costs a few cycles
    assert result.interval == pytest.approx(49, abs=0.5)
    assert result.cycles == pytest.approx(226 + 499 * 49, abs=200)
    assert result.hardware_images_per_second == pytest.approx(500 / (result.cycles * 10e-9))
    assert "49.0 cycles an image (predicted 2,040,816, 49)" in str(result) and "us (predicted 226)" in str(result)


def test_one_image_and_none_timed(tfc):
    assert tfc.throughput_test(1).latency == tfc.throughput_test(1).cycles
    with pytest.raises(ValueError, match="0 images cannot be timed"):
        tfc.throughput_test(0)


def test_the_status_page(tfc):
    tfc(draw("uint8", (3, 1, 28, 28)))
    page, shell = tfc.page(), tfc.facts["shell"]
    assert page["FRAMES_IN"] == page["FRAMES_OUT"] == 3 and page["STATUS"] == 0
    assert "".join(f"{page[f'HASH{i}']:08x}" for i in range(4)) == shell["network_hash"]


def test_the_same_board_from_several_accelerators_in_turn(bitfile, tmp_path):
    images = draw("uint8", (4, 1, 28, 28))
    results = []
    for _ in range(3):
        with Accelerator(bitfile) as tfc:
            results.append(tfc.results(images))
    assert (results[0] == results[1]).all() and (results[0] == results[2]).all()


def chain_with_index(chain):
    """int8 images of 3 channels, a convolution, the number of the class."""
    rng = np.random.default_rng(5)

    def sign(*shape):
        return rng.choice([-1, 1], shape)

    c = chain((3, 6, 6)).conv(sign(8, 3, 3, 3)).scalar("Add", rng.integers(-90, 90, 8) + 0.5).sign()
    return c.flatten().dense(sign(5, 128)).op("ArgMax", axis=1, keepdims=1), (3, 6, 6)


def chain_of_signs(chain):
    """Bipolar vectors, logits with a scale and a bias of each class."""
    rng = np.random.default_rng(6)

    def sign(*shape):
        return rng.choice([-1, 1], shape)

    c = chain((24,)).dense(sign(16, 24)).scalar("Add", rng.integers(-4, 4, 16) + 0.5).sign().dense(sign(3, 16))
    return c.scalar("Mul", rng.random(3) + 0.5).scalar("Add", rng.random(3)), (24,)


@pytest.mark.parametrize(
    ("make", "kind", "board"),
    [
        (chain_with_index, "int8", "zcu104"),
        (chain_of_signs, "bipolar", "ultra96-v2"),
    ],
)
def test_other_kinds_of_networks_on_other_boards(chain, tmp_path, make, kind, board):
    graph, shape = make(chain)
    source = graph.save(tmp_path / "net.onnx")
    settings_ = flow.Settings(str(source), board=board, input=kind)
    work = build(settings_, tmp_path / "work")
    model = flow.read(work, flow.INTEGER)
    images = draw(kind, (40, *shape), seed=1)
    expected = IntGraph(model)(images)
    with warnings.catch_warnings(), Accelerator(packed(settings_, work)) as net:
        warnings.simplefilter("ignore")  # pynq: the clock is not met exactly
        np.testing.assert_array_equal(net.results(images), expected)
        np.testing.assert_array_equal(net(images), Head.of(model)(expected))
        assert net.clock_mhz * 1000 <= net.facts["shell"]["clock_khz"] * 1.002
    assert len(np.unique(expected)) > 2


def test_a_clock_that_would_be_too_fast_is_slowed_down():
    from signflow.deploy.board.pynq_link import PynqLink

    class Clocks:  # a 1500 MHz PLL; the nearest divisor to 200 MHz is 7: 214 MHz
        divisor = 7

        @property
        def fclk0_mhz(self):
            return 1500 / self.divisor

        @fclk0_mhz.setter
        def fclk0_mhz(self, value):
            self.divisor = round(1500 / value)

    assert PynqLink._set_clock(Clocks(), 200_000) == 187_500

    class Stuck:
        fclk0_mhz = property(lambda self: 250.0, lambda self, value: None)

    with pytest.raises(RuntimeError, match="the clock is 250 MHz and cannot be set to at most 200 MHz"):
        PynqLink._set_clock(Stuck(), 200_000)


@st.composite
def formats(draw_):
    """(accel.json, images of it, expected bytes of the frames) as words.py and images.py define them."""
    kind = draw_(st.sampled_from(list(KINDS)))
    order = draw_(st.sampled_from(["NCHW", "NHWC", "HWC", "flat"]))
    c, h, w = (draw_(st.integers(1, 4)) for _ in range(3))
    binary = kind == "bipolar" and draw_(st.booleans())
    shape = (c, w) if h == 1 and draw_(st.booleans()) else (c, h, w)
    image = ImageInput(kind, shape, order, binary)
    bits = 1 if kind == "bipolar" else 8
    elems = c * h * w
    lanes = draw_(st.sampled_from([k for k in range(1, elems + 1) if elems % k == 0]))
    beat = draw_(st.sampled_from([8, 64, 128]))
    word = max(8, 1 << (lanes * bits - 1).bit_length())
    words = elems // lanes
    side = {"shape": [elems], "dtype": "BINARY" if binary else KINDS[kind].datatype}
    side |= {"word_elems": lanes, "elem_bits": bits, "words": words, "stream_bits": -(-lanes * bits // 8) * 8}
    shell = {"beat_bits": beat, "in_word_bits": word, "in_beats": -(-words * word // beat)}
    return image, side, shell


OUTPUTS = st.tuples(
    st.sampled_from(["UINT", "INT", "BIPOLAR"]), st.integers(1, 24), st.integers(1, 6), st.integers(1, 5)
)


def codec_of(image, side, shell, output=("UINT", 8, 1, 1)):
    name, bits, lanes, words = output
    bits = 1 if name == "BIPOLAR" else bits
    word = max(8, 1 << (lanes * bits - 1).bit_length())
    out = {"shape": [lanes * words], "dtype": name if name == "BIPOLAR" else f"{name}{bits}", "word_elems": lanes}
    out |= {"elem_bits": bits, "words": words, "stream_bits": -(-lanes * bits // 8) * 8}
    shell = shell | {"out_word_bits": word, "out_beats": -(-words * word // shell["beat_bits"])}
    facts = {"image": image.__dict__ | {"shape": list(image.shape)}, "input": side, "output": out, "shell": shell}
    return Codec(json.loads(json.dumps(facts))), out, shell


@settings(max_examples=60)
@given(formats(), st.integers(1, 3))
def test_packing_follows_the_definitions(form, count):
    image, side, shell = form
    images = draw(image.kind, (count, *image.shape), seed=count)
    codec, _, shell = codec_of(*form)
    elements = image.stream(images).reshape(count * side["words"], side["word_elems"])
    codes = (elements + 1) // 2 if side["dtype"] == "BIPOLAR" else elements
    words = pack(codes, side["elem_bits"], shell["in_word_bits"])
    expected = np.zeros((count, shell["in_beats"] * shell["beat_bits"] // 8), np.uint8)
    expected[:, : side["words"] * words.shape[1]] = words.reshape(count, side["words"] * words.shape[1])
    buffer = np.full(expected.size + 9, 0xA5, np.uint8)
    codec.pack(codec.check(images), buffer)
    np.testing.assert_array_equal(buffer[: expected.size], expected.reshape(-1))
    assert (buffer[expected.size :] == 0xA5).all()


@settings(max_examples=60)
@given(formats(), OUTPUTS, st.integers(1, 4), st.integers(0, 1000))
def test_unpacking_follows_the_definitions(form, output, count, seed):
    codec, out, shell = codec_of(*form, output)
    size = shell["out_beats"] * shell["beat_bits"] // 8
    buffer = np.random.default_rng(seed).integers(0, 256, size * count + 3, dtype=np.uint8)
    frames = buffer[: size * count].reshape(count, size)[:, : out["words"] * shell["out_word_bits"] // 8]
    words = frames.reshape(count * out["words"], shell["out_word_bits"] // 8)
    expected = unpack(words, out["elem_bits"], out["word_elems"], out["dtype"].startswith("INT")).reshape(count, -1)
    expected = 2 * expected - 1 if out["dtype"] == "BIPOLAR" else expected
    np.testing.assert_array_equal(
        codec.unpack(buffer, count), expected.reshape(count, out["words"] * out["word_elems"])
    )


@pytest.mark.parametrize("name", ["accelerator.py", "pynq_link.py", "signature.py"])
def test_the_driver_stands_alone(name):
    """Old Pythons of board images parse it, and it imports nothing of ours when it is imported."""
    tree = ast.parse(
        Path(signflow.deploy.board.accelerator.__file__).with_name(name).read_text(), feature_version=(3, 8)
    )
    for node in tree.body:
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else [getattr(node, "module", None) or ""]
        assert not any(part.split(".")[0] in ("signflow", "pynq") for part in names), name


def test_no_fpga_and_no_simulation(monkeypatch, bitfile):
    import signflow.hw.sim

    monkeypatch.setitem(sys.modules, "signflow.hw.sim.pynq_device", None)
    monkeypatch.delattr(signflow.hw.sim, "pynq_device")
    with pytest.raises((AcceleratorError, RuntimeError), match="no FPGA here"):
        Accelerator(bitfile)


def test_two_packages_in_one_process(tfc, work, tmp_path):
    """The second must not load its design under the first."""
    other = copy(tfc.bitfile, tmp_path / "other")
    with pytest.raises(AcceleratorError, match="another Accelerator of this process has the board"):
        Accelerator(other)
    images = draw("uint8", (4, 1, 28, 28))
    np.testing.assert_array_equal(tfc.results(images), IntGraph(flow.read(work, flow.INTEGER))(images))
