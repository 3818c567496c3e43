"""The page of a build: it says what the products say, needs nothing from outside, and works in a browser."""

import json
import re
import shutil
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from signflow.deploy import products
from signflow.deploy.accelerator import Accelerator
from signflow.deploy.page import facts, figures, write
from signflow.deploy.page.foldings import foldings
from signflow.deploy.page.samples import picture, samples
from signflow.deploy.page.svg import svg
from signflow.deploy.pictures.draw_timeline import _runs
from signflow.deploy.verify.rungs import Rungs
from signflow.hw.boards import board
from signflow.hw.sim import RtlSimulator


class Reader(HTMLParser):
    """Ids, addresses, scripts, and the text of a page."""

    def __init__(self, text: str):
        super().__init__()
        self.ids, self.addresses, self.words, self.inside = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.inside.append(tag)
        self.ids += [values["id"]] if "id" in values else []
        self.addresses += [values[key] for key in ("src", "href", "xlink:href", "data", "action") if values.get(key)]

    def handle_data(self, data):
        if not self.inside or self.inside[-1] not in ("script", "style"):
            self.words.append(data)

    def handle_endtag(self, tag):
        if tag in self.inside:
            del self.inside[len(self.inside) - 1 - self.inside[::-1].index(tag) :]

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words))


def test_it_needs_nothing_from_outside(page):
    text = page[0].read_text()
    assert len(text) < 5e6
    read = Reader(text)
    assert all(address.startswith(("#", "data:image/png;base64,")) for address in read.addresses)
    assert "@import" not in text and "url(" not in re.sub(r"url\(#[^)]+\)", "", text)
    assert [name for name, count in Counter(read.ids).items() if count > 1] == []
    known = set(read.ids)
    assert all(address[1:] in known for address in read.addresses if address[0] == "#")
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= known


def test_it_says_what_the_products_say(page):
    path, acc = page
    text = path.read_text()
    words = Reader(text).text
    plan = acc.predicted
    assert f"{round(acc.images_per_second):,} images/s" in words and f"{plan.latency:,} cycles" in words
    assert "check passed" in words and "was not climbed yet" in words and "Nobody synthesised" in words
    rows = json.loads(re.search(r'<script type="application/json" id="operators">(.*?)</script>', text, re.DOTALL)[1])
    assert [row["node"] for row in rows] == [op.node for op in acc.operators]
    assert {row["node"]: row["cycles"] for row in rows} == {op.node: op.cycles for op in acc.operators}
    for op in acc.operators:
        assert op.plumbing or f'id="op:{op.node}"' in text, op.node
    images = acc.images(10)
    logits = acc(images.pixels, backend="torch")
    for value in logits.astype(float).ravel():
        assert f"<td>{value}</td>" in text
    assert words.count("all rungs equal") == 10 and "rungs differ" not in words


def test_other_foldings_and_what_they_cost(page):
    """The front by its definition, the energy by its formula, and every row on the page."""
    path, acc = page
    found = foldings(acc.graph("3-hardware.onnx"), acc.graph("4-folded.onnx"), board("pynq-z2"))
    (own,) = (one for one in found if one.built)
    assert own.point.interval == acc.predicted.interval and len(found) > 2
    better = [[other for other in found if other.point.fps >= one.point.fps and other.point.cost != one.point.cost
               and all(other.point.cost[what] <= one.point.cost[what] for what in ("LUT", "BRAM18", "URAM", "DSP"))]
              for one in found]  # fmt: skip
    assert [one.front for one in found] == [not others for others in better]
    words = Reader(path.read_text()).text
    for one in found:
        watts = 100e6 * (one.point.cost["LUT"] * 0.5e-12 + one.point.cost["BRAM18"] / 2 * 10e-12)
        assert f"{watts / one.point.fps * 1e6:.3g} µJ" in words and f"{one.point.cost['LUT']:,}" in words
    assert words.count("µJ") == len(found) and "The energy is an estimate; nothing of it is measured" in words


def test_the_same_build_gives_the_same_bytes(page, tmp_path):
    path, acc = page
    assert acc.page(tmp_path / "again.html").read_bytes() == path.read_bytes()


def test_a_wrong_logit_is_seen(page, monkeypatch):
    run = RtlSimulator.run

    def wrong(self, *args, **options):
        found = run(self, *args, **options)
        found.outputs[3].ravel()[0] += 1
        return found

    monkeypatch.setattr(RtlSimulator, "run", wrong)
    found = samples(Rungs(page[1].work), page[1].images(10))
    assert [k for k, sample in enumerate(found) if not sample["equal"]] == [3]


def test_what_was_measured_is_shown(mini, tmp_path, monkeypatch):
    """With a ladder and a synthesis in the folder, differing logits included."""
    monkeypatch.setattr(write, "foldings", lambda *_: [])  # these take most of the time
    monkeypatch.setattr(figures, "tradeoff", lambda *_: "")
    monkeypatch.setattr(figures, "thresholds", lambda *_: {})
    work = shutil.copytree(mini[1], tmp_path / "work")
    ladder = [{"rung": "PyTorch", "images": 20, "logits": 200, "mismatches": 0, "accuracy": 0.5},
              {"rung": "RTL simulation", "images": 20, "logits": 200, "mismatches": 7, "accuracy": None}]  # fmt: skip
    cycles = {"predicted": {"latency": 11, "interval": 12}, "simulated": {"latency": 11, "interval": None}}
    products.write_json({"split": "<20> images", "ladder": ladder, "cycles": cycles}, work / "6-verify.json")
    cost = {"lut": 1330, "lutram": 0, "srl": 0, "ff": 1064, "bram36": 14, "bram18": 0, "uram": 0, "dsp": 0}
    operators = [{"node": op.node, "resources": cost} for op in Accelerator(work).operators]
    found = {"operators": operators, "total": cost, "exact": True, "command": "synth_xilinx"}
    products.write_json(found, work / "7-report.json")
    text = Accelerator(work).page(tmp_path / "page.html").read_text()
    words = Reader(text).text
    assert "7 logits differ" in words and "<20> images" in words and "<20>" not in text
    assert "2.5 % of the LUTs" in words  # 1,330 of the 53,200 of an XC7Z020
    assert "ultra96-v2" in words and "ulx3s" not in words and "--exact" not in words


def test_shares_are_those_of_the_boards():
    cost = {"lut": 53_200, "ff": 0, "bram36": 100, "bram18": 80, "dsp": 110, "uram": 0}
    rows = {row["board"]: row for row in facts.utilisation(cost, board("pynq-z2"))}
    assert next(iter(rows)) == "pynq-z2" and rows["pynq-z2"]["target"] and not rows["zcu104"]["target"]
    shares = {share["kind"]: share["share"] for share in rows["pynq-z2"]["shares"]}
    assert shares == {"LUT": 1, "flip-flops": 0, "BRAM36": 1, "DSP": 0.5}
    assert [share["kind"] for share in rows["zcu104"]["shares"]][-1] == "URAM"


def test_the_commands_make_the_build_again():
    plain = products.Settings("cnv")
    assert facts.commands(plain)[0] == "signflow build cnv --board pynq-z2"
    given = replace(plain, source="my net.onnx", input="uint8/255", fps=1000.0, clock=50.0, loadable=True)
    words = "signflow build 'my net.onnx' --board pynq-z2 --input uint8/255 --target-fps 1000 --clock 50 --loadable"
    assert facts.commands(given)[0] == words
    assert facts.commands(replace(plain, source="MyNet"))[0].startswith("signflow.build(MyNet(), ")


@given(st.sets(st.integers(0, 300), min_size=1), st.integers(1, 7))
def test_runs_of_words(cycles, size):
    found = _runs(np.array(sorted(cycles)), size)
    covered = {column for start, length in found for column in range(start, start + length)}
    assert covered == {size * (c // size) + k for c in cycles for k in range(size)}
    assert all(a + n < b for (a, n), (b, _) in pairwise(found))


def test_figures_take_the_colours_of_the_page():
    figure = Figure(facecolor="white")
    figure.subplots().plot([1, 2], color="#1a73e8", gid="op:line")
    text = svg(figure, 'a "line" <1>')
    assert 'id="op:line"' in text and "var(--blue)" in text and "#1a73e8" not in text and "#000000" not in text
    assert 'aria-label="a &quot;line&quot; &lt;1>"' in text and text == svg(figure, 'a "line" <1>')


def test_pictures_of_images():
    assert picture(np.zeros((2, 4, 4))) is None and picture(np.zeros(9)) is None
    assert picture(np.arange(16).reshape(1, 4, 4)).startswith("data:image/png;base64,")
    assert picture(np.full((3, 4, 4), -5)).startswith("data:image/png;base64,")
