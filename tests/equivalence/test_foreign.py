"""Networks that signflow never saw: Brevitas' own bnn_pynq TFC, SFC, LFC, CNV with random weights and statistics, from
their QONNX files through `signflow build`.
"""

import numpy as np
import onnx
import pytest
import torch

from signflow.deploy import flow
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.compile.passes.head import Head
from signflow.deploy.golden.intgraph import IntGraph
from signflow.hw.sim import RtlSimulator

COUNT = 64
SLOW = [f"{net}_{kind}" for net in ("tfc", "sfc", "lfc", "cnv") for kind in ("1w1a", "1w2a", "2w2a")]
SLOW = [name for name in SLOW if name not in ("tfc_1w1a", "lfc_2w2a")]  # the one is quick, the other Brevitas has not


def randomise(net: torch.nn.Module, shape) -> torch.nn.Module:
    """gammas of both signs and zero, statistics of random images."""
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            n = module.num_features
            module.weight.data = (
                (torch.rand(n) + 0.5) * torch.where(torch.rand(n) < 0.25, -1.0, 1.0) * (torch.rand(n) > 0.05)
            )
            module.bias.data = torch.rand(n) * 1.2 - 0.6
    net.train()
    with torch.no_grad():
        for _ in range(4):
            net(torch.rand(32, *shape))
    return net.eval()


@pytest.mark.parametrize("name", ["tfc_1w1a", *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_every_logit_of_a_bnn_pynq_network(name, tmp_path):
    from brevitas.export import export_qonnx
    from brevitas_examples.bnn_pynq.models import model_with_cfg

    torch.manual_seed(23)
    shape = (3, 32, 32) if name.startswith("cnv") else (1, 28, 28)
    net = randomise(model_with_cfg(name, False)[0], shape)
    export_qonnx(net, torch.rand(1, *shape), export_path=str(tmp_path / f"{name}.onnx"))
    assert onnx.load(tmp_path / f"{name}.onnx").graph.node
    work = tmp_path / "work"
    flow.build(
        flow.Settings(str(tmp_path / f"{name}.onnx"), input="uint8/255", fps=3000 if "cnv" in name else 50_000), work
    )

    images = np.random.default_rng(5).integers(0, 256, (COUNT, *shape), dtype=np.uint8)
    with torch.no_grad():
        logits = net(torch.from_numpy(images).float() / 255).numpy()
    integer, folded = flow.read(work, flow.INTEGER), flow.read(work, flow.FOLDED)
    expected, distance = Head.of(integer).invert(logits)
    assert distance < 1e-3  # float32 rounding of TensorNorm; half a step would mean nothing
    simulator = RtlSimulator(work / flow.ACCELERATOR)
    stream = ImageInput.of(folded).stream(images).reshape(COUNT, *simulator.facts["input"]["shape"])
    run, stalled = simulator.run(stream), simulator.run(stream[:8], in_stall=0.4, out_stall=0.4, seed=2)
    assert np.array_equal(IntGraph(integer)(images), expected)
    assert np.array_equal(run.outputs.reshape(COUNT, -1), expected)
    assert np.array_equal(stalled.outputs.reshape(8, -1), expected[:8])
    assert (
        run.latency == simulator.facts["predicted"]["latency"]
        and run.interval == simulator.facts["predicted"]["interval"]
    )
