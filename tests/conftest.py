"""Networks that several tests build once."""

from .own_folders import pytest_configure, pytest_sessionfinish, pytest_unconfigure  # noqa: F401  (pytest's hooks)

# isort: split
import gzip
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings
from torch import nn

from signflow.models import networks, weights

from . import quick_exports

settings.register_profile("signflow", deadline=None, derandomize=True)  # the same examples on any machine, however slow
settings.load_profile("signflow")

quick_exports.install()


def randomise(net: nn.Module, seed: int) -> nn.Module:
    """Random signs, and batch normalisation as after a hard training: gammas of both signs and zero, shifted means."""
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                n = module.num_features
                module.weight.copy_(torch.randn(n, generator=rng))
                module.weight[:: max(1, n // 3)] = 0
                module.bias.copy_(torch.randn(n, generator=rng) * 0.5)
                module.running_mean.copy_(torch.randn(n, generator=rng) * 8)
                module.running_var.copy_(torch.rand(n, generator=rng) * 200 + 1)
        for name in weights.binary_parameters(net):
            p = net.get_parameter(name)
            p.copy_(torch.randn(p.shape, generator=rng))
    return net.eval()


@pytest.fixture(scope="session")
def mini_weights(tmp_path_factory) -> Path:
    """Packed weights of a random `mini` network: FINN's CNV at 1/8 width."""
    path = tmp_path_factory.mktemp("weights") / "mini.npz"
    weights.save(randomise(networks.cnv(1, width=0.125), 5), path)
    return path


@pytest.fixture(scope="session")
def mini(tmp_path_factory, mini_weights):
    """(settings, work folder) of the built `mini` network."""
    from signflow.deploy import flow

    patch = pytest.MonkeyPatch()
    patch.setitem(
        networks.NETWORKS, "mini", networks.Network(lambda: networks.cnv(1, width=0.125), (1, 32, 32), "fashion-mnist")
    )
    settings = flow.Settings("mini", weights=str(mini_weights), fps=10_000)
    work = tmp_path_factory.mktemp("mini")
    flow.build(settings, work)
    yield settings, work
    patch.undo()


@pytest.fixture
def fashion_files(tmp_path, monkeypatch):
    """Writes (images (N, 28, 28), labels) for training and for test as Fashion-MNIST's four archives, and points the
    loaders to them.
    """

    def write(train, test) -> None:
        folder = tmp_path / "fashion-mnist"
        folder.mkdir()
        for prefix, pair in (("train", train), ("t10k", test)):
            for kind, values in zip(("images-idx3", "labels-idx1"), pair, strict=True):
                head = struct.pack(">HBB", 0, 8, values.ndim) + struct.pack(f">{values.ndim}I", *values.shape)
                (folder / f"{prefix}-{kind}-ubyte.gz").write_bytes(gzip.compress(head + values.tobytes()))
        monkeypatch.setenv("SIGNFLOW_DATA", str(tmp_path))

    return write


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    """100 Fashion-MNIST images (100, 1, 32, 32)."""
    from signflow.models.data import load

    return load("fashion-mnist", "sample", (32, 32))[0][:100].numpy()


@pytest.fixture(scope="session")
def launch():
    """Starts a Chromium with further arguments. Playwright runs once in a process: a second one beside it refuses."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("no Chromium in the PATH (Debian: apt install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as tools:
        yield lambda *arguments: tools.chromium.launch(executable_path=program, args=["--no-sandbox", *arguments])


@pytest.fixture(scope="session")
def browser(launch):
    """One that all tests share; each opens pages of its own."""
    found = launch()
    yield found
    found.close()
