"""Every board has a tool chain of the registry, and a board with another is refused."""

from dataclasses import replace

import pytest

from signflow.deploy.tools import TOOLCHAINS, contract, toolchain
from signflow.hw.boards import BoardError, board, boards
from signflow.hw.sim import SimError, verilator
from signflow.hw.sim.toolchain import ToolMissingError


def test_every_board_has_one():
    assert {name: toolchain(b).name for name, b in boards().items()} == {
        name: "nextpnr-ecp5" if name == "ulx3s" else "vivado" for name in boards()
    }
    assert all(tools.name == name for name, tools in TOOLCHAINS.items())


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"toolchain": "quartus"}, "'pynq-z2': toolchain = 'quartus', it must be one of vivado, nextpnr-ecp5"),
        ({"device": "ecp5"}, "'pynq-z2': device = 'ecp5', but vivado makes xc7, xcup"),
    ],
)
def test_a_board_that_none_fits_is_refused(changes, rule):
    with pytest.raises(BoardError, match=rule):
        toolchain(replace(board("pynq-z2"), **changes))


@pytest.mark.parametrize(
    ("error", "result"),
    [(ToolMissingError("no such thing"), "not checked"), (SimError("lint: it is not installed"), "failed")],
)
def test_only_a_missing_program_leaves_a_check_out(monkeypatch, tmp_path, error, result):
    def fail(*_):
        raise error

    monkeypatch.setattr(verilator, "lint", fail)
    assert contract.lint(tmp_path, {"top": "top", "sources": []}) == (result, str(error))
