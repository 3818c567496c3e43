"""What fits the hardware of another network, on graphs of one operator: contents, types, attributes."""

import numpy as np
import pytest
from onnx import TensorProto, helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.util.basic import qonnx_make_model

from signflow.deploy.generate.exchange import ExchangeError, compare, exchange, loaded
from signflow.deploy.plan.graph import operators
from signflow.hw import ops
from signflow.hw.ops.base import RTL_DOMAIN


def graph(op_type, constants, **attributes):
    """A hardware graph of one loadable operator with PE = 1."""
    ops.register()
    fixed = [f"c{i}" for i in range(len(constants))]
    attributes |= {"PE": 1, "numInputVectors": [1], "loadable": 1}
    node = helper.make_node(
        op_type, ["x", *fixed], ["y"], domain=RTL_DOMAIN, backend="fpgadataflow", name="dut", **attributes
    )
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 4)) for name in "xy"]
    model = ModelWrapper(qonnx_make_model(helper.make_graph([node], "g", ends[:1], ends[1:])))
    for name, values in zip(fixed, constants, strict=True):
        model.set_initializer(name, np.asarray(values, np.float32))
    return model


def lookup(table, odt="INT6", idt="INT4", lowest=-8, shared=0):
    attributes = {"inputDataType": idt, "outputDataType": odt, "lowest": lowest, "shared": shared}
    return graph("Lookup_sf", [table], NumChannels=4, **attributes)


def requantise(m, b, shift=3, kinds=("INT5", "INT9")):
    attributes = {"inputDataType": "INT6", "factorDataType": kinds[0], "offsetDataType": kinds[1], "shared": 0}
    return graph(
        "Requantise_sf", [m, b], NumChannels=4, outputDataType="INT4", shift=shift, low=-8, high=7, **attributes
    )


def thresholds(t, signs=None, steps=3):
    constants = [t] if signs is None else [t, signs]
    attributes = {"inputDataType": "INT14", "outputDataType": "UINT2", "weightDataType": "INT14", "numSteps": steps}
    return graph("Thresholding_sf", constants, NumChannels=4, ActVal=0, **attributes)


def put(old, new, tmp_path):
    """The memory images of ``new`` in the hardware of ``old``, folded with PE = 2."""
    folded = ModelWrapper(old.model, make_deepcopy=True)
    (op,) = operators(folded)
    op.set_nodeattr("PE", 2)
    compare(old, new)
    facts = {"operators": [{"params": op.rtl_instance(folded).params}]}
    facts |= {"input": {"dtype": op.get_input_datatype().name}, "output": {"dtype": op.get_output_datatype().name}}
    (rtl,) = loaded(exchange(folded, old, new), facts, tmp_path)
    return rtl.mem


def images(model):
    (op,) = operators(model)
    op.set_nodeattr("PE", 2)
    return op.rtl_instance(model).mem


RNG = np.random.default_rng(0)
TABLES = [RNG.integers(-32, 32, (4, 16)) for _ in range(2)]
LIMITS = [np.sort(RNG.integers(-5000, 5000, (4, 3)), axis=1) for _ in range(2)]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (lookup(TABLES[0]), lookup(TABLES[1])),
        (requantise([1, 2, 3, 4], [9, 8, 7, 6]), requantise([-16, 15, 0, 1], [-256, 255, 1, 2])),
        (thresholds(LIMITS[0]), thresholds(LIMITS[1])),
        (thresholds(LIMITS[0]), thresholds(LIMITS[1], [1, -1, -1, 1])),  # signs come, and go
        (thresholds(LIMITS[0], [1, -1, 1, 1]), thresholds(LIMITS[1])),
        (thresholds(LIMITS[0]), thresholds(np.repeat(LIMITS[1][:1], 4, axis=0))),  # all channels alike
    ],
)
def test_the_contents_are_those_of_the_other_network(old, new, tmp_path):
    found = put(old, new, tmp_path)
    assert found == images(new) and found != images(old)


def test_no_constant_stays_behind():
    old, new = lookup(TABLES[0]), lookup(TABLES[1])
    made = exchange(old, old, new).graph
    assert [tensor.name for tensor in made.initializer] == list(made.node[0].input[1:])


def test_numbers_that_reach_less_far_go_into_the_wider_types(tmp_path):
    """A table of 3 bits from -2 on in the place of one of 6 bits from -8 on."""
    small = RNG.integers(-4, 4, (4, 4))
    found = put(lookup(TABLES[0]), lookup(small, "INT3", "INT2", -2), tmp_path)
    beyond = np.concatenate([np.repeat(small[:, :1], 6, axis=1), small, np.repeat(small[:, -1:], 6, axis=1)], axis=1)
    assert found == images(lookup(beyond))
    found = put(
        requantise([1, 2, 3, 4], [9, 8, 7, 6]), requantise([1, 1, 0, 0], [3, 2, 1, 0], 3, ("UINT1", "UINT2")), tmp_path
    )
    assert found == images(requantise([1, 1, 0, 0], [3, 2, 1, 0]))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (lookup(TABLES[0]), lookup(2 * TABLES[1], "INT7"), "dut .*: OUT_WIDTH: 7 in the other network, 6 in the acc"),
        (
            lookup(TABLES[0]),
            lookup(TABLES[0], idt="UINT4", lowest=0),
            "numbers at this end: UINT4 in the other network",
        ),
        (lookup(TABLES[0]), lookup(TABLES[0] + 32, "UINT6"), "numbers at this end: UINT6 in the other network, INT6"),
        (lookup(TABLES[0]), lookup(TABLES[1][:1], shared=1), "FOLDS: 1 in the other network, 2 in the accelerator"),
        (lookup(TABLES[0]), requantise([1, 2, 3, 4], [9, 8, 7, 6]), "dut .*: operator: Requantise_sf in the other"),
        (requantise([1, 2, 3, 4], [9, 8, 7, 6]), lookup(TABLES[0]), "dut .*: operator: Lookup_sf in the other"),
        (requantise([1, 2, 3, 4], [9, 8, 7, 6]), requantise([1, 2, 3, 4], [9, 8, 7, 6], 4), "SHIFT: 4 in the other"),
        (requantise([1, 2, 3, 4], [9, 8, 7, 6]), requantise([1, 2, 3, 99], [0] * 4, 3, ("INT8", "INT9")), "M_WIDTH: 8"),
        (thresholds(LIMITS[0]), thresholds(LIMITS[0][:, :1], steps=1), "STAGES: 1 in the other network, 2 in the acc"),
    ],
)
def test_another_range_or_form_is_refused_by_name(old, new, message, tmp_path):
    with pytest.raises(ExchangeError, match=message):
        put(old, new, tmp_path)


def test_a_memory_that_cannot_be_loaded_must_hold_the_same(tmp_path):
    """Its words lie in the accelerator's folder for good."""
    old, same, new = lookup(TABLES[0]), lookup(TABLES[0]), lookup(TABLES[1])
    for model in (old, same, new):
        operators(model)[0].set_nodeattr("loadable", 0)
    for name, words in images(ModelWrapper(old.model, make_deepcopy=True)).items():
        (tmp_path / name).write_text("\n".join(words))
    assert put(old, same, tmp_path)
    with pytest.raises(ExchangeError, match="other numbers in the other network, a memory that cannot be loaded"):
        put(old, new, tmp_path)
