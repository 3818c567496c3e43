"""The door: `import signflow` builds, calls and verifies networks by name, from files, and modules of one's own."""

import json
import re
from pathlib import Path

import brevitas.nn as qnn
import numpy as np
import pytest
import torch
from brevitas.quant import Int8WeightPerTensorFloat, SignedBinaryActPerTensorConst, SignedBinaryWeightPerTensorConst
from PIL import Image as Picture
from torch import nn

import signflow
from signflow.deploy.compile.export import save
from signflow.deploy.verify.images import from_files


@pytest.fixture(scope="module")
def tfc(tmp_path_factory):
    return signflow.build("tfc", board="pynq-z2", fps=100_000, out=tmp_path_factory.mktemp("tfc"))


class Own(nn.Sequential):
    """What a user writes: a sign behind each binary layer, 8-bit weights at the end."""

    def __init__(self):
        torch.manual_seed(5)
        binary = {"weight_quant": SignedBinaryWeightPerTensorConst, "bias": False}
        super().__init__(
            qnn.QuantConv2d(1, 6, 3, **binary), nn.BatchNorm2d(6), qnn.QuantIdentity(SignedBinaryActPerTensorConst),
            nn.Flatten(), qnn.QuantLinear(96, 4, bias=True, weight_quant=Int8WeightPerTensorFloat),
        )  # fmt: skip
        self[1].running_mean.normal_(0, 200)
        self[1].running_var.fill_(1e4)
        self.eval()


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    net = Own()
    return net, signflow.build(net, shape=(1, 6, 6), fps=10_000, out=tmp_path_factory.mktemp("own"))


def pixels(acc, count=40):
    return np.random.default_rng(1).integers(0, 256, (count, *acc.shape)).astype(np.uint8)


def test_a_network_by_name(tfc):
    images = pixels(tfc, 12)
    logits = {backend: tfc(images, backend=backend) for backend in ("golden", "rtl", "torch", "qonnx")}
    for backend, found in logits.items():
        assert found.shape == (12, 10) and np.array_equal(found, logits["torch"]), backend
    assert tfc.checked and tfc.board.name == "pynq-z2" and tfc.images_per_second >= 100_000
    assert tfc.folding == {op.node: op.folding for op in tfc.operators if op.folding}
    assert "tfc for pynq-z2" in repr(tfc)


@pytest.mark.parametrize(("kind", "low", "high", "scale"), [("uint8/255", 0, 256, 255), ("int8", -128, 128, 1)])
def test_a_module_sees_pixels_as_they_are_declared(tmp_path, kind, low, high, scale):
    """The build ends with its check, which has the module as its top."""
    net = Own()
    net[1].running_mean /= scale
    acc = signflow.build(net, shape=(1, 6, 6), input=kind, fps=10_000, out=tmp_path)
    images = np.random.default_rng(2).integers(low, high, (20, 1, 6, 6))
    with torch.no_grad():
        wanted = net(torch.from_numpy(images).float() / scale)
    assert np.array_equal(acc(images, backend="torch"), getattr(wanted, "value", wanted).numpy())
    assert acc.checked and acc.verify(images, stall_images=4)[0].rung == "PyTorch"


def test_verify_simulate_and_load(tfc):
    again = signflow.load(tfc.work)
    rows = again.verify(30, stall_images=5)
    assert [row.mismatches for row in rows] == [0] * 6 and rows[0].rung == "PyTorch" and rows[0].accuracy > 0.5
    run = again.simulate(pixels(tfc, 3), [0, 1, 2], stalls=0.2)
    assert len(run.outputs) == 3 and again.simulate(4).cycles["simulated"]["interval"] == tfc.predicted.interval


def test_a_module_of_the_users_own(own):
    net, acc = own
    images = pixels(acc)
    with torch.no_grad():
        wanted = net(torch.from_numpy(images).float())
    wanted = getattr(wanted, "value", wanted).numpy()
    assert acc.name == "Own" and np.array_equal(acc(images, backend="torch"), wanted)
    assert np.array_equal(acc(images).argmax(1), wanted.argmax(1))
    assert acc.verify(images, stall_images=4)[0].rung == "PyTorch"
    later = signflow.load(acc.work)
    assert later.verify(images, stall_images=4)[0].rung == "QONNX"
    with pytest.raises(ValueError, match=r"not built from a module of this process.*backend='qonnx'"):
        later(images, backend="torch")


def test_a_file_and_a_folding_of_ones_own(tfc, tmp_path):
    file = tmp_path / "net.onnx"
    save(tfc._rungs.network, file)
    acc = signflow.build(file, input="uint8", folding=tfc.folding, out=tmp_path / "out", random_weights=None)
    assert acc.folding == tfc.folding and np.array_equal(acc(pixels(tfc)), tfc(pixels(tfc)))


def test_the_board_answers_like_the_golden_model(tfc):
    images = pixels(tfc, 5)
    assert np.array_equal(tfc(images, backend="board"), tfc(images))


@pytest.mark.parametrize(("call", "words"), [
    (lambda acc: signflow.build("nosuch"), "nosuch"),
    (lambda acc: signflow.build("tfc", board="nosuch"), "nosuch"),
    (lambda acc: signflow.build(Own()), r"needs shape=\(channels, height, width\)"),
    (lambda acc: signflow.build(Own(), shape=36), "shape=36: the sizes of one image"),
    (lambda acc: signflow.build(Own(), shape=(0, 6, 6)), r"shape=\(0, 6, 6\): the sizes of one image"),
    (lambda acc: signflow.build(Own(), shape=(1, 5, 6)), r"Own does not run .* of shape \(1, 5, 6\): .*shapes"),
    (lambda acc: signflow.build(Own(), shape=(1, 6, 6), prefer="speed"), "prefer = 'speed'"),
    (lambda acc: signflow.build(Own(), shape=(1, 6, 6), name="tfc"), "one of signflow's own networks"),
    (lambda acc: signflow.build("tfc", fps=float("nan")), "nan images a second"),
    (lambda acc: signflow.load("nowhere"), "accel.json is missing: run `signflow build` first"),
    (lambda acc: acc(pixels(acc), backend="fpga"), "backend 'fpga' is unknown: one of golden, rtl"),
    (lambda acc: acc(pixels(acc)[:, :, 1:]), r"the network reads \(N, 1, 28, 28\)"),
    (lambda acc: acc(pixels(acc) / 255), "do not scale them"),
    (lambda acc: acc.verify(pixels(acc), [1, 2]), "40 images need 40 integers"),
    (lambda acc: acc.verify(pixels(acc)[:0]), "give one at least"),
    (lambda acc: acc.verify(0), "0 images: give one at least"),
    (lambda acc: acc.simulate(-3), "-3 images: give one at least"),
    (lambda acc: signflow.build("tfc", input="bipolar"), "tfc reads uint8 pixels and nothing else"),
    (lambda acc: signflow.build(Own(), shape=(1, 6, 6), random_weights=0), "--random-weights 0: Own is no network of"),
    (lambda acc: signflow.build(Own(), shape=(1, 6, 6), weights="w.npz"), "--weights w.npz: Own is no network of ours"),
])  # fmt: skip
def test_wrong_input_is_one_clear_error(call, words, tfc, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((ValueError, RuntimeError), match=words):
        call(tfc)


def test_the_blocks_of_the_readme_run_as_they_stand(tmp_path, monkeypatch):
    """In order, in one namespace, with the small network in the place of the large one."""
    text = (Path(signflow.__file__).parent / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.S)
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in blocks:
        exec(block.replace('"cnv"', '"tfc"'), names)
    assert names["acc"].checked and blocks


def test_an_unknown_name_lists_what_there_is():
    with pytest.raises(AttributeError, match="has no attribute 'biuld'; it has Accelerator"):
        _ = signflow.biuld


def test_images_from_files(tfc, tmp_path):
    images, labels, reads = pixels(tfc, 3), np.array([3, 1, 2]), tfc._rungs.image
    np.save(tmp_path / "i.npy", images)
    np.savez(tmp_path / "i.npz", images=images, labels=labels)
    (tmp_path / "labels.txt").write_text("3\n1\n2\n")
    (tmp_path / "png").mkdir()
    for k, image in enumerate(images):
        Picture.fromarray(image[0]).save(tmp_path / "png" / f"{k}.png")
    np.save(tmp_path / "l.npy", labels)
    files = (("i.npy", "labels.txt"), ("i.npz", None), ("png", "labels.txt"), ("i.npy", "l.npy"), ("i.npy", "i.npz"))
    for path, given in files:
        found = from_files(reads, tmp_path / path, given and tmp_path / given)
        assert np.array_equal(found.pixels, images) and found.labels.tolist() == [3, 1, 2], path
    Picture.fromarray(np.zeros((28, 28, 3), np.uint8)).save(tmp_path / "png" / "9.png")
    with pytest.raises(ValueError, match=r"9.png is in colour \(RGB\), the network reads L"):
        from_files(reads, tmp_path / "png")
    with pytest.raises(ValueError, match=r"neither a folder of PNG files nor a .npy or .npz file"):
        from_files(reads, tmp_path / "labels.txt")


def damaged(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def picture(mode: str, **options):
    return lambda path: Picture.new(mode, (28, 28)).save(path, **options)


@pytest.mark.parametrize(("file", "make", "words"), [
    ("x.npy", lambda p: np.save(p, np.zeros((2, 1, 28, 28), np.uint8)) or damaged(p), "x.npy cannot be read: "),
    ("x.npy", lambda p: np.save(p, np.array([{}])), "x.npy cannot be read: .* of object"),
    ("x.npy", lambda p: np.save(p, np.uint8(3)), r"images have shape \(\)"),
    ("x.npz", lambda p: np.savez(p, images=np.zeros((2, 1, 28, 28), np.uint8)) or damaged(p), "x.npz cannot be read: "),
    ("x.npz", lambda p: np.savez(p, pixels=np.zeros(3)), "it holds pixels; what is read is called 'images'"),
    ("x.npz", lambda p: p.write_bytes(b"not a zip file"), "x.npz cannot be read: "),
    ("png/0.png", lambda p: p.write_text("no picture"), "0.png cannot be read: "),
    ("png/0.png", lambda p: picture("L")(p) or p.write_bytes(p.read_bytes()[:45]), "0.png cannot be read: "),
    ("png/0.png", picture("I;16"), "0.png has pixels of the kind 'I;16', the network reads 8 bits a channel"),
    ("png/0.png", picture("LA"), "0.png has pixels of the kind 'LA', .* without transparency"),
    ("png/0.png", picture("L", transparency=0), "0.png has pixels of the kind 'L', .* without transparency"),
    ("png/0.png", picture("P"), r"0.png is in colour \(P\), the network reads L"),
])  # fmt: skip
def test_files_that_hold_no_images_are_named(file, make, words, tfc, tmp_path):
    """None of them is read as something else: 16 bits cut to 8 would be other pixels."""
    (tmp_path / "png").mkdir()
    make(tmp_path / file)
    with pytest.raises(ValueError, match=words):
        tfc.images((tmp_path / file).parent if file.startswith("png/") else tmp_path / file)


@pytest.mark.parametrize(("file", "make", "words"), [
    ("l.npz", lambda p: np.savez(p, images=np.zeros(3)), "it holds images; what is read is called 'labels'"),
    ("l.npy", lambda p: np.save(p, np.array([0.5, 1, 2])), "3 images need 3 integers"),
    ("l.txt", lambda p: p.write_text("one\ntwo"), "l.txt cannot be read: could not convert"),
    ("l.txt", lambda p: p.write_text("1\n2"), r"labels have shape \(2,\)"),
    ("l.txt", lambda p: None, "l.txt cannot be read: .*l.txt"),
])  # fmt: skip
def test_files_that_hold_no_labels_are_named(file, make, words, tfc, tmp_path):
    make(tmp_path / file)
    np.save(tmp_path / "i.npy", pixels(tfc, 3))
    with pytest.raises(ValueError, match=words):
        tfc.images(tmp_path / "i.npy", tmp_path / file)


def test_the_facts_are_those_of_the_folder(tfc):
    assert tfc.facts == json.loads((Path(tfc.work) / "5-accelerator" / "accel.json").read_text())
