"""The sample in a package: shipped images with PyTorch's logits, or the package's vectors for a foreign network."""

import numpy as np
import pytest
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy import flow
from signflow.deploy.board.package import vectors
from signflow.deploy.board.sample import sample
from signflow.deploy.compile.passes.head import Head
from signflow.deploy.golden.intgraph import IntGraph
from signflow.models.data import CLASSES, load


def test_a_network_of_ours_has_its_data_and_the_logits_of_pytorch(mini):
    found = sample(mini[1], vectors(mini[1]))
    images, labels = load("fashion-mnist", "sample", (32, 32))
    np.testing.assert_array_equal(found["images"], images.numpy())
    np.testing.assert_array_equal(found["labels"], labels.numpy())
    assert found["classes"].tolist() == list(CLASSES) and str(found["reference"]) == "PyTorch"
    integer = flow.read(mini[1], flow.INTEGER)
    np.testing.assert_array_equal(found["logits"], Head.of(integer)(IntGraph(integer)(images.numpy())))
    assert found["logits"].dtype == np.float32


@pytest.mark.parametrize("index", [False, True])
def test_another_network_is_compared_with_its_integer_graph(mini, tmp_path, index):
    """`mini` taken for a foreign file: no PyTorch, no data set; with ``index`` one whose hardware gives the class."""
    settings = flow.Settings("net.onnx", input="uint8")
    flow.write_json({**vars(settings)}, tmp_path / "settings.json")
    model = ModelWrapper(str(mini[1] / flow.INTEGER))
    head = Head.of(model)
    Head(head.model, head.accumulators, index, head.error).save_to(model)
    model.save(str(tmp_path / flow.INTEGER))
    known = vectors(mini[1])
    if index:
        known["results"] = known["results"].argmax(1)[:, None]
    found = sample(tmp_path, known)
    np.testing.assert_array_equal(found["images"], known["images"])
    if index:
        np.testing.assert_array_equal(found["logits"], known["results"])
        np.testing.assert_array_equal(found["labels"], known["results"][:, 0])
    else:
        np.testing.assert_array_equal(found["logits"], head(known["results"]))
        np.testing.assert_array_equal(found["labels"], known["results"].argmax(1))
    assert str(found["reference"]) == "the integer graph" and found["labels"].max() < len(found["classes"])
