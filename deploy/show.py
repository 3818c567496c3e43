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

from signflow.deploy import flow, streamline, synthesize
from signflow.deploy.export import reference
from signflow.deploy.images import ImageInput, image_kind
from signflow.deploy.intgraph import IntGraph
from signflow.deploy.locate import locate
from signflow.deploy.passes.head import Head
from signflow.deploy.passes.rounding import notes_of
from signflow.deploy.signs import first_difference
from signflow.deploy.verify import LadderError, Rung, check, climb
from signflow.hw.boards import board
from signflow.hw.sim import RtlSimulator
from signflow.models import data
from signflow.models.networks import network, predict

QONNX_IMAGES, HARDWARE_IMAGES = 16, 4
"""Images for the two rungs that run node by node in Python (about 50 ms and 1 s for a CNV image)."""
STALL = 0.3
"""Probability of a pause in a cycle on both sides, in the ladder's last rung."""
WORKERS = 2


@contextmanager
def _bar(console: Console, text: str, total: int | None = None):
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


def _images(
    settings: flow.Settings, image: ImageInput, split: str | None, count: int | None, seed: int
) -> tuple[np.ndarray, np.ndarray | None, str]:
    """(images, labels or None, what they are called)."""
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


def _torch_rung(settings: flow.Settings, head: Head) -> Rung | None:
    import torch

    net = flow.torch_network(settings)
    if net is None:
        return None

    def run(images: np.ndarray) -> np.ndarray:
        integers, distance = head.invert(predict(net, torch.from_numpy(images)).numpy())
        if distance:
            raise LadderError(
                f"PyTorch's logits lie {distance:.3g} steps off the integers' own logits: "
                "the recorded head is not the network's"
            )
        return integers

    return Rung("PyTorch", run)


def _qonnx(model, head: Head):
    def run(images: np.ndarray) -> np.ndarray:
        integers, distance = head.invert(reference(model, images)["output"].reshape(len(images), -1))
        if distance > 0.01:
            raise LadderError(
                f"QONNX's logits lie {distance:.3g} steps off the integers' own logits: "
                "the recorded head is not the network's"
            )
        return integers

    return run


def ladder(
    console: Console,
    work: Path,
    split: str | None,
    count: int | None,
    stall_images: int,
    seed: int,
    json_file: Path | None = None,
) -> dict:
    """Climb the ladder, print it, write it to the work folder; then raises LadderError when a logit differs."""
    settings = flow.settings_of(work)
    onnx, integer, folded = (flow.read(work, product) for product in (flow.NETWORK, flow.INTEGER, flow.FOLDED))
    head, image = Head.of(integer), ImageInput.of(integer)
    images, labels, what = _images(settings, image, split, count, seed)
    graph, simulator = IntGraph(integer), RtlSimulator(work / flow.ACCELERATOR)
    stream, shape, runs = ImageInput.of(folded), tuple(simulator.facts["input"]["shape"]), {}

    def simulate(part: np.ndarray, stall: float) -> np.ndarray:
        words = stream.stream(part).reshape(-1, *shape)
        runs[stall] = simulator.run(
            words, workers=WORKERS, in_stall=stall, out_stall=stall, seed=seed, progress=lambda d, n: tick(d, total=n)
        )
        return runs[stall].outputs

    rungs = [
        _torch_rung(settings, head),
        Rung("QONNX", _qonnx(onnx, head), QONNX_IMAGES),
        Rung("integer graph", lambda part: graph(part, progress=lambda d: tick(d, len(part)))),
        Rung("FINN hardware graph", lambda part: streamline.execute(folded, part), HARDWARE_IMAGES),
        Rung("RTL simulation", lambda part: simulate(part, 0.0)),
        Rung("RTL, random stalls", lambda part: simulate(part, STALL), stall_images) if stall_images else None,
    ]
    with _bar(console, "ladder") as bar:
        name = ""

        def begin(rung: Rung) -> None:
            nonlocal name
            name = rung.name
            tick(0)

        def tick(done: int, total: int | None = None) -> None:
            bar(done, f"ladder: {name}", total)

        rows = climb([r for r in rungs if r], images, labels, begin, head)
    table = Table(title=f"{settings.name}: the ladder on {what}")
    for column in ("rung", "images", "logits compared", "mismatches", "accuracy", "s"):
        table.add_column(column, justify="left" if column == "rung" else "right")
    for row in rows:
        accuracy = "" if row.accuracy is None or row.images < len(images) else f"{row.accuracy:.2%}"
        table.add_row(
            row.rung,
            f"{row.images:,}",
            f"{row.logits:,}",
            f"{row.mismatches:,}",
            accuracy,
            f"{row.seconds:.1f}",
            style="red" if row.mismatches else "",
        )
    console.print(table)
    cycles = _cycles(console, work, simulator, runs[0.0])
    result = {"network": settings.name, "board": settings.board, "split": what}
    result |= {"ladder": [row.as_dict() for row in rows], "cycles": cycles}
    flow.write_json(result, work / flow.VERIFIED, json_file)
    check(rows, lambda at: _where(onnx, integer, folded, work / flow.ACCELERATOR, images[at]))
    return result


def _where(onnx, integer, folded, folder: Path, image: np.ndarray) -> str:
    """The first node, pixel and channel that differ, from the top of the ladder downwards."""
    difference = first_difference(onnx, integer, image) or locate(integer, folded, folder, image)
    alone = "QONNX, integer graph, FINN and every RTL operator alone agree on this image"
    return f"first differing node: {difference}" if difference else alone


def _cycles(console: Console, work: Path, simulator: RtlSimulator, run) -> dict:
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
    images, labels, what = _images(settings, image, None, count, seed)
    stream = image.stream(images).reshape(-1, *simulator.facts["input"]["shape"])
    with _bar(console, "RTL simulation", len(stream)) as tick:
        run = simulator.run(
            stream, workers=workers, in_stall=in_stall, out_stall=out_stall, seed=seed, progress=lambda d, _: tick(d)
        )
    console.print(f"{what}, stalls {in_stall:.0%} in, {out_stall:.0%} out, seed {seed}", highlight=False)
    cycles = _cycles(console, work, simulator, run)
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
    with _bar(console, "yosys", len(facts["operators"])) as tick:
        start = time.perf_counter()
        result = synthesize.synthesize(work / flow.ACCELERATOR, whole=whole, tick=lambda done, total, _: tick(done))
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
