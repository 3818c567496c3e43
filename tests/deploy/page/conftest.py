"""The page of the network that several tests build once."""

import shutil

import pytest

from signflow.deploy.accelerator import Accelerator
from signflow.deploy.steps import RESULTS


@pytest.fixture(scope="session")
def page(mini, tmp_path_factory):
    """(the page of `mini`, which nobody measured yet, its accelerator)."""
    work = shutil.copytree(mini[1], tmp_path_factory.mktemp("page") / "mini", ignore=shutil.ignore_patterns(*RESULTS))
    acc, seen = Accelerator(work), []
    path = acc.page(tmp_path_factory.mktemp("page") / "mini.html", lambda *step: seen.append(step))
    assert [done for _, done, _ in seen] == list(range(len(seen)))
    return path, acc
