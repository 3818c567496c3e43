"""Other weights for a built accelerator: two networks of one form, each in the hardware of the other, every logit that
of PyTorch; and what does not fit.
"""

import json
import shutil
import zlib

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import signflow
from signflow.deploy.board.accelerator import Accelerator as Driver
from signflow.deploy.board.accelerator import AcceleratorError
from signflow.deploy.board.bitstream import checks, project_facts
from signflow.deploy.board.serial_link import SerialLink
from signflow.deploy.command.cli import main
from signflow.deploy.compile.export import export
from signflow.hw.sim.uart import SimulatedPort, compile_port
from signflow.models.networks import chains, predict
from signflow.models.untrained import randomise

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 1, 4, 6), dtype=np.uint8)


def net(seed, **form):
    """A multi-layer perceptron with random weights and statistics."""
    form = {"width": 8, "classes": 4, "pixels": 24, "depth": 2} | form
    return randomise(chains.mlp(**form), PIXELS, np.random.default_rng(seed))


def logits(module):
    return predict(module, torch.from_numpy(PIXELS)).numpy()


A, B = net(1), net(2)


@pytest.fixture(scope="module")
def acc(tmp_path_factory):
    return signflow.build(
        A, shape=(1, 4, 6), name="small", fps=1e6, loadable=True, out=tmp_path_factory.mktemp("small")
    )


@pytest.fixture(scope="module")
def boxes(acc, tmp_path_factory):
    """The package of A, unpacked, and the files that load A and B."""
    folder = acc.unpack(tmp_path_factory.mktemp("package"))
    files = {"A": acc.weights(folder / "a.npz")}
    acc.load_weights(B)
    files["B"] = acc.weights(folder / "b.npz")
    acc.load_weights(A)
    return next(folder.glob("*.bit")), files


def contents(acc):
    folder = acc.work / "5-accelerator"
    return {path.name: path.read_bytes() for part in ("rtl", "mem") for path in (folder / part).iterdir()}


def test_another_network_in_the_same_hardware(acc):
    """Sources and memory images stay: what the simulation and the board compute came through the load chain."""
    assert (logits(A) != logits(B)).mean() > 0.5
    before, project = contents(acc), acc.project()
    assert {result for _, result, _ in checks(project, project_facts(project), False)} <= {"passed", "not checked"}
    (project / "build").mkdir()
    (project / "build" / "small.log").write_text("made once")
    for module, name in ((B, "B"), (A, "A"), (B, "B")):
        acc.load_weights(module)
        assert acc.checked and acc.facts["weights"]["loaded"] and contents(acc) == before
        for backend in ("golden", "rtl", "board", "torch"):
            np.testing.assert_array_equal(acc(PIXELS, backend), logits(module), err_msg=f"{name}, {backend}")
        assert acc.verify(PIXELS[:4], stall_images=4)
    assert (acc.project() / "build" / "small.log").exists()
    np.testing.assert_array_equal(signflow.load(acc.work)(PIXELS, "rtl"), logits(B))
    acc.load_weights(A)


def test_the_driver_changes_weights(boxes):
    bitfile, files = boxes
    with Driver(bitfile) as board:
        for name, module in (("A", A), ("B", B), ("A", A)):
            board.load_weights(files[name])
            np.testing.assert_array_equal(board(PIXELS), logits(module))


def changed(file, to, **arrays):
    """A copy of a file of weights with other arrays in it."""
    with np.load(file) as found:
        np.savez(to, **{**found, **arrays})
    return to


def test_the_driver_refuses_other_files_and_goes_on_with_what_it_had(boxes, tmp_path):
    bitfile, files = boxes
    words = np.load(files["B"])["words"]
    flipped, cut = words.copy(), words[:-1]
    flipped[0] ^= 1
    (tmp_path / "text.npz").write_text("no weights")
    (tmp_path / "half.npz").write_bytes(files["B"].read_bytes()[:3000])
    bad = [
        (tmp_path / "none.npz", "No such file"),
        (tmp_path / "text.npz", "cannot be loaded"),
        (tmp_path / "half.npz", "cannot be loaded"),
        (changed(files["B"], tmp_path / "other.npz", design="0" * 32), "for another accelerator: network hash 0000"),
        (changed(files["B"], tmp_path / "flip.npz", words=flipped), "the weights are damaged: their CRC-32"),
        (changed(files["B"], tmp_path / "cut.npz", words=cut, crc=zlib.crc32(cut.tobytes())), "found no place"),
        (changed(files["B"], tmp_path / "lie.npz", words=flipped, crc=zlib.crc32(flipped.tobytes())), "self-test"),
        (bitfile.with_name("sample.npz"), "no weights for a loadable accelerator"),
    ]
    with Driver(bitfile) as board:
        for file, message in bad:
            with pytest.raises(AcceleratorError, match=message):
                board.load_weights(file)
            np.testing.assert_array_equal(board(PIXELS), logits(A))


@pytest.mark.slow
def test_over_a_serial_line(tmp_path):
    """The design on the simulated board has memory images that are wrong in every bit. The bitstream is a stand-in."""
    acc = signflow.build(A, "ulx3s", shape=(1, 4, 6), name="small", loadable=True, out=tmp_path / "work")
    project = acc.project()
    (project / "build").mkdir()
    (project / "build" / f"{acc.facts['name']}.bit").write_bytes(b"stand-in")
    bitfile = next(acc.unpack(tmp_path / "package").glob("*.bit"))
    acc.load_weights(B)
    other = acc.weights(tmp_path / "b.npz")
    board = shutil.copytree(project, tmp_path / "board")
    for image in (board / "mem").iterdir():
        image.write_text("".join(f"{15 - int(d, 16):x}" if d != "\n" else d for d in image.read_text()))
    model = compile_port(f"{acc.facts['name']}_ulx3s", sorted((board / "rtl").glob("*.sv")))
    link = SerialLink(SimulatedPort(model, board, clocks_per_bit=20, clock_mhz=40))
    with Driver(bitfile, link=link) as driver:
        np.testing.assert_array_equal(driver(PIXELS), logits(A))
        driver.load_weights(other)
        np.testing.assert_array_equal(driver(PIXELS), logits(B))


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (
            {"width": 12},
            "MVAU_sf_0 .*shapes of its streams: 1x24 -> 1x12 in the other network, 1x24 -> 1x8 in",
        ),
        ({"depth": 3}, "MVAU_sf_2 .*shapes of its streams"),
        ({"normalisation": "abn"}, "MVAU_sf_0 .*THRESHOLDS: 2 in the other network, 1 in the accelerator"),
    ],
)
def test_a_network_of_another_form_is_refused(acc, form, message):
    before = contents(acc), json.dumps(acc.facts)
    with pytest.raises(signflow.ExchangeError, match=message):
        acc.load_weights(net(3, **form))
    assert before == (contents(acc), json.dumps(signflow.load(acc.work).facts))
    np.testing.assert_array_equal(acc(PIXELS, "rtl"), logits(A))


def test_the_command(acc, tmp_path):
    """A file of another maker into the accelerator of the module that it was exported from."""
    export(B, (1, 4, 6), "uint8", tmp_path / "b.onnx")
    file, work = tmp_path / "b.npz", shutil.copytree(acc.work, tmp_path / "work")
    command = ["load-weights", "small", "--out", str(work), "-o", str(file), "--source", str(tmp_path / "b.onnx")]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0 and "computes the other network now" in done.output, done.output
    loaded = signflow.load(work)
    assert loaded.facts["weights"] == {
        "source": str(tmp_path / "b.onnx"), "weights": "", "random_weights": None, "loaded": True
    }  # fmt: skip
    np.testing.assert_array_equal(loaded(PIXELS, "rtl"), logits(B))
    np.testing.assert_array_equal(np.load(file)["words"], np.fromfile(work / "5-accelerator" / "weights.bin", "<u4"))


def test_fixed_weights_stay(tmp_path):
    fixed = signflow.build(A, shape=(1, 4, 6), name="fixed", fps=1e6, out=tmp_path / "fixed", check=False)
    assert not fixed.facts["loadable"] and not (fixed.work / "5-accelerator" / "weights.bin").exists()
    for action in (lambda: fixed.load_weights(B), lambda: fixed.load_weights("tfc")):
        with pytest.raises(signflow.FlowError, match="built with fixed weights: build it with --loadable"):
            action()
