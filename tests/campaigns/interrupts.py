"""`make interrupts`: every verb of the command, killed, interrupted, starved and run twice at once, at random moments.

    python -m signflow.tests.campaigns.interrupts --events 200 --seed 0

After each event the verb is run again, to its end. Then its products must be, byte for byte, those of a run that nobody
disturbed, and nothing else may be left: no partial file, no temporary folder, no lock, no process. A verb that was
refused (a full disk, a folder that cannot be written, no memory) has said why in one message, with exit code 1.

kill         SIGKILL to all of its processes, to the first one, or to one that it has started
terminate    SIGTERM, in the same way
interrupt    SIGINT to all, as a terminal does, or to the first one
full         the disk has room for a part of what it writes
twice        a second process begins the same in the same folder
read-only    its folder, or the whole disk, cannot be written
memory       `ulimit -v`: of the command, from its beginning or from when everything is imported; of the C++ compiler

The events derive from the seed and their number. Results are kept: what was interrupted goes on. Needs Linux, and the
right to mount (root, or user namespaces).
"""

import argparse
import importlib
import json
import random
import re
import signal
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from signflow.tests.campaigns.sandbox import Disk, Ended, Run, in_own_namespace
from signflow.tests.campaigns.undisturbed import Undisturbed, empty, undisturbed
from signflow.tests.campaigns.verbs import VERBS, products

KINDS = ("kill", "terminate", "interrupt", "full", "twice", "read-only", "memory")
SIGNALS = {"kill": signal.SIGKILL, "terminate": signal.SIGTERM, "interrupt": signal.SIGINT}
IGNORED = re.compile(r"Exception ignored in.*?\n(Traceback .*?\n)?( .*\n|\n)*KeyboardInterrupt: *\n", re.DOTALL)
"""How Python says that it drops an interrupt which comes while it collects garbage, or behind the command's end."""
REFUSED = ("full", "read-only", "memory", "twice")
"""Kinds after which a command may have ended with exit code 1."""
LOADED = ("torch", "onnxruntime", "matplotlib.figure", "torch.onnx", "torch._dynamo", "signflow.models.training",
          "signflow.deploy.flow", "signflow.deploy.command.cli", "signflow.deploy.command.show",
          "signflow.deploy.command.bitstream", "signflow.deploy.command.prove", "signflow.deploy.command.explore",
          "signflow.deploy.board.package", "signflow.models.study.experiments")  # fmt: skip
"""What is imported once, before the forks."""


BEGUN = 0.1
"""Seconds after which a verb has read its words and is at work."""
LEAST = 64 << 20
"""Bytes of memory from which less is given, where a verb needs no more than was free before."""


@dataclass
class Event:
    """What was done to a verb, and what came of it."""

    number: int
    verb: str
    kind: str
    how: str = ""
    """When, to whom, how much."""
    result: str = ""
    """What the command answered."""
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0


def events(count: int, seed: int) -> list[Event]:
    """Verbs and kinds in random order, each pair as often as its verb asks for."""
    pairs = [(verb, kind) for verb, what in VERBS.items() for kind in KINDS for _ in range(what.often)]
    drawn = []
    while len(drawn) < count:
        drawn += random.Random(f"{seed} {len(drawn)}").sample(pairs, len(pairs))
    return [Event(number, *pair) for number, pair in enumerate(drawn[:count])]


def disturb(event: Event, disk: Disk, right: Undisturbed, rng: random.Random) -> list[Ended]:
    """Do to the verb what ``event`` says; fills in how, and returns how the commands ended."""
    words, mark = VERBS[event.verb].words, f"event-{event.number}"
    share = rng.random()
    moment = BEGUN + share * right.seconds
    if number := SIGNALS.get(event.kind):
        whom = rng.choice(("group", "main") if event.kind == "interrupt" else ("group", "main", "child"))
        run = Run(disk, words, mark)
        event.how = f"{whom} after {moment:.2f} s"
        if sent := run.runs(moment):
            run.signal(number, whom, rng.choice)
        ended = run.end()
        if sent and ended.code == 0 and whom != "child" and ended.seconds - moment > max(1.0, 0.3 * ended.seconds):
            ended.unheeded = ended.seconds - moment
        return [ended]
    if event.kind == "full":
        event.how = f"room for {share:.0%} of {right.room:,} bytes"
        disk.resize(disk.used + int(share * right.room))
        return [Run(disk, words, mark).end()]
    if event.kind == "twice":
        event.how = f"a second one after {moment:.2f} s"
        first = Run(disk, words, mark)
        first.runs(moment)
        second = Run(disk, words, f"{mark}-second")
        return [first.end(), second.end()]
    if event.kind == "read-only":
        event.how = rng.choice(("out", "."))
        thaw = disk.freeze(event.how)
        try:
            return [Run(disk, words, mark).end()]
        finally:
            thaw()
    return [_starved(event, disk, right, rng, share)]


def _starved(event: Event, disk: Disk, right: Undisturbed, rng: random.Random, share: float) -> Ended:
    """Run the verb with too little memory."""
    words, mark = VERBS[event.verb].words, f"event-{event.number}"
    whom = rng.choice(("command", "command", "interpreter", "compiler"))
    if whom == "compiler":
        event.how = f"g++ gets {int(40 + share * 250)} MB"
        return Run(disk, words, mark, KILOBYTES=str(int(40 + share * 250) << 10)).end()
    if whom == "interpreter":
        memory = int((0.1 + 2.9 * share) * (1 << 30))
        event.how = f"{memory >> 20:,} MB in all"
        return Run(disk, words, mark, memory, fresh=True).end()
    memory = int(share * max(right.memory, LEAST)) + 1
    event.how = f"{memory >> 10:,} of {max(right.memory, LEAST) >> 10:,} kB more"
    return Run(disk, words, mark, memory).end()


def faults(event: Event, ended: Ended) -> list[str]:
    """What is wrong with the way in which a disturbed command ended."""
    wrong = [f"still runs: {one}" for one in ended.orphans]
    if ended.unheeded:
        wrong.append(f"it went on for {ended.unheeded:.1f} s after the signal")
    told = IGNORED.sub("", ended.text)
    if "Traceback" in told or "fault of signflow" in ended.text:
        wrong.append(f"a traceback: {ended.text[-1500:]}")
    expected = {0}
    if number := SIGNALS.get(event.kind):
        expected |= {-number} if number == signal.SIGKILL else {128 + number}
        expected |= {1} if "child" in event.how else set()
    if event.kind in REFUSED:
        expected |= {1}
    if ended.code not in expected:
        wrong.append(f"exit code {ended.code}: {ended.text[-1500:]}")
    if ended.code == 1 and "error:" not in ended.text:
        wrong.append(f"exit code 1 without a reason: {ended.text[-500:]!r}")
    return wrong


def judge(event: Event, disk: Disk, right: Undisturbed, ended: list[Ended]) -> None:
    """Fill in the result of ``event``: how the commands ended, what was left, and what the verb makes when it is run
    again.
    """
    event.result = ", ".join(f"{one.code} {_said(one)}".strip() for one in ended)
    begun = products(disk.folder / "out") not in (products(right.template / "out"), right.products)
    idle = -signal.SIGTERM if event.kind == "terminate" and not begun else None  # nobody waits yet, or any more
    event.faults = [fault for one in ended if one.code != idle for fault in faults(event, one)]
    if event.kind != "kill":
        event.faults += [f"left by the disturbed command: {name}" for name in _litter(disk, right)]
    if event.kind == "twice":
        event.faults += _differences(disk, right) if any(one.code == 0 for one in ended) else ["both were refused"]
    disk.age()
    again = Run(disk, VERBS[event.verb].words, f"event-{event.number}-again").end()
    if again.code:
        event.faults.append(f"run again: exit code {again.code}: {again.text[-1500:]}")
    event.faults += [f"run again: {one}" for one in _differences(disk, right)]
    event.faults += [f"left: {name}" for name in _litter(disk, right)]
    event.faults += [f"run again, still runs: {one}" for one in again.orphans]


def _said(ended: Ended) -> str:
    rows = [row for row in ended.text.splitlines() if "error:" in row or "interrupted" in row]
    return rows[-1][:160] if rows else ""


def _litter(disk: Disk, right: Undisturbed) -> list[str]:
    return sorted(disk.written() - right.written)


def _differences(disk: Disk, right: Undisturbed) -> list[str]:
    found = products(disk.folder / "out")
    return [
        f"{name} differs" for name in sorted({*found, *right.products}) if found.get(name) != right.products.get(name)
    ]


def one(event: Event, disk: Disk, right: Undisturbed, seed: int) -> Event:
    """Do an event from the beginning to its result."""
    disk.fill(right.template)
    ended = disturb(event, disk, right, random.Random(f"{seed} {event.number} {event.verb} {event.kind}"))
    disk.resize(1 << 30)
    judge(event, disk, right, ended)
    event.seconds = round(sum(one.seconds for one in ended), 1)
    return event


def table(done: list[Event]) -> Table:
    """Verb x kind: events without a fault, of all."""
    shown = Table(title="events without a fault, of all")
    for head in ("verb", *KINDS, "events"):
        shown.add_column(head)
    for verb in VERBS:
        cells = [[event for event in done if (event.verb, event.kind) == (verb, kind)] for kind in KINDS]
        marks = [f"{sum(not event.faults for event in cell)}/{len(cell)}" if cell else "" for cell in cells]
        shown.add_row(verb, *marks, str(sum(map(len, cells))))
    return shown


def main() -> None:
    """Draw the events, do those that are not done, print the table; exit code 1 with a fault."""
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--events", type=int, default=200)
    ask.add_argument("--seed", type=int, default=0)
    ask.add_argument("--only", type=int, nargs="*", help="do these numbers, anew")
    ask.add_argument("--verbs", nargs="*", default=list(VERBS), choices=list(VERBS), help="events of these alone")
    ask.add_argument("--out", type=Path, default=Path("out/interrupts"), help="inputs and results")
    given = ask.parse_args()
    in_own_namespace()
    console, log = Console(), given.out / f"seed-{given.seed}.jsonl"
    base = given.out.resolve() / "templates"
    empty(base)
    for module in LOADED:
        importlib.import_module(module)
    drawn = events(given.events, given.seed)
    kept = [Event(**json.loads(row)) for row in log.read_text().splitlines()] if log.exists() else []
    done = {event.number: event for event in kept if event.number < given.events and not given.only}
    wanted = given.only or [event.number for event in drawn if event.number not in done]
    todo = [event for event in drawn if event.number in wanted and event.verb in given.verbs]
    disk, known = Disk(given.out / "disk"), {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, auto_refresh=False) as bar:
        task = bar.add_task("", total=len(done) + len(todo), completed=len(done))
        for event in todo:
            bar.update(task, description=f"{event.number} {event.verb}: {event.kind}", refresh=True)
            known[event.verb] = known.get(event.verb) or undisturbed(event.verb, disk, base)
            done[event.number] = one(event, disk, known[event.verb], given.seed)
            with log.open("a") as file:
                print(json.dumps(asdict(event)), file=file)
            for fault in event.faults:
                bar.console.print(f"{event.number} {event.verb}, {event.kind} {event.how}: {fault}", highlight=False)
            bar.update(task, advance=1, refresh=True)
    console.print(table(list(done.values())))
    wrong = [event for event in done.values() if event.faults]
    console.print(f"{len(done)} events of seed {given.seed}, {len(wrong)} with a fault", highlight=False)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
