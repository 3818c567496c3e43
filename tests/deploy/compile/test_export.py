"""Export and import: deterministic single files, declared images, clear errors."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from signflow.deploy.compile import export
from signflow.deploy.compile.errors import ModelFileError
from signflow.deploy.compile.images import KINDS, ImageInput, image_kind
from signflow.deploy.compile.sessions import session


def test_export_is_one_deterministic_quiet_file(own_network, tmp_path, capfd):
    net, shape = own_network("tfc")
    first = export.export(net, shape, "uint8", tmp_path / "a" / "net.onnx")
    export.export(net, shape, "uint8", tmp_path / "b.onnx")
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["net.onnx"]
    data = (tmp_path / "a" / "net.onnx").read_bytes()
    assert data == (tmp_path / "b.onnx").read_bytes()
    assert b"site-packages" not in data, "the exporter's stack traces are in the file"
    out, err = capfd.readouterr()
    assert "torch.onnx" not in out + err
    assert ImageInput.of(first) == ImageInput("uint8", (1, 28, 28))


def test_export_keeps_the_training_mode(own_network):
    net, shape = own_network("tfc")
    net.train()
    export.export(net, shape)
    assert net.training


def test_reference_equals_pytorch(bnn_pynq, pixels):
    net, shape = bnn_pynq("tfc_1w1a")
    images = pixels(8, shape)
    model = export.export(net, shape, "uint8/255")
    expected = net(torch.from_numpy(images).float() / 255).detach().numpy()
    assert np.allclose(export.reference(model, images)["output"], expected, rtol=0, atol=1e-5)


def test_the_reference_makes_a_session_a_node_and_not_an_image(own_network, pixels):
    net, shape = own_network("tfc")
    model = export.export(net, shape, "uint8")
    session.cache_clear()
    export.reference(model, pixels(3, shape))
    made = session.cache_info()
    assert 0 < made.misses <= len(model.graph.node) and made.hits == 2 * made.misses


@pytest.mark.parametrize("name", ["tfc", "tfc-abn"])
def test_saved_and_loaded_again(own_network, pixels, tmp_path, name):
    """Constants that passes made have a shape too: without one, qonnx does not run the node that reads them."""
    net, shape = own_network(name)
    model = export.export(net, shape, "uint8")
    again = export.load(export.save(model, tmp_path / "net.onnx"), "uint8")
    images = pixels(4, shape)
    assert (export.reference(again, images)["output"] == export.reference(model, images)["output"]).all()


def test_failed_save_leaves_the_old_file(own_network, tmp_path, monkeypatch):
    net, shape = own_network("tfc")
    path = export.save(export.export(net, shape), tmp_path / "net.onnx")
    before = path.read_bytes()
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        export.save(export.export(net, shape), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["net.onnx"]


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_of_a_kind(kind):
    values = image_kind(kind).pixels
    assert (np.diff(values) > 0).all()
    image = ImageInput(kind, (len(values),))
    assert (image.check(values[None]) == values).all()


def test_unknown_kind():
    with pytest.raises(ValueError, match=r"'float'.*uint8/255"):
        image_kind("float")


@pytest.mark.parametrize(
    ("kind", "images", "message"),
    [
        ("uint8", np.zeros((2, 3), dtype=np.uint8), r"shape \(2, 3\).*\(N, 1, 4\)"),
        ("uint8", np.zeros((2, 1, 4)), "float64.*do not scale"),
        ("uint8", np.full((2, 1, 4), 256), "pixel .0, 0, 0. is 256.*0..255"),
        ("int8", np.full((2, 1, 4), 128), "is 128.*-128..127"),
        ("bipolar", np.zeros((2, 1, 4), dtype=int), r"is 0.*-1 or \+1"),
    ],
)
def test_wrong_images(kind, images, message):
    with pytest.raises(ValueError, match=message):
        ImageInput(kind, (1, 4)).check(images)


def test_stream_orders():
    image = np.arange(24).reshape(1, 2, 3, 4)
    assert ImageInput("uint8", (2, 3, 4), "NHWC").stream(image).shape == (1, 3, 4, 2)
    assert (ImageInput("uint8", (2, 3, 4), "flat").stream(image) == np.arange(24)).all()
    row = ImageInput("uint8", (2, 3), "NHWC")
    assert (row.stream(image[:, :, :, 0]) == image[:, :, :, 0].transpose(0, 2, 1)).all() and row.map == (1, 3, 2)
    last = ImageInput("uint8", (2, 3, 4), "HWC")
    assert (last.stream(image) == image).all() and last.map == (2, 3, 4)
    bits = ImageInput("bipolar", (2,), "flat", binary=True).stream(np.array([[-1, 1]]))
    assert bits.tolist() == [[0, 1]]


def _file(tmp_path, shape, elem=TensorProto.FLOAT, nodes=True, outputs=1):
    value = helper.make_tensor_value_info("x", elem, shape)
    node = [helper.make_node("Identity", ["x"], ["y"])] if nodes else []
    out = [helper.make_tensor_value_info("y" if nodes else "x", elem, shape)] * outputs
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(helper.make_graph(node, "g", [value], out)), path)
    return path


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ([None, 3, 8, 8], {}, "not fixed.*batch of 1"),
        (["batch", 10], {}, "'batch'.*not fixed"),
        ([4, 10], {}, "batch 4.*batch of 1"),
        ([1, 2, 3, 4, 5], {}, r"shape \[1, 2, 3, 4, 5\].*supported is"),
        ([1, 10], {"elem": TensorProto.INT64}, "INT64.*--input"),
        ([1, 10], {"nodes": False}, "no nodes"),
        ([1, 10], {"outputs": 2}, "2 outputs"),
    ],
)
def test_unusable_networks(tmp_path, shape, options, message):
    with pytest.raises(ModelFileError, match=message):
        export.load(_file(tmp_path, shape, **options), "uint8")


def test_unreadable_files(tmp_path):
    with pytest.raises(ModelFileError, match="no such file"):
        export.load(tmp_path / "nothing.onnx", "uint8")
    with pytest.raises(ModelFileError, match="a folder"):
        export.load(tmp_path, "uint8")
    for data in (b"", b"hello, I am a text", bytes(range(256)) * 20):
        (tmp_path / "bad.onnx").write_bytes(data)
        with pytest.raises(ModelFileError, match="ONNX"):
            export.load(tmp_path / "bad.onnx", "uint8")


def test_truncated_file(own_network, tmp_path):
    net, shape = own_network("tfc")
    data = export.save(export.export(net, shape), tmp_path / "net.onnx").read_bytes()
    (tmp_path / "cut.onnx").write_bytes(data[: len(data) // 2])
    with pytest.raises(ModelFileError, match=r"cut\.onnx"):
        export.load(tmp_path / "cut.onnx", "uint8")


def test_model_without_declared_images(chain):
    from qonnx.core.modelwrapper import ModelWrapper

    with pytest.raises(ModelFileError, match="declares no image input"):
        ImageInput.of(ModelWrapper(chain((4,)).dense(np.ones((2, 4))).proto()))
