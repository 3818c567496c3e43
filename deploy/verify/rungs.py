"""The rungs of the ladder: one build in each of its forms, every one a function from images to integer results.

    PyTorch  =  QONNX  =  streamlined integer graph  =  FINN hardware graph  =  RTL simulation

Below PyTorch and QONNX results are integers; the float logits of these two become integers through the head, the exact
map from integer accumulators to the network's own logits that streamlining records. Integers of one and the same logit
count as one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy import products
from signflow.deploy.compile import streamline
from signflow.deploy.compile.export import reference
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.compile.passes.head import Head
from signflow.deploy.golden.intgraph import IntGraph
from signflow.deploy.steps import ACCELERATOR, FOLDED, INTEGER, NETWORK
from signflow.deploy.verify.images import RANDOM_IMAGES
from signflow.deploy.verify.locate import locate
from signflow.deploy.verify.signs import first_difference
from signflow.hw.sim import RtlSimulator, SimResult

if TYPE_CHECKING:
    from torch import nn

QONNX_IMAGES, HARDWARE_IMAGES = 16, 4
"""Images for the two rungs that run node by node in Python (about 50 ms and 1 s for a CNV image)."""
ROUNDING = 0.01
"""Distance, in steps of an integer, that the logits of QONNX and of a user's own module may have from the head's own
besides what float32 rounds of the last sums in another order (`Head.error`): the head's nodes, fused otherwise. The
integers that they stand for are compared without tolerance.
"""
UNCLEAR = 0.25
"""Distance, in steps, from which on a logit is not taken for an integer, whatever float32 may have rounded: at 0.5 it
would stand for two.
"""
WORKERS = 2

Tick = Callable[[str, int, int | None], None]
"""(what is running, images done, images in all or None) -> None, called now and then."""


class LadderError(AssertionError):
    """Two rungs differ; the message names the first one that does, and where."""


@dataclass(frozen=True)
class Rung:
    """One representation of the network."""

    name: str
    run: Callable[[np.ndarray], np.ndarray]
    """images (N, ...) -> results (N, K)."""
    limit: int | None = None
    """Look at this many images only (slow representations); None: all."""


def silent(what: str, done: int, total: int | None) -> None:
    """A `Tick` that does nothing."""


class Rungs:
    """The build in ``work`` as rungs. Products are read, and the simulation compiled, when first needed; then FlowError
    is raised for a missing one.
    """

    def __init__(self, work: Path, net: "nn.Module | None" = None, tick: Tick = silent, workers: int = WORKERS):
        """``net``: the PyTorch module that was built, where its settings do not tell (`products.torch_network`);
        ``workers``: cores that a simulation uses.
        """
        self.work, self._net, self.tick, self.workers = work, net, tick, workers
        self.runs: dict[float, SimResult] = {}
        """The last simulation by its probability of a pause."""

    @cached_property
    def settings(self) -> products.Settings:
        """What the build was made with."""
        return products.settings_of(self.work)

    @cached_property
    def net(self) -> "nn.Module | None":
        """The network in PyTorch; None for a foreign file."""
        return products.torch_network(self.settings) if self._net is None else self._net

    @cached_property
    def network(self) -> ModelWrapper:
        """The QONNX graph."""
        return products.read(self.work, NETWORK)

    @cached_property
    def integer(self) -> ModelWrapper:
        """The streamlined integer graph."""
        return products.read(self.work, INTEGER)

    @cached_property
    def folded(self) -> ModelWrapper:
        """The hardware graph."""
        return products.read(self.work, FOLDED)

    @cached_property
    def head(self) -> Head:
        """Integer results -> the network's own logits."""
        return Head.of(self.integer)

    @cached_property
    def image(self) -> ImageInput:
        """What images must look like."""
        return ImageInput.of(self.integer)

    @cached_property
    def graph(self) -> IntGraph:
        """The integer graph as a program."""
        return IntGraph(self.integer)

    @cached_property
    def simulator(self) -> RtlSimulator:
        """The accelerator's RTL, compiled."""
        return RtlSimulator(self.work / ACCELERATOR)

    @property
    def rounding(self) -> float:
        """Distance, in steps, that float32 explains, up to where a logit is unclear."""
        return min(ROUNDING + self.head.error / self.head.accumulators.step, UNCLEAR)

    def _integers(self, who: str, logits: np.ndarray, tolerance: float) -> np.ndarray:
        integers, distance = self.head.invert(logits)
        if distance > tolerance:
            raise LadderError(
                f"{who}'s logits lie {distance:.3g} steps off the integers' own logits, where {tolerance:.3g} is "
                "the most: the recorded head is not the network's"
            )
        return integers

    def torch_logits(self, images: np.ndarray) -> np.ndarray:
        """What PyTorch gives for integer ``images``, float32 (N, classes); only where there is a `net`."""
        import torch

        from signflow.models.networks import predict

        return predict(self.net, torch.from_numpy(self.image.seen(images))).numpy()

    def torch(self) -> Rung | None:
        """PyTorch's logits as the integers they stand for; None for a foreign network."""
        if self.net is None:
            return None

        return Rung("PyTorch", lambda images: self.torch_integers(self.torch_logits(images)))

    def torch_integers(self, logits: np.ndarray) -> np.ndarray:
        """The integers that PyTorch's ``logits`` stand for."""
        return self._integers("PyTorch", logits, 0 if self._net is None else self.rounding)

    def qonnx_logits(self, images: np.ndarray) -> np.ndarray:
        """What the QONNX graph gives for integer ``images``, float32 (N, classes)."""
        return reference(self.network, images)["output"].reshape(len(images), -1)

    def qonnx(self) -> Rung:
        """The QONNX graph node by node: a few images, more where it is the top of the ladder."""

        def run(images: np.ndarray) -> np.ndarray:
            return self._integers("QONNX", self.qonnx_logits(images), self.rounding)

        return Rung("QONNX", run, RANDOM_IMAGES if self.net is None else QONNX_IMAGES)

    def golden(self) -> Rung:
        """The integer graph as a compiled program."""

        def run(images: np.ndarray) -> np.ndarray:
            results = self.graph(images, progress=lambda done: self.tick("integer graph", done, len(images)))
            return self.head.settle(results)

        return Rung("integer graph", run)

    def hardware(self) -> Rung:
        """The hardware graph node by node in FINN."""

        def run(images: np.ndarray) -> np.ndarray:
            return self.head.settle(streamline.execute(self.folded, images))

        return Rung("FINN hardware graph", run, HARDWARE_IMAGES)

    def rtl(self, stall: float = 0.0, limit: int | None = None, seed: int = 0) -> Rung:
        """The RTL, cycle by cycle, back to back or with random pauses on both sides; `runs` keeps what it gave."""
        name = "RTL, random stalls" if stall else "RTL simulation"

        def run(images: np.ndarray) -> np.ndarray:
            words = ImageInput.of(self.folded).stream(images).reshape(-1, *self.simulator.facts["input"]["shape"])
            options = {"in_stall": stall, "out_stall": stall, "seed": seed, "progress": partial(self.tick, name)}
            self.runs[stall] = self.simulator.run(words, workers=self.workers, **options)
            return self.head.settle(self.runs[stall].outputs.reshape(len(images), -1))

        return Rung(name, run, limit)

    def where(self, image: np.ndarray) -> str:
        """The first node, pixel and channel that differ for one ``image`` (*shape), from the top of the ladder down."""
        folder = self.work / ACCELERATOR
        difference = first_difference(self.network, self.integer, image)
        difference = difference or locate(self.integer, self.folded, folder, image)
        alone = "QONNX, integer graph, FINN and every RTL operator alone agree on this image"
        return f"first differing node: {difference}" if difference else alone
