"""A build proves itself: one wrong bit is an error that names the node, and nothing is made of what is wrong."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from signflow.deploy import flow
from signflow.deploy.board import bitstream
from signflow.deploy.board.package import package
from signflow.deploy.command.cli import main
from signflow.deploy.compile import export, streamline
from signflow.deploy.verify.check import require
from signflow.deploy.verify.probes import extremes, probes
from signflow.deploy.verify.rungs import LadderError

RNG = np.random.default_rng(3)


def signs(*shape):
    return RNG.choice([-1.0, 1.0], size=shape)


@pytest.fixture(scope="module")
def convolution(chain, tmp_path_factory):
    """A QONNX file of 2x9x8 pixels: two convolutions, the second with multi-bit codes in front, and a dense layer."""
    c = chain((2, 9, 8)).conv(WEIGHTS).scalar("Mul", 0.004).scalar("Add", 1.5).quant(1.0, 2, signed=0)
    c = c.conv(signs(5, 6, 3, 3)).scalar("Sub", RNG.integers(-6, 7, 5)).sign().flatten()
    return c.dense(signs(3, 5 * 5 * 4)).save(tmp_path_factory.mktemp("check") / "net.onnx")


WEIGHTS = signs(6, 2, 3, 3)


@pytest.fixture(scope="module")
def built(convolution, tmp_path_factory):
    """(settings, work folder) of its build."""
    settings, work = flow.Settings(str(convolution), input="uint8"), tmp_path_factory.mktemp("built")
    flow.build(settings, work)
    return settings, work


@pytest.fixture
def copy(built, tmp_path):
    """The same in a folder that may be spoilt."""
    shutil.copytree(built[1], tmp_path / "work")
    return built[0], tmp_path / "work"


def flip(work, name):
    """Turn one bit of the first line of a memory image that changes what it stores."""
    path = work / flow.ACCELERATOR / "mem" / name
    lines = path.read_text().splitlines()
    lines[0] = f"{int(lines[0], 16) ^ 1:0{len(lines[0])}x}"
    path.write_text("\n".join(lines) + "\n")


def memories(work):
    return sorted(path.name for path in (work / flow.ACCELERATOR / "mem").iterdir())


def test_a_build_ends_with_its_check_and_says_how_much_was_compared(built):
    found = flow.accelerator(built[1])["check"]
    assert found["result"] == "passed" and found["images"]["QONNX"] == 32
    assert found["images"]["RTL simulation"] == found["images"]["integer graph"] == 2 + 2 * 6 + 256
    require(built[1])


def test_every_memory_image_is_proven(copy, monkeypatch):
    """One flipped bit in each as it is generated: weights and thresholds of every operator."""
    settings, work = copy
    real, files = flow.generate, memories(work)
    kinds = {name.rsplit("_", 1)[1] for name in files}
    assert {"weights.mem", "start.mem"} <= kinds and len(files) >= 5
    for name in files:

        def spoilt(*args, name=name, **more):
            folder = real(*args, **more)
            flip(work, name)
            return folder

        monkeypatch.setattr(flow, "generate", spoilt)
        node = next(op["node"] for op in flow.accelerator(work)["operators"] if name.startswith(op["node"]))
        with pytest.raises(LadderError, match=f"RTL simulation differs from .* first differing node: {node} at"):
            flow.build(settings, work, "generate")
        assert "check" not in flow.accelerator(work)
        with pytest.raises(flow.FlowError, match="has not passed its check"):
            require(work)


def test_a_wrong_integer_graph_is_found(copy):
    settings, work = copy
    model = flow.read(work, flow.INTEGER)
    product = next(node for node in model.graph.node if node.op_type == "XnorPopcountMatMul")
    weights = model.get_initializer(product.input[1]).copy()
    weights[0, 0] = 1 - weights[0, 0]
    model.set_initializer(product.input[1], weights)
    export.save(model, work / flow.INTEGER)
    with pytest.raises(LadderError, match="integer graph differs from QONNX"):
        flow.build(settings, work, "lower")


def test_our_own_networks_are_compared_with_pytorch(mini):
    assert set(flow.accelerator(mini[1])["check"]["images"]) == {"PyTorch", "integer graph", "RTL simulation"}


def test_damage_that_changes_no_result_is_found_too(copy):
    """A comment in a memory image, a file that nothing reads."""
    settings, work = copy
    folder = work / flow.ACCELERATOR / "mem"
    memory = folder / memories(work)[0]
    for path, text in ((memory, memory.read_text() + "// new\n"), (folder / "other.mem", "0\n")):
        before = path.read_text() if path.exists() else None
        path.write_text(text)
        with pytest.raises(flow.FlowError, match=f"changed since its check .mem/{path.name}."):
            require(work)
        with pytest.raises(LadderError, match=f"not as it was generated: mem/{path.name} changed"):
            flow.build(settings, work, "check")
        path.unlink() if before is None else path.write_text(before)
        flow.build(settings, work, "check")
        require(work)


def test_without_its_check_nothing_is_made_of_an_accelerator(copy, tmp_path):
    settings, work = copy
    flow.build(replace(settings, check=False), work, "compile")
    assert flow.accelerator(work)["check"] == {"result": "skipped"}
    for make in (bitstream.make_project, lambda work: package(work, work / "8-project", tmp_path / "p.zip")):
        with pytest.raises(flow.FlowError, match=r"was built with --no-check.*--from check"):
            make(work)
    assert not (tmp_path / "p.zip").exists() and not (work / "8-project").exists()


def test_the_command_ends_with_1_and_leaves_the_accelerator_to_be_looked_at(copy):
    settings, work = copy
    flip(work, memories(work)[-1])

    def run(*words):
        return CliRunner().invoke(main, [*words, settings.source, "--out", str(work)])

    done = run("build", "--from", "check")
    assert done.exit_code == 1 and "first differing node: " in " ".join(done.stderr.split()), done.output
    assert (work / flow.ACCELERATOR / "accel.json").exists()
    for verb in ("package", "bitstream"):
        done = run(verb)
        assert done.exit_code == 1 and "has not passed its check" in " ".join(done.stderr.split())
    assert run("build", "--from", "generate", "--no-check").exit_code == 0
    facts = json.loads((work / flow.ACCELERATOR / "accel.json").read_text())
    assert facts["check"] == {"result": "skipped"}
    assert run("build", "--from", "check").exit_code == 0 and run("package").exit_code == 0


def test_extremes_drive_every_first_sum_to_its_ends(convolution):
    """Compared with the sums of absolute weights, at some position of the map."""
    integer = streamline.streamline(export.load(convolution, "uint8"))
    found = extremes(integer).astype(np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(found, (3, 3), axis=(2, 3))
    sums = np.einsum("nchwij,kcij->nkhw", windows, WEIGHTS.astype(np.int64))
    most, least = 255 * (WEIGHTS > 0).sum(axis=(1, 2, 3)), -255 * (WEIGHTS < 0).sum(axis=(1, 2, 3))
    np.testing.assert_array_equal(sums.max(axis=(0, 2, 3)), most)
    np.testing.assert_array_equal(sums.min(axis=(0, 2, 3)), least)


@pytest.mark.parametrize("kind, low, high", [("uint8", 0, 255), ("int8", -128, 127), ("bipolar", -1, 1)])
def test_extremes_of_a_dense_layer(chain, tmp_path, kind, low, high):
    weights = signs(5, 12)
    c = chain((12,)) if kind == "bipolar" else chain((12,)).scalar("Mul", 1.0)
    c.dense(weights).sign().dense(signs(3, 5)).save(tmp_path / "net.onnx")
    integer = streamline.streamline(export.load(tmp_path / "net.onnx", kind))
    sums = extremes(integer).reshape(-1, 12).astype(np.int64) @ weights.T.astype(np.int64)
    positive = (weights > 0).sum(axis=1)
    np.testing.assert_array_equal(sums.max(axis=0), high * positive - low * (12 - positive))
    np.testing.assert_array_equal(sums.min(axis=0), low * positive - high * (12 - positive))


def test_every_beginning_of_the_probes_is_a_mixture(convolution):
    images = probes("net.onnx", streamline.streamline(export.load(convolution, "uint8"))).pixels
    assert (images[0] == 0).all() and (images[1] == 255).all()
    flat = [len(np.unique(image)) <= 2 for image in images[:14]]
    assert flat == [True, True] + [True, False] * 6
    assert images.dtype == np.uint8 and len(np.unique(images, axis=0)) == len(images)
