"""Streamlining of whole networks: every logit of PyTorch, QONNX, the integer graph and the compiled integer graph is
the same.
"""

import numpy as np
import pytest
import torch

from signflow.deploy.compile import export, lower, streamline
from signflow.deploy.compile.errors import ModelFileError
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.compile.passes.head import Head
from signflow.deploy.golden import intgraph

OPERATORS = {"Thresholding_sf", "ConvolutionInputGenerator_sf", "MVAU_sf", "MaxPool_sf", "LabelSelect_sf"}


def climb(net, shape, kind, images, slow=2):
    """Compare every rung on ``images`` (node-by-node rungs on the first ``slow``); returns the hardware graph."""
    model = export.export(net, shape, kind)
    graph = streamline.streamline(model)
    hardware = lower.lower(graph)
    scale = 255 if kind.endswith("255") else 1
    with torch.no_grad():
        logits = net(torch.from_numpy(images).float() / scale).numpy()
    integers, distance = Head.of(graph).invert(logits)
    assert distance < 1e-3, "PyTorch's logits lie between those of the head"
    assert (Head.of(graph)(integers[:slow]) == export.reference(model, images[:slow])["output"]).all()
    assert (intgraph.IntGraph(graph)(images) == integers).all()
    assert (streamline.execute(graph, images[:slow]) == integers[:slow]).all()
    assert (streamline.execute(hardware, images[:slow]) == integers[:slow]).all()
    assert {node.op_type for node in hardware.graph.node} <= OPERATORS
    assert len(np.unique(integers, axis=0)) > len(images) // 2, "the network tells images apart"
    return hardware


def slow(*names):
    return [pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.mark.parametrize("name", ["tfc_1w1a", "sfc_1w1a", *slow("lfc_1w1a", "cnv_1w1a")])
def test_brevitas_networks(bnn_pynq, pixels, name):
    net, shape = bnn_pynq(name)
    climb(net, shape, "uint8/255", pixels(64, shape))


@pytest.mark.parametrize("name", ["tfc", "sfc", *slow("cnv", "lfc", "cnv-cifar")])
def test_own_networks(own_network, pixels, name):
    net, shape = own_network(name, round_means=True)
    climb(net, shape, "uint8", pixels(64, shape))


def test_raw_pixels_need_no_input_operator(streamlined):
    graph = streamlined("cnv")
    assert graph.graph.node[0].op_type == "Im2Col"
    assert streamline.image_facts(graph) == {"kind": "uint8", "shape": [1, 32, 32], "order": "NHWC", "binary": False}


def test_same_network_same_bytes(own_network):
    net, shape = own_network("tfc")
    model = export.export(net, shape)
    data = [streamline.streamline(model).model.SerializeToString(deterministic=True) for _ in range(2)]
    assert data[0] == data[1]


def test_saved_graph_keeps_everything(streamlined, pixels, tmp_path):
    from qonnx.core.modelwrapper import ModelWrapper

    graph, shape = streamlined("tfc"), (1, 28, 28)
    again = ModelWrapper(str(export.save(graph, tmp_path / "integer.onnx")))
    images = pixels(3, shape)
    assert (intgraph.IntGraph(again)(images) == intgraph.IntGraph(graph)(images)).all()
    assert ImageInput.of(again) == ImageInput.of(graph)
    assert (Head.of(again)(np.arange(10)[None]) == Head.of(graph)(np.arange(10)[None])).all()


def test_head_inverse_is_exact_and_measures_distance(streamlined):
    head = Head.of(streamlined("tfc"))
    integers = np.arange(0, 60).reshape(6, 10)
    logits = head(integers)
    assert (head.invert(logits)[0] == integers).all()
    step = logits[0, 1] - logits[0, 0]
    found, distance = head.invert(logits + 0.25 * step)
    assert (found == integers).all()
    assert distance == pytest.approx(0.25)


def test_integers_of_one_logit_are_settled_on_the_smallest(chain, tmp_path):
    c = chain((6,)).dense(np.ones((3, 6))).scalar("Mul", [0.0, 1.0, 1.0]).scalar("Clip", 0.0)
    head = Head.of(streamline.streamline(export.load(c.save(tmp_path / "net.onnx"), "bipolar")))
    integers = np.array([[0, 0, 0], [4, 1, 3], [6, 5, 4]])  # popcounts: the sums are 2 p - 6, negative ones become 0
    assert head(integers).tolist() == [[0, 0, 0], [0, 0, 0], [0, 4, 2]]
    assert head.settle(integers).tolist() == [[0, 0, 0], [0, 0, 0], [0, 5, 4]]
    assert head.invert(head(integers))[0].tolist() == [[0, 0, 0], [0, 0, 0], [0, 5, 4]]
    assert head.invert(np.float32([[0, 0, 0]]))[1] == 0 and head.invert(np.float32([[1, 0, 0]]))[1] == np.inf


def test_model_that_was_not_streamlined(own_network):
    net, shape = own_network("tfc")
    with pytest.raises(ModelFileError, match="no recorded head"):
        Head.of(export.export(net, shape))


def test_head_of_an_older_version(chain, tmp_path):
    model = streamline.streamline(
        export.load(chain((6,)).dense(np.ones((3, 6))).save(tmp_path / "net.onnx"), "bipolar")
    )
    model.set_metadata_prop("signflow.head_range", '{"low": [0], "high": [6], "step": 1, "index": false}')
    with pytest.raises(ModelFileError, match="recorded by an older version of signflow: make it"):
        Head.of(model)
