"""Files that are replaced as a whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside ``path`` to write to; when the block ends without an error it becomes ``path``."""
    partial = path.with_name(path.name + ".tmp")
    yield partial
    os.replace(partial, path)


def save_picture(figure, path: Path) -> None:
    """Write a matplotlib figure as PNG; the same figure gives the same bytes."""
    with replacing(path) as partial:
        figure.savefig(partial, format="png", dpi=110, metadata={"Software": None})
