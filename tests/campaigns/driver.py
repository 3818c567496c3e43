"""`make driver-soak IMAGES=10000000`: the driver on the simulated board, with a fault every few thousand images.

    python -m signflow.tests.campaigns.driver --images 10000000 --seed 0

The driver (`signflow.deploy.board.accelerator`) sends batches of random images through pynq, the model of the DMA and
the Verilated board top of `tfc`. In most batches something fails at a random moment (`board_faults.py`). Every batch is
asked for until it is answered. No answer may differ from the integer graph in any logit, none may be missing or come
twice, a call ends in bounded time whatever happens, and an error is the driver's own and has a fault as its cause.

Everything derives from the seed and the number of the batch; what is done is kept, span by span.
"""

import argparse
import json
import os
import select
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from signflow.deploy import flow
from signflow.deploy.board.accelerator import Accelerator, AcceleratorError
from signflow.deploy.compile.passes.head import Head
from signflow.deploy.golden.intgraph import IntGraph
from signflow.hw.sim import pynq_device
from signflow.tests.campaigns.board_faults import FAULTS, Faults
from signflow.tests.deploy.board.board_folder import build, copy, packed, rehash

MOST = 8000
"""Images of a batch, at most."""
SPAN = 50
"""Batches that are recorded together."""
SHARE = 0.6
"""Of the batches have a fault."""
TIMEOUT, LIMIT = 1.0, 30.0
"""Seconds without progress until the driver gives up, and those within which any call must have ended."""
POOL = 1 << 16
"""Different images."""


@dataclass(frozen=True)
class Batch:
    """Some images, and what happens to them."""

    number: int
    images: int
    fault: str
    """One of `FAULTS`, or empty."""

    @property
    def rng(self) -> np.random.Generator:
        """For its images, and the moment of its fault."""
        return np.random.default_rng([SEED, self.number, 1])


SEED = 0


def batch(number: int) -> Batch:
    """The batch of this number."""
    rng = np.random.default_rng([SEED, number])
    fault = str(rng.choice(FAULTS)) if rng.random() < SHARE else ""
    return Batch(number, int(rng.integers(1, MOST + 1)), fault)


def batches(images: int) -> Iterator[Batch]:
    """As many as hold so many images, or a few more."""
    number = 0
    while images > 0:
        yield (found := batch(number))
        number, images = number + 1, images - found.images


@dataclass
class Board:
    """A package, that of another network, images, and what their logits must be."""

    bitfile: Path
    other: Path
    wrong: Path
    """The package with the bitstream of the other."""
    pool: np.ndarray
    logits: np.ndarray

    @classmethod
    def make(cls, folder: Path) -> "Board":
        """Build what is not there, and package it with the driver as it is now."""
        names, new = {"tfc": flow.Settings("tfc"), "other": flow.Settings("tfc", random_weights=1)}, folder / "new"
        for name, settings in names.items():
            if not (folder / name).exists():
                shutil.rmtree(new, ignore_errors=True)
                build(settings, new).rename(folder / name)
            shutil.rmtree(folder / name / "package", ignore_errors=True)
        bitfile, other = (packed(settings, folder / name) for name, settings in names.items())
        shutil.rmtree(folder / "wrong", ignore_errors=True)
        wrong = copy(bitfile, folder / "wrong")
        wrong.write_bytes(other.read_bytes())
        rehash(wrong)
        model = flow.read(folder / "tfc", flow.INTEGER)
        pool = np.random.default_rng(0).integers(0, 256, (POOL, 1, 28, 28), dtype=np.uint8)
        return cls(bitfile, other, wrong, pool, Head.of(model)(IntGraph(model)(pool)))


def worker(board: Board, todo: list[Batch], spared: int, say: Callable[[dict], None]) -> None:
    """Open the driver and answer batches; the one of number ``spared`` has had its fault. ``say`` gets "begun" and
    "done" of each.
    """
    device = pynq_device.install()
    try:
        Accelerator(board.wrong, timeout=TIMEOUT).close()
    except AcceleratorError as error:
        say({"refused": str(error)})
    with Accelerator(board.bitfile, timeout=TIMEOUT) as driver:
        faults = Faults(device, board.other)
        for one in todo:
            say({"begun": one.number})
            say({"done": one.number} | _answer(board, driver, faults, one, one.number != spared))


def _answer(board: Board, driver: Accelerator, faults: Faults, one: Batch, harmed: bool) -> dict:
    """Ask until a batch is answered: the errors, differing logits, seconds of the longest call, downloads."""
    rng, errors, longest, downloads = one.rng, [], 0.0, faults.device.downloads
    chosen = rng.integers(0, POOL, one.images)
    if harmed and one.fault:
        faults.arm(one.fault, one.images, driver, rng)
    while True:
        begun = time.monotonic()
        try:
            found = driver(board.pool[chosen])
            break
        except (AcceleratorError, KeyboardInterrupt) as error:
            errors.append(f"{type(error).__name__}: {error}"[:200])
            if len(errors) > 2:
                raise
        finally:
            longest = max(longest, time.monotonic() - begun)
    faults.disarm()
    wrong = int((found != board.logits[chosen]).sum()) if found.shape == board.logits[chosen].shape else -1
    return {"wrong": wrong, "errors": errors, "longest": longest, "loads": faults.device.downloads - downloads}


@dataclass
class Span:
    """What became of some batches."""

    first: int
    images: int = 0
    injected: Counter = field(default_factory=Counter)
    noticed: Counter = field(default_factory=Counter)
    """Faults that an error has told, or a process that was killed."""
    loads: int = 0
    """Bitstreams loaded again."""
    opened: int = 0
    """Processes that have opened the driver."""
    longest: float = 0.0
    seconds: float = 0.0
    amiss: list[str] = field(default_factory=list)
    """What must not happen."""


def span(board: Board, todo: list[Batch]) -> Span:
    """Answer these batches, in as many processes as it takes."""
    found, begun, spared, left = Span(todo[0].number), time.monotonic(), -1, list(todo)
    while left and not found.amiss:
        found.opened += 1
        told, end = _process(board, left, spared), left[0].number
        for row in told:
            if "refused" in row and "another design is on the board" not in row["refused"]:
                found.amiss.append(f"a wrong bitstream: {row['refused']}")
            if "done" in row:
                one = left.pop(0)
                _take(found, one, row, spared)
            end = row.get("begun", end)
        if left and not found.amiss:
            killed = left[0].fault == "killed" and spared != end == left[0].number and "failed" not in told[-1]
            if killed:
                found.injected["killed"] += 1
                found.noticed["killed"] += 1
            else:
                found.amiss.append(f"batch {end}: {told[-1].get('failed', 'the process ended')}")
            spared = end
    found.seconds = time.monotonic() - begun
    return found


def _take(found: Span, one: Batch, row: dict, spared: int) -> None:
    """Count a batch that was answered."""
    found.images += one.images
    found.longest, found.loads = max(found.longest, row["longest"]), found.loads + row["loads"]
    if one.fault and one.number != spared:
        found.injected[one.fault] += 1
        found.noticed[one.fault] += bool(row["errors"])
    if row["done"] != one.number:
        found.amiss.append(f"batch {one.number}: {row['done']} was answered")
    if row["wrong"]:
        found.amiss.append(f"batch {one.number}, {one.fault}: {row['wrong']} logits differ")
    if row["longest"] > LIMIT:
        found.amiss.append(f"batch {one.number}, {one.fault}: a call took {row['longest']:.0f} s")
    if len(row["errors"]) > (1 if one.fault and one.number != spared else 0):
        found.amiss.append(f"batch {one.number}, {one.fault or 'no fault'}: {row['errors']}")


def _process(board: Board, todo: list[Batch], spared: int) -> list[dict]:
    """Run a `worker` in a process of its own; returns what it said, to its end or until it says nothing for long."""
    reader, writer = os.pipe()
    if (pid := os.fork()) == 0:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            os.close(reader)
            with os.fdopen(writer, "w", buffering=1) as pipe:
                try:
                    worker(board, todo, spared, lambda row: print(json.dumps(row), file=pipe))
                except BaseException:
                    print(json.dumps({"failed": traceback.format_exc()[-2000:]}), file=pipe)
        finally:
            os._exit(0)
    os.close(writer)
    told = b""
    while select.select([reader], [], [], 2 * LIMIT)[0]:
        if not (part := os.read(reader, 1 << 16)):
            break
        told += part
    else:
        told += json.dumps({"failed": f"hung: nothing said for {2 * LIMIT:g} s"}).encode() + b"\n"
        os.kill(pid, signal.SIGKILL)
    os.close(reader)
    os.waitpid(pid, 0)
    return [json.loads(row) for row in told.decode().splitlines()]


def table(done: list[Span]) -> Table:
    """Faults by kind."""
    shown = Table(title="faults in the simulated board")
    for head in ("fault", "injected", "noticed"):
        shown.add_column(head, justify="left" if head == "fault" else "right")
    for kind in FAULTS:
        shown.add_row(kind, *(f"{sum(getattr(one, what)[kind] for one in done):,}" for what in ("injected", "noticed")))
    return shown


def main() -> None:
    """Answer the spans that are not done, print the table; exit code 1 if anything was amiss."""
    global SEED
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--images", type=int, default=10_000_000)
    ask.add_argument("--seed", type=int, default=0)
    ask.add_argument("--out", type=Path, default=Path("out/driver"), help="package and results")
    given = ask.parse_args()
    warnings.filterwarnings("ignore")
    SEED, console, log = given.seed, Console(), given.out / f"seed-{given.seed}.jsonl"
    given.out.mkdir(parents=True, exist_ok=True)
    board = Board.make(given.out)
    drawn = list(batches(given.images))
    rows = map(json.loads, log.read_text().splitlines()) if log.exists() else ()
    counts = ("injected", "noticed")
    kept = {row["first"]: Span(**row | {name: Counter(row[name]) for name in counts}) for row in rows}
    todo = [drawn[at : at + SPAN] for at in range(0, len(drawn), SPAN)]
    done = [kept[part[0].number] for part in todo if part[0].number in kept]
    columns = (TextColumn("images"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, auto_refresh=False) as bar:
        task = bar.add_task("", total=sum(one.images for one in drawn), completed=sum(one.images for one in done))
        for part in (part for part in todo if part[0].number not in kept):
            done.append(found := span(board, part))
            bar.update(task, advance=found.images, refresh=True)
            for text in found.amiss:
                bar.console.print(text, highlight=False)
            if found.amiss:
                break
            with log.open("a") as file:
                print(json.dumps(vars(found)), file=file)
    console.print(table(done))
    images, seconds = sum(one.images for one in done), sum(one.seconds for one in done)
    amiss = [text for one in done for text in one.amiss]
    console.print(
        f"{images:,} images in {seconds:,.0f} s: {images / seconds:,.0f} images/s; "
        f"{sum(sum(one.injected.values()) for one in done):,} faults, {sum(one.loads for one in done):,} bitstreams "
        f"loaded again, {sum(one.opened for one in done):,} processes; no call took more than "
        f"{max(one.longest for one in done):.1f} s; {len(amiss)} amiss",
        highlight=False,
        soft_wrap=True,
    )
    sys.exit(bool(amiss))


if __name__ == "__main__":
    main()
