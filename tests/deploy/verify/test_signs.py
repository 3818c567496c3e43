"""Signs of the QONNX graph found again in the integer graph, complemented channels included; a wrong one is named."""

import copy

import pytest

from signflow.deploy.compile import export, streamline
from signflow.deploy.compile.passes.signs import Sign
from signflow.deploy.verify import signs


@pytest.fixture(scope="module")
def pair(own_network):
    net, shape = own_network("cnv")
    model = export.export(net, shape)
    return model, streamline.streamline(model)


def test_every_sign_is_the_same(pair, pixels):
    network, integer = pair
    found = Sign.of(integer)
    assert len(found) == 8
    assert any(sign.complement for sign in found), "negative gammas behind a MaxPool complement channels"
    for image in pixels(2, (1, 32, 32)):
        assert signs.first_difference(network, integer, image) is None


def test_a_wrong_threshold_is_located(pair, pixels):
    network, integer = pair[0], copy.deepcopy(pair[1])
    node = [node for node in integer.graph.node if node.op_type == "MultiThreshold"][3]
    steps = integer.get_initializer(node.input[1]).copy()
    steps[17] = -steps[17] + 2 * 576
    integer.set_initializer(node.input[1], steps)
    found = signs.first_difference(network, integer, pixels(1, (1, 32, 32))[0])
    assert (found.product, found.layer, found.channel) == ("Conv_3", "MaxPool_sf_1", 17)
    assert "sign of Conv_3 (MaxPool_sf_1)" in str(found)
