"""What goes wrong on a board: each fault is a clear error in bounded time, and the next call works."""

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from signflow.deploy import flow
from signflow.deploy.board import accelerator as driver
from signflow.deploy.board.accelerator import Accelerator, AcceleratorError, AcceleratorTimeoutError
from signflow.deploy.golden.intgraph import IntGraph
from signflow.hw.sim import pynq_device

from .board_folder import build, change_image, copy, packed, rehash

SECONDS = 6.0  # a fault is an error within this time; the driver's own patience is half a second


@pytest.fixture(scope="module")
def expected(work):
    return IntGraph(flow.read(work, flow.INTEGER))


@pytest.fixture
def device():
    return pynq_device.install()


@pytest.fixture
def tfc(bitfile):
    with Accelerator(bitfile, timeout=0.5) as accelerator:
        yield accelerator


@pytest.fixture
def works(pixels, expected):
    """Function accelerator -> its results equal the integer graph's."""

    def check(accelerator, count=20):
        batch = pixels(count, (1, 28, 28))
        np.testing.assert_array_equal(accelerator.results(batch), expected(batch))

    return check


@contextmanager
def refused(text, kind=AcceleratorError):
    start = time.monotonic()
    with pytest.raises(kind, match=text):
        yield
    assert time.monotonic() - start < SECONDS


def test_a_dma_that_never_finishes(tfc, device, pixels, works):
    device.hang_dma()
    with refused("nothing moved for 0.5 s; status page: .*FRAMES_OUT 0", AcceleratorTimeoutError):
        tfc(pixels(10, (1, 28, 28)))
    works(tfc)


def test_a_dma_that_hangs_after_many_good_calls_and_hangs_again(tfc, device, pixels, works):
    for _ in range(2):
        works(tfc)
        device.hang_dma()
        with refused("nothing moved", TimeoutError):
            tfc(pixels(10, (1, 28, 28)))
    works(tfc)


def test_power_cycle_in_mid_batch(tfc, device, pixels, works):
    downloads = device.downloads
    device.power_cycle(after=5000)  # 50 of 1000 images
    with refused("the design is gone: no status page answers"):
        tfc(pixels(1000, (1, 28, 28)))
    assert device.soc is None
    works(tfc)
    assert device.downloads == downloads + 1


def test_power_cycle_between_calls(tfc, device, pixels, works):
    device.power_cycle()
    with refused("design is gone"):
        tfc(pixels(1, (1, 28, 28)))
    works(tfc)


def test_a_stuck_status_page(tfc, device, pixels, works):
    device.stick_page()
    with refused("the status page counts others"):
        tfc(pixels(10, (1, 28, 28)))
    works(tfc)


@pytest.mark.parametrize("beats", [1, 48])
def test_a_frame_cut_short(tfc, pixels, works, beats, monkeypatch):
    send, lost = tfc._link.send, beats * tfc.facts["shell"]["beat_bits"] // 8
    assert beats < tfc.facts["shell"]["in_beats"] == 49
    monkeypatch.setattr(tfc._link, "send", lambda buffer, count: send(buffer, count - lost))
    with refused("the accelerator reports an error; status page: .*LAST_EARLY"):
        tfc(pixels(3, (1, 28, 28)))
    monkeypatch.undo()
    works(tfc)


def test_a_flag_although_all_frames_came(tfc, pixels, works, monkeypatch):
    """As a link does that has lost something and noticed it late."""
    link, seen = tfc._link, []
    read, received = link.read, link.received
    monkeypatch.setattr(link, "received", lambda: seen.append(received()) or seen[-1])
    monkeypatch.setattr(link, "read", lambda at: read(at) | (1 << 9 if at == 0x20 and seen and seen[-1] else 0))
    with refused("the accelerator reports an error; status page: OVERRUN; FRAMES_IN 3, FRAMES_OUT 3"):
        tfc(pixels(3, (1, 28, 28)))
    monkeypatch.undo()
    works(tfc)


def test_a_frame_too_few(tfc, pixels, works, monkeypatch):
    send = tfc._link.send
    monkeypatch.setattr(tfc._link, "send", lambda buffer, count: send(buffer, count - 98 * 8))
    with refused("a packet of 32 bytes came instead of 48"):
        tfc(pixels(3, (1, 28, 28)))
    monkeypatch.undo()
    works(tfc)


@pytest.mark.parametrize("more", [1, 500])  # with 500 the sending never ends either
def test_frames_too_many(tfc, pixels, works, monkeypatch, more):
    send = tfc._link.send
    monkeypatch.setattr(tfc._link, "send", lambda buffer, count: send(buffer, count + more * 98 * 8))
    with refused("receiving: the DMA stopped with internal error"):
        tfc(pixels(3, (1, 28, 28)))
    monkeypatch.undo()
    works(tfc)


def test_a_buffer_outside_memory(tfc, pixels, works, monkeypatch):
    monkeypatch.setattr(type(tfc._out[0]), "physical_address", 0x8000_0000)
    with refused("sending: the DMA stopped with address error|receiving: the DMA stopped with address error"):
        tfc(pixels(3, (1, 28, 28)))
    monkeypatch.undo()
    works(tfc)


def test_an_interrupted_call(tfc, pixels, works, monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(tfc._link, "received", interrupt)
    with pytest.raises(KeyboardInterrupt):
        tfc(pixels(100, (1, 28, 28)))
    monkeypatch.undo()
    works(tfc)


def test_a_result_that_cannot_be(tfc, pixels, works, monkeypatch):
    monkeypatch.setattr(tfc._codec, "unpack", lambda buffer, n: np.full((n, 10), 127))
    with refused("image 0, class 0: the accelerator gave 127, which it cannot reach"):
        tfc(pixels(2, (1, 28, 28)))
    monkeypatch.undo()
    works(tfc)


def test_another_networks_bitstream(bitfile, work, tmp_path, works):
    settings = flow.Settings("tfc", fps=200_000)
    other = packed(settings, build(settings, tmp_path / "other"))
    Accelerator(other).close()  # right by itself; and compiled, so that it loads as fast as the one it replaces
    wrong = copy(bitfile, tmp_path / "wrong")
    wrong.write_bytes(other.read_bytes())
    with refused("tfc.bit is not this package's bitstream: its SHA-256 starts with .*unpack the package again"):
        Accelerator(wrong)
    rehash(wrong)
    with refused("another design is on the board: its network hash is [0-9a-f]{32}, the package's [0-9a-f]{32}"):
        Accelerator(wrong)
    with Accelerator(bitfile) as accelerator:
        works(accelerator)


def test_a_design_that_somebody_loads_meanwhile(bitfile, tfc, device, pixels, works, tmp_path):
    """Other weights in the same structure, and a DMA that has just done a transfer: all but the hash is as it was."""
    settings = flow.Settings("tfc", random_weights=1)
    other = packed(settings, build(settings, tmp_path / "other"))
    works(tfc)
    device.soc = device.dma.soc = device._load(other)
    with refused("another design is on the board: its network hash is"):
        tfc(pixels(10, (1, 28, 28)))
    works(tfc)


def test_a_truncated_bitstream(bitfile, tmp_path, works):
    wrong = copy(bitfile, tmp_path / "wrong")
    wrong.write_bytes(wrong.read_bytes()[:-1000])
    with refused("not this package's bitstream"):
        Accelerator(wrong)
    rehash(wrong)
    with refused("pynq does not load tfc.bit: tfc.bit is no simulation image"):
        Accelerator(wrong)
    with Accelerator(bitfile) as accelerator:
        works(accelerator)


def test_a_page_with_the_hash_of_another_network(bitfile, tmp_path):
    wrong = copy(bitfile, tmp_path / "wrong")
    path = wrong.with_name("accel.json")
    facts = json.loads(path.read_text())
    facts["shell"]["network_hash"] = "0123456789abcdef" * 2
    path.write_text(json.dumps(facts))
    with refused("another design is on the board: its network hash is .*, the package's 0123456789abcdef"):
        Accelerator(wrong)


def flip_a_weight(layer):
    """One bit of a layer's weights, in the middle of its memory image."""

    def change(files):
        name = f"mem/MVAU_sf_{layer}_weights.mem"
        text = files[name].decode()
        digits = [i for i, c in enumerate(text) if c in "0123456789abcdef"]
        digit = digits[len(digits) // 2]
        files[name] = (text[:digit] + f"{int(text[digit], 16) ^ 1:x}" + text[digit + 1 :]).encode()

    return change


@pytest.mark.parametrize("layer", range(4))
def test_a_flipped_bit_in_the_weights(bitfile, tmp_path, works, layer):
    wrong = copy(bitfile, tmp_path / "wrong")
    change_image(wrong, flip_a_weight(layer))
    with refused("not this package's bitstream"):
        Accelerator(wrong)
    rehash(wrong)
    with refused(r"self-test: image \d+, class \d+: \d+ instead of \d+ \(\d+ of 2560 results differ\)"):
        Accelerator(wrong)
    with Accelerator(bitfile) as accelerator:
        works(accelerator)


def test_missing_and_damaged_files(bitfile, tmp_path):
    wrong = copy(bitfile, tmp_path / "wrong")
    wrong.with_name("accel.json").write_text("{")
    with refused("accel.json is damaged .* unpack the package again"):
        Accelerator(wrong)
    wrong.with_name("accel.json").write_text("{}")
    with refused("accel.json is not of a package: make one with `signflow package`"):
        Accelerator(wrong)
    wrong.unlink()
    with refused("tfc.bit is missing: unpack the whole package into one folder"):
        Accelerator(wrong)


@pytest.mark.parametrize("name", ["accelerator.py", "pynq_link.py", "accel.npz"])
def test_a_changed_file(bitfile, tmp_path, name):
    wrong = copy(bitfile, tmp_path / "wrong")
    facts = json.loads(wrong.with_name("accel.json").read_text())
    what = {"accelerator.py": "driver", "pynq_link.py": "link", "accel.npz": "vectors"}[name]
    facts["package"][f"{what}_sha256"] = "0" * 64
    wrong.with_name("accel.json").write_text(json.dumps(facts))
    with refused(f"{name} is not this package's {what}"):
        Accelerator(wrong)


HOLD = """
import sys, warnings
warnings.filterwarnings("ignore")
from signflow.deploy.board.accelerator import Accelerator
with Accelerator(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_processes(bitfile, works):
    command = [sys.executable, "-c", HOLD, str(bitfile)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with refused(rf"the board is in use by process {other.pid} \(lock .*\)"):
            Accelerator(bitfile)
        other.kill()  # not even a crash keeps the lock
    with Accelerator(bitfile) as accelerator:
        works(accelerator)


def test_a_closed_accelerator_leaves_no_lock_file_and_takes_no_others(tfc, bitfile):
    lock = Path(tfc._lock.name)
    assert lock.read_text() == str(os.getpid())
    tfc.close()
    assert not lock.exists()
    with Accelerator(bitfile):
        tfc.close()  # a second time: the lock is another's now
        assert lock.exists()
    assert not lock.exists()


def test_who_waited_for_a_lock_file_that_was_removed_takes_the_new_one(tfc, bitfile, monkeypatch):
    """The holder closes between another one's opening of the file and its lock."""
    lock, flock = Path(tfc._lock.name), driver.fcntl.flock

    def late(handle, how):
        tfc.close()
        flock(handle, how)

    monkeypatch.setattr(driver.fcntl, "flock", late)
    with Accelerator(bitfile):
        assert lock.read_text() == str(os.getpid())
        with refused("the board is in use by this process itself"):
            Accelerator(bitfile)
    assert not lock.exists()


def test_twice_in_one_process(tfc, bitfile, works):
    with refused(r"the board is in use by this process itself: close\(\) the other Accelerator"):
        Accelerator(bitfile)
    works(tfc)


def test_two_threads(tfc, pixels, expected, works):
    batch, results = pixels(2000, (1, 28, 28)), []
    worker = threading.Thread(target=lambda: results.append(tfc.results(batch)))
    worker.start()
    while not tfc._busy.locked() and worker.is_alive():
        time.sleep(0.0005)
    with refused("at work in another thread"):
        tfc(batch[:1])
    worker.join()
    np.testing.assert_array_equal(results[0], expected(batch))
    works(tfc)


def test_closed(bitfile, pixels):
    accelerator = Accelerator(bitfile)
    accelerator.close()
    with refused("this accelerator is closed"):
        accelerator(pixels(1, (1, 28, 28)))
    accelerator.close()
