"""Temporary folders that do not outlive their process, even if it is killed: whoever makes the next one tidies up."""

import fcntl
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SETTLING = 60.0
"""Seconds that a new folder is left alone: its maker holds its lock by then."""


class Scratch(tempfile.TemporaryDirectory):
    """A folder ``<prefix>...`` in ``parent`` (the temporary folder of the system), removed at the end of a ``with``
    block, by `cleanup` or with the object; its ``name`` is the path.

    The process holds a lock on the folder, which ends with the process. Folders of that prefix that nobody holds were
    left by killed processes, and are removed by the next `Scratch`.
    """

    def __init__(self, prefix: str, parent: str | Path | None = None):
        _sweep(prefix, Path(parent or tempfile.gettempdir()))
        super().__init__(prefix=prefix, dir=parent)
        weakref.finalize(self, os.close, _hold(Path(self.name)))


def _hold(folder: Path) -> int:
    """A file descriptor that locks ``folder`` for this process; OSError if another one holds it."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise
    return handle


def _sweep(prefix: str, parent: Path) -> None:
    """Remove this user's folders of that prefix whose process is gone."""
    for folder in parent.glob(f"{prefix}*"):
        try:
            facts = folder.lstat()
            if facts.st_uid == os.getuid() and time.time() - facts.st_mtime > SETTLING:
                handle = _hold(folder)
                shutil.rmtree(folder, ignore_errors=True)
                os.close(handle)
        except OSError:  # no folder, gone meanwhile, or in use
            continue


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """An empty folder with a name of its own beside ``folder``, whose place it takes when the block ends without an
    error. An OSError of the block that names no file (a full disk does not) is raised again with ``folder`` in it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with Scratch(f".{folder.name}-", folder.parent) as name:
        partial = Path(name) / folder.name
        partial.mkdir()
        try:
            yield partial
        except OSError as e:
            if e.errno is None or e.filename is not None:
                raise
            raise OSError(e.errno, e.strerror, str(folder)) from e
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(partial, folder)
