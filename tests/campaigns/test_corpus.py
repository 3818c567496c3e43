"""Every file that fuzzing has kept is still right or properly refused; so are all good files, and they are right."""

from random import Random

import pytest

from .door import CORPUS, Finding, corpus, judge
from .fuzz import DOORS, door_of

LARGEST = 300_000
"""Bytes of all committed files."""


@pytest.mark.parametrize("name", DOORS)
def test_every_file_is_right_or_refused(name):
    door, wrong = door_of(name), []
    door.seeds()  # what is made once is not a file's time
    for path in corpus(door):
        try:
            judge(door, path.read_bytes())
        except Finding as finding:
            wrong.append(f"{path.name}: {finding.key}: {finding}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", [name for name in DOORS if name != "link"])
def test_good_files_are_right(name):
    door = door_of(name)
    words = {key: judge(door, data).word for key, data in door.seeds().items()}
    assert [key for key, word in words.items() if not word.startswith("right")] == []


@pytest.mark.parametrize("name", DOORS)
def test_a_change_is_the_same_for_the_same_seed_and_changes_something(name):
    door = door_of(name)
    data = sorted(door.seeds().values())[-1]
    changed = [door.change(data, Random(seed)) for seed in range(20)]
    assert changed == [door.change(data, Random(seed)) for seed in range(20)]
    assert len(set(changed)) > 5


def test_the_corpus_is_small():
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < LARGEST
