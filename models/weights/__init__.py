"""Packed weights: one bit for each binary weight, float32 for the parameters of the normalisations.

A weight file is an `.npz`: for a binary layer's parameter ``name`` it holds ``name`` (uint8, bits
packed along the flattened tensor, 1 = +1) and for everything else the
array itself. Shipped files lie beside this module, each with its log and curve; the recipes are in `experiments/`.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from signflow.models.files import replacing
from signflow.models.layers.bake import bake, baked_state
from signflow.models.layers.binary import is_binary
from signflow.models.networks import network
from signflow.models.npz import read_npz

FOLDER = Path(__file__).parent


class WeightsError(RuntimeError):
    """A weight file is missing, damaged, or belongs to another network."""


def binary_parameters(net: nn.Module) -> list[str]:
    """Names of all weights that a layer uses only through their sign, with or without a parametrisation in front."""
    return [f"{name}.weight" for name, m in net.named_modules() if is_binary(m)]


def save(net: nn.Module, path: Path) -> None:
    """Write the packed weights of ``net``, baked, atomically; same weights, same bytes. A latent weight of 0 or -0 is
    +1, as sign(0) is everywhere.
    """
    binary = set(binary_parameters(net))
    arrays = {}
    for name, value in baked_state(net).items():
        value = value.detach().cpu().numpy()
        arrays[name] = np.packbits(value.ravel() >= 0) if name in binary else value
    with replacing(path) as partial, open(partial, "wb") as f:
        np.savez_compressed(f, **arrays)


def load_into(net: nn.Module, path: Path) -> nn.Module:
    """Bake ``net`` and fill it from a packed file (latent weights become exactly +-1); returns it in eval mode. Raises
    WeightsError.
    """
    bake(net)
    try:
        arrays = read_npz(path)
    except (OSError, ValueError) as e:
        raise WeightsError(f"{path}: not a readable weight file ({e})") from e
    state, binary = net.state_dict(), set(binary_parameters(net))
    if odd := sorted(set(state) ^ set(arrays)):
        raise WeightsError(f"{path} does not fit the network: {', '.join(odd[:4])} in only one of them")
    for name, value in state.items():
        a, size = arrays[name], value.numel()
        kind = np.dtype(np.uint8) if name in binary else value.numpy().dtype
        if a.dtype != kind:
            raise WeightsError(f"{path}: {name} has type {a.dtype}, the network needs {kind}")
        if name in binary:
            if a.size != -(-size // 8):
                raise WeightsError(f"{path}: {name} holds {a.size} bytes, the network needs {-(-size // 8)}")
            a = np.unpackbits(a, count=size).astype(np.float32) * 2 - 1
        elif a.shape != tuple(value.shape):
            raise WeightsError(f"{path}: {name} has shape {a.shape}, the network needs {tuple(value.shape)}")
        state[name] = torch.from_numpy(np.array(a)).reshape(value.shape).to(value.dtype)
    net.load_state_dict(state)
    return net.eval()


def trained(name: str) -> nn.Module:
    """A shipped, trained network of `NETWORKS` in eval mode; raises WeightsError when none ships."""
    path = FOLDER / f"{name}.npz"
    if not path.exists():
        shipped = sorted(p.stem for p in FOLDER.glob("*.npz"))
        raise WeightsError(
            f"no trained weights ship for {name!r} (shipped: {', '.join(shipped)}); train it with `signflow train`, "
            "or build it untrained with --random-weights SEED"
        )
    return load_into(network(name).build(), path)
