"""A network on a board: the build and the package of tfc, one for every file of tests, which may damage it."""

import pytest

from signflow.deploy import flow

from .board_folder import build, packed


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Work folder of tfc."""
    return build(flow.Settings("tfc"), tmp_path_factory.mktemp("tfc"))


@pytest.fixture(scope="module")
def bitfile(work):
    """Its package, unpacked: the path of the bitstream."""
    return packed(flow.Settings("tfc"), work)
