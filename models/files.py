"""Files that are replaced as a whole or not at all."""

import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside ``path``, of this process alone, to write to. When the block ends without an error it
    becomes ``path``; else it is removed, and ``path`` stays as it was. What killed processes left is removed, too.

    An OSError of the block that names no file (a full disk does not) is raised again with ``path`` in it.
    """
    for partial in path.parent.glob(f"{glob.escape(path.name)}.*.tmp"):
        if not _runs(partial.suffixes[-2][1:]):
            partial.unlink(missing_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        yield partial
        os.replace(partial, path)
    except OSError as e:
        if e.errno is None or e.filename is not None:
            raise
        raise OSError(e.errno, e.strerror, str(path)) from e
    finally:
        partial.unlink(missing_ok=True)


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
