"""The short trainings and the report of "What BN does", on made-up images."""

import csv
import re
from dataclasses import replace

import pytest
import torch
from torch import nn

from signflow.models.study import at_initialisation, rescue, sweep, what_bn_does
from signflow.models.study.gradients import measure
from signflow.models.study.results import wrapped
from signflow.models.study.tables import Table, write_csv
from signflow.models.study.theory import CASES, dense
from signflow.models.study.training import Classifier, Trial, gradient_variance, train
from signflow.models.training.record import ROOT

TRIAL = Trial(depth=2, width=32, epochs=2, lr=1e-2)


@pytest.fixture(scope="module")
def images():
    """512 noisy copies of ten random +-1 images, and their labels."""
    rng = torch.Generator().manual_seed(4)
    prototypes = torch.randn(10, 784, generator=rng)
    labels = torch.arange(512) % 10
    noisy = prototypes[labels] + 0.5 * torch.randn(512, 784, generator=rng)
    return torch.where(noisy >= 0, 1.0, -1.0), labels


def test_same_trial_same_history_and_it_learns(images):
    first, second = (train(TRIAL, images, images) for _ in range(2))
    assert first == second
    assert first.accuracy[-1] > 0.8 > first.accuracy[0]
    assert [len(first.accuracy), len(first.delta), len(first.flips)] == [3, 3, 2]
    assert train(replace(TRIAL, seed=2), images, images) != first


def test_none_and_scale_are_the_same_function(images):
    for case in rescue.SLOPES:
        nets = [Classifier(replace(TRIAL, case=case, norm=norm)) for norm in ("none", "scale")]
        assert torch.equal(*(net(images[0]) for net in nets))
        variances = [gradient_variance(net, *images) for net in nets]
        assert variances[0][-1] == variances[1][-1]
        assert variances[0][0] > 2 * variances[1][0]


def test_gradient_variance_equals_a_hand_written_backward_pass(images):
    net = Classifier(replace(TRIAL, case="BNN identity", norm="scale"))
    x, y = images
    w2, w3 = (torch.where(layer.weight >= 0, 1.0, -1.0).detach() for layer in (net.chain.layers[1], net.head))
    top = (net(x).softmax(1) - nn.functional.one_hot(y, 10)) @ w3 / 32**0.5
    below = top @ w2 / 32**0.5
    expected = [below.var().item(), top.var().item()]
    assert gradient_variance(net, x, y) == pytest.approx(expected, rel=1e-4)


def test_probing_leaves_running_statistics_alone(images):
    net = Classifier(TRIAL)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    gradient_variance(net, *images)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())


def test_scale_of_the_initialisation_keeps_the_signs_and_is_clipped():
    nets = [Classifier(replace(TRIAL, init=init)) for init in ("He", "Xavier", 1e-4, 1.0)]
    for net in nets:
        net.clip()
        assert torch.equal(net.signs(), nets[0].signs())
    weights = nets[-1].chain.layers[0].weight
    assert weights.abs().max() == 1 and (weights.abs() == 1).float().mean() > 0.2


@pytest.fixture(scope="module")
def small():
    """Efforts of a second."""
    return {
        "initialisation": at_initialisation.Effort(width=16, batch=64, depth=2, depths=(2,), seeds=2, maps=8),
        "sweep": sweep.Effort(images=512, width=8, epochs=1, seeds=1),
        "rescue": rescue.Effort(images=512, width=8, epochs=1, seeds=2),
    }


def test_what_is_recorded_is_rendered(images, small, monkeypatch, tmp_path):
    for part in (sweep, rescue):
        monkeypatch.setattr(part, "fashion", lambda count: (images, images))
    what_bn_does.record(tmp_path, small)
    said = []
    body = what_bn_does.section(tmp_path, said.append, small)
    pictures = re.findall(r"!\[.*\]\(results/(.*)\)", body)
    assert len(pictures) == 4
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in pictures)
    assert len(said) == 6 and "BNN clipped" in said[0]
    assert body.count("**Answer.**") == 3 == len(re.findall(r"^### .*\?$", body, re.MULTILINE))
    rows = list(csv.DictReader((tmp_path / "what-bn-does-rescue.csv").open()))
    assert len(rows) == 2 * 2 * 3 * 2 * 2  # optimiser, slope, norm, seeds, epochs 0 and 1
    assert {row["norm"] for row in rows} == {"none", "scale", "bn"}
    assert not list(tmp_path.glob("*.tmp"))
    assert set(re.findall(r"\(results/(.*?\.csv)\)", body)) == {path.name for path in tmp_path.glob("*.csv")}


def test_recorded_ratios_are_those_measured(small, tmp_path):
    effort, ticks = small["initialisation"], []
    at_initialisation.record(tmp_path, effort, lambda: ticks.append(1))
    assert len(ticks) == effort.ticks
    cell = at_initialisation.recorded(tmp_path)["constant width", "BNN clipped", "scale", "all"]
    runs = [measure(dense([16] * 3), CASES["BNN clipped"], "scale", 64, seed) for seed in (1, 2)]
    assert cell["ratio"] == pytest.approx([run.ratio for run in runs], rel=1e-8)
    assert cell["weights"] == pytest.approx([run.weight[0] / run.weight[1] for run in runs], rel=1e-8)


def test_histories_are_read_back(images, small, monkeypatch, tmp_path):
    monkeypatch.setattr(rescue, "fashion", lambda count: (images, images))
    effort = small["rescue"]
    rescue.record(tmp_path, effort, lambda: None)
    trial = Trial(case="BNN identity", norm="scale", depth=5, width=8, optimiser="sgd", lr=0.1, epochs=1, seed=2)
    expected, found = train(trial, images, images), rescue.recorded(tmp_path)["sgd", "BNN identity", "scale"][1]
    assert found.accuracy == pytest.approx(expected.accuracy, abs=5e-5)
    for seen, delta in zip(found.delta, expected.delta, strict=True):
        assert seen == pytest.approx(delta, rel=5e-4)


def test_the_shipped_section_is_what_the_files_say(monkeypatch, tmp_path):
    """Without the pictures: no byte changes."""
    for part, drawing in ((at_initialisation, "draw_variance"), (sweep, "draw_sweep"), (rescue, "draw_rescue")):
        monkeypatch.setattr(part, drawing, lambda *args: None)
    monkeypatch.setattr(rescue, "draw_along", lambda *args: None)
    docs = ROOT / "docs"
    body = what_bn_does.section(docs / "results", say=lambda text: None)
    assert wrapped(body.strip()) in (docs / "results.md").read_text()


def test_table_says_the_same_three_ways(tmp_path):
    table = Table("Title [1]", ["name", "value"], [["a", "1.5"], ["b", "2"]])
    assert table.markdown() == "**Title [1]**\n\n| name | value |\n| --- | ---: |\n| a | 1.5 |\n| b | 2 |\n"
    assert "| \\|w\\| |" in Table("t", ["n"], [["|w|"]]).markdown()
    assert "Title [1]" in table.text() and "1.5" in table.text()
    write_csv(tmp_path / "t.csv", table.columns, table.rows)
    assert (tmp_path / "t.csv").read_text() == "name,value\na,1.5\nb,2\n"
    with pytest.raises(ValueError, match="1 cells, the table 2 columns"):
        Table("", ["a", "b"], [["1"]])
