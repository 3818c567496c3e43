"""Other weights for an accelerator that was built loadable: the constants of another hardware graph in its hardware.

The other network must be the same hardware but for what its memories hold: the same operators, shapes and parameters of
every RTL module. Where its integers reach less far than those that the accelerator was made for, they go in the types
that are there.
"""

from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path

from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.plan.graph import operators
from signflow.hw.ops.base import OpError, RtlInstance, StreamOp


class ExchangeError(ValueError):
    """A network does not fit the accelerator; the message names the first operator that differs, and what of it."""


def compare(before: ModelWrapper, after: ModelWrapper) -> None:
    """Raises ExchangeError unless two hardware graphs, not folded, have the same operators in the same places, with
    streams of the same shapes.
    """
    for old, new in zip_longest(operators(before), operators(after)):
        if old is None or new is None:
            kind = (new or old).onnx_node
            side = "the accelerator ends before it" if old is None else "the other network has none in its place"
            raise ExchangeError(f"{kind.name} ({kind.op_type}): {side}")
        if (old.onnx_node.name, old.onnx_node.op_type) != (new.onnx_node.name, new.onnx_node.op_type):
            kind = new.onnx_node.op_type
            raise _differs(old, "operator", kind, old.onnx_node.op_type)
        if (found := _shapes(new)) != (here := _shapes(old)):
            raise _differs(old, "shapes of its streams", found, here)


def _shapes(op: StreamOp) -> str:
    ins = [op.get_normal_input_shape(i) for i in range(op.IN_STREAMS)]
    outs = [op.get_normal_output_shape(i) for i in range(op.OUT_STREAMS)]
    return " -> ".join(" and ".join("x".join(str(n) for n in shape) for shape in side) for side in (ins, outs))


def _differs(op: StreamOp, what: str, found: object, here: object) -> ExchangeError:
    node = op.onnx_node
    return ExchangeError(
        f"{node.name} ({node.op_type}): {what}: {found} in the other network, {here} in the accelerator"
    )


def exchange(model: ModelWrapper, before: ModelWrapper, after: ModelWrapper) -> ModelWrapper:
    """``model``, which was made of ``before``, with the constants of ``after`` (`compare` has passed); types that reach
    further than those of ``after`` stay.
    """
    result = ModelWrapper(model.model, make_deepcopy=True)
    here = {op.onnx_node.name: op for op in operators(result)}
    for old, new in zip(operators(before), operators(after), strict=True):
        op = here[old.onnx_node.name]
        for name in sorted({item.name for node in (old.onnx_node, new.onnx_node) for item in node.attribute}):
            value = new.get_nodeattr(name)
            if value != old.get_nodeattr(name) and not _reaches(old.get_nodeattr(name), value, name):
                op.set_nodeattr(name, value)
        node = op.onnx_node
        for tensor in node.input[op.IN_STREAMS :]:
            result.del_initializer(tensor)
        del node.input[op.IN_STREAMS :]
        for k, tensor in enumerate(new.onnx_node.input[new.IN_STREAMS :]):
            name = f"{node.name}_param{k}"
            node.input.append(name)
            result.set_initializer(name, after.get_initializer(tensor))
            result.set_tensor_datatype(name, after.get_tensor_datatype(tensor))
    del result.model.metadata_props[:]
    result.model.metadata_props.extend(after.model.metadata_props)
    return result


def _reaches(old: object, new: object, name: str) -> bool:
    """Whether an attribute is a type, and ``old`` holds all that ``new`` does, in bits of the same meaning."""
    if not name.lower().endswith("datatype"):
        return False
    wide, narrow = DataType[old], DataType[new]
    alike = wide.is_integer() and narrow.is_integer() and "BIPOLAR" not in (old, new)
    return alike and wide.min() <= narrow.min() and narrow.max() <= wide.max()


def loaded(model: ModelWrapper, facts: Mapping, memories: Path) -> list[RtlInstance]:
    """The operators of a folded graph from `exchange`; ExchangeError unless they are those of ``facts``, the
    accelerator's `accel.json`, but for the contents of their memories. Those that cannot be loaded, of a
    border of whole windows for example, must be those in the folder ``memories``.
    """
    instances, ops = [], operators(model)
    for op, entry in zip(ops, facts["operators"], strict=True):
        try:
            rtl = op.rtl_instance(model)
        except OpError as error:
            raise ExchangeError(f"the other network has numbers that the accelerator cannot hold: {error}") from error
        names = [*rtl.params, *sorted(entry["params"].keys() - rtl.params.keys())]
        for name in sorted(names, key=lambda name: isinstance(rtl.params.get(name), str)):  # files last
            if (found := rtl.params.get(name)) != (here := entry["params"].get(name)):
                raise _differs(op, name, found, here)
        for name, words in rtl.mem.items() if not rtl.loadable else ():
            if words != (memories / name).read_text().split():
                raise _differs(op, name, "other numbers", "a memory that cannot be loaded")
        instances.append(rtl)
    ends = (ops[0].get_input_datatype(), facts["input"]), (ops[-1].get_output_datatype(), facts["output"])
    for op, (found, here) in zip((ops[0], ops[-1]), ends, strict=True):
        if found.name != here["dtype"]:
            raise _differs(op, "numbers at this end", found.name, here["dtype"])
    return instances
