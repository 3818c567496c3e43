"""Images streamed through the simulated RTL: what it answers, and in how many cycles."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from signflow.deploy import products
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.compile.passes.head import Head
from signflow.deploy.steps import ACCELERATOR, FOLDED
from signflow.deploy.verify.images import Images
from signflow.deploy.verify.rungs import Tick, silent
from signflow.hw.sim import RtlSimulator, SimResult


def cycles(simulator: RtlSimulator, run: SimResult) -> dict:
    """Predicted and simulated latency and initiation interval of a run, and the speed of the simulation."""
    return {
        "predicted": simulator.facts["predicted"],
        "simulated": {"latency": run.latency, "interval": run.interval},
        "cycles": run.cycles,
        "seconds": run.seconds,
        "cycles_per_second": run.cycles_per_second,
        "workers": len(run.starts),
        "clock_mhz": simulator.facts["clock_mhz"],
    }


@dataclass(frozen=True)
class Simulation:
    """What a simulation gave."""

    images: Images
    outputs: np.ndarray
    """Integer results int64 (N, K)."""
    accuracy: float | None
    """Share of images whose largest logit is the label; None without labels."""
    cycles: dict
    """`cycles` of the run."""

    def facts(self) -> dict:
        """For ``--json``."""
        return {"images": len(self.images), "accuracy": self.accuracy, "cycles": self.cycles}


def simulate(
    work: Path,
    images: Images,
    *,
    in_stall: float = 0.0,
    out_stall: float = 0.0,
    seed: int = 1,
    workers: int = 1,
    wave: Path | None = None,
    operator: str = "",
    tick: Tick = silent,
) -> Simulation:
    """Stream ``images`` back to back through the accelerator in ``work``; options as in `RtlSimulator.run`.

    ``wave``: also write the waves of the first two images to this file, of one ``operator`` or of all.
    """
    folded, simulator = products.read(work, FOLDED), RtlSimulator(work / ACCELERATOR)
    stream = ImageInput.of(folded).stream(images.pixels).reshape(-1, *simulator.facts["input"]["shape"])
    options = {"workers": workers, "in_stall": in_stall, "out_stall": out_stall, "seed": seed}
    run = simulator.run(stream, progress=partial(tick, "RTL simulation"), **options)
    if wave is not None:
        simulator.wave(stream[:2], wave, operator)
    outputs = run.outputs.reshape(len(images), -1)
    guess = outputs[:, 0] if outputs.shape[1] == 1 else Head.of(folded)(outputs).argmax(1)
    accuracy = None if images.labels is None else float((guess == images.labels).mean())
    return Simulation(images, outputs, accuracy, cycles(simulator, run))
