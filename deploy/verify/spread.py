"""Rungs on the workers of a Dask cluster: the images in spans, a task each, joined in their order.

The workers must have the same signflow and see the build under the same path. A span whose worker dies is done again by
another one, and the answer of a span counts once, whoever gave it.
"""

from concurrent.futures import Executor, as_completed
from dataclasses import replace
from pathlib import Path

import numpy as np

from signflow.deploy.verify.rungs import Rung, Rungs
from signflow.hw.sim import SimResult

SPAN = 100
"""Images of a task."""


def spread(form: Rungs, pool: Executor, method: str, **options: float) -> Rung:
    """The rung that ``method`` of ``form`` makes with ``options``, run by the workers of ``pool``. Each span of an RTL
    simulation begins with an empty pipeline and stalls of its own.
    """
    rung = getattr(form, method)(**options)

    def run(images: np.ndarray) -> np.ndarray:
        starts = range(0, len(images), SPAN)
        tasks = {}
        for start in starts:
            own = options | ({"seed": options["seed"] + start} if "seed" in options else {})
            tasks[pool.submit(answer, form.work.absolute(), method, own, images[start : start + SPAN])] = start
        parts, done = {}, 0
        for task in as_completed(tasks):
            parts[tasks[task]] = task.result()
            done += len(parts[tasks[task]][0])
            form.tick(rung.name, done, len(images))
        results, runs = zip(*(parts[start] for start in starts), strict=True)
        if runs[0] is not None:
            form.runs[options.get("stall", 0.0)] = joined(runs, starts)
        return np.concatenate(results)

    return replace(rung, run=run)


def answer(work: Path, method: str, options: dict, images: np.ndarray) -> tuple[np.ndarray, SimResult | None]:
    """What a rung of the build in ``work`` makes of one span, on one core; and its simulation, if it was one."""
    form = Rungs(work, workers=1)
    results = getattr(form, method)(**options).run(images)
    return results, form.runs.get(options.get("stall", 0.0))


def joined(runs: tuple[SimResult, ...], starts: range) -> SimResult:
    """The simulations of spans as one whose workers had a share each; seconds as if one worker had done them all."""
    whole = {name: np.concatenate([getattr(run, name) for run in runs]) for name in ("outputs", "first_in", "last_out")}
    sums = {name: sum(getattr(run, name) for run in runs) for name in ("cycles", "seconds", "cpu_seconds")}
    return SimResult(starts=tuple(starts), **whole, **sums, batch=runs[0].batch)
