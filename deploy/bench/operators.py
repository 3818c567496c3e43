"""The models of cost and time against what Yosys and Verilator say of an operator.

Both are cached by content, so a bench that was interrupted goes on where it stopped, and repeated it takes seconds.
"""

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from qonnx.core.datatype import DataType

from signflow.deploy.bench.configurations import CONFIGURATIONS, Build
from signflow.deploy.bench.graphs import END
from signflow.deploy.generate.accelerator import generate
from signflow.deploy.plan import buffer, graph, timing
from signflow.deploy.tools import estimate
from signflow.hw.ops.base import StreamOp
from signflow.hw.sim import RtlSimulator

FRAMES = 6
"""Of the simulation: the interval is that of the last two."""


@dataclass(frozen=True)
class Row:
    """An operator of a configuration: LUT sites as estimated and as synthesised, Yosys' cells, block RAMs of 18 kbit
    and DSPs in the same way.
    """

    configuration: str
    kind: str
    node: str
    macs: int
    lut: tuple[int, int]
    cells: int
    bram18: tuple[int, int]
    dsp: tuple[int, int]

    @classmethod
    def of(cls, configuration: str, op: StreamOp, cost: estimate.OperatorCost) -> "Row":
        """The estimates of ``op`` beside what the synthesis found."""
        found, kind = cost.resources, op.onnx_node.op_type.removesuffix("_sf")
        return cls(
            configuration, kind, op.onnx_node.name, op.macs_per_cycle(), (int(op.lut_estimation()), found.lut),
            found.cells, (int(op.bram_estimation()), found.bram18 + 2 * found.bram36),
            (int(op.dsp_estimation("")), found.dsp),
        )  # fmt: skip

    @property
    def error(self) -> float:
        """Of the LUTs, relative to the synthesis."""
        estimated, found = self.lut
        return (estimated - found) / found if found else float(estimated > 0)


@dataclass(frozen=True)
class Measured:
    """A configuration: its operators; (latency, interval) in cycles, predicted and simulated."""

    rows: tuple[Row, ...]
    predicted: tuple[int, int]
    simulated: tuple[int, int]


def measure(name: str, build: Build, folder: Path) -> Measured:
    """Generate ``build``'s graph in ``folder``, synthesise and simulate it."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    model = build(rng)
    if len(model.graph.node) > 1:
        buffer.insert_width_converters(model)
        buffer.insert_fifos(model)
    ops = graph.operators(model)
    predicted = timing.predict(ops)
    generate(model, "bench", folder, asdict(predicted))
    found = {cost.node: cost for cost in estimate.synthesize(_counted(folder), exact=True, jobs=1).operators}
    rows = tuple(Row.of(name, op, found[op.onnx_node.name]) for op in ops if op.onnx_node.name in found)
    return Measured(rows, (predicted.latency, predicted.interval), _simulated(folder, rng))


def _counted(folder: Path) -> Path:
    """A folder beside the accelerator's without its ends."""
    facts = json.loads((folder / "accel.json").read_text())
    facts["operators"] = [entry for entry in facts["operators"] if not entry["node"].startswith(f"{END}_")]
    counted = folder.with_name(f"{folder.name}-counted")
    counted.mkdir(exist_ok=True)
    for part in ("rtl", facts["mem_dir"]):
        (counted / part).unlink(missing_ok=True)
        (counted / part).symlink_to((folder / part).resolve())
    (counted / "accel.json").write_text(json.dumps(facts))
    return counted


def _simulated(folder: Path, rng: np.random.Generator) -> tuple[int, int]:
    """(latency of a single frame, interval of frames in a row)."""
    simulator = RtlSimulator(folder)
    side = simulator.facts["input"]
    kind = DataType[side["dtype"]]
    frames = rng.integers(int(kind.min()), int(kind.max()) + 1, (FRAMES, *side["shape"]))
    frames = np.where(frames >= 0, 1, -1) if side["dtype"] == "BIPOLAR" else frames
    return simulator.run(frames[:1]).latency, simulator.run(frames).interval


def campaign(
    work: Path,
    configurations: Mapping[str, Build] = CONFIGURATIONS,
    tick: Callable[[int, int, str], None] = lambda done, total, name: None,
) -> list[Measured]:
    """Measure all ``configurations`` in folders below ``work``. ``tick`` gets how many are done, of how many, and the
    name of the next.
    """
    found = []
    for number, (name, build) in enumerate(configurations.items()):
        tick(number, len(configurations), name)
        found.append(measure(name, build, work / str(number)))
    return found
