"""How fast a clock a module of `hw/rtl` takes on an ECP5, alone: synthesised, placed and routed out of context.

    mhz, path = alone(RtlInstance("sf_swg", {...}), Path("work"))

A proxy: it shows which paths are long, on a device whose timing is public; not what another device, or a full one, has.
"""

from pathlib import Path

from signflow.deploy.tools import ecp5, outreg, yosys
from signflow.hw.ops.base import RTL_DIR, RtlInstance
from signflow.hw.parameters import verilog

DEVICE = ("--85k", "--speed", "6", "--package", "CABGA381", "--out-of-context")
NETLIST = "module.json"


def alone(instance: RtlInstance, work: Path, seed: int = 1, ask: int = 200) -> tuple[float, dict]:
    """MHz, and the ends and nanoseconds of the longest path (`signflow.deploy.tools.ecp5.path_text`).

    ``ask``: MHz that nextpnr aims at. Raises SynthesisError, Ecp5Error.
    """
    work.mkdir(parents=True, exist_ok=True)
    for name, lines in instance.mem.items():
        (work / name).write_text("\n".join(lines) + "\n")
    sources = " ".join(str(RTL_DIR / f"{module}.sv") for module in instance.modules)
    values = " ".join(f"-G {name}={verilog(value)}" for name, value in instance.params.items())
    read = f"read_slang {sources} --top {instance.module} {values}"
    yosys.run((), [(instance.module, [read, "synth_ecp5", f"write_json {NETLIST}"])], work, 1)
    outreg.rewrite(work / NETLIST)
    report = ecp5.route([*DEVICE, "--json", NETLIST, "--freq", str(ask), "--seed", str(seed)], work)
    clock, path = ecp5.slowest(report)
    return report["fmax"][clock]["achieved"], path


__all__ = ["alone"]
