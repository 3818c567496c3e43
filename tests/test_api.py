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
    (lambda acc: signflow.build(Own(), shape=(1, 6, 6), name="tfc"), "one of signflow's own networks"),
    (lambda acc: signflow.build("tfc", fps=float("nan")), "nan images a second"),
    (lambda acc: signflow.load("nowhere"), "accel.json is missing: run `signflow build` first"),
    (lambda acc: acc(pixels(acc), backend="fpga"), "backend 'fpga' is unknown: one of golden, rtl"),
    (lambda acc: acc(pixels(acc)[:, :, 1:]), r"the network reads \(N, 1, 28, 28\)"),
    (lambda acc: acc(pixels(acc) / 255), "do not scale them"),
    (lambda acc: acc.verify(pixels(acc), [1, 2]), "40 images need 40 integers"),
    (lambda acc: acc.verify(pixels(acc)[:0]), "give one at least"),
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
    for path, given in (("i.npy", "labels.txt"), ("i.npz", None), ("png", "labels.txt")):
        found = from_files(reads, tmp_path / path, given and tmp_path / given)
        assert np.array_equal(found.pixels, images) and found.labels.tolist() == [3, 1, 2], path
    Picture.fromarray(np.zeros((28, 28, 3), np.uint8)).save(tmp_path / "png" / "9.png")
    with pytest.raises(ValueError, match=r"9.png is in colour \(RGB\), the network reads L"):
        from_files(reads, tmp_path / "png")
    with pytest.raises(ValueError, match=r"neither a folder of PNG files nor a .npy or .npz file"):
        from_files(reads, tmp_path / "labels.txt")


def test_the_facts_are_those_of_the_folder(tfc):
    assert tfc.facts == json.loads((Path(tfc.work) / "5-accelerator" / "accel.json").read_text())
