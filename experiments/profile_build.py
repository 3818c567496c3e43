"""Where the time of a build goes as networks grow: python experiments/profile_build.py [normalisation] [depth ...]

Seconds of processor time of every step from torch to the generated accelerator, for chains of hidden layers of 64
neurons with random parameters, and what one layer costs. Nearly all of the step "export" is `torch.export`. The C++
compiler behind it is left out: it runs on all cores, and keeps what it has compiled.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from signflow.deploy import flow
from signflow.models.networks.chains import mlp
from signflow.models.untrained import random_images, randomise

DEPTHS = (2, 4, 8, 16, 32)
SHAPE = (1, 28, 28)
STEPS = ("export", "streamline", "lower", "fold", "generate")


def profile(depth: int, normalisation: str) -> dict[str, float]:
    """Seconds of every step."""
    rng, settings, seconds = np.random.default_rng(0), flow.Settings(source="chain", board="pynq-z2"), {}
    net = randomise(mlp(64, depth=depth, normalisation=normalisation), random_images(SHAPE, 48, rng), rng)
    with tempfile.TemporaryDirectory() as folder:
        for step in STEPS:
            begin = time.process_time()
            if step == "export":
                flow.export_module(net, SHAPE, settings, Path(folder))
            else:
                flow.run(step, settings, Path(folder))
            seconds[step] = time.process_time() - begin
    return seconds


def main(normalisation: str = "bn", *depths: str) -> None:
    """Print the table."""
    profile(1, normalisation)  # imports
    print("layers" + "".join(f"{step:>12}" for step in (*STEPS, "all", "a layer")))
    for depth in map(int, depths or DEPTHS):
        seconds = list(profile(depth, normalisation).values())
        numbers = (*seconds, sum(seconds), sum(seconds) / depth)
        print(f"{depth:6}" + "".join(f"{number:12.2f}" for number in numbers), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
