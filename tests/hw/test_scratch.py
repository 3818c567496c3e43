"""Temporary folders go with their process, however it ends."""

import errno
import os
import signal
import subprocess
import sys
import time

import pytest

from signflow.hw import scratch
from signflow.hw.scratch import Scratch, replacing_folder

MAKER = """
import sys, time
from signflow.hw.scratch import Scratch, replacing_folder
held = Scratch("made-", sys.argv[1])
open(held.name + "/file", "w").close()
print(held.name, flush=True)
time.sleep(600)
"""


@pytest.fixture
def another(tmp_path):
    """(process, path) of a folder that another process holds."""
    with subprocess.Popen([sys.executable, "-c", MAKER, tmp_path], stdout=subprocess.PIPE, text=True) as process:
        yield process, process.stdout.readline().strip()
        process.kill()


def aged(path: str) -> str:
    """The folder as it is after an hour."""
    os.utime(path, (time.time() - 3600,) * 2)
    return path


@pytest.mark.parametrize("end", ["with", "cleanup", "object"])
def test_a_folder_goes_with_its_block_or_its_object(tmp_path, end):
    made = Scratch("made-", tmp_path)
    (name,) = map(str, tmp_path.iterdir())
    assert name == made.name and os.path.isdir(name)
    if end == "with":
        with made as given:
            assert given == name
    elif end == "cleanup":
        made.cleanup()
    else:
        with pytest.warns(ResourceWarning):
            del made
    assert not list(tmp_path.iterdir())


def test_folders_of_killed_processes_are_removed_by_the_next(tmp_path, another):
    process, name = another
    aged(name)
    with Scratch("made-", tmp_path):
        assert os.path.isdir(name), "its process lives"
    process.send_signal(signal.SIGKILL)
    process.wait()
    with Scratch("other-", tmp_path):
        assert os.path.isdir(name), "not of that kind"
    with Scratch("made-", tmp_path) as mine:
        assert not os.path.exists(name) and os.path.isdir(mine)


def test_new_folders_and_what_is_no_folder_are_left_alone(tmp_path):
    (tmp_path / "made-new").mkdir()
    (tmp_path / "made-file").touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "made-link").symlink_to(tmp_path / "elsewhere")
    aged(tmp_path / "made-file")
    aged(tmp_path / "elsewhere")
    with Scratch("made-", tmp_path):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"made-new", "made-file", "made-link", "elsewhere"}


def test_a_folder_is_locked_while_it_lives_and_no_longer(tmp_path):
    with Scratch("made-", tmp_path) as name:
        with pytest.raises(BlockingIOError):
            scratch._hold(name)
        before = len(os.listdir("/proc/self/fd"))
    made = Scratch("made-", tmp_path)
    made.cleanup()
    del made
    assert len(os.listdir("/proc/self/fd")) <= before


def test_a_folder_that_finds_no_room_is_named_and_stays_as_it_was(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "old").touch()
    with pytest.raises(OSError, match=rf"No space left on device: '{folder}'"), replacing_folder(folder) as new:
        (new / "half").touch()
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == [folder] and [path.name for path in folder.iterdir()] == ["old"]
