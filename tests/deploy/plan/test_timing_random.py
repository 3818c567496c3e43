"""Random networks of convolutions, residual blocks and self-distribution, lowered, folded, generated and simulated: the
integers of the graph, in the cycles predicted, under any stalls.
"""

import numpy as np
import pytest

from signflow.deploy.compile import engine, lower
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.compile.passes.integer_graph import IntegerGraph
from signflow.deploy.generate.accelerator import generate
from signflow.deploy.golden.intgraph import IntGraph
from signflow.deploy.plan import buffer, fold, graph, timing
from signflow.deploy.verify.locate import locate
from signflow.hw.sim import RtlSimulator

STALLS = [(0, 0), (0.5, 0), (0, 0.5), (0.95, 0)]


class RandomNetwork:
    """`x` is the last tensor; every method appends a block."""

    def __init__(self, rng, shape):
        self.rng, self.graph = rng, IntegerGraph(shape, "UINT8")
        self.x = self.graph.image
        height, width, channels = shape
        self.image = ImageInput("uint8", (channels, height, width), "NHWC", False)

    def images(self, count):
        """Of very different brightness."""
        mean = self.rng.integers(0, 256, (count, *self.image.shape[:1], 1, 1))
        noise = self.rng.integers(-90, 91, (count, *self.image.shape))
        return np.clip(mean + noise, 0, 255).astype(np.uint8)

    def model(self):
        """The integer graph that ends here."""
        model = self.graph.model(self.x)
        self.image.save_to(model)
        return model

    def steps(self, count, signs=1):
        """Ascending thresholds (channels, count) among the values that ``signs`` * x has."""
        values = IntGraph(self.model())(self.images(20)).reshape(-1, self.x.channels) * signs
        steps = np.sort(self.rng.choice(values, count), axis=0).T
        return steps + self.rng.integers(0, 2, (len(steps), 1))

    def product(self, outputs, most):
        """Sums of random weights: +-1, or integers up to +-most."""
        weights = self.rng.integers(-most, most + 1, (self.x.channels, outputs))
        weights = np.where(weights == 0, 1, weights) if most == 1 else weights
        self.x = self.graph.product(self.x, weights, most == 1)

    def convolution(self, kernel, outputs):
        kernel = [min(kernel, side) for side in self.x.shape[:2]]
        self.x = self.graph.windows(self.x, kernel, (1, 1))
        self.product(outputs, 1)

    def signs(self):
        if self.rng.random() < 0.3:
            self.x = self.graph.window(self.x, *self.steps(2).T)
        else:
            self.x = self.graph.threshold(self.x, self.steps(1), bits=True)

    def codes(self, bits):
        signs = self.rng.choice([-1, 1], self.x.channels) if self.rng.random() < 0.5 else np.ones(self.x.channels, int)
        steps = self.steps(2**bits - 1, signs)
        self.x = self.graph.threshold(self.graph.signed(self.x, signs), steps, -(2 ** (bits - 1)))

    def add(self, other):
        pair = [self.x, other] if self.rng.random() < 0.5 else [other, self.x]
        self.x = self.graph.add(*pair)

    def residual(self):
        """x + codes of a convolution of its signs."""
        shortcut = self.x
        self.signs()
        self.convolution(1, shortcut.channels)
        self.codes(3)
        self.add(shortcut)

    def self_distribution(self):
        """x + levels of two dense layers of its mean, in 8-bit weights."""
        x = self.x
        self.x = self.graph.total(x)
        self.codes(5)
        self.product(max(1, x.channels // 4), 127)
        self.codes(4)
        self.product(x.channels, 127)
        self.codes(4)
        self.add(x)


def random_network(rng):
    net = RandomNetwork(rng, [int(n) for n in (*rng.integers(2, 8, 2), rng.integers(1, 4))])
    net.convolution(int(rng.integers(1, 4)), int(rng.choice([6, 8, 12])))
    net.codes(int(rng.integers(2, 6)))
    for block in rng.choice(["residual", "self_distribution", "pool"], size=int(rng.integers(1, 4))):
        if block == "pool":
            side = min(2, *net.x.shape[:2])
            net.x = net.graph.pool(net.x, (side, side), (side, side))
        else:
            getattr(net, block)()
    net.signs()
    net.x = net.graph.flatten(net.x)
    net.product(5, 1)
    return net


def accelerator(integer, target, folder):
    """(simulator, prediction, folded hardware graph)."""
    hardware = lower.lower(integer)
    fold.fold_to_cycles(hardware, target)
    buffer.insert_width_converters(hardware)
    buffer.insert_fifos(hardware)
    predicted = timing.predict(graph.operators(hardware))
    facts = {"latency": predicted.latency, "interval": predicted.interval, "bottleneck": predicted.bottleneck}
    return RtlSimulator(generate(hardware, "random", folder, facts)), predicted, hardware


@pytest.mark.parametrize("seed", [0, 2, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 30))])
def test_random_networks(tmp_path, seed):
    engine.boot()
    rng = np.random.default_rng(seed)
    net = random_network(rng)
    integer, images = net.model(), net.images(12)
    simulator, predicted, _ = accelerator(integer, int(2 ** rng.uniform(8, 13)), tmp_path / "a")
    expected = IntGraph(integer)(images)
    assert len(np.unique(expected, axis=0)) > 1
    for source, sink in STALLS:
        run = simulator.run(net.image.stream(images), in_stall=source, out_stall=sink, seed=seed, watchdog=200_000)
        np.testing.assert_array_equal(run.outputs.reshape(expected.shape), expected, err_msg=f"{source}, {sink}")
        if not source and not sink:
            assert run.latency == predicted.latency
            assert (np.diff(run.last_out)[6:] == predicted.interval).all()


@pytest.mark.slow
def test_every_node_of_a_graph_with_branches_agrees_until_one_is_broken(tmp_path):
    engine.boot()
    net = random_network(np.random.default_rng(0))
    integer, image = net.model(), net.images(1)[0]
    simulator, _, hardware = accelerator(integer, 2000, tmp_path / "a")
    assert locate(integer, hardware, simulator.folder, image) is None
    path = sorted((simulator.folder / "mem").glob("MVAU_sf_*_weights.mem"))[-1]
    path.write_text("\n".join("0" * len(line) for line in path.read_text().splitlines()) + "\n")
    assert locate(integer, hardware, simulator.folder, image).node == path.name.removesuffix("_weights.mem")
