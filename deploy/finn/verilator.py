"""Verilator under the names of FINN's simulator binding `finn.xsi`, which is for Vivado's XSim.

FINN drives a design through seven functions (`finn_xsi.adapter` has those for XSim); these do the same with a Verilated
model, so that FINN's simulation of a node or of a stitched graph runs unchanged: `NAMES` is what
`signflow.deploy.compile.engine.bind` takes. One clock, ``ap_clk``; streams; no waves, no AXI-Lite.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from signflow.hw.sim import pins, verilator

RESET_CYCLES = 16
"""As FINN's own engine."""
FILE = "xsimk.so"
"""What FINN looks for in ``xsim.dir/<top>/``."""
FIFO_SIZES = re.compile(r"function abits_t INIT_ABITS\(\);.*?localparam abits_t\s+ABITS\s*= INIT_ABITS\(\);", re.S)
"""In FINN's ``fifo.sv``: a constant function that returns a struct, which Verilator 5.48 does not evaluate."""
SAME_SIZES = """localparam int unsigned  ABITS_ONE  = $clog2(DEPTH_REQ);
    localparam int unsigned  ABITS_REST = ABITS_ONE > MIN_ABITS? $clog2(DEPTH_REQ - 2**(ABITS_ONE-1)) : 0;
    localparam bit  ABITS_TWO = ABITS_ONE > MIN_ABITS && ABITS_REST < ABITS_ONE-1;
    localparam int unsigned  ABITS_HI = !ABITS_TWO? 0 : ABITS_REST < 1? 1 : ABITS_REST;
    localparam abits_t  ABITS = '{ lo: ABITS_ONE - 32'(ABITS_TWO), hi: ABITS_HI };"""
"""The same constant without a function; all else of FINN's FIFO is simulated as it is."""


class Engine:
    """An open simulation; ``ticks`` counts its cycles."""

    def __init__(self, library: Path):
        model = verilator.CompiledModel(library, library.parent.name, 0, 0, False, "")
        self.pins, self.ticks = pins.Pins(model), 0

    def cycle(self, drive: Mapping[str, int]) -> dict[str, int]:
        """One clock cycle; returns the outputs in front of its rising edge."""
        self.ticks += 1
        return self.pins.cycle(**drive)

    def port(self, stream: str, signal: str) -> str:
        """The name of a signal of a stream, of which some modules write it small."""
        for name in (f"{stream}_{signal.lower()}", f"{stream}_{signal.upper()}"):
            if name in self.pins.inputs or name in self.pins.outputs:
                return name
        raise RuntimeError(f"the design has no port {stream}_{signal}")


def compile_sim_obj(
    top_module_name: str,
    source_list: Iterable[str | Path],
    sim_out_dir: Path,
    debug: bool = False,
    behav: bool = False,
    fifosim: bool = False,
) -> tuple[Path, Path]:
    """Compile a design, or find it among those that signflow keeps. Returns (``sim_out_dir``, where the library is in
    it). Raises RtlError. ``debug``, ``behav`` and ``fifosim`` change nothing: waves are not written, and models of
    Xilinx' primitives are not used.
    """
    sources = [_readable(path, Path(sim_out_dir)) for path in dict.fromkeys(map(Path, source_list))]
    model = verilator.compile(top_module_name, sources, variant="once", harness=pins.harness("ap_clk"))
    inside = Path("xsim.dir") / top_module_name / FILE
    library = Path(sim_out_dir) / inside
    library.parent.mkdir(parents=True, exist_ok=True)
    library.unlink(missing_ok=True)
    library.symlink_to(model.library)
    return Path(sim_out_dir), inside


def _readable(source: Path, folder: Path) -> Path:
    """``source``, or of FINN's FIFO a copy in ``folder`` that Verilator reads."""
    if source.name != "fifo.sv":
        return source
    copied = folder / source.name
    copied.write_text(FIFO_SIZES.sub(lambda _: SAME_SIZES, source.read_text()))
    return copied


def load_sim_obj(
    sim_out_dir: Path, out_so_relative_path: Path, tracefile: str | None = None, simkernel_so: str | None = None
) -> Engine:
    """Open what `compile_sim_obj` made."""
    return Engine(Path(sim_out_dir) / out_so_relative_path)


def reset_rtlsim(sim: Engine, *_args, **_kwargs) -> None:
    """Hold the reset for `RESET_CYCLES`."""
    idle = dict.fromkeys(sim.pins.inputs, 0)
    for _ in range(RESET_CYCLES):
        sim.cycle(idle)
    sim.cycle({"ap_rst_n": 1})


def close_rtlsim(sim: Engine) -> None:
    """Nothing is left open."""


def rtlsim_multi_io(
    sim: Engine,
    io_dict: dict[str, dict[str, list[int]]],
    num_out_values: int | dict[str, int],
    sname: str = "_V_V",
    liveness_threshold: int = 10000,
    liveness_estimate: float | None = None,
) -> int:
    """Send the words of ``io_dict["inputs"]`` (stream -> words), collect ``num_out_values`` words of every output into
    ``io_dict["outputs"]``; returns the cycles that it took. Raises RuntimeError where no output comes for
    ``liveness_threshold`` cycles.
    """
    outputs = io_dict["outputs"]
    wanted = num_out_values if isinstance(num_out_values, dict) else dict.fromkeys(outputs, int(num_out_values))
    sources = [_Stream(sim, name + sname, list(words)) for name, words in io_dict["inputs"].items()]
    sinks = [_Stream(sim, name + sname, []) for name in outputs]
    counts = [int(wanted[name]) for name in outputs]
    begin = last = sim.ticks
    while any(len(sink.words) < count for sink, count in zip(sinks, counts, strict=True)):
        drive = {}
        for source in sources:
            there = source.at < len(source.words)
            drive |= {source.valid: int(there), source.data: source.words[source.at] if there else 0}
        for sink, count in zip(sinks, counts, strict=True):
            drive[sink.ready] = int(len(sink.words) < count)
        seen = sim.cycle(drive)
        for source in sources:
            source.at += drive[source.valid] & seen[source.ready]
        for sink in sinks:
            if drive[sink.ready] and seen[sink.valid]:
                sink.words.append(seen[sink.data])
                last = sim.ticks
        if sim.ticks - last > liveness_threshold:
            had = {name: len(sink.words) for name, sink in zip(outputs, sinks, strict=True)}
            raise RuntimeError(f"no output for {liveness_threshold} cycles: {had} words of {wanted} came")
    sim.cycle({source.valid: 0 for source in sources} | {sink.ready: 0 for sink in sinks})
    outputs.update((name, sink.words) for name, sink in zip(list(outputs), sinks, strict=True))
    return sim.ticks - begin


class _Stream:
    """The names of a stream's signals, and its words."""

    def __init__(self, sim: Engine, name: str, words: list[int]):
        self.valid, self.ready, self.data = (sim.port(name, signal) for signal in ("tvalid", "tready", "tdata"))
        self.words, self.at = words, 0


NAMES = {
    "SimEngine": Engine,
    "locate_glbl": lambda: None,
    "compile_sim_obj": compile_sim_obj,
    "get_simkernel_so": lambda: "verilator",
    "load_sim_obj": load_sim_obj,
    "reset_rtlsim": reset_rtlsim,
    "close_rtlsim": close_rtlsim,
    "rtlsim_multi_io": rtlsim_multi_io,
}
