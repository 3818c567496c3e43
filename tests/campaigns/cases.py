"""Which network a seed stands for, how it becomes hardware, and what became of it."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from signflow.hw.boards import boards
from signflow.hw.scratch import Scratch
from signflow.tests import quick_exports
from signflow.tests.equivalence import random_blocks, random_networks
from signflow.tests.equivalence.climbing import Case, Fault, climb

FOLDINGS = ("random", "random", "fastest", "luts", "latency")
STREAM_BITS = (0, 0, 8, 32, 64)

quick_exports.install()


def case(seed: int) -> Case:
    """Chains and residual networks in turn; any folding, board, word of the input, and memories that are loaded."""
    rng = np.random.default_rng([seed, 3])
    plan = (random_networks, random_blocks)[seed % 2].plan(seed)
    drawn = Case(plan, str(rng.choice(FOLDINGS)), str(rng.choice(list(boards()))), loadable=bool(rng.random() < 0.3))
    return replace(drawn, stream_bits=int(rng.choice(STREAM_BITS)))


def tried(drawn: Case, until: str) -> tuple[Counter, Fault | None]:
    """What the network has, and what is wrong with it, up to the rung ``until``."""
    with Scratch("signflow-soak-") as folder:
        try:
            return climb(drawn, Path(folder) / "a", until), None
        except Fault as fault:
            return Counter(), fault


def kind(fault: Fault) -> str:
    """The same for faults that are probably one: rung, exception, and what it says but for names and numbers."""
    said = next((line for line in str(fault.error).splitlines() if line.strip()), "")
    said = re.sub(r"'[^']*'|[-+]?[\d.]+", "", said).strip()[:80]
    return f"{fault.rung}: {type(fault.error).__name__}: {said}"


def attempt(seed: int, until: str) -> dict:
    """The line of a campaign for ``seed``: what it covered, or its fault."""
    found, fault = tried(case(seed), until)
    if fault is None:
        return {"seed": seed, "covered": sorted(name for name, count in found.items() if count)}
    return {"seed": seed, "fault": kind(fault), "rung": fault.rung, "error": str(fault)[:2000]}
