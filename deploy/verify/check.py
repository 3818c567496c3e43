"""The proof that ends every build: no deadlock is possible (`signflow.deploy.plan.liveness`), the memories hold the
integer graph's constants (`signflow.deploy.verify.constants`), and the network itself, its integer graph and its RTL
agree on images that probe them.

What was found is noted in the accelerator's `accel.json` under "check". Without a "check" that passed, or with other
files than those that passed, nothing is made of an accelerator (`require`).
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from signflow.deploy import known, products
from signflow.deploy.compile.passes.notes import notes_of
from signflow.deploy.generate.accelerator import changed
from signflow.deploy.plan import liveness
from signflow.deploy.plan.graph import operators
from signflow.deploy.steps import ACCELERATOR, FOLDED, INTEGER
from signflow.deploy.verify import constants
from signflow.deploy.verify.ladder import check, climb
from signflow.deploy.verify.probes import probes
from signflow.deploy.verify.rungs import LadderError, Rung, Rungs
from signflow.hw.sim.toolchain import cached, digest
from signflow.models.files import replacing

if TYPE_CHECKING:
    from torch import nn

TORCH_WORK, RTL_WORK = 2e10, 8e9
"""Multiply-accumulates (and what costs as much) that PyTorch and the simulation do in about two seconds."""
CYCLE = 50
"""Multiply-accumulates that cost as much as a simulated cycle of an operator."""
FEWEST, QONNX_IMAGES = 16, 32
"""Images at least, however large the network; images at most for a foreign one's graph, which runs node by node."""


def limits(facts: dict) -> tuple[int, int]:
    """(images for PyTorch and the integer graph, images for the RTL): as many as about two seconds allow."""
    cycles = facts["predicted"]["interval"]
    macs = sum((op["macs"] or 0) * op["cycles"] for op in facts["operators"])
    simulated = macs + CYCLE * cycles * len(facts["operators"])
    return max(FEWEST, int(TORCH_WORK / max(macs, 1))), max(FEWEST, int(RTL_WORK / simulated))


def mark(work: Path, found: dict | None) -> None:
    """Note ``found`` as the "check" of the accelerator in ``work``; None takes the note away."""
    facts = products.accelerator(work)
    facts.pop("check", None)
    facts |= {} if found is None else {"check": found}
    with replacing(work / ACCELERATOR / "accel.json") as partial:
        partial.write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")


def note(work: Path, proofs: dict) -> None:
    """Add what is proven of its modules (`signflow.deploy.verify.proven`) to the check that the accelerator passed."""
    found = products.accelerator(work).get("check")
    if isinstance(found, dict) and found.get("result") == "passed":
        mark(work, found | {"proofs": proofs})


def prove(work: Path, net: "nn.Module | None" = None) -> dict:
    """Compare the build in ``work`` with the network it was made from, every result of every image; returns the note
    for `mark`. ``net``: the PyTorch module, where the settings do not tell. Raises LadderError that names the first
    node that differs.
    """
    moves(work)
    form = Rungs(work, net)
    many, some = limits(products.accelerator(work))
    images, top = _asked(form, many) if net is None else _asked_now(form, many)
    rungs = [
        top,
        Rung("integer graph", form.golden().run, many),
        form.rtl(limit=some),
    ]
    rows = climb(rungs, images)
    try:
        check(rows, lambda at: form.where(images[at]))
    except LadderError as error:
        notes = "".join(f"; note: {note}" for note in notes_of(form.integer))
        raise LadderError(f"the accelerator in {work / ACCELERATOR} is wrong: {error}{notes}") from None
    images = {row.rung: row.images for row in rows}
    return {"result": "passed", "images": images, "deadlock": "none, whatever stalls", "memory words": words(work)}


def moves(work: Path) -> int:
    """Prove that the accelerator in ``work`` never stands still; returns its number of operators. Raises LadderError
    that names those that would.
    """
    all_operators = operators(products.read(work, FOLDED))
    if standing := liveness.standing(all_operators):
        names = ", ".join(standing[:8])
        raise LadderError(f"the accelerator in {work / ACCELERATOR} is wrong: an image stands still in {names}")
    return len(all_operators)


def words(work: Path) -> int:
    """Compare the memories of the accelerator in ``work`` with the integer graph; returns how many words there are.
    Raises LadderError that names the file that changed, or the memory.
    """
    if names := changed(work / ACCELERATOR):
        raise LadderError(f"{work / ACCELERATOR} is not as it was generated: {', '.join(names)} changed")
    try:
        return constants.of(work)
    except constants.ConstantError as error:
        raise LadderError(f"the accelerator in {work / ACCELERATOR} is wrong: {error}") from None


def _asked(form: Rungs, count: int) -> tuple[np.ndarray, Rung]:
    """(all images, top rung, which runs ``count`` of them). Of a network of ours, images and PyTorch's logits are taken
    from the cache where they are known (`known.contents`).
    """
    settings = form.settings
    contents = known.contents(settings.source, settings.weights, settings.random_weights)
    if contents is None:
        return _asked_now(form, count)

    def build(folder: Path) -> None:
        images = probes(settings.source, form.integer).pixels
        np.savez(folder / "asked.npz", images=images, logits=form.torch_logits(images[:count]))

    with np.load(
        cached("logits", digest(contents, (form.work / INTEGER).read_bytes(), str(count)), build) / "asked.npz"
    ) as kept:
        images, logits = kept["images"], kept["logits"]
    return images, Rung("PyTorch", lambda part: form.torch_integers(logits[: len(part)]), count)


def _asked_now(form: Rungs, count: int) -> tuple[np.ndarray, Rung]:
    """The same of any network, by running it; the QONNX graph where there is no PyTorch, with fewer images."""
    images = probes(form.settings.source, form.integer).pixels
    torch, qonnx = form.torch(), form.qonnx()
    return images, Rung(torch.name, torch.run, count) if torch else Rung(
        qonnx.name, qonnx.run, min(count, QONNX_IMAGES)
    )


def require(work: Path) -> None:
    """Raises FlowError unless the accelerator in ``work`` is the one whose check has passed."""
    folder, found = work / ACCELERATOR, products.accelerator(work).get("check")
    result = found.get("result") if isinstance(found, dict) else None
    if result != "passed":
        reason = "was built with --no-check" if result == "skipped" else "has not passed its check"
        raise products.FlowError(f"{folder} {reason}: run `signflow build` with --from check")
    if names := changed(folder):
        raise products.FlowError(f"{folder} changed since its check ({', '.join(names)}): run `signflow build` again")
