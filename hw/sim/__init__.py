"""Cycle-accurate simulation of RTL with Verilator: compile a design, stream words through it, count its cycles."""

from signflow.hw.sim.simulator import RtlSimulator, SimResult
from signflow.hw.sim.stream import StreamError, StreamModel, StreamRun
from signflow.hw.sim.toolchain import RtlError, SimError, ToolMissingError
from signflow.hw.sim.words import pack, unpack

__all__ = [
    "RtlError",
    "RtlSimulator",
    "SimError",
    "SimResult",
    "StreamError",
    "StreamModel",
    "StreamRun",
    "ToolMissingError",
    "pack",
    "unpack",
]
