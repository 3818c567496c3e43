"""What the command prints: progress bars and tables around the functions of the flow. Every function returns the same
facts as a dict, for ``--json``.
"""

import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from signflow.deploy import flow
from signflow.deploy.compile.images import ImageInput, image_kind
from signflow.deploy.compile.passes.head import Head
from signflow.deploy.compile.passes.rounding import notes_of
from signflow.deploy.tools import estimate
from signflow.hw.boards import board
from signflow.hw.sim import RtlSimulator
from signflow.models import data
from signflow.models.networks import network


@contextmanager
def bar(console: Console, text: str, total: int | None = None):
    """A progress bar; gives (done, text, total) -> None to move it."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(text, total=total)
        yield lambda done, text=text, total=total: progress.update(task, completed=done, description=text, total=total)


def build(console: Console, settings: flow.Settings, work: Path, start: str) -> dict[str, float]:
    """Run the steps with a spinner and the seconds of each."""
    with console.status("") as status:

        def tick(step: str, seconds: float | None) -> None:
            if seconds is None:
                status.update(f"{step}: {flow.STEPS[step].__doc__.splitlines()[0]}")
            else:
                console.print(
                    f"  {step:<12}{seconds:7.1f} s   {flow.STEPS[step].__doc__.splitlines()[0]}",
                    highlight=False,
                    soft_wrap=True,
                )

        console.print(f"building [bold]{settings.source}[/] for {settings.board}")
        seconds = flow.build(settings, work, start, tick)
    console.print(f"  {'total':<12}{sum(seconds.values()):7.1f} s", highlight=False)
    for note in notes_of(flow.read(work, flow.INTEGER)):
        console.print(f"  note: {note}", highlight=False, soft_wrap=True)
    return seconds


def folding(console: Console, facts: dict) -> None:
    """Table of the operators that compute: folding and cycles against the initiation interval."""
    table = Table(title=f"{facts['name']} on {facts['board']}: folding")
    for head in ("operator", "PE", "SIMD", "MAC/cycle", "cycles/image", "busy"):
        table.add_column(head, justify="left" if head == "operator" else "right")
    interval = facts["predicted"]["interval"]
    for op in facts["operators"]:
        if op["module"] not in ("fifo", "dwc"):
            p = op["params"]
            row = (
                str(p.get("PE", "")),
                str(p.get("SIMD", "")),
                str(op["macs"] or ""),
                f"{op['cycles']:,}",
                f"{op['cycles'] / interval:.0%}",
            )
            table.add_row(op["node"] + (" (whole windows)" if op["module"] == "swg_parallel" else ""), *row)
    console.print(table)
    fps = facts["clock_mhz"] * 1e6 / interval
    console.print(
        f"predicted: latency {facts['predicted']['latency']:,} cycles, initiation interval {interval:,} cycles "
        f"= {fps:,.0f} images/s at "
        f"{facts['clock_mhz']:g} MHz (bottleneck {facts['predicted']['bottleneck']})",
        highlight=False,
    )


def images_of(
    settings: flow.Settings, image: ImageInput, split: str | None, count: int | None, seed: int
) -> tuple[np.ndarray, np.ndarray | None, str]:
    """(images (N, *shape), labels or None, what they are called): the first ``count`` of ``split`` ("sample", "test",
    "random", or None for what there is).
    """
    own = settings.source in flow.NETWORKS
    split = split or ("sample" if own else "random")
    if split == "random":
        kind = image_kind(image.kind)
        count = count or 64
        return (
            np.random.default_rng(seed).choice(kind.pixels, (count, *image.shape)),
            None,
            f"{count} random images (seed {seed})",
        )
    if not own:
        raise data.DataError(f"{settings.source} has no data set of its own: use --split random")
    spec = network(settings.source)
    images, labels = data.load(spec.dataset, split, spec.input_shape[1:])
    images, labels = images[:count].numpy(), labels[:count].numpy()
    return images, labels, f"{len(images):,} images of the {spec.dataset} {'test set' if split == 'test' else 'sample'}"


def cycles_of(console: Console, work: Path, simulator: RtlSimulator, run) -> dict:
    """Print predicted and simulated cycles of a run; returns them."""
    predicted, clock = simulator.facts["predicted"], simulator.facts["clock_mhz"]
    table = Table(title="cycles per image")
    for column in ("", "predicted", "simulated", "difference", f"at {clock:g} MHz"):
        table.add_column(column, justify="left" if not column else "right")
    found = {"latency": run.latency, "interval": run.interval}
    for key, unit in (
        ("latency", f"{run.latency / clock:,.1f} us"),
        ("interval", f"{clock * 1e6 / run.interval:,.0f} images/s" if run.interval else ""),
    ):
        if found[key] is not None:
            table.add_row(
                key if key == "latency" else "initiation interval",
                f"{predicted[key]:,}",
                f"{found[key]:,}",
                f"{found[key] - predicted[key]:+,}",
                unit,
            )
    console.print(table)
    console.print(
        f"simulated {run.cycles:,} cycles in {run.seconds:.1f} s: "
        f"{run.cycles_per_second / 1e6:.2f} million cycles/s on {len(run.starts)} core(s)",
        highlight=False,
    )
    return {
        "predicted": predicted,
        "simulated": found,
        "cycles": run.cycles,
        "seconds": run.seconds,
        "cycles_per_second": run.cycles_per_second,
        "workers": len(run.starts),
    }


def simulate(
    console: Console,
    work: Path,
    count: int,
    in_stall: float,
    out_stall: float,
    seed: int,
    workers: int,
    wave: Path | None,
    operator: str,
) -> dict:
    """Stream images through the RTL and print cycles; optionally waves of the first two images."""
    settings, folded = flow.settings_of(work), flow.read(work, flow.FOLDED)
    simulator, image = RtlSimulator(work / flow.ACCELERATOR), ImageInput.of(folded)
    images, labels, what = images_of(settings, image, None, count, seed)
    stream = image.stream(images).reshape(-1, *simulator.facts["input"]["shape"])
    with bar(console, "RTL simulation", len(stream)) as tick:
        run = simulator.run(
            stream, workers=workers, in_stall=in_stall, out_stall=out_stall, seed=seed, progress=lambda d, _: tick(d)
        )
    console.print(f"{what}, stalls {in_stall:.0%} in, {out_stall:.0%} out, seed {seed}", highlight=False)
    cycles = cycles_of(console, work, simulator, run)
    if wave is not None:
        simulator.wave(stream[:2], wave, operator)
        console.print("waves in " + ", ".join(str(p) for p in sorted(wave.parent.glob(wave.stem + ".*"))))
    outputs = run.outputs.reshape(len(images), -1)
    guess = outputs[:, 0] if outputs.shape[1] == 1 else Head.of(folded)(outputs).argmax(1)
    return {
        "images": len(images),
        "accuracy": None if labels is None else float((guess == labels).mean()),
        "cycles": cycles,
    }


def report(console: Console, work: Path, whole: bool, json_file: Path | None = None) -> dict:
    """Synthesis estimate and FPS."""
    facts, target = flow.accelerator(work), board(flow.settings_of(work).board)
    with bar(console, "yosys", len(facts["operators"])) as tick:
        start = time.perf_counter()
        result = estimate.synthesize(work / flow.ACCELERATOR, whole=whole, tick=lambda done, total, _: tick(done))
    console.print(result.table({"lut": target.lut, "ff": target.ff, "bram36": target.bram18 / 2}))
    predicted = facts["predicted"]
    fps = target.clock_mhz * 1e6 / predicted["interval"]
    console.print(
        f"{fps:,.0f} images/s at {target.clock_mhz:g} MHz (initiation interval {predicted['interval']:,} cycles); "
        f"{result.lut_per_mac:.2f} LUT per binary MAC per cycle; "
        f"yosys estimate in {time.perf_counter() - start:.0f} s, not a Vivado report",
        highlight=False,
    )
    found = result.as_dict() | {"board": target.name, "fps": fps}
    found |= {"interval": predicted["interval"], "latency": predicted["latency"]}
    flow.write_json(found, work / flow.SYNTHESISED, json_file)
    return found
