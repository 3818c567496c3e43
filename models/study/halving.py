"""Successive halving: trainings that look worse than others of their size are stopped, so that their time goes to the
rest (Jamieson & Talwalkar 2016; asynchronous: Li et al. 2020). Optuna decides, with its pruner of that name.

All networks of a group are trained for the first ``epochs`` epochs of their recipes. When one gets there its test
accuracy is compared with those that got there before; among the best 1/``factor`` it goes on to ``factor`` times as
many epochs, else it stops, and so on up to the whole recipe. A stopped training is an interrupted one: nothing of it is
lost. Only networks of one size are compared, for else the largest would win, and small ones are what a small board
needs. Decisions are kept in ``halving.log`` beside the runs, so that an exploration that goes on stands by them.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from signflow.models.study.compare import Comparison, train_one
from signflow.models.study.workers import optional
from signflow.models.training.record import read_log

DECISIONS = "halving.log"


@dataclass(frozen=True)
class Halving:
    """When trainings are looked at, and how many go on. Raises ValueError."""

    epochs: int
    """Of the first look."""
    factor: int = 2
    """One of so many goes on, for so many times the epochs."""

    def __post_init__(self):
        for name, low in (("epochs", 1), ("factor", 2)):
            value = getattr(self, name)
            if type(value) is not int or value < low:
                raise ValueError(f"{name} = {value!r}: must be a whole number, at least {low}")

    def rungs(self, epochs: int) -> list[int]:
        """Epochs after which a training of ``epochs`` is looked at, the end among them."""
        found = []
        rung = self.epochs
        while rung < epochs:
            found.append(rung)
            rung *= self.factor
        return [*found, epochs]


@dataclass(frozen=True)
class Stopped:
    """A training that was stopped: after how many epochs, with which test accuracy in [0, 1]."""

    epochs: int
    accuracy: float


@contextmanager
def _studies(groups: Mapping[str, list[str]], halving: Halving, folder: Path) -> Iterator[dict]:
    """Net -> its trial in the study of its group."""
    optuna = optional("optuna", "[halving]")
    from optuna.storages.journal import JournalFileBackend

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(folder / DECISIONS)))
    pruner = optuna.pruners.SuccessiveHalvingPruner(halving.epochs, halving.factor)
    trials = {}
    for group, nets in groups.items():
        study = optuna.create_study(
            storage=storage, study_name=group, pruner=pruner, direction="maximize", load_if_exists=True
        )
        known = {trial.user_attrs["net"]: trial for trial in study.get_trials(deepcopy=False) if trial.user_attrs}
        for net in nets:
            if net not in known:
                study.ask().set_user_attr("net", net)
        trials |= {trial.user_attrs["net"]: (study, trial) for trial in study.get_trials() if trial.user_attrs}
    try:
        yield trials
    finally:
        optuna.logging.set_verbosity(before)


def halve(
    comparison: Comparison,
    groups: Mapping[str, list[str]],
    halving: Halving,
    runs: Path,
    pool: Executor,
    jobs: int,
    tick: Callable[[str], None] = lambda _: None,
) -> dict[str, Stopped]:
    """Train the nets of a comparison with its first seed, those of each of ``groups`` (size -> nets) against each
    other; returns those that were stopped. ``tick(net)`` is called when a net is done with. Raises what a run raises.
    """
    seed = comparison.seeds[0]
    recipes = {net: recipe for (net, of), recipe in comparison.recipes().items() if of == seed}
    places = {net: comparison.folder(runs, net, seed).absolute() for net in recipes}
    with _studies(groups, halving, runs / comparison.name) as trials:
        race = _Race(trials, {net: halving.rungs(recipe.epochs) for net, recipe in recipes.items()})
        waiting: dict[Future, tuple[str, int]] = {}

        def go_on(net: str) -> None:
            rung = race.next(net)
            if rung is None:
                return tick(net)
            waiting[pool.submit(train_one, recipes[net], places[net], jobs, rung)] = net, rung
            return None

        for net in recipes:
            go_on(net)
        while waiting:
            done = wait(waiting, return_when=FIRST_COMPLETED).done
            for future in [future for future in waiting if future in done]:  # in the order in which they began
                net, rung = waiting.pop(future)
                future.result()
                race.report(net, rung, read_log(places[net])[rung - 1])
                go_on(net)
        return race.stopped()


class _Race:
    """Optuna's trials of all nets, and how far each is."""

    def __init__(self, trials: Mapping, rungs: Mapping[str, list[int]]):
        self._trials, self._rungs = trials, rungs

    def _frozen(self, net: str):
        study, trial = self._trials[net]
        return study.get_trials(deepcopy=False)[trial.number]

    def next(self, net: str) -> int | None:
        """The epochs to which a net is to be trained now; None where it is done or was stopped."""
        frozen = self._frozen(net)
        if frozen.state.is_finished():
            return None
        return next(rung for rung in self._rungs[net] if rung > (frozen.last_step or 0))

    def report(self, net: str, rung: int, accuracy: float) -> None:
        """Tell Optuna what a net has reached, and keep what it decides."""
        from optuna.trial import Trial, TrialState

        study, frozen = self._trials[net]
        trial = Trial(study, frozen._trial_id)
        trial.report(accuracy, rung)
        if rung == self._rungs[net][-1]:
            study.tell(trial, accuracy)
        elif trial.should_prune():
            study.tell(trial, state=TrialState.PRUNED)

    def stopped(self) -> dict[str, Stopped]:
        """The nets that Optuna stopped."""
        ends = {net: self._frozen(net) for net in self._rungs}
        return {
            net: Stopped(end.last_step, end.intermediate_values[end.last_step])
            for net, end in ends.items()
            if end.state.name == "PRUNED"
        }
