"""The campaign of random networks: no seed is lost or done twice; what fails is shrunk to a test that fails alone."""

import json
import math
import os
import subprocess
import sys
from collections import deque
from dataclasses import replace
from pathlib import Path

import pytest

from signflow.tests.campaigns import cases, shrink, soak
from signflow.tests.campaigns.soak import DIED, Campaign
from signflow.tests.equivalence import random_networks
from signflow.tests.equivalence.climbing import RUNGS, Case, Fault

ROOT = Path(cases.__file__).resolve().parents[2]


def here(todo, jobs, cluster):
    """Tasks in this process."""
    while todo:
        task = todo.popleft()
        yield task, task[0](*task[1:])


@pytest.fixture
def ran(monkeypatch, tmp_path):
    """A campaign of twelve seeds of which three fail, two of them alike; and what was tried and shrunk."""
    tried, small = [], []

    def attempt(seed, until):
        tried.append(seed)
        faults = {3: "RTL: a", 5: "RTL: b", 8: "RTL: a"}
        return {"seed": seed} | ({"fault": faults[seed]} if seed in faults else {"covered": ["windows", "MVAU_sf"]})

    def shrunk(seed, until, seconds):
        small.append(seed)
        return "def test(): assert 0"

    monkeypatch.setattr(cases, "attempt", attempt)
    monkeypatch.setattr(shrink, "shrunk", shrunk)
    monkeypatch.setattr(soak, "work", here)
    return Campaign(range(12), "rtl", tmp_path), tried, small


def test_seeds_that_passed_are_done_once(ran):
    campaign, tried, small = ran
    soak.run(campaign, 1, "", 1.0, str, 60.0)
    assert tried == list(range(12)) and small == [3, 5] and campaign.open() == [3, 5, 8]
    assert shrink.test_of(campaign.tests, 3).exists() and not shrink.test_of(campaign.tests, 8).exists()
    soak.run(campaign, 1, "", 1.0, str)
    assert tried == [*range(12), 3, 5, 8] and len(campaign.done()) == 12
    assert "windows 9" in "".join(soak.covered(list(campaign.done().values())).columns[1]._cells)


def test_no_seed_begins_after_the_hours(ran):
    campaign, tried, _ = ran
    soak.run(campaign, 1, "", 0.0, str)
    assert tried == [0] and campaign.open() == list(range(1, 12))


def test_a_kill_costs_the_open_seed_only(ran):
    """The last line was cut: its seed is done again, on a line of its own."""
    campaign, tried, _ = ran
    for seed in (0, 1, 2):
        campaign.note({"seed": seed, "covered": []})
    campaign.lines.write_text(campaign.lines.read_text()[:-9])
    assert sorted(campaign.done()) == [0, 1]
    soak.run(campaign, 1, "", 1.0, str)
    assert tried == list(range(2, 12)) and sorted(campaign.done()) == list(range(12))


def test_the_exit_code_tells(ran, monkeypatch, capsys):
    campaign, *_ = ran
    for seeds, code in (("3..5", 1), ("6..7", 0)):
        monkeypatch.setattr(sys, "argv", ["soak", "--seeds", seeds, "--out", str(campaign.out)])
        with pytest.raises(SystemExit) as end:
            soak.main()
        assert end.value.code == code
    assert "3 of 3 seeds done, 2 failed" in capsys.readouterr().out


def test_a_task_that_kills_its_process_is_found():
    todo = deque([(math.sqrt, 4), (os._exit, 1), (math.sqrt, 9), (math.sqrt, 16)])
    assert dict(soak.work(todo, 2, "")) == {
        (math.sqrt, 4): 2, (os._exit, 1): None, (math.sqrt, 9): 3, (math.sqrt, 16): 4
    }  # fmt: skip


def test_a_seed_that_kills_its_process_has_failed(tmp_path, monkeypatch):
    monkeypatch.setattr(soak, "work", lambda todo, *_: ((todo.popleft(), None) for _ in range(len(todo))))
    campaign = Campaign(range(2), "rtl", tmp_path)
    soak.run(campaign, 1, "", 1.0, str, 60.0)
    assert [row["fault"] for row in campaign.done().values()] == [DIED, DIED]


def test_what_is_smaller_is_one_change_away_and_ends():
    """Every candidate differs in one value, and none is the case itself."""
    drawn = cases.case(4)
    candidates = list(shrink.smaller(drawn, shrink.simplest(drawn)))
    assert len(candidates) > 20 and drawn not in candidates
    assert list(shrink.smaller(shrink.simplest(drawn), shrink.simplest(drawn))) == []


def test_the_smallest_case_is_found():
    """Of a fault that comes with a pool behind at least three channels, in pixels with a sign."""

    def fails(one: Case) -> bool:
        layers = one.plan.layers
        return one.plan.kind == "int8" and any(layer.pool and layer.outputs >= 3 for layer in layers)

    layer = random_networks.Layer("conv", 9, "sd", (3, 2), (2, 1), "behind", (3, 2), True, 2, 3, (1, 1), -1.0, True)
    plan = random_networks.Plan((3, 8, 7), "codes", (layer, replace(layer, outputs=12)), 5, True, 7, "int8")
    least = shrink.shrink(Case(plan, "random", "zcu104", 8, True), fails, 60)
    only = random_networks.Layer("dense", 3, "bn", pool="behind")
    assert least == Case(random_networks.Plan((1, 1, 1), "pixels", (only,), 1, False, 7, "int8"), {})


def test_faults_of_one_kind(tmp_path):
    told = [Fault("RTL", ValueError(f"node 'MVAU_{n}' has {n}.5 of 'x'")) for n in (1, 22)]
    assert cases.kind(told[0]) == cases.kind(told[1]) == "RTL: ValueError: node  has  of"
    assert cases.kind(Fault("QONNX", ValueError("node"))) != cases.kind(told[0])


BUG = '''
from signflow.deploy.compile import streamline

right = streamline.streamline


def wrong(model, **options):
    """The logits change places behind a pool."""
    integer = right(model, **options)
    layers = [node for node in integer.graph.node if node.op_type in ("XnorPopcountMatMul", "MatMul")]
    if any(node.op_type == "MaxPoolNHWC" for node in integer.graph.node):
        name = layers[-1].input[1]
        integer.set_initializer(name, integer.get_initializer(name)[:, ::-1].copy())
    return integer


streamline.streamline = wrong
'''


@pytest.mark.slow
def test_a_fault_becomes_a_test(tmp_path, monkeypatch):
    """With a fault in the compiler, built in as a copy of a function: the file fails alone, and passes without it."""
    plans = {seed: cases.case(seed).plan for seed in range(0, 200, 2)}
    pooled = [seed for seed, plan in plans.items() if plan.classes > 2 and any(layer.pool for layer in plan.layers)]
    seed = min(pooled, key=lambda seed: (len(plans[seed].layers), plans[seed].layers[0].outputs))
    module = {}
    exec(BUG, module)
    monkeypatch.setattr("signflow.deploy.compile.streamline.streamline", module["wrong"])
    found = cases.attempt(seed, RUNGS[-1])
    assert found["rung"] == "integer graph", found
    source = shrink.shrunk(seed, RUNGS[-1], math.inf)
    monkeypatch.setattr("signflow.deploy.compile.streamline.streamline", module["right"])
    assert shrink.shrunk(seed, "integer graph", 1) == "", "it passes without"

    for name, broken in (("with", True), ("without", False)):
        folder = tmp_path / name
        folder.mkdir()
        shrink.write(folder, seed, source)
        (folder / "conftest.py").write_text(BUG if broken else "")
        words = [sys.executable, "-m", "pytest", "-q", "--import-mode=importlib", "-p", "no:cacheprovider", str(folder)]
        done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == broken, done.stdout
        assert ("Fault: integer graph" in done.stdout) == broken
    space = {}
    exec(source, space)
    plan = space["CASE"].plan
    assert plan.classes < 4 and [bool(layer.pool) for layer in plan.layers] == [True] and plan.shape[0] == 1, plan


@pytest.mark.slow
def test_a_killed_campaign_goes_on(tmp_path):
    """Killed as hard as can be after its first lines: every seed has one line in the end."""
    words = [sys.executable, "-m", "signflow.tests.campaigns.soak", "--seeds", "0..5", "--until", "integer"]
    words += ["--out", str(tmp_path)]
    lines = tmp_path / "integer.jsonl"
    own = {**os.environ, "TMPDIR": str(tmp_path)}  # who is killed tidies up nothing
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, env=own) as process:
        while process.poll() is None and not (lines.exists() and lines.read_text().count("\n") >= 2):
            pass
        process.kill()
    assert lines.read_text().count("\n") < 6, "it was not killed in the middle"
    assert subprocess.run(words, cwd=ROOT, stdout=subprocess.DEVNULL).returncode == 0
    assert sorted(json.loads(line)["seed"] for line in lines.read_text().splitlines()) == list(range(6))
