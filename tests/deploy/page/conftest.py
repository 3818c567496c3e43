"""The page of the network that several tests build once."""

import pytest

from signflow.deploy.accelerator import Accelerator


@pytest.fixture(scope="session")
def page(mini, tmp_path_factory):
    """(the page of `mini`, its accelerator)."""
    acc = Accelerator(mini[1])
    seen = []
    path = acc.page(tmp_path_factory.mktemp("page") / "mini.html", lambda *step: seen.append(step))
    assert [done for _, done, _ in seen] == list(range(len(seen)))
    return path, acc
