"""An exploration from its file to its front: train what is missing, cost everything, simulate what nothing beats.

    <runs>/<name>/<network>-<seed>/   the trainings, as those of `signflow experiment`
    <out>/<name>/costs/               what every network needs on every board at every rate
    <out>/<name>/builds/<point>/      the builds of the front, checked and simulated

All of it is kept; an exploration that was interrupted goes on where it was.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from shlex import join

from signflow.deploy import flow, products
from signflow.deploy.explore.cost import Cost, costs, settings_of
from signflow.deploy.explore.front import Point, front
from signflow.deploy.explore.spec import FASTEST, Exploration, ExplorationError
from signflow.deploy.verify.images import images_of
from signflow.deploy.verify.simulate import simulate
from signflow.hw.boards import Board
from signflow.hw.sim.toolchain import digest
from signflow.models.study import compare
from signflow.models.study.halving import Stopped, halve
from signflow.models.study.workers import optional, workers

SIMULATED = "explored.json"
IMAGES = 8
"""Through the simulated RTL of every point of the front."""
Tick = Callable[[int, int, str], None]


class DiffersError(AssertionError):
    """The simulation of a point does not take the cycles that its cost said."""


@dataclass(frozen=True)
class Found:
    """What an exploration found."""

    spec: Exploration
    points: list[Point]
    front: list[Point]
    misfits: list[tuple[str, Cost]]
    """Networks with a cost that says why there is no point."""
    stopped: dict[str, Stopped]
    """Networks that successive halving stopped."""
    runs: list[dict]
    """Every training, as `signflow.models.study.compare.collect` has it."""
    commands: dict[Point, str]
    """What to type to get the bitstream of a point."""
    simulated: frozenset[Point]
    """Points whose builds passed the check, and whose simulation took the predicted cycles."""


@dataclass(frozen=True)
class Explorer:
    """An exploration and where its products lie."""

    spec: Exploration
    runs: Path
    out: Path
    jobs: int = 1
    cluster: str = ""

    def train(self) -> dict[str, Stopped]:
        """Do all trainings that are missing; returns the networks that were stopped."""
        comparison, halving = self.spec.comparison, self.spec.halves
        stopped = {}
        if halving:
            optional("optuna", "[halving]")
            with (
                compare.progress(f"{self.spec.name}: halving", len(comparison.nets)) as step,
                workers(self.jobs, self.cluster) as pool,
            ):
                stopped = halve(comparison, self.spec.groups, halving, self.runs, pool, self.jobs, step)
        compare.run(_without(comparison, stopped), self.runs, self.jobs, self.cluster)
        return stopped

    def collect(self, stopped: Mapping[str, Stopped]) -> list[dict]:
        """The trainings that were not stopped. Raises RecipeError where one is missing or of another recipe."""
        return compare.collect(_without(self.spec.comparison, stopped), self.runs)

    def weights(self, network: str) -> Path:
        """The weights that are costed and built: those of the first seed."""
        return self.spec.comparison.folder(self.runs, network, self.spec.seeds[0]) / "weights.npz"

    def points(self, rows: Sequence[Mapping], tick: Tick) -> tuple[list[Point], list[tuple[str, Cost]]]:
        """Every network on every board at every rate, and those that are none."""
        by_net: dict[str, list[float]] = {}
        for row in rows:
            by_net.setdefault(row["net"], []).append(row["final_accuracy"])
        norms = {one.name: one.normalisation for one in self.spec.candidates}
        boards = list(self.spec.on_boards())
        wanted = [(board, 0.0 if t == FASTEST else float(t)) for board in boards for t in self.spec.targets]
        points, misfits = [], []
        for done, (net, accuracies) in enumerate(by_net.items()):
            tick(done, len(by_net), net)
            found = costs(net, self.weights(net), wanted, self.out / self.spec.name / "costs")
            for (board, _), cost in zip(wanted, found, strict=True):
                if cost.reason:
                    misfits.append((net, cost))
                else:
                    points.append(point(net, norms[net], tuple(accuracies), board, cost, self.spec))
        return points, misfits

    def work(self, point: Point) -> Path:
        """The folder of a point's build."""
        rate = f"{point.target:.0f}" if point.target else FASTEST
        return self.out / self.spec.name / "builds" / f"{point.network}-{point.board}-{rate}"

    def board(self, name: str) -> Board:
        """One of the exploration's boards. Raises ExplorationError."""
        found = [board for board in self.spec.on_boards() if board.name == name]
        if not found:
            raise ExplorationError(f"{name} is no board of {self.spec.name}; it has {', '.join(self.spec.boards)}")
        return found[0]

    def settings(self, point: Point) -> flow.Settings:
        """How a point is built."""
        return settings_of(point.network, self.weights(point.network), self.board(point.board), point.target)

    def command(self, point: Point) -> str:
        """What to type to get a point's bitstream; it builds first what is not built yet."""
        own = ["--boards", self.spec.own_boards] if self.spec.own_boards else []
        where = ["--board", point.board, *own, "--out", str(self.work(point))]
        build = ["signflow", "build", point.network, "--weights", str(self.weights(point.network))]
        build += ["--target-fps", f"{point.target:g}"] if point.target else []
        bitstream = join(["signflow", "bitstream", point.network, *where])
        return bitstream if self.is_built(point) else f"{join([*build, *where])} && {bitstream}"

    def is_built(self, point: Point) -> bool:
        """Its folder holds what would be built now."""
        work = self.work(point)
        if not (work / SIMULATED).exists() or products.settings_of(work) != self.settings(point):
            return False
        checked = products.accelerator(work).get("check", {}).get("result") == "passed"
        return checked and json.loads((work / SIMULATED).read_text()) == self._state(point)

    def _state(self, point: Point) -> dict:
        weights = digest(self.weights(point.network).read_bytes())
        return {"weights": weights, "interval": point.interval, "latency": point.latency}

    def simulate(self, points: Sequence[Point], tick: Tick) -> None:
        """Build ``points`` where that has not been done, which ends with the check, and count their cycles in
        simulation. Raises DiffersError, and what a build raises.
        """
        for done, point in enumerate(points):
            tick(done, len(points), f"{point.network} on {point.board}")
            if self.is_built(point):
                continue
            work = self.work(point)
            flow.build(self.settings(point), work)
            found = simulate(work, images_of(work, None, IMAGES)).cycles
            counted = (found["simulated"]["interval"], found["simulated"]["latency"])
            if counted != (point.interval, point.latency):
                raise DiffersError(
                    f"{work}: interval and latency are {counted} cycles in simulation, {point.interval, point.latency} "
                    "in the cost: please report it"
                )
            products.write_json(self._state(point), work / SIMULATED)


def _without(comparison: compare.Comparison, stopped: Mapping[str, Stopped]) -> compare.Comparison:
    nets = [net for net in comparison.nets if net not in stopped]
    return replace(comparison, nets=nets, only={net: keys for net, keys in comparison.only.items() if net in nets})


def point(
    network: str, normalisation: str, accuracies: tuple[float, ...], board: Board, cost: Cost, spec: Exploration
) -> Point:
    """A cost in the units that people ask for."""
    hertz, needed = board.clock_mhz * 1e6, cost.needed
    fps, bram36 = hertz / max(cost.interval, cost.link), needed["BRAM18"] / 2
    return Point(
        network=network,
        normalisation=normalisation,
        board=board.name,
        target=cost.target,
        accuracies=accuracies,
        fps=fps,
        core_fps=hertz / cost.interval,
        interval=cost.interval,
        latency=cost.latency,
        latency_us=cost.latency / board.clock_mhz,
        lut=needed["LUT"],
        bram36=bram36,
        dsp=needed["DSP"],
        uram=needed.get("URAM", 0),
        energy_uj=spec.joules.microjoules(needed["LUT"], bram36, board.clock_mhz, fps),
    )


def explore(
    explorer: Explorer, stopped: dict[str, Stopped], simulated: bool = True, tick: Tick = lambda *_: None
) -> Found:
    """What follows the trainings (`Explorer.train`, which returns ``stopped``): costs, front, builds of the front where
    they are to be ``simulated``. ``tick(done, total, doing)`` is called before each network and build.
    """
    rows = explorer.collect(stopped)
    points, misfits = explorer.points(rows, tick)
    best = front(points, explorer.spec.objectives)
    if simulated:
        explorer.simulate(best, tick)
    commands = {point: explorer.command(point) for point in points}
    built = frozenset(point for point in best if explorer.is_built(point))
    return Found(explorer.spec, points, best, misfits, stopped, rows, commands, built)


def facts(found: Found) -> dict:
    """For ``--json``."""
    return {
        "name": found.spec.name,
        "objectives": found.spec.objectives,
        "energy": str(found.spec.joules),
        "points": [
            asdict(p) | {"accuracy": p.accuracy, "front": p in found.front, "simulated": p in found.simulated}
            for p in found.points
        ],
        "misfits": [
            {"network": net, "board": c.board, "target": c.target, "reason": c.reason} for net, c in found.misfits
        ],
        "stopped": {net: asdict(how) for net, how in found.stopped.items()},
        "commands": [found.commands[p] for p in found.front],
    }
