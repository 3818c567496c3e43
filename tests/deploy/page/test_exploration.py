"""The page of an exploration: every fact on it is one that was found; in a browser it answers, sorts, and fits."""

import json
import re

import pytest

from signflow.deploy.explore.cost import Cost
from signflow.deploy.explore.front import Point, best, front
from signflow.deploy.explore.run import Found
from signflow.deploy.explore.spec import Exploration
from signflow.deploy.page import exploration
from signflow.models.study.halving import Stopped

NAMES = ["tfc-width8-depth1", "tfc-abn-width8-depth1", "tfc-width16-depth1", "tfc-abn-width16-depth1"]


@pytest.fixture(scope="module")
def found() -> Found:
    spec = Exploration(
        "small", "small <networks> & boards", ["tfc"], ["pynq-z2", "ulx3s"], {"epochs": 4}, ["bn", "abn"], [8, 16], [1],
        seeds=[1, 2],
    )  # fmt: skip
    points = [
        Point(
            network=name, normalisation="abn" if "abn" in name else "bn", board=board, target=0.0,
            accuracies=((0.5, 0.48, 0.54, 0.56)[k] + high / 100,), fps=1000.0 * 4 ** (rate - k / 4), core_fps=9e9,
            interval=1, latency=1, latency_us=100 / 4**rate, lut=300 + 100 * k + 900 * rate, bram36=k + 0.5, dsp=0,
            uram=0, energy_uj=1.0,
        )
        for board, high in (("pynq-z2", 0), ("ulx3s", 1))
        for k, name in enumerate(NAMES)
        for rate in range(3)
    ]  # fmt: skip
    on_front = front(points, spec.objectives)
    misfits = [("tfc-width16-depth1", Cost("ulx3s", 1e6, "needs at least <98> cycles & more"))]
    commands = {p: f"signflow bitstream {p.network} --board {p.board} --out out/{p.lut}" for p in points}
    runs = [{"net": name, "seconds": 30.0} for name in NAMES for _ in range(2)]
    stopped = {"tfc-sd-width8-depth1": Stopped(2, 0.4321)}
    return Found(spec, points, on_front, misfits, stopped, runs, commands, frozenset(on_front[:1]))


@pytest.fixture(scope="module")
def path(found, tmp_path_factory):
    path = tmp_path_factory.mktemp("exploration") / "page.html"
    return exploration.write(found, path, ["signflow explore small.toml"])


def test_the_page_says_what_was_found(found, path):
    text = path.read_text()
    assert path.stat().st_size < 1_000_000 and "small &lt;networks&gt; &amp; boards" in text
    rows = json.loads(re.search(r'id="rows">(.*?)</script>', text, re.S)[1])
    assert [(row["network"], row["lut"], row["front"], row["command"]) for row in rows] == [
        (p.network, p.lut, p in found.front, found.commands[p]) for p in found.points
    ]
    table = re.search(r'<table id="all">.*?</table>', text, re.S)[0]
    shown = [[*re.findall(r"<td>(.*?)</td>", row)] for row in re.findall(r"<tr.*?</tr>", table, re.S)[1:]]
    assert [row[:1] + row[4:6] + row[8:] for row in shown] == [
        [p.network, f"{p.lut:,}", f"{p.bram36:g}", p.board, "✓" if p in found.simulated else ""] for p in found.points
    ]
    assert table.count('class="beaten"') == len(found.points) - len(found.front) > 0
    for words in (
        "needs at least &lt;98&gt; cycles &amp; more",
        "43.21 %",
        "e_lut = 0.5 pJ",
        "8 trainings of\n    4 epochs",
    ):
        assert words in text
    assert not re.search(r"(src|href)=\"https?:", text), "nothing comes from the network"


def test_the_same_exploration_gives_the_same_bytes(found, path, tmp_path):
    again = exploration.write(found, tmp_path / "again.html", ["signflow explore small.toml"])
    assert again.read_bytes() == path.read_bytes()


def test_the_picture_has_every_point(found):
    figure = exploration.picture(found)
    assert len(figure.axes) == 4 and [a.get_xlabel() for a in figure.axes[::2]] == [
        f"LUTs on {board} (estimate)" for board in found.spec.boards
    ]
    for row, board in enumerate(found.spec.boards):
        for axes, key in zip(figure.axes[2 * row : 2 * row + 2], ("lut", "fps"), strict=True):
            marks = [line for line in axes.lines if line.get_marker() not in ("None", "", None)]
            drawn = {xy for line in marks for xy in zip(line.get_xdata(), line.get_ydata(), strict=True)}
            here = [p for p in found.points if p.board == board]
            assert drawn == {(getattr(p, key), 100 * p.accuracy) for p in here}
            stairs = next(line for line in axes.lines if line.get_drawstyle() == "steps-post")
            for x, y in zip(stairs.get_xdata(), stairs.get_ydata(), strict=True):
                able = [p for p in here if (p.lut <= x if key == "lut" else p.fps >= x)]
                assert y == max(100 * p.accuracy for p in able)
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["BN", "ABN"]


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (1280, "dark"), (360, "light")])
def test_it_fits(opened, path, width, theme):
    page = opened(width, theme, path)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_it_answers_as_best_does(opened, found, path):
    page = opened(1280, "light", path)
    for board, rate, lut in (("pynq-z2", 0, ""), ("ulx3s", 3000, ""), ("ulx3s", 3000, "1300"), ("pynq-z2", 500, "700")):
        page.select_option("[name=board]", board)
        page.fill("[name=rate]", str(rate))
        page.fill("[name=lut]", lut)
        wanted = best(found.points, board, rate, float(lut or "inf"))
        assert page.locator("#answer pre").inner_text() == found.commands[wanted]
        assert page.locator("#answer h3").inner_text() == wanted.network
    page.fill("[name=rate]", "1e12")
    assert page.locator("#answer pre").count() == 0 and "lower the rate" in page.locator("#answer").inner_text()


def test_the_table_sorts_and_hides(opened, found, path):
    page = opened(1280, "light", path)
    rows = page.locator("#all tbody tr")
    shown = page.locator("#all tbody tr:visible")
    assert rows.count() == len(found.points) and shown.count() == len(found.front)
    page.check("#beaten")
    assert shown.count() == len(found.points)
    head = page.locator("#all th", has_text="LUT")
    for order in (False, True):
        head.press("Enter") if order else head.click()
        cells = page.locator("#all tbody tr td:nth-child(5)").all_inner_texts()
        luts = [int(cell.replace(",", "")) for cell in cells]
        assert luts == sorted(luts, reverse=order) and luts[0] != luts[-1]
