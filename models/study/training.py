"""Short trainings of a binary MLP on Fashion-MNIST, watched from inside: accuracy and gradient variance per epoch.

The network: pixels binarised at 127.5, a `Chain` of binary dense layers, and a binary dense head whose accumulators are
divided by sqrt(K). Latent weights are clipped to [-1, 1] after every step; the learning rate falls to 0 as a cosine.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from signflow.models.data import load
from signflow.models.study.chain import Chain
from signflow.models.study.theory import CASES, dense

PIXELS, CLASSES, BATCH, PROBE = 784, 10, 128, 1000


@dataclass(frozen=True)
class Trial:
    """One training."""

    case: str = "BNN clipped"
    """Name in `signflow.models.study.theory.CASES`."""
    norm: str = "bn"
    """``none``, ``scale`` or ``bn``, of all layers but the head."""
    depth: int = 3
    width: int = 256
    init: str | float = "He"
    """Standard deviation of the latent weights, or its name in `signflow.models.study.chain.INITS`."""
    optimiser: str = "adam"
    """``adam``, or ``sgd`` (momentum 0.9)."""
    lr: float = 1e-3
    epochs: int = 4
    seed: int = 1


@dataclass
class History:
    """What was seen."""

    accuracy: list[float] = field(default_factory=list)
    """Test accuracy before training and after every epoch."""
    delta: list[list[float]] = field(default_factory=list)
    """Var(dLoss/dx^l), l = 1 .. L, of the loss summed over a fixed batch; before training and after every epoch."""
    flips: list[float] = field(default_factory=list)
    """Share of the chain's weights whose sign differs from the initial one; after every epoch."""


class Classifier(nn.Module):
    """(N, 784) values +-1 -> (N, 10) logits. ``head`` is drawn after the chain's weights from the same seed."""

    def __init__(self, trial: Trial):
        super().__init__()
        case = CASES[trial.case]
        widths = [PIXELS] + [trial.width] * trial.depth
        self.chain = Chain(dense(widths), case, trial.norm, trial.init, trial.seed)
        # a chain of one layer with real outputs: binary weights, scale 1/sqrt(K), no activation
        self.head = Chain(dense([trial.width, CLASSES]), case, "scale", trial.init, trial.seed + 1).layers[0]
        self.head.phi = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        return self.head(self.chain(x)[-1])

    def clip(self) -> None:
        """Clamp the latent weights to [-1, 1]."""
        with torch.no_grad():
            for layer in (*self.chain.layers, self.head):
                layer.weight.clamp_(-1, 1)

    def signs(self) -> Tensor:
        """All weights of the chain as booleans, flat."""
        return torch.cat([layer.weight.detach().flatten() >= 0 for layer in self.chain.layers])


def fashion(images: int | None = None) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """(training, test) as (pixels +-1 (N, 784), labels); ``images`` keeps the first ones of the training set."""

    def split(name: str, count: int | None) -> tuple[Tensor, Tensor]:
        x, y = load("fashion-mnist", name, (28, 28))
        return torch.where(x[:count].flatten(1) > 127, 1.0, -1.0), y[:count]

    return split("train", images), split("test", None)


def gradient_variance(net: Classifier, x: Tensor, y: Tensor) -> list[float]:
    """Var(dLoss/dx^l), l = 1 .. L, of the cross entropy summed over the batch; the network is left as it was."""
    state = {name: value.clone() for name, value in net.state_dict().items()}
    net.train()
    outputs = net.chain(x)
    loss = nn.functional.cross_entropy(net.head(outputs[-1]), y, reduction="sum")
    gradients = torch.autograd.grad(loss, outputs)
    net.load_state_dict(state)
    return [g.double().var().item() for g in gradients]


def accuracy(net: Classifier, x: Tensor, y: Tensor) -> float:
    """Share of right answers in [0, 1]; running statistics."""
    net.eval()
    with torch.inference_mode():
        return (net(x).argmax(1) == y).float().mean().item()


def train(trial: Trial, data, test, tick: Callable[[], None] = lambda: None) -> History:
    """Train from scratch in float32; ``tick`` is called after every epoch. Same trial and data, same history."""
    net = Classifier(trial)
    net.clip()
    start = net.signs()
    optimisers = {"adam": torch.optim.Adam, "sgd": lambda p, lr: torch.optim.SGD(p, lr, momentum=0.9)}
    optimiser = optimisers[trial.optimiser](net.parameters(), lr=trial.lr)
    history = History()
    steps = trial.epochs * (len(data[0]) // BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda i: (1 + math.cos(math.pi * i / steps)) / 2)
    rng = torch.Generator().manual_seed(trial.seed)
    for epoch in range(trial.epochs + 1):
        if epoch:
            _epoch(net, optimiser, schedule, data, rng)
            history.flips.append((net.signs() != start).float().mean().item())
            tick()
        history.accuracy.append(accuracy(net, *test))
        history.delta.append(gradient_variance(net, test[0][:PROBE], test[1][:PROBE]))
    return history


def repeat(trial: Trial, seeds: int, data, test, tick: Callable[[], None]) -> list[History]:
    """The trial with seeds 1 .. ``seeds``."""
    return [train(replace(trial, seed=seed), data, test, tick) for seed in range(1, seeds + 1)]


def final(histories: list[History]) -> list[float]:
    """Test accuracies after the last epoch, in per cent."""
    return [100 * h.accuracy[-1] for h in histories]


def _epoch(net: Classifier, optimiser, schedule, data: tuple[Tensor, Tensor], rng: torch.Generator) -> None:
    net.train()
    order = torch.randperm(len(data[0]), generator=rng)
    for pick in order[: len(order) // BATCH * BATCH].split(BATCH):
        loss = nn.functional.cross_entropy(net(data[0][pick]), data[1][pick])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        net.clip()
