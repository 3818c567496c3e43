"""Weight files: what is accepted are the numbers of the file, of the network's types and shapes, and runs."""

import io
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np
import torch

from signflow.models import weights
from signflow.models.networks import network

from .door import Door
from .trees import arrays_changed, bytes_changed

NET = "sfc-width8-depth1"


@cache
def seeds() -> dict[str, bytes]:
    """An untrained network's, as it is saved, and not compressed."""
    torch.manual_seed(1)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "weights.npz"
        weights.save(network(NET).build(), path)
        plain = io.BytesIO()
        np.savez(plain, **np.load(path))
        return {"saved.npz": path.read_bytes(), "plain.npz": plain.getvalue()}


def enter(path: Path) -> str:
    """Fill a network, save it again, and compare the arrays."""
    net = weights.load_into(network(NET).build(), path)
    with TemporaryDirectory() as folder:
        weights.save(net, Path(folder) / "again.npz")
        with np.load(path) as old, np.load(Path(folder) / "again.npz") as new:
            assert sorted(old) == sorted(new)
            for name in new:
                np.testing.assert_array_equal(new[name], old[name].reshape(new[name].shape))
    with torch.inference_mode():
        net(torch.zeros(1, 1, 28, 28))
    return "the same numbers"


def change(data: bytes, rng: Random) -> bytes:
    """One of the arrays, or any byte."""
    return arrays_changed(data, rng) if rng.random() < 0.8 else bytes_changed(data, rng)


DOOR = Door("weights", ".npz", enter, (weights.WeightsError,), seeds, change)
