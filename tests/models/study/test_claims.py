"""The papers' claims: verdicts by hand, and every number of the shipped table against the recorded runs."""

import csv
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from signflow.models.study import claims
from signflow.models.study.claims import Claim, Setting, fits, measure, read_claims, verdict
from signflow.models.training.recipe import RecipeError, read_recipe
from signflow.models.training.record import ROOT

RESULTS = ROOT / "docs" / "results"
SETTING = Setting("sfc", "two", {"net": "a"}, {"net": "b"})
CLAIM = Claim("paper", "a is better", "gap", 0, math.inf, [SETTING], "", [])
TWO = """net,seed,final_accuracy,epochs
a,1,0.82,3
a,2,0.84,3
a,3,0.86,3
b,1,0.80,3
b,2,0.81,3
b,3,0.82,3
"""


def test_quantities_by_hand(tmp_path):
    (tmp_path / "two.csv").write_text(TWO)
    gap = measure(CLAIM, SETTING, tmp_path)
    # Welch: 3 points, se = sqrt((4 + 1) / 3) = 1.291, 2.94 degrees of freedom: t = 3.218
    assert (gap.value, gap.seeds, gap.epochs) == (pytest.approx(3), 3, "3")
    assert gap.interval == pytest.approx((3 - 4.155, 3 + 4.155), abs=2e-3)
    spread = measure(replace(CLAIM, quantity="spread"), SETTING, tmp_path)
    # F at 2 and 2 degrees of freedom: 39 and 1/39
    assert spread.value == pytest.approx(2)
    assert spread.interval == pytest.approx((2 / math.sqrt(39), 2 * math.sqrt(39)))
    (tmp_path / "t.csv").write_text("norm,ratio,theory\nbn,1.0,1\nbn,1.21,1\n")
    theory = measure(replace(CLAIM, quantity="theory"), Setting("", "t", {"norm": "bn"}, {}), tmp_path)
    assert theory.value == pytest.approx(10) and (theory.seeds, theory.epochs) == (2, "")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (replace(SETTING, file="none"), r"none.csv is missing, which the claim 'a is better' is measured by"),
        (replace(SETTING, rows={"net": "c"}), r"two.csv has no run with net = 'c'"),
        (replace(SETTING, rows={"net": "a", "seed": "1"}), "has no spread over seeds"),
    ],
)
def test_what_cannot_be_measured(tmp_path, setting, message):
    (tmp_path / "two.csv").write_text(TWO)
    with pytest.raises(RecipeError, match=message):
        measure(replace(CLAIM, quantity="spread"), setting, tmp_path)


@given(st.integers(-9, 9), st.integers(0, 9), st.integers(-9, 9), st.integers(0, 9))
def test_a_setting_fits_by_the_points_of_its_interval(low, width, least, breadth):
    """Against the definition, point by point in steps of a half."""
    claim = replace(CLAIM, least=least, most=least + breadth)
    inside = [least <= point <= least + breadth for point in np.arange(low, low + width + 0.5, 0.5)]
    expected = "agrees" if all(inside) else "open" if any(inside) else "disagrees"
    assert fits(claim, (low, low + width)) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("agrees agrees", "supported"),
        ("open agrees", "partly supported"),
        ("disagrees", "contradicted"),
        ("disagrees open", "partly contradicted"),
        ("open agrees disagrees", "mixed"),
        ("open open", "open"),
    ],
)
def test_verdicts(words, expected):
    assert verdict(words.split()) == expected and expected in claims.VERDICTS
    assert fits(CLAIM, None) == "open"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("paper = 1", "odd.toml: 'claims'"),
        (
            'paper = ""\n[[claims]]\nclaim = ""\nquantity = "guess"\nsettings = []',
            "quantity = 'guess'; it is one of gap",
        ),
        ('paper = ""\n[[claims]]\nclaim = ""\nquantity = "gap"\nsettings = []\nmore = 1', "odd.toml.*'more'"),
    ],
)
def test_bad_claim_files(tmp_path, text, message):
    with pytest.raises(RecipeError, match="holds no claims"):
        read_claims(tmp_path)
    (tmp_path / "odd.toml").write_text(text)
    with pytest.raises(RecipeError, match=message):
        read_claims(tmp_path)


def test_recipes_that_would_measure_a_claim_are_there():
    recipes = [name for claim in read_claims() for name in claim.recipes]
    assert len(recipes) > 10
    for name in recipes:
        path = ROOT / "experiments" / f"{name}.toml"
        needed = read_recipe(path).init
        assert not needed or f"{needed.split('/')[1]}" in recipes[: recipes.index(name)], f"{name} begins with {needed}"


def shipped(heading: str) -> list[list[str]]:
    """Rows of the tables under the headings of the shipped section that fit."""
    page = (ROOT / "docs" / "results.md").read_text()
    body = page.split("written by `signflow experiment claims` -->")[1].split("<!-- end of claims -->")[0]
    parts = [part for part in body.split("\n### ")[1:] if re.match(heading, part)]
    lines = [line for part in parts for line in part.splitlines() if line.startswith("| ")]
    return [line.strip("| ").split(" | ") for line in lines if not line.startswith("| claim |")]


def numbers(cell: str) -> list[float]:
    """All with decimals, in order."""
    return [float(text) for text in re.findall(r"[-+]?\d+\.\d+", cell)]


def test_every_number_of_the_shipped_tables_is_in_the_recorded_runs():
    """Computed once more here, with numpy and scipy alone."""
    table, values = shipped("Every setting"), []
    settings = [(i, claim, setting) for i, claim in enumerate(read_claims(), 1) for setting in claim.settings]
    assert len(table) == len(settings) > 40
    for (number, link, epochs, seeds, measured, word), (i, claim, setting) in zip(table, settings, strict=True):
        assert (number, link) == (str(i), f"[{setting.where}](results/{setting.file}.csv)")
        with open(RESULTS / f"{setting.file}.csv", newline="") as f:
            rows = list(csv.DictReader(f))
        found, base = (
            [row for row in rows if all(row[c] == v for c, v in wanted.items())]
            for wanted in (setting.rows, setting.rows | setting.against)
        )
        value, *ends = expected(claim.quantity, found, base)
        assert numbers(measured) == pytest.approx([value, *ends], abs=0.00501), (link, measured)
        assert seeds == str(len(found)) and {epochs} == {row.get("epochs", epochs) for row in found}
        inside = ends and claim.least <= ends[0] and ends[1] <= claim.most
        outside = ends and (ends[1] < claim.least or claim.most < ends[0])
        assert word == ("agrees" if inside else "disagrees" if outside else "open")
        values.append((i, value, measured))
    for i, (claim, measured, _, _) in enumerate(shipped("(?!Every setting)"), 1):
        mine = [(value, measured) for number, value, measured in values if number == i]
        assert claim.startswith(f"{i}. ") and f" in {len(mine)} setting" in measured
        ends = sorted({min(mine)[0], max(mine)[0]})
        assert numbers(measured) == (pytest.approx(ends, abs=0.00501) if len(mine) > 1 else numbers(mine[0][1]))


def expected(quantity: str, found: list[dict], base: list[dict]) -> list[float]:
    if quantity == "theory":
        off = np.log([float(row["ratio"]) / float(row["theory"]) for row in found])
        ends = stats.ttest_1samp(off, 0).confidence_interval(0.95)
        return [100 * (np.exp(value) - 1) for value in (off.mean(), *ends)]
    a, b = (
        100 * np.array([float(row.get("final_accuracy") or row["test_accuracy"]) for row in rows])
        for rows in (found, base)
    )
    if quantity == "spread":
        ratio = a.std(ddof=1) / b.std(ddof=1)
        return [ratio, *(ratio / np.sqrt(stats.f.ppf([0.975, 0.025], len(a) - 1, len(b) - 1)))]
    gap = a.mean() - b.mean()
    if len(a) == 1:
        return [gap]
    return [gap, *stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)]
