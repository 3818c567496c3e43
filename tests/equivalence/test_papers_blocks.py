"""The papers' networks for ImageNet at their full size, in RTL, block by block: every operator of one stream alone, on
the tensors of a whole image, against FINN's execution, and that against the integer graph.

Forks and joins are simulated in the narrow networks of `test_papers_rtl`.
`python -m signflow.tests.equivalence.test_papers_blocks [NAME ...]` prints the rows of the table of `docs/residual.md`.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from signflow.deploy.compile import engine, export, lower, streamline
from signflow.deploy.plan import fold
from signflow.deploy.plan.graph import operators
from signflow.deploy.verify.locate import locate
from signflow.models.networks import network
from signflow.models.untrained import random_images, untrained

from .foldings import generated

NETWORKS = ["sd-resnet18-imagenet", "reactnet-a", "reactnet-a-bn", "reactnet-a-none"]
SEED, INTERVAL = 1, 401_408
"""Eight cycles a pixel of the image."""


def blocks(name: str, folder: Path) -> dict:
    """What is compared, and what it took."""
    engine.boot()
    begin, shape = time.process_time(), network(name).input_shape
    image = random_images(shape, 1, np.random.default_rng(SEED))[0]
    integer = streamline.streamline(export.export(untrained(name, SEED), shape))
    hardware = lower.lower(integer)
    fold.fold_to_cycles(hardware, INTERVAL)
    generated(hardware, fold.folding_of(hardware), folder)
    alone = [op.IN_STREAMS == op.OUT_STREAMS == 1 for op in operators(hardware)]
    return {
        "network": name,
        "image": "x".join(map(str, shape)),
        "operators": len(alone),
        "simulated alone": sum(alone),
        "first difference": str(locate(integer, hardware, folder, image) or "none"),
        "CPU s of Python": round(time.process_time() - begin),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_every_operator(name, tmp_path):
    assert blocks(name, tmp_path / "a")["first difference"] == "none"


if __name__ == "__main__":
    for number, name in enumerate(sys.argv[1:] or NETWORKS):
        with tempfile.TemporaryDirectory() as folder:
            found = blocks(name, Path(folder) / "a")
        if number == 0:
            print(f"| {' | '.join(found)} |\n|{'---|' * len(found)}")
        print(f"| {' | '.join(map(str, found.values()))} |", flush=True)
