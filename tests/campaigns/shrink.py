"""The smallest network that still fails, as a test file: every change that makes the case simpler is tried, from the
coarsest on, and kept if the same fault comes again, until none does.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from pprint import pformat

from signflow.deploy.compile import lower, streamline
from signflow.deploy.compile.export import export
from signflow.tests.campaigns.cases import case, kind, tried
from signflow.tests.equivalence import random_blocks, random_networks
from signflow.tests.equivalence.climbing import RUNGS, Case, folding_of

SIMPLEST = {
    random_networks.Layer: random_networks.Layer("dense", 1, "bn"),
    random_blocks.Step: random_blocks.Step("layer", "bn", 1, 1, 1, 1, 1, 0.0, False, 3, 0),
}
TEST = '''"""Seed {seed} of a campaign, as small as it still fails: {kind}"""

from signflow.tests.equivalence.climbing import Case, climb
from signflow.tests.equivalence.{maker} import {names}, Plan

CASE = {case}


def test_seed_{seed}(tmp_path):
    climb(CASE, tmp_path / "a", {until!r})
'''


def simplest(drawn: Case) -> Case:
    """What every part of ``drawn`` is compared with."""
    seed = drawn.plan.seed
    if isinstance(drawn.plan, random_networks.Plan):
        return Case(random_networks.Plan((1, 1, 1), "pixels", (), 1, False, seed), {})
    step = SIMPLEST[random_blocks.Step]
    return Case(random_blocks.Plan((1, 1, 1), step, "codes", (), "flat", 1, seed), {})


def smaller(value, least) -> Iterator:
    """Everything that is one change simpler than ``value``, on the way to ``least``."""
    if is_dataclass(value):
        for field in fields(value):
            old, end = getattr(value, field.name), getattr(least, field.name)
            yield from (replace(value, **{field.name: new}) for new in smaller(old, end))
    elif isinstance(value, dict):
        yield from ({k: v for k, v in value.items() if k != name} for name in value)
    elif isinstance(value, tuple):
        ends = least or tuple(SIMPLEST[type(part)] for part in value)
        if not least:
            yield from (value[:k] + value[k + 1 :] for k in range(len(value)))
        for k, end in enumerate(ends):
            yield from ((*value[:k], new, *value[k + 1 :]) for new in smaller(value[k], end))
    elif value != least:
        yield least
        if type(value) is int:
            yield from sorted({(value + least) // 2, value - 1} - {value, least})


def shrink(drawn: Case, fails: Callable[[Case], bool], seconds: float) -> Case:
    """The smallest of what is simpler than ``drawn`` and still ``fails``; after ``seconds`` the smallest yet."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        tries = smaller(drawn, simplest(drawn))
        better = next((one for one in tries if time.monotonic() > end or fails(one)), None)
        if better is None or time.monotonic() > end:
            break
        drawn = better
    return drawn


def given(drawn: Case) -> Case:
    """The same with its folding written down."""
    if not isinstance(drawn.folding, str):
        return drawn
    net = drawn.maker.build(drawn.plan)
    hardware = lower.lower(streamline.streamline(export(net, drawn.plan.shape, drawn.plan.kind)))
    return replace(drawn, folding=folding_of(drawn, hardware))


def shrunk(seed: int, until: str, seconds: float) -> str:
    """The text of a test that fails as ``seed`` does, of the smallest network; "" if it fails no more."""
    drawn = case(seed)
    fault = tried(drawn, until)[1]
    if fault is None:
        return ""
    wanted, until = kind(fault), fault.rung

    def fails(one: Case) -> bool:
        found = tried(one, until)[1]
        return found is not None and kind(found) == wanted

    found = shrink(drawn, fails, seconds)
    if RUNGS.index(until) > RUNGS.index("folding") and isinstance(found.folding, str) and fails(given(found)):
        found = shrink(given(found), fails, seconds)
    return text(found, seed, wanted, until)


def text(found: Case, seed: int, what: str, until: str) -> str:
    """The test file."""
    maker = found.maker.__name__.rpartition(".")[2]
    names = "Layer" if found.maker is random_networks else "Step"
    told = what.replace("\\", "/").replace('"', "'")
    shown = pformat(found, width=110)
    return TEST.format(seed=seed, kind=told, maker=maker, names=names, case=shown, until=until)


def test_of(folder: Path, seed: int) -> Path:
    """Where the test file of ``seed`` lies."""
    return folder / f"test_seed_{seed}.py"


def write(folder: Path, seed: int, source: str) -> None:
    """The test file of ``seed``."""
    folder.mkdir(parents=True, exist_ok=True)
    test_of(folder, seed).write_text(source)
