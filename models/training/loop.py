"""One readable training loop, configured by a small TOML file (`experiments/`), resumable to the bit.

Practice followed where a recipe says nothing else: Adam on latent weights clipped to [-1, 1] (Hubara et al., 2016),
cosine schedule to zero, no weight decay (it pulls latent weights to the sign change and makes them flip), random crop
and flip. The forward pass runs under bfloat16 autocast (``amp``), which rounds large accumulators: training only. Every
accuracy that is reported comes from plain float32, in which all accumulators of binary layers are exact.

The order of an epoch derives from (seed, epoch), augmentation from (seed, epoch, step, process), and the checkpoint
written after each epoch holds everything else, so a run that is killed and resumed ends with the same bytes as one that
was not. Several processes: `signflow.models.training.parallel`.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from signflow.models import weights
from signflow.models.data import Augment, Source, source
from signflow.models.files import locked
from signflow.models.layers.bake import bake
from signflow.models.networks import Network, network, predict
from signflow.models.training import record
from signflow.models.training.distill import Loss, loss_of
from signflow.models.training.optimise import learning_rate, optimiser
from signflow.models.training.parallel import ALONE, Workers, workers
from signflow.models.training.recipe import Recipe, RecipeError, recipe_of
from signflow.models.training.twostep import real_weights, transfer

EVALUATED_AT_ONCE = 1000


@dataclass(frozen=True)
class Trained:
    """What came out of a training."""

    net: nn.Module
    """The network after the last epoch, baked, in eval mode, on the CPU."""
    weights: Path
    """The file that holds it; `log.csv`, `curve.png` and the rest lie beside it."""
    accuracy: float
    """Share of the test images that it tells right, 0..1, in float32."""
    recipe: Recipe
    """What was done."""


def seed_of(*numbers: int) -> int:
    """64 bits of seed from several small integers; different tuples, unrelated seeds."""
    return int(np.random.SeedSequence((len(numbers), *numbers)).generate_state(1, np.uint64)[0])


def batches(recipe: Recipe, data: Source, epoch: int, me: Workers = ALONE) -> Iterator[tuple[Tensor, Tensor]]:
    """This process' share of the shuffled, augmented batches of one epoch: (uint8 images, labels). The order is common
    to all processes; the last, short batch is dropped.
    """
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed_of(recipe.seed, epoch)))
    for step in range(len(order) // recipe.batch):
        pick = me.share(order[step * recipe.batch : (step + 1) * recipe.batch])
        rng = torch.Generator().manual_seed(seed_of(recipe.seed, epoch, step, me.rank))
        yield data.batch(pick, rng), data.labels[pick]


def latent_weights(net: nn.Module) -> list[nn.Parameter]:
    """The latent weights of all plain binary layers. Where a parametrisation stands between the latent weight and the
    sign (standardisation, shift), its scale is the parametrisation's business and it is not listed.
    """
    own = dict(net.named_parameters())
    return [own[name] for name in weights.binary_parameters(net) if name in own]


@torch.no_grad()
def clip_latent_weights(latent: list[nn.Parameter]) -> None:
    """Clamp ``latent`` to [-1, 1]."""
    for p in latent:
        p.clamp_(-1, 1)


def train_epoch(
    net: nn.Module, step_rule, loss_rule: Loss, recipe: Recipe, data: Source, epoch: int, me: Workers, tick: Callable
) -> float:
    """One epoch; returns the mean training loss. ``tick()`` is called after every step."""
    net.train()
    for m in net.modules():
        if hasattr(m, "set_progress"):
            m.set_progress(epoch / recipe.epochs)
    per_epoch = len(data) // recipe.batch
    latent = latent_weights(net) if recipe.clip_latent else []
    total = torch.zeros((), device=me.device)
    for i, (x, y) in enumerate(batches(recipe, data, epoch, me)):
        for group in step_rule.param_groups:
            group["lr"] = learning_rate(recipe, epoch * per_epoch + i, per_epoch)
        x = x.to(me.device).float().contiguous(memory_format=torch.channels_last)
        with torch.autocast(me.device.type, torch.bfloat16, enabled=recipe.amp):
            logits = net(x)
        loss = loss_rule(logits.float(), y.to(me.device), x)
        step_rule.zero_grad()
        loss.backward()
        step_rule.step()
        clip_latent_weights(latent)
        total += loss.detach()
        tick()
    return float(me.total(total)) / me.size / per_epoch


def accuracy(net: nn.Module, data: Source, me: Workers = ALONE) -> float:
    """Share of images whose largest logit (first one on a tie) is the label, in [0, 1]; float32, never augmented. With
    several processes each looks at its share.
    """
    device = next(net.parameters()).device
    correct = torch.zeros((), dtype=torch.int64, device=device)
    with torch.backends.cudnn.flags(allow_tf32=False):
        for pick in me.share(torch.arange(len(data))).split(EVALUATED_AT_ONCE):
            logits = predict(net, data.batch(pick, None).to(device))
            correct += (logits.argmax(1) == data.labels[pick].to(device)).sum()
    return int(me.total(correct)) / len(data)


def _data(recipe: Recipe, spec: Network, me: Workers) -> tuple[Source, Source]:
    size = spec.input_shape[1:]
    data, test = source(recipe.data, "train", size, recipe.augment), source(recipe.data, "test", size, Augment())
    if recipe.batch % me.size or recipe.batch < 2 * me.size or recipe.batch > len(data):
        raise RecipeError(
            f"batch = {recipe.batch}: must be a multiple of the {me.size} process(es), at least two images for each, "
            f"and at most the {len(data)} training images"
        )
    return data, test


def _network(recipe: Recipe, spec: Network, data: Source, me: Workers) -> nn.Module:
    torch.manual_seed(recipe.seed)
    net = spec.build()
    if recipe.init:
        transfer(net, Path(recipe.init))
    if recipe.binarise == "activations":
        real_weights(net)
    images = data.batch(torch.arange(1), None)
    if tuple(images.shape[1:]) != spec.input_shape:
        raise RecipeError(f"{recipe.data} has images {tuple(images.shape[1:])}, {recipe.net} reads {spec.input_shape}")
    if (classes := predict(net, images).shape[1]) != data.classes:
        raise RecipeError(f"{recipe.data} has {data.classes} classes, {recipe.net} tells {classes} apart")
    return net.to(me.device, memory_format=torch.channels_last)


def _resume(recipe: Recipe, checkpoint: Path, net: nn.Module, step_rule) -> list:
    """Fill network and optimiser from a checkpoint, if there is one; returns the log of the epochs done."""
    if not checkpoint.exists():
        return []
    state = torch.load(checkpoint, weights_only=True, map_location=next(net.parameters()).device)
    if state["recipe"] != asdict(recipe):
        raise RecipeError(
            f"{checkpoint.parent} holds a run of another recipe ({state['recipe']}); choose another folder or delete it"
        )
    net.load_state_dict(state["net"])
    step_rule.load_state_dict(state["optimiser"])
    return state["log"]


def _file(recipe: Recipe, stem: Path) -> Path:
    """Weights are packed, but where they are not binary yet."""
    return stem.with_suffix(".pt" if recipe.binarise == "activations" else ".npz")


def _store(net: nn.Module, path: Path) -> None:
    if path.suffix == ".pt":
        record.save(net.state_dict(), path)
    else:
        weights.save(net, path)


def _write(out: Path, recipe: Recipe, net: nn.Module, step_rule, log: list) -> None:
    """Everything that an epoch leaves, the checkpoint last: what precedes it is written again by a resumed run."""
    if log[-1][2] > max((row[2] for row in log[:-1]), default=-1.0):
        _store(net, _file(recipe, out / "best"))
    record.write_log(out, log)
    record.draw_curve(out, log)
    state = {"recipe": asdict(recipe), "net": net.state_dict(), "optimiser": step_rule.state_dict(), "log": log}
    record.save(state, out / "checkpoint.pt")


def _bar(me: Workers) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, refresh_per_second=2, disable=not me.first)


def _run(recipe: Recipe, out: Path, say: Callable, me: Workers, until: int) -> Trained:
    spec, known = network(recipe.net), record.facts(recipe, me)
    data, test = _data(recipe, spec, me)
    net, loss_rule = _network(recipe, spec, data, me), loss_of(recipe, me.device)
    step_rule = optimiser(net, recipe)
    log = _resume(recipe, out / "checkpoint.pt", net, step_rule)
    if not me.same(len(log)):
        raise RecipeError(f"{out}: the processes see different checkpoints there; all need the same, shared folder")
    say(f"{recipe} on {known['device']}" + (f", resuming after epoch {len(log)} of {recipe.epochs}" if log else ""))
    out.mkdir(parents=True, exist_ok=True)
    with locked(out) if me.first else nullcontext():
        _epochs(net, loss_rule, step_rule, recipe, (data, test), out, log, me, until)
        net, path = net.cpu().eval(), _file(recipe, out / "weights")
        if me.first:
            _store(net, path)
            if len(log) == recipe.epochs:
                record.write_facts(out, known, log)  # last: who finds it takes the training for finished
    say(f"test accuracy {log[-1][2]:.2%} (float32, last epoch); weights in {path}")
    return Trained(bake(net), path, log[-1][2], recipe)


def _epochs(
    net: nn.Module,
    loss_rule: Loss,
    step_rule,
    recipe: Recipe,
    data: tuple,
    out: Path,
    log: list,
    me: Workers,
    until: int,
) -> None:
    """The epochs that ``log`` lacks, each with what it leaves in ``out``; ``data``: of training and of test."""
    model, per_epoch = me.wrap(net), len(data[0]) // recipe.batch
    with _bar(me) as bar:
        task = bar.add_task("training", total=recipe.epochs * per_epoch, completed=len(log) * per_epoch)
        for epoch in range(len(log), until):
            start = time.perf_counter()
            torch.manual_seed(seed_of(recipe.seed, epoch, me.rank))
            if recipe.reset_moments:
                step_rule = optimiser(net, recipe)
            loss = train_epoch(model, step_rule, loss_rule, recipe, data[0], epoch, me, lambda: bar.advance(task))
            me.agree(net)
            log.append([epoch + 1, loss, accuracy(net, data[1], me), time.perf_counter() - start])
            if me.first:
                _write(out, recipe, net, step_rule, log)
            bar.update(task, description=f"epoch {epoch + 1}: loss {loss:.3f}, test {log[-1][2]:.2%}")


def train(
    source: Recipe | Path | str,
    out: Path | str | None = None,
    say: Callable = print,
    until: int | None = None,
    **keys,
) -> Trained:
    """Train a network, or go on with a training that was interrupted.

    ``source``: a `Recipe`, a recipe's TOML file, or a network's name; ``keys`` are keys of a recipe and go before what
    the file says (a name needs at least ``epochs``). ``out``: the folder of the training [runs/<file or network>].
    ``say`` gets a line at the beginning and at the end. ``until``: stop after so many epochs of the recipe's; the same
    call goes on from there, and `run.json` is written when all are done.

        train("tfc", epochs=10)        train("experiments/fashion-tfc.toml", seed=2, out="runs/second")

    Writes after every epoch `checkpoint.pt` (resume), `log.csv` (epoch, loss, test accuracy, seconds), `curve.png` and,
    when the test accuracy is the best so far, `best.npz`; at the end `weights.npz` and `run.json` (recipe, code,
    hardware, result). The returned and final weights are those of the last epoch: the test set has not chosen them, as
    it has chosen `best`. With ``binarise = "activations"`` the weights are not packed: `best.pt`, `weights.pt`.

    Raises RecipeError for what the recipe asks and is not there, DataError for missing data, WeightsError, InUseError
    while another process trains there, and OSError for what cannot be written.
    """
    recipe = recipe_of(source, **keys)
    name = recipe.net if isinstance(source, Recipe) else Path(source).stem
    record.commit()
    with workers() as me:
        return _run(
            recipe,
            Path(out or Path("runs") / name),
            say if me.first else lambda *_: None,
            me,
            min(until or recipe.epochs, recipe.epochs),
        )
