"""The papers' networks, with random parameters, as integer graphs: every logit is PyTorch's.

`python -m signflow.tests.equivalence.test_papers_networks` prints the table of `docs/residual.md`.
"""

import sys
import time

import numpy as np
import pytest
import torch

from signflow.deploy.compile import engine, export, streamline
from signflow.deploy.compile.passes.head import Head
from signflow.deploy.golden.intgraph import IntGraph
from signflow.models.networks import network
from signflow.models.untrained import random_images, untrained

NETWORKS = [
    *("bn-binarynet", "abn-binarynet", "abn-binarynet-w1", "sd-vgg-small", "bn-resnet18", "abn-resnet18"),
    *("sd-resnet20", "sd-resnet18", "reactnet18", "reactnet18-bn", "reactnet18-none"),
    *("sd-resnet18-imagenet", "reactnet-a", "reactnet-a-bn", "reactnet-a-none", "abn-resnet18-tiny"),
    *("bn-resnet18-fashion", "abn-resnet18-fashion", "sd-resnet20-fashion"),
    *("reactnet18-fashion", "reactnet18-bn-fashion"),
]


def compiled(name: str) -> dict:
    """What is compared, and what it took: seconds of export and of streamlining, operators, differing logits."""
    engine.boot()
    net, row = untrained(name, 1), network(name)
    images = random_images(row.input_shape, 4 if row.dataset == "imagenet" else 2, np.random.default_rng(5))
    begin = time.process_time()
    model = export.export(net, row.input_shape)
    exported = time.process_time()
    graph = streamline.streamline(model)
    end = time.process_time()
    with torch.no_grad():
        expected = net(torch.from_numpy(images).float()).numpy()
    found, kinds = Head.of(graph)(IntGraph(graph)(images)), [node.op_type for node in graph.graph.node]
    return {
        "network": name,
        "operators": len(kinds),
        "joins": kinds.count("ShiftAdd") + kinds.count("Concat"),
        "export s": round(exported - begin, 1),
        "streamline s": round(end - exported, 1),
        "logits": expected.size,
        "differ": int((found != expected).sum()),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_every_logit(name):
    row = compiled(name)
    assert row["differ"] == 0 and row["logits"] > 0


if __name__ == "__main__":
    for number, name in enumerate(sys.argv[1:] or NETWORKS):
        row = compiled(name)
        if number == 0:
            print(f"| {' | '.join(row)} |\n|{'---|' * len(row)}")
        print(f"| {' | '.join(map(str, row.values()))} |", flush=True)
