"""Folding files: a folding that is accepted is the one that the network has then, and its streams fit together."""

import json
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile import export, lower, streamline
from signflow.deploy.plan import buffer, fit, fold, timing
from signflow.deploy.plan.graph import operators
from signflow.hw import boards
from signflow.hw.ops.folding import FoldingError

from .door import Door
from .door_network import seeds as networks
from .trees import changed, jsoned

NETWORKS = "maps", "join", "dense"


@cache
def hardware() -> dict[str, ModelWrapper]:
    """Small networks as hardware, not folded."""
    found = {}
    with TemporaryDirectory() as folder:
        for name in NETWORKS:
            path = Path(folder) / "net.onnx"
            path.write_bytes(networks()[name])
            found[name] = lower.lower(streamline.streamline(export.load(path, "uint8")))
    return found


def seeds() -> dict[str, bytes]:
    """The folding that the planner would choose, and all operators as they are."""
    found = {}
    for name, model in hardware().items():
        found[f"{name}-plain.json"] = jsoned(fold.folding_of(model))
        model = ModelWrapper(model.model, make_deepcopy=True)
        fold.fold_to_cycles(model, 64)
        found[f"{name}-fast.json"] = jsoned(fold.folding_of(model))
    return found


def enter(path: Path) -> str:
    """Apply it to the network whose operators it names most."""
    table = fold.read_folding(path)
    ops = {name: {op.onnx_node.name for op in operators(model)} for name, model in hardware().items()}
    name = min(NETWORKS, key=lambda name: len(ops[name] ^ set(table)))
    model, target = ModelWrapper(hardware()[name].model, make_deepcopy=True), boards.board("pynq-z2")
    fit.for_clock(model, target)
    fold.apply_folding(model, table)
    fit.check_fits(model, target, fit.ALL)
    is_ = fold.folding_of(model)
    for op, values in table.items():
        for attribute, value in values.items():
            assert is_[op][attribute] == value and type(is_[op][attribute]) is type(value), (op, attribute, value)
    buffer.insert_width_converters(model)
    buffer.insert_fifos(model)
    predicted = timing.predict(operators(model))
    assert predicted.interval > 0 and predicted.latency >= predicted.interval
    return name


def change(data: bytes, rng: Random) -> bytes:
    """The same JSON with a changed tree, or one of the options of an operator."""
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        tree = {}
    if not isinstance(tree, dict) or not tree or rng.random() < 0.1:
        tree = json.loads(rng.choice(sorted(seeds_once().values())))
    names = tuple(op.onnx_node.name for model in hardware().values() for op in operators(model))
    words = (*names, "PE", "SIMD", "Pixels", "ram_style", "parallel_window")
    return jsoned(changed(tree, rng, words, tuple(range(40))))


seeds_once = cache(seeds)
DOOR = Door("folding", ".json", enter, (FoldingError,), seeds, change)
