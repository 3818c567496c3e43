"""A file is replaced as a whole or not at all, an error says which file and why; a folder has one user at a time."""

import errno
import os
import resource
import subprocess
import sys
from contextlib import contextmanager

import pytest
import torch

from signflow.models.files import InUseError, beside, locked, replacing
from signflow.models.training import record


@contextmanager
def room_for(size: int):
    """The kernel refuses to let any file grow beyond ``size`` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_is_replaced_when_the_block_ends(tmp_path):
    path = tmp_path / "a.b.txt"
    path.write_text("old")
    with replacing(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old" and partial.parent == tmp_path
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [KeyError("x"), KeyboardInterrupt(), FileNotFoundError(2, "none", "other")])
def test_an_error_leaves_the_old_file_alone_and_no_other(error, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(type(error)) as raised, replacing(path) as partial:
        partial.write_text("half")
        raise error
    assert raised.value is error
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_checkpoint_that_finds_no_room_says_which_file_and_why(tmp_path):
    path = tmp_path / "checkpoint.pt"
    record.save({"net": torch.zeros(10)}, path)
    with room_for(10_000), pytest.raises(OSError, match=r"File too large.*checkpoint\.pt'$") as raised:
        record.save({"net": torch.zeros(10_000)}, path)
    assert raised.value.errno == errno.EFBIG
    assert list(tmp_path.iterdir()) == [path]
    assert torch.equal(torch.load(path, weights_only=True)["net"], torch.zeros(10))


def test_what_a_killed_process_left_is_removed_and_what_a_running_one_writes_is_not(tmp_path):
    path = tmp_path / "a.txt"
    code = "import sys, os, signal; from pathlib import Path; from signflow.models.files import replacing\n"
    code += "with replacing(Path(sys.argv[1])) as p: p.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    assert subprocess.run([sys.executable, "-c", code, path]).returncode < 0
    (left,) = tmp_path.iterdir()
    running, others = tmp_path / f"a.txt.{os.getppid()}.tmp", [tmp_path / "b.txt.1.tmp", tmp_path / "a.txt.mine.tmp"]
    for file in (running, *others):
        file.write_text("")
    with replacing(path) as partial:
        partial.write_text("new")
    assert not left.exists() and {*tmp_path.iterdir()} == {path, running, *others}


def test_two_processes_write_under_names_of_their_own(tmp_path):
    code = "import sys; from pathlib import Path; from signflow.models.files import replacing\n"
    code += "with replacing(Path(sys.argv[1])) as p: print(p)"
    other = subprocess.run([sys.executable, "-c", code, tmp_path / "a"], capture_output=True, text=True).stdout.strip()
    with replacing(tmp_path / "a") as partial:
        assert other and other != str(partial)
        partial.touch()


def test_a_folder_beside_goes_with_its_block_or_with_the_next_one(tmp_path):
    with pytest.raises(KeyError), beside(tmp_path / "data") as folder:
        (folder / "half").write_text("")
        raise KeyError
    code = "import sys, os, signal; from pathlib import Path; from signflow.models.files import beside\n"
    code += "with beside(Path(sys.argv[1])) as p: (p / 'half').write_text(''); os.kill(os.getpid(), signal.SIGKILL)"
    assert not list(tmp_path.iterdir())
    subprocess.run([sys.executable, "-c", code, tmp_path / "data"])
    (left,) = tmp_path.iterdir()
    mine = tmp_path / f"data.{os.getpid()}.tmp"  # another process of that number, in another container
    (mine / "old").mkdir(parents=True)
    with beside(tmp_path / "data") as folder:
        assert folder == mine and not list(folder.iterdir()) and not left.exists()
    assert not list(tmp_path.iterdir())


def test_a_folder_is_for_one_process_at_a_time(tmp_path):
    with locked(tmp_path):
        with pytest.raises(InUseError, match=f"{tmp_path} is in use by process {os.getpid()}; one command at a time"):
            locked(tmp_path).__enter__()
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    assert not list(tmp_path.iterdir())
