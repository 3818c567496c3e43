"""One readable training loop, configured by a small TOML file (`experiments/`), resumable to the bit.

Practice followed: Adam on latent weights clipped to [-1, 1] (Hubara et al., 2016), cosine schedule to zero, no weight
decay (it pulls latent weights to the sign
change and makes them flip), random crop and flip. The forward pass runs under bfloat16 autocast (``amp``), which rounds
large accumulators: training only. Every
accuracy that is reported comes from plain float32, in which all accumulators are exact.

All randomness of an epoch derives from (seed, epoch), and the checkpoint written after each epoch holds everything
else, so a run that is killed and
resumed ends with the same bytes as one that was not.
"""

import csv
import math
import os
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from signflow.models import weights
from signflow.models.agc import AdaptiveGradientClipping, exclude_classifier
from signflow.models.data import load
from signflow.models.networks import network, predict


class RecipeError(ValueError):
    """A training recipe has an unknown key or an impossible value."""


@dataclass(frozen=True)
class Recipe:
    """What a recipe file may say."""

    net: str
    """Name in `signflow.models.networks.NETWORKS`."""
    epochs: int
    batch: int = 128
    lr: float = 2e-3
    """Peak learning rate of Adam; cosine to zero over all epochs after a linear warm-up over the first half epoch."""
    seed: int = 1
    crop: int = 2
    """Random translation by up to this many pixels (zeros enter at the border); 0: none."""
    flip: bool = True
    """Mirror half of the images."""
    amp: bool = True
    """bfloat16 autocast in the forward pass."""
    agc: float = 0.0
    """Adaptive gradient clipping (`signflow.models.agc`): its lambda; 0: none."""
    clip_latent: bool = True
    """Clamp the latent weights of plain binary layers to [-1, 1] after every step."""

    def __post_init__(self):
        network(self.net)
        for name, low in (("epochs", 1), ("batch", 2), ("crop", 0), ("seed", 0)):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < low:
                raise RecipeError(f"{name} = {getattr(self, name)!r}: must be an integer >= {low}")
        if not 0 < self.lr < 1:
            raise RecipeError(f"lr = {self.lr!r}: must lie between 0 and 1")
        if not 0 <= self.agc < 1:
            raise RecipeError(f"agc = {self.agc!r}: must lie in [0, 1)")


def read_recipe(path: Path) -> Recipe:
    """Read a TOML recipe; unknown keys and impossible values raise RecipeError that names them and the valid keys."""
    try:
        table = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as e:
        raise RecipeError(f"{path}: {e}") from e
    known = [f.name for f in fields(Recipe)]
    if unknown := sorted(set(table) - set(known)):
        raise RecipeError(f"{path}: unknown key {', '.join(unknown)}; valid keys: {', '.join(known)}")
    if missing := sorted({"net", "epochs"} - set(table)):
        raise RecipeError(f"{path}: missing key {', '.join(missing)}")
    return Recipe(**table)


def augment(images: Tensor, crop: int, flip: bool, rng: torch.Generator) -> Tensor:
    """Random translation by up to ``crop`` pixels and mirroring of uint8 images (N, C, H, W), each image on its own."""
    n, _, h, w = images.shape
    if flip:
        images = torch.where((torch.rand(n, generator=rng) < 0.5)[:, None, None, None], images.flip(3), images)
    if crop:
        padded = nn.functional.pad(images, (crop,) * 4)
        dy, dx = torch.randint(0, 2 * crop + 1, (2, n), generator=rng)
        rows, cols = dy[:, None] + torch.arange(h), dx[:, None] + torch.arange(w)
        images = padded[
            torch.arange(n)[:, None, None, None],
            torch.arange(images.shape[1])[None, :, None, None],
            rows[:, None, :, None],
            cols[:, None, None, :],
        ]
    return images


def batches(recipe: Recipe, images: Tensor, labels: Tensor, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Shuffled, augmented batches of one epoch; all randomness derives from (seed, epoch). The last, short batch is
    dropped.
    """
    rng = torch.Generator().manual_seed(recipe.seed * 100_003 + epoch)
    order = torch.randperm(len(images), generator=rng)
    for i in range(0, len(order) - recipe.batch + 1, recipe.batch):
        pick = order[i : i + recipe.batch]
        yield augment(images[pick], recipe.crop, recipe.flip, rng), labels[pick]


def _learning_rate(recipe: Recipe, step: float, per_epoch: int) -> float:
    warm = min(1.0, (step + 1) / (per_epoch / 2))
    return recipe.lr * warm * 0.5 * (1 + math.cos(math.pi * step / (per_epoch * recipe.epochs)))


def _optimiser(net: nn.Module, recipe: Recipe):
    adam = torch.optim.Adam(net.parameters(), recipe.lr)
    if not recipe.agc:
        return adam
    return AdaptiveGradientClipping(adam, net.named_parameters(), recipe.agc, exclude_classifier(net))


def train_epoch(net: nn.Module, optimiser, recipe: Recipe, data, epoch: int, device: str, tick) -> float:
    """One epoch; returns the mean training loss. ``tick()`` is called after every step."""
    net.train()
    for m in net.modules():
        if hasattr(m, "set_progress"):
            m.set_progress(epoch / recipe.epochs)
    per_epoch = len(data[0]) // recipe.batch
    latent = latent_weights(net) if recipe.clip_latent else []
    total = torch.zeros((), device=device)
    for i, (x, y) in enumerate(batches(recipe, *data, epoch)):
        for group in optimiser.param_groups:
            group["lr"] = _learning_rate(recipe, epoch * per_epoch + i, per_epoch)
        x = x.to(device).float().contiguous(memory_format=torch.channels_last)
        with torch.autocast(device, torch.bfloat16, enabled=recipe.amp):
            logits = net(x)
        loss = nn.functional.cross_entropy(logits.float(), y.to(device))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        clip_latent_weights(latent)
        total += loss.detach()
        tick()
    return float(total) / per_epoch


def latent_weights(net: nn.Module) -> list[nn.Parameter]:
    """The latent weights of all plain binary layers. Where a parametrisation stands between the latent weight and the
    sign (standardisation, shift), its scale is the parametrisation's business and it is not listed.
    """
    own = dict(net.named_parameters())
    return [own[name] for name in weights.binary_parameters(net) if name in own and ".parametrizations." not in name]


@torch.no_grad()
def clip_latent_weights(latent: list[nn.Parameter]) -> None:
    """Clamp ``latent`` to [-1, 1]."""
    for p in latent:
        p.clamp_(-1, 1)


def accuracy(net: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Share of images whose largest logit (first one on a tie) is the label, in [0, 1]; float32."""
    device = next(net.parameters()).device
    logits = predict(net, images.to(device)).cpu()
    return (logits.argmax(1) == labels).float().mean().item()


def _save(path: Path, value) -> None:
    tmp = path.with_suffix(".tmp")
    torch.save(value, tmp)
    os.replace(tmp, path)


def train(recipe: Recipe, out: Path, say=print) -> nn.Module:
    """Train (or go on with) ``recipe`` in folder ``out``; returns the network in eval mode on the CPU.

    Writes `checkpoint.pt` (resume), `log.csv` (epoch, loss, test accuracy, seconds), `curve.png` and at the end
    `weights.npz` (packed). The test set is only looked
    at, never used to choose an epoch: the weights are those of the last epoch.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    spec = network(recipe.net)
    size = spec.input_shape[1:]
    data, test = load(spec.dataset, "train", size), load(spec.dataset, "test", size)
    torch.manual_seed(recipe.seed)
    net = spec.build().to(device, memory_format=torch.channels_last)
    optimiser = _optimiser(net, recipe)
    out.mkdir(parents=True, exist_ok=True)
    first, log = 0, []
    if (out / "checkpoint.pt").exists():
        state = torch.load(out / "checkpoint.pt", weights_only=True, map_location=device)
        if state["recipe"] != repr(recipe):
            raise RecipeError(
                f"{out} holds a run of another recipe ({state['recipe']}); choose another folder or delete it"
            )
        net.load_state_dict(state["net"])
        optimiser.load_state_dict(state["optimiser"])
        first, log = state["epoch"], state["log"]
        say(f"resuming after epoch {first} of {recipe.epochs}")
    say(f"{recipe} on {device}")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, refresh_per_second=2) as progress:
        task = progress.add_task(
            "training",
            total=recipe.epochs * (len(data[0]) // recipe.batch),
            completed=first * (len(data[0]) // recipe.batch),
        )
        for epoch in range(first, recipe.epochs):
            start = time.perf_counter()
            loss = train_epoch(net, optimiser, recipe, data, epoch, device, lambda: progress.advance(task))
            log.append([epoch + 1, loss, accuracy(net, *test), time.perf_counter() - start])
            _save(
                out / "checkpoint.pt",
                {
                    "recipe": repr(recipe),
                    "epoch": epoch + 1,
                    "net": net.state_dict(),
                    "optimiser": optimiser.state_dict(),
                    "log": log,
                },
            )
            write_log(out, log)
            progress.update(task, description=f"epoch {epoch + 1}: loss {loss:.3f}, test {log[-1][2]:.2%}")
    net = net.cpu().eval()
    weights.save(net, out / "weights.npz")
    say(f"test accuracy {accuracy(net, *test):.2%} (float32, last epoch); weights in {out / 'weights.npz'}")
    return net


def write_log(out: Path, log: list) -> None:
    """Write `log.csv` and the curve picture."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    with open(out / "log.tmp", "w", newline="") as f:
        writer = csv.writer(f, lineterminator="\n")
        writer.writerow(["epoch", "train_loss", "test_accuracy", "seconds"])
        writer.writerows([e, f"{loss:.5f}", f"{acc:.4f}", f"{sec:.1f}"] for e, loss, acc, sec in log)
    os.replace(out / "log.tmp", out / "log.csv")
    epochs = [row[0] for row in log]
    fig, left = plt.subplots(figsize=(7, 4))
    left.plot(epochs, [row[1] for row in log], color="tab:blue")
    left.set(xlabel="epoch", ylabel="training loss (augmented)")
    left.yaxis.label.set_color("tab:blue")
    right = left.twinx()
    right.plot(epochs, [100 * row[2] for row in log], color="tab:red")
    right.set_ylabel("test accuracy in %", color="tab:red")
    right.grid(alpha=0.3)
    fig.tight_layout()
    fig.savefig(out / "curve.png", dpi=110, metadata={"Software": None})
    plt.close(fig)
