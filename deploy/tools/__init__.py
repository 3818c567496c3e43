"""Tool chains, each one object of `TOOLCHAINS`, and estimates: what turns SystemVerilog into gates and bitstreams."""

from signflow.deploy.tools import ecp5
from signflow.deploy.tools.contract import Toolchain
from signflow.deploy.tools.vivado import run as vivado
from signflow.hw.boards import Board, BoardError

TOOLCHAINS: dict[str, Toolchain] = {toolchain.name: toolchain for toolchain in (vivado.TOOLCHAIN, ecp5.TOOLCHAIN)}


def toolchain(board: Board) -> Toolchain:
    """The tool chain of ``board``; raises BoardError if there is none of that name, or none for its device."""
    found = TOOLCHAINS.get(board.toolchain)
    if found is None:
        known = ", ".join(TOOLCHAINS)
        raise BoardError(f"board {board.name!r}: toolchain = {board.toolchain!r}, it must be one of {known}")
    if board.device not in found.devices:
        made = ", ".join(found.devices)
        raise BoardError(f"board {board.name!r}: device = {board.device!r}, but {found.name} makes {made}")
    return found


__all__ = ["TOOLCHAINS", "Toolchain", "toolchain"]
