"""Files that are replaced as a whole or not at all, folders that do not stay, and folders for one process at a time."""

import fcntl
import glob
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LOCK = ".lock"


class InUseError(RuntimeError):
    """Another process works in a folder."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside ``path``, of this process alone, to write to. When the block ends without an error it
    becomes ``path``; else it is removed, and ``path`` stays as it was. What killed processes left is removed, too.

    An OSError of the block that names no file (a full disk does not) is raised again with ``path`` in it.
    """
    partial = _own(path)
    try:
        yield partial
        os.replace(partial, path)
    except OSError as e:
        if e.errno is None or e.filename is not None:
            raise
        raise OSError(e.errno, e.strerror, str(path)) from e
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """An empty folder beside ``path``, of this process alone, which is removed when the block ends. What killed
    processes left is removed, too.
    """
    folder = _own(path)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder for this process; raises InUseError that names the process that holds it already."""
    handle = _lock(folder / LOCK)
    try:
        yield
    finally:
        (folder / LOCK).unlink(missing_ok=True)
        os.close(handle)


def _lock(path: Path) -> int:
    """A descriptor of the file ``path``, locked, with this process' number in it."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, 20, 0).decode() or "another"
            os.close(handle)
            rule = "one command at a time works there: wait until it is done, or choose another folder with --out"
            raise InUseError(f"{path.parent} is in use by process {holder}; {rule}") from None
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), path.stat()):  # else its holder has removed it meanwhile
                os.ftruncate(handle, 0)
                os.pwrite(handle, str(os.getpid()).encode(), 0)
                return handle
        os.close(handle)


def _own(path: Path) -> Path:
    """The name beside ``path`` that is this process'; those of processes that are gone are removed."""
    for partial in path.parent.glob(f"{glob.escape(path.name)}.*.tmp"):
        if not _runs(partial.suffixes[-2][1:]):
            shutil.rmtree(partial) if partial.is_dir() else partial.unlink(missing_ok=True)
    return path.with_name(f"{path.name}.{os.getpid()}.tmp")


def _runs(process: str) -> bool:
    """Whether a process of that number runs; True for what is no number."""
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError, ValueError):  # another user's; no number of ours
        return True
    return True


def save_picture(figure, path: Path) -> None:
    """Write a matplotlib figure as PNG; the same figure gives the same bytes."""
    with replacing(path) as partial:
        figure.savefig(partial, format="png", dpi=110, metadata={"Software": None})
