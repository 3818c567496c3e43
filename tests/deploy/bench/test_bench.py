"""The bench: its configurations cover every operator, a small one is measured, tables and ratios by hand."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from signflow.deploy.bench import operators, page, plots, targets
from signflow.deploy.bench.configurations import CONFIGURATIONS
from signflow.deploy.bench.graphs import chain, dwc
from signflow.deploy.bench.networks import CORES, Build, Case
from signflow.deploy.bench.operators import Measured, Row
from signflow.deploy.pictures.explore import Point
from signflow.hw import ops
from signflow.models.weights import trained

CONVERTERS = {"Interleave_sf"}
"""Which the folding puts around a unit of two pixels."""


def row(estimated, found, kind="MVAU", name="one", macs=0):
    return Row(name, kind, f"{kind}_0", macs, (estimated, found), found + 9, (0, 0), (0, 0))


def build(case, lut=1000, fps=10_000.0, latency=500, interval=100):
    cycles = latency, interval
    rows = (row(lut + 10, lut, macs=2000), row(0, 0, "Duplicate"))
    return Build(case, rows, lut, lut + 99, 3.5, 1, 2000, cycles, cycles, fps, False)


def test_every_operator_is_there():
    rng = np.random.default_rng(0)
    kinds = {node.op_type for make in CONFIGURATIONS.values() for node in make(rng).graph.node}
    known = {
        re.search(r"^class (\w+_sf)\(", path.read_text(), re.MULTILINE)
        for path in Path(ops.__file__).parent.glob("*.py")
    }
    names = {found[1] for found in known if found}
    assert len(names) > 12 and kinds == names - CONVERTERS
    assert len(CONFIGURATIONS) >= 40


def test_measured_as_predicted(tmp_path):
    """A small one, twice: the second time nothing is synthesised."""
    small = {"dwc 4 to 16": lambda rng: chain(dwc(4, 16, True))}
    seen = []
    first = operators.campaign(tmp_path, small, lambda *step: seen.append(step))
    assert operators.campaign(tmp_path, small) == first and seen == [(0, 1, "dwc 4 to 16")]
    (one,) = first
    assert one.predicted == one.simulated and one.simulated[1] == 96
    assert one.rows[0].kind == "StreamingDataWidthConverter" and one.rows[0].lut[1] > 0


@pytest.mark.parametrize(("estimated", "found", "error"), [(105, 100, 0.05), (90, 100, -0.1), (0, 0, 0), (3, 0, 1)])
def test_errors(estimated, found, error):
    assert row(estimated, found).error == pytest.approx(error)


def test_share_within_five_percent():
    rows = [row(105, 100), row(95, 100), row(106, 100), row(5, 4)]
    assert page.within(rows) == 0.5
    assert page.spread("x", rows)[:5] == ["x", "4", "50%", "3", "67%"]


def known():
    cases = [
        Case(targets.CIFAR),
        *map(Case, ("tfc", "sfc", "cnv", "cnv-sd")),
        Case("cnv", 13_888),
        Case("cnv-sd", 13_888),
        *CORES,
    ]
    return {case.name: build(case, lut=1500 if "sd" in case.name else 1000) for case in cases}


def test_ratios_by_hand():
    """More images a second and fewer cycles are both better."""
    found = {target.name: target.ratio(known()) for target in targets.TARGETS}
    assert found["CNV, 32x32x3: images/s, 100 MHz"] == 10_000 / 2_929
    assert found["the same, latency of one image, cycles"] == 134_471 / 500
    assert found["the same, LUT for a MAC a cycle"] == 9.0 / 0.5
    assert [name for name, ratio in found.items() if ratio is None] == [targets.TARGETS[-1].name]
    assert targets.TARGETS[-1].now(known()) == pytest.approx(50)


def test_the_page_and_its_pictures(tmp_path):
    late = replace(build(Case("tfc")), simulated=(501, 100))
    builds = [*(one for one in known().values() if one.case not in CORES), late]
    cores = [*map(build, CORES)]
    measured = [Measured((row(100, 100), row(20, 30, "FIFO")), (5, 4), (5, 4))]
    points = [Point(1.0, rate, 1, {"LUT": lut, "BRAM18": 1, "DSP": 0}, True, {}) for rate, lut in ((10, 20), (30, 50))]
    path = page.write(tmp_path, measured, builds, cores, {"cnv": points, "cnv-sd": points})
    text, simulated = path.read_text(), len(builds) + len(cores)
    assert f"Latency and interval of {simulated} of {simulated + 1} simulations are as predicted" in text
    assert "| tfc, 6,250,000 asked for, 512 bits | 10,000 |" in text and "| sfc-signs | 10,000 |" in text
    assert text.count("| NO |") == 1 and "| cnv, 13,888 asked for | 10,000 | 100 | 500 | yes | ~1,000 |" in text
    assert "| one | FIFO | 30 | 20 | -33.3% | 39 |" in text
    for name in ("model", "pareto", "lut-per-mac"):
        assert (tmp_path / "performance" / f"{name}.png").read_bytes()[:4] == b"\x89PNG"


def test_signs_are_the_network_behind_them():
    """The logits of the signs of pixels are those of the pixels themselves."""
    (case,) = (case for case in CORES if case.signs)
    net, shape = case.module
    pixels = torch.randint(0, 256, (50, *shape), generator=torch.Generator().manual_seed(0)).float()
    with torch.no_grad():
        assert torch.equal(net(torch.where(pixels > 127, 1.0, -1.0)), trained(case.source)(pixels))


def test_groups_of_operators():
    assert [plots.group(kind) for kind in ("MVAU", "MaxPool", "Lookup", "StreamingFIFO")] == [0, 1, 2, 3]
