"""What the papers claim beside what was measured here: one TOML file a paper in `experiments/claims/`, every number and
every verdict from the CSV files in `docs/results/`.

A claim says where a measured quantity has to lie, `least` to `most`, and names the settings in which it was measured:

    gap      mean accuracy of the runs minus that of those they stand `against`, in points
    spread   standard deviation over seeds, divided by that of those they stand `against`
    theory   geometric mean of measured ratios, divided by what the theory says, minus 1, in percent

A setting agrees where its 95 % interval lies inside the claim's range, disagrees where it lies outside, and leaves the
claim open else, or without an interval. A claim is supported if all settings agree, partly supported if some do and the
rest is open, contradicted and partly contradicted likewise, mixed if some agree and some disagree, and else open.
"""

import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, geometric_mean, stdev

from signflow.models.study.intervals import (
    Interval,
    gap_interval,
    geometric_interval,
    spread_interval,
    with_interval,
)
from signflow.models.study.tables import plain_markdown, read_csv
from signflow.models.training.recipe import RecipeError
from signflow.models.training.record import ROOT

CLAIMS = ROOT / "experiments" / "claims"
TITLE = "Claims"
QUESTION = "Do the claims of the four papers hold in what was measured here?"
FORMS = {"gap": "+.2f", "spread": ".2f", "theory": "+.2f"}
UNITS = {"gap": "points", "spread": "times the spread", "theory": "% from theory"}
ACCURACIES = ("final_accuracy", "test_accuracy")


@dataclass(frozen=True)
class Setting:
    """Runs in which a claim was measured."""

    where: str
    """Network and circumstances, in words."""
    file: str
    """Which CSV file in `docs/results/`, without `.csv`."""
    rows: dict[str, str]
    """Column -> cell, of the runs."""
    against: dict[str, str]
    """The same of the runs they are compared with: what differs from ``rows``; empty for `theory`."""


@dataclass(frozen=True)
class Claim:
    """One claim of a paper."""

    paper: str
    claim: str
    quantity: str
    """``gap``, ``spread`` or ``theory``."""
    least: float
    most: float
    settings: list[Setting]
    missing: str
    """What was not measured here, in words."""
    recipes: list[str]
    """Recipes in `experiments/` that would measure it where their data is, in this order."""


@dataclass(frozen=True)
class Measured:
    """A claim's quantity in one setting."""

    value: float
    interval: Interval | None
    seeds: int
    epochs: str
    """Of every run, or empty where the file does not say."""


def read_claims(folder: Path = CLAIMS) -> list[Claim]:
    """All claims, papers in the order of their files. Raises RecipeError that names the file."""
    found = []
    for path in sorted(folder.glob("*.toml")):
        try:
            paper = tomllib.loads(path.read_text())
            for table in paper["claims"]:
                bounds = {"least": -math.inf, "most": math.inf, "missing": "", "recipes": []} | table
                bounds["settings"] = [Setting(**{"against": {}} | setting) for setting in table["settings"]]
                found.append(Claim(paper=paper["paper"], **bounds))
                if found[-1].quantity not in FORMS:
                    raise RecipeError(f"quantity = {found[-1].quantity!r}; it is one of {', '.join(FORMS)}")
        except (tomllib.TOMLDecodeError, KeyError, TypeError, RecipeError) as e:
            raise RecipeError(f"{path}: {e}") from e
    if not found:
        raise RecipeError(f"{folder} holds no claims; they come with the source tree")
    return found


def measure(claim: Claim, setting: Setting, results: Path) -> Measured:
    """The claim's quantity in a setting, from its file in ``results``. Raises RecipeError where no run fits."""
    path = results / f"{setting.file}.csv"
    if not path.exists():
        raise RecipeError(f"{path} is missing, which the claim {claim.claim!r} is measured by")
    runs = _runs(path, setting.rows)
    epochs = {row["epochs"] for row in runs if "epochs" in row}
    facts = len(runs), epochs.pop() if len(epochs) == 1 else ""
    if claim.quantity == "theory":
        off = [100 * (float(row["ratio"]) / float(row["theory"])) for row in runs]
        interval = geometric_interval(off)
        return Measured(geometric_mean(off) - 100, interval and (interval[0] - 100, interval[1] - 100), *facts)
    values, base = _accuracies(runs), _accuracies(_runs(path, setting.rows | setting.against))
    if claim.quantity == "gap":
        return Measured(fmean(values) - fmean(base), gap_interval(values, base), *facts)
    if spread_interval(values, base) is None:
        raise RecipeError(f"{path}: {setting.rows} or {setting.against} has no spread over seeds to compare")
    return Measured(stdev(values) / stdev(base), spread_interval(values, base), *facts)


def _runs(path: Path, cells: dict[str, str]) -> list[dict[str, str]]:
    rows = [row for row in read_csv(path) if all(row.get(column) == cell for column, cell in cells.items())]
    if not rows:
        raise RecipeError(f"{path} has no run with {', '.join(f'{c} = {v!r}' for c, v in cells.items())}")
    return rows


def _accuracies(runs: list[dict[str, str]]) -> list[float]:
    (column,) = [name for name in ACCURACIES if name in runs[0]]
    return [100 * float(row[column]) for row in runs]


def fits(claim: Claim, interval: Interval | None) -> str:
    """``agrees``, ``disagrees`` or ``open``."""
    if interval is None:
        return "open"
    low, high = interval
    if claim.least <= low and high <= claim.most:
        return "agrees"
    return "disagrees" if high < claim.least or claim.most < low else "open"


VERDICTS = ("supported", "partly supported", "mixed", "partly contradicted", "contradicted", "open")


def verdict(fitting: list[str]) -> str:
    """What the settings' words make of the claim; one of `VERDICTS`."""
    seen = set(fitting)
    if {"agrees", "disagrees"} <= seen:
        return "mixed"
    word = {"agrees": "supported", "disagrees": "contradicted"}.get(min(seen))
    return "open" if word is None else f"partly {word}" if "open" in seen else word


@dataclass(frozen=True)
class Judged:
    """A claim and what was found in each of its settings."""

    claim: Claim
    found: list[Measured]

    @property
    def words(self) -> list[str]:
        """What each setting says."""
        return [fits(self.claim, found.interval) for found in self.found]

    @property
    def verdict(self) -> str:
        """What all of them say."""
        return verdict(self.words)

    @property
    def summary(self) -> str:
        """The value and what it says, or of several settings the range of the values and how many say what."""
        unit, form = UNITS[self.claim.quantity], FORMS[self.claim.quantity]
        values = [found.value for found in self.found]
        if len(values) == 1:
            return f"{with_interval(values[0], self.found[0].interval, form)} {unit} in 1 setting: {self.words[0]}"
        said = [(self.words.count(word), word) for word in ("agrees", "disagrees", "open")]
        counts = [f"{n} {word if n == 1 else word.removesuffix('s')}" for n, word in said if n]
        return f"{min(values):{form}} to {max(values):{form}} {unit} in {len(values)} settings: {', '.join(counts)}"

    def rows(self, number: str) -> list[list[str]]:
        """Of the table of all settings."""
        unit, form = UNITS[self.claim.quantity], FORMS[self.claim.quantity]
        return [
            [number, f"[{setting.where}](results/{setting.file}.csv)", found.epochs, str(found.seeds)]
            + [f"{with_interval(found.value, found.interval, form)} {unit}", word]
            for setting, found, word in zip(self.claim.settings, self.found, self.words, strict=True)
        ]


def section(results: Path) -> str:
    """Answer, one table of claims a paper, and one of all settings, as Markdown."""
    judged = [Judged(claim, [measure(claim, one, results) for one in claim.settings]) for claim in read_claims()]
    verdicts = [one.verdict for one in judged]
    counts = ", ".join(f"{verdicts.count(v)} {v}" for v in VERDICTS if v in verdicts)
    intervals = sum(found.interval is not None for one in judged for found in one.found)
    lines = [
        f"*{QUESTION}*",
        "",
        f"**Answer.** {len(judged)} claims: {counts}. A setting agrees with a claim where its whole interval lies "
        "where the claim says, disagrees where none of it does, and else leaves it open. Without *partly* all settings "
        "say the same. All of them are smaller than the papers' and trained for less long: a claim contradicted here "
        f"may well be true there. Of the {intervals} intervals below some {intervals / 20:.0f} will miss what they "
        "estimate, as one in 20 does. The commands in the last column run where their data is "
        "([how it has to lie](training.md#data)); none of them was run here.",
        "",
    ]
    for paper in dict.fromkeys(one.claim.paper for one in judged):
        mine = [(number, one) for number, one in enumerate(judged, 1) if one.claim.paper == paper]
        rows = [
            [f"{number}. {one.claim.claim}", one.summary, f"**{one.verdict}**", _missing(one.claim)]
            for number, one in mine
        ]
        lines += [f"### {paper}", "", plain_markdown(["claim", "measured here", "verdict", "missing"], rows), ""]
    rows = [row for number, one in enumerate(judged, 1) for row in one.rows(str(number))]
    columns = ["claim", "setting", "epochs", "seeds", "measured [95 %]", "says"]
    return "\n".join([*lines, "### Every setting", "", plain_markdown(columns, rows)])


def _missing(claim: Claim) -> str:
    return "<br>".join([claim.missing, *(f"`signflow train experiments/{name}.toml`" for name in claim.recipes)])
