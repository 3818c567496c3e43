"""Where data sets lie on disk, and the one error for all that can be wrong with them."""

import hashlib
import os
from pathlib import Path

ENTRIES_SHOWN = 8


class DataError(RuntimeError):
    """A data set is missing or damaged; the message says which file and what to do."""


def data_dir() -> Path:
    """Where data sets live: ``$SIGNFLOW_DATA``, else ``data/`` in the current directory."""
    return Path(os.environ.get("SIGNFLOW_DATA", "data"))


def found_in(folder: Path) -> str:
    """What a folder holds, in a few words, for the message of a DataError."""
    if not folder.is_dir():
        return f"{folder} is {'no folder' if folder.exists() else 'not there'}"
    names = sorted(p.name + "/" * p.is_dir() for p in folder.iterdir())
    more = f", ... ({len(names)} entries)" if len(names) > ENTRIES_SHOWN else ""
    return f"{folder} holds {', '.join(names[:ENTRIES_SHOWN]) or 'nothing'}{more}"


def missing(path: Path, advice: str) -> DataError:
    """The DataError of a file or folder that is not there: what is missing, ``advice`` (where to get it), what was
    found in its place.
    """
    return DataError(
        f"{path} is missing; {advice} (SIGNFLOW_DATA names another folder than data/). Found: {found_in(path.parent)}"
    )


def check_md5(path: Path, expected: str, advice: str) -> None:
    """Raise DataError unless the MD5 sum of the file is the published one."""
    with open(path, "rb") as f:
        digest = hashlib.file_digest(f, "md5").hexdigest()
    if digest != expected:
        raise DataError(
            f"{path}: MD5 is {digest}, expected {expected}; {path.stat().st_size:,} bytes are damaged, incomplete or"
            f" something else; {advice}"
        )


def check_split(dataset: str, split: str, known: tuple[str, ...]) -> None:
    """Raise DataError that lists the known splits unless ``split`` is one of them."""
    if split not in known:
        raise DataError(f"unknown split {split!r}; {dataset} has {', '.join(known)}")
