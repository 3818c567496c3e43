"""`signflow bitstream`: progress bars and tables around `signflow.deploy.board.bitstream`."""

import time
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from signflow.deploy import flow, products
from signflow.deploy.board import bitstream
from signflow.deploy.command import ladder, resources
from signflow.deploy.steps import BITSTREAM
from signflow.deploy.tools import toolchain
from signflow.deploy.verify.images import images_of
from signflow.deploy.verify.ladder import Row, check, climb
from signflow.deploy.verify.rungs import Rung, Rungs
from signflow.hw.boards import Board


def run(console: Console, work: Path, images: int, json_file: Path | None) -> dict:
    """Project, checks, netlist, bitstream of the build in ``work``; prints and returns what was found.

    ``images`` of the sample go through the netlist; 0 leaves it out. What was found so far is written to
    `9-bitstream.json` even when a step fails. Raises BitstreamError when a check failed, LadderError when a logit of
    the netlist differs, FlowError while another command works in the folder, `VendorStepMissing` when all is done but
    Vivado's part, and what the tools raise.
    """
    with products.locked(work):
        return _run(console, work, images, json_file)


def _run(console: Console, work: Path, images: int, json_file: Path | None) -> dict:
    settings = flow.settings_of(work)
    project = bitstream.make_project(work)
    facts = bitstream.project_facts(project)
    console.print(f"project {project}: network hash {facts['shell']['network_hash']}", highlight=False)
    found = {"network": settings.name, "board": settings.board, "network_hash": facts["shell"]["network_hash"]}
    try:
        found["checks"] = _checks(console, project, facts, synthesis=not images)
        bitstream.refuse_failures(found["checks"])
        if images:
            rows, cycles = _netlist(console, work, project, facts, images)
            found["netlist"] = {"ladder": [row.as_dict() for row in rows], "cycles": cycles}
            check(rows)
        found["bitstream"] = _bitstream(console, work, project, facts)
    finally:
        flow.write_json(found, work / BITSTREAM, json_file)
    return found


def _checks(console: Console, project: Path, facts: dict, synthesis: bool) -> list[dict]:
    with console.status("checks") as status:
        rows = bitstream.checks(project, facts, synthesis, lambda name: status.update(Text(f"checks: {name}")))
    table = Table(title=f"{facts['top']}: checks without a vendor tool")
    for head in ("check", "result", "detail"):
        table.add_column(head, overflow="fold")
    for name, result, detail in rows:
        table.add_row(name, result, detail, style="red" if result == "failed" else "")
    console.print(table)
    return [{"check": name, "result": result, "detail": detail} for name, result, detail in rows]


def _netlist(console: Console, work: Path, project: Path, facts: dict, count: int) -> tuple[list[Row], int]:
    """The ladder's ends and the gates: PyTorch (for our own networks), integer graph, netlist."""
    form, images = Rungs(work), images_of(work, count=count)
    with console.status("netlist: yosys and the C++ compiler") as status:
        start = time.perf_counter()
        gates = bitstream.NetlistModel(project, facts)
        made = time.perf_counter() - start

        def tick(done: int) -> None:
            status.update(Text(f"netlist: {done} of {len(images)} images, {gates.cycles:,} cycles"))

        rungs = [form.torch(), form.golden(), Rung("netlist", lambda part: form.head.settle(gates(part, tick)))]
        rows = climb([rung for rung in rungs if rung], images.pixels, images.labels, logits=form.head)
    console.print(ladder.table(f"{facts['top']} as gates: {images.name}", rows, len(images)))
    seconds = rows[-1].seconds
    console.print(
        f"netlist made and compiled in {made:.0f} s; simulated {gates.cycles:,} cycles in {seconds:.1f} s: "
        f"{gates.cycles / seconds / 1e3:,.0f} thousand cycles/s",
        highlight=False,
    )
    return rows, gates.cycles


def _bitstream(console: Console, work: Path, project: Path, facts: dict) -> dict:
    """The board's tool chain, with what it reports beside the estimate."""
    tools = toolchain(Board.of(facts))
    with console.status(tools.name) as status:
        result = bitstream.make(work, project, lambda what: status.update(Text(f"{tools.name}: {what}")))
    console.print(resources.summary(tools.summary(result)))
    console.print(f"bitstream {project / 'build' / facts['name']}.bit", highlight=False)
    return result
