"""The papers' networks, with random parameters, in RTL: every logit is PyTorch's, in exactly the predicted cycles.

Narrow, of all their layers; those for ImageNet on images of 32 x 32 pixels, on which the last maps are of one pixel.
`python -m signflow.tests.equivalence.test_papers_rtl [NAME ...]` prints the rows of the table of `docs/residual.md`;
NAME=1 is the full width of a network.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from signflow.deploy.compile import engine, export, lower, streamline
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.compile.passes.head import Head
from signflow.deploy.plan import fold
from signflow.models.networks import network
from signflow.models.untrained import random_images, randomise

from .foldings import accelerator

RESNET, SD, REACTNET, REACTNET_A = ({"width": width} for width in (0.1, 1 / 8, 1 / 8, 1 / 4))
BINARYNET = {"width": 1 / 8, "features": 32, "hidden": 64}
NARROW = {
    "abn-binarynet": BINARYNET,
    "abn-binarynet-w1": {**BINARYNET, "width": 1 / 16},
    "abn-binarynet-cifar100": BINARYNET,
    "abn-binarynet-tiny": BINARYNET,
    "bn-binarynet": BINARYNET,
    "abn-resnet18": RESNET,
    "abn-resnet18-cifar100": RESNET,
    "abn-resnet18-tiny": RESNET,
    "bn-resnet18": RESNET,
    "sd-vgg-small": {"width": 1 / 16},
    "sd-resnet20": {"width": 1 / 2},
    "sd-resnet18": SD,
    "sd-resnet18-imagenet": SD,
    "reactnet18": REACTNET,
    "reactnet18-bn": REACTNET,
    "reactnet18-none": REACTNET,
    "reactnet18-cifar100": REACTNET,
    "reactnet-a": REACTNET_A,
    "reactnet-a-bn": REACTNET_A,
    "reactnet-a-none": REACTNET_A,
}
"""Network -> what makes it narrow: 8 channels behind the stem (16 in most BinaryNets)."""
IMAGES, SEED, INTERVAL = 2, 1, 20_000


def simulated(name: str, options: dict, folder: Path, variant: str = "fast") -> dict:
    """What is compared, and what it took."""
    engine.boot()
    begin, row, rng = time.process_time(), network(name).with_options(**options), np.random.default_rng(SEED)
    c, h, w = row.input_shape
    shape = (c, h, w) if h < 224 else (c, 32, 32)
    torch.manual_seed(SEED)
    net = randomise(row.build(), random_images(shape, 48, rng), rng)
    pixels = random_images(shape, IMAGES, rng)
    integer = streamline.streamline(export.export(net, shape))
    hardware = lower.lower(integer)
    fold.fold_to_cycles(hardware, INTERVAL)
    simulator = accelerator(hardware, fold.folding_of(hardware), folder, variant)
    with torch.no_grad():
        logits = net(torch.from_numpy(pixels).float()).numpy()
    expected, distance = Head.of(integer).invert(logits)
    stream, facts = ImageInput.of(hardware).stream(pixels), simulator.facts
    run = simulator.run(stream.reshape(len(pixels), *facts["input"]["shape"]), watchdog=10**6)
    differ = (run.outputs.reshape(expected.shape) != expected).sum() if distance == 0 else logits.size
    return {
        "network": name,
        "channels": ", ".join(f"{key} {value:g}" for key, value in options.items()) or "full width",
        "image": "x".join(map(str, shape)),
        "images": IMAGES,
        "logits equal": f"{logits.size - differ:,} of {logits.size:,}",
        "latency": f"{run.latency:,}",
        "as predicted": "yes" if run.latency == facts["predicted"]["latency"] else "no",
        "operators": len(facts["operators"]),
        "CPU s of Python": round(time.process_time() - begin),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", NARROW)
def test_every_logit(name, tmp_path):
    row = simulated(name, NARROW[name], tmp_path / "a")
    equal, logits = row["logits equal"].split(" of ")
    assert equal == logits and row["as predicted"] == "yes"


if __name__ == "__main__":
    for number, word in enumerate(sys.argv[1:] or NARROW):
        name, _, width = word.partition("=")
        with tempfile.TemporaryDirectory() as folder:
            found = simulated(name, {"width": float(width)} if width else NARROW[name], Path(folder) / "a")
        if number == 0:
            print(f"| {' | '.join(found)} |\n|{'---|' * len(found)}")
        print(f"| {' | '.join(map(str, found.values()))} |", flush=True)
