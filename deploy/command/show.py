"""What the command prints: progress bars and tables around the methods of the accelerator, and the same
facts as a file, for ``--json``.
"""

from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from signflow.deploy import flow
from signflow.deploy.accelerator import Accelerator
from signflow.deploy.command import resources
from signflow.deploy.verify.images import Images
from signflow.hw.boards import Board


@contextmanager
def bar(console: Console, text: str, total: int | None = None):
    """A progress bar; gives (done, text, total) -> None to move it."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(text, total=total)
        yield lambda done, text=text, total=total: progress.update(task, completed=done, description=text, total=total)


def build(
    console: Console, settings: flow.Settings, work: Path, start: str, json_file: Path | None = None
) -> Accelerator:
    """Run the steps with a spinner and the seconds of each; then what was built."""
    with console.status("") as status:

        def tick(step: str, took: float | None) -> None:
            if took is None:
                status.update(Text(f"{step}: {flow.STEPS[step].does}"))
                return
            console.print(f"  {step:<12}{took:7.1f} s   {flow.STEPS[step].does}", highlight=False, soft_wrap=True)

        console.print(f"building {settings.source} for {settings.board}")
        seconds = flow.build(settings, work, start, tick)
    acc = Accelerator(work)
    console.print(f"  {'total':<12}{sum(seconds.values()):7.1f} s", highlight=False)
    for note in acc.notes:
        console.print(f"  note: {note}", highlight=False, soft_wrap=True)
    folding(console, acc.facts)
    found = {"network": settings.source, "board": settings.board, "seconds": seconds}
    flow.write_json(found | {key: acc.facts[key] for key in ("predicted", "operators")}, json_file)
    return acc


def folding(console: Console, facts: dict) -> None:
    """Table of the operators that compute: folding and cycles against the initiation interval."""
    table = Table(title=f"{facts['name']} on {facts['board']}: folding")
    for head in ("operator", "PE", "SIMD", "MAC/cycle", "cycles/image", "busy"):
        table.add_column(head, justify="left" if head == "operator" else "right")
    interval = facts["predicted"]["interval"]
    for op in facts["operators"]:
        if not op["plumbing"]:
            p = op["folding"]
            row = (
                str(p.get("PE", "")),
                str(p.get("SIMD", "")),
                str(op["macs"] or ""),
                f"{op['cycles']:,}",
                f"{op['cycles'] / interval:.0%}",
            )
            table.add_row(resources.short(op["node"]) + (" (whole windows)" if p.get("parallel_window") else ""), *row)
    console.print(table)
    fps, batch = facts["clock_mhz"] * 1e6 / interval, facts["batch"]
    together = f" of a batch of {batch} images, which go in together" if batch > 1 else ""
    console.print(
        f"predicted: latency {facts['predicted']['latency']:,} cycles{together}, initiation interval {interval:,} "
        f"cycles = {fps:,.0f} images/s at "
        f"{facts['clock_mhz']:g} MHz (bottleneck {facts['predicted']['bottleneck']})",
        highlight=False,
    )
    link(console, facts)


def link(console: Console, facts: dict) -> None:
    """Say where the board's link is slower than the accelerator."""
    target, interval = Board.of(facts), facts["predicted"]["interval"]
    if (taken := target.link_cycles(facts)) > interval:
        console.print(
            f"this is the core alone: the link of {target.name} carries {target.beats(facts)['beat_bits']} bits at a "
            f"time, an image takes {taken:,} cycles there = {target.clock_mhz * 1e6 / taken:,.0f} images/s",
            highlight=False,
        )


def cycles(console: Console, found: dict) -> None:
    """Print predicted and simulated cycles (`signflow.deploy.verify.simulate.cycles`)."""
    predicted, simulated, clock = found["predicted"], found["simulated"], found["clock_mhz"]
    table = Table(title="cycles per image")
    for column in ("", "predicted", "simulated", "difference", f"at {clock:g} MHz"):
        table.add_column(column, justify="left" if not column else "right")
    for key, name, unit in (
        ("latency", "latency", lambda n: f"{n / clock:,.1f} us"),
        ("interval", "initiation interval", lambda n: f"{clock * 1e6 / n:,.0f} images/s"),
    ):
        n = simulated[key]
        if n is not None:
            table.add_row(name, f"{predicted[key]:,}", f"{n:,}", f"{n - predicted[key]:+,}", unit(n))
    console.print(table)
    console.print(
        f"simulated {found['cycles']:,} cycles in {found['seconds']:.1f} s: "
        f"{found['cycles_per_second'] / 1e6:.2f} million cycles/s on {found['workers']} core(s)",
        highlight=False,
    )


def simulate(console: Console, acc: Accelerator, images: Images, json_file: Path | None = None, **options) -> None:
    """`Accelerator.simulate`, printed."""
    with bar(console, "RTL simulation", len(images)) as step:
        found = acc.simulate(images, tick=lambda _, done, total: step(done), **options)
    into, out, wave = options["in_stall"], options["out_stall"], options["wave"]
    console.print(f"{images.name}, stalls {into:.0%} in, {out:.0%} out, seed {options['seed']}", highlight=False)
    cycles(console, found.cycles)
    if wave is not None:
        console.print("waves in " + ", ".join(str(p) for p in sorted(wave.parent.glob(wave.stem + ".*"))))
    flow.write_json(found.facts(), json_file)


def report(
    console: Console, acc: Accelerator, exact: bool = False, whole: bool = False, json_file: Path | None = None
) -> None:
    """`Accelerator.report`, printed."""
    with bar(console, "yosys", None) as step:
        found = acc.report(exact, whole, lambda done, total: step(done, "yosys", total))
    target, synthesis = found.board, found.synthesis
    available = {"lut": target.lut, "ff": target.ff, "bram36": target.bram18 / 2, "uram": target.uram}
    console.print(resources.estimate(synthesis, available))
    console.print(
        f"{found.fps:,.0f} images/s at {target.clock_mhz:g} MHz (initiation interval {found.predicted['interval']:,} "
        f"cycles); {'' if synthesis.exact else '~'}{synthesis.lut_per_mac:.2f} LUT per binary MAC per cycle; "
        f"yosys estimate in {synthesis.seconds:.0f} s, not a Vivado report",
        highlight=False,
    )
    link(console, acc.facts)
    flow.write_json(found.facts(), json_file)


def page(console: Console, acc: Accelerator, path: Path) -> None:
    """`Accelerator.page`, with a bar."""
    with bar(console, "page", None) as step:
        acc.page(path, lambda doing, done, total: step(done, f"page: {doing}", total))
    console.print(f"page in {path} ({path.stat().st_size / 1e6:.1f} MB); open it in a browser", highlight=False)
