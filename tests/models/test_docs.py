"""What the guides list by hand, against the tables that they speak of."""

import re
from pathlib import Path

from signflow import models
from signflow.models.methods import METHODS
from signflow.models.networks import CHAINS, NARROW, NETWORKS, PAPERS
from signflow.models.study.inventory import inventory

ROOT = Path(models.__file__).parents[1]
GUIDE = (ROOT / "docs" / "training.md").read_text()


def test_the_guide_lists_every_normalisation_once():
    rows = re.findall(r"^\| (`-.*?) \|", GUIDE, re.MULTILINE)
    listed = re.findall(r"`-([a-z-]+)`", " ".join(rows))
    assert not set(METHODS) - set(listed), "add a row to the table of normalisations in docs/training.md"
    assert sorted(listed) == sorted(METHODS)


def test_the_guide_has_the_networks_that_the_command_prints():
    rows = inventory([*CHAINS, *PAPERS, *NARROW]).markdown().partition("\n\n")[2]
    assert rows.strip() in GUIDE


def test_every_network_that_a_guide_names_exists():
    for guide in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        named = re.findall(r"`((?:tfc|sfc|lfc|cnv|abn|bn|sd|reactnet18|reactnet)-[a-z0-9-]+)`", guide.read_text())
        assert not [name for name in named if name not in NETWORKS], guide  # in other sizes, too
