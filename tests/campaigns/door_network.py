"""Networks of other makers: what is accepted computes what the file computes in ONNX' own implementation."""

from pathlib import Path
from random import Random

import numpy as np
import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from signflow.deploy.compile import export, streamline
from signflow.deploy.compile.errors import ModelFileError, UnsupportedError
from signflow.deploy.compile.passes.head import Head
from signflow.deploy.compile.passes.notes import notes_of
from signflow.deploy.golden.intgraph import IntGraph

from ..deploy.compile.mutants import MUTATIONS, networks  # noqa: TID252 - the tests are no package
from ..deploy.compile.onnx_networks import compared, network, node, quant, sign, signs  # noqa: TID252 - as above
from .door import Door

IMAGES = 4
INTEGERS = 0, 1, 2, 3, 7, 8, -1, 13, 255, 1 << 20, 1 << 31, 1 << 40, -(1 << 63), (1 << 63) - 1
FLOATS = 0.0, -0.0, 0.5, 1.0, -1.0, 3.0, 1e-45, 1e38, float("inf"), float("nan")
TEXTS = "", "x", "y", "s0", "a0", "CEIL", "SAME_UPPER", "qonnx.custom_op.general", "UINT4", "../x", "a\nb", "\u2028"
WHOLE = (FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64,
         FieldDescriptor.CPPTYPE_UINT32)  # fmt: skip


def seeds() -> dict[str, bytes]:
    """Dense, convolution, join, arg max; shapes that are worked out from constants; a pool that averages."""
    entry, k = [node("Sub", "x half", "x0"), sign("x0", "s0")], {"kernel_shape": [2, 2], "strides": [2, 2]}
    shaped = network(
        [*entry, node("Conv", "s0 k0", "a0", kernel_shape=[3, 3], pads=[1, 1, 1, 1], group=1), quant("a0", "q0", 0),
         node("AveragePool", "q0", "p0", **k), node("Shape", "p0", "n0"), node("Gather", "n0 at", "n1"),
         node("Unsqueeze", "n1 axis", "n2"), node("Concat", "n2 rest", "n3", axis=0), node("Reshape", "p0 n3", "f"),
         node("MatMul", "f w2", "a1"), node("ArgMax", "a1", "y", axis=1)],
        [1, 1, 4, 4], [1, 1], k0=signs(2, 1, 3, 3), w2=signs(8, 3), at=np.array(0), axis=np.array([0]),
        rest=np.array([-1]),
    )  # fmt: skip
    shaped.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.INT64
    known = dict(zip(("dense", "maps", "join", "first", "shaped"), [*networks(), shaped], strict=True))
    return {name: model.SerializeToString(deterministic=True) for name, model in known.items()}


def enter(path: Path) -> str:
    """Whether the integer graph is equal to it; AssertionError where it differs."""
    try:
        model = onnx.load_model_from_string(path.read_bytes())
    except DecodeError:
        export.load(path, "uint8")
        return "read, although it is no protobuf"
    said = compared(path, model, IMAGES)
    return _by_reference(path) if said.startswith("not judged") else said


def _by_reference(path: Path) -> str:
    """The same for what ONNX' own implementation does not run, by ONNX Runtime and qonnx on the imported file."""
    integer, model = streamline.streamline(export.load(path, "uint8")), export.load(path, "uint8")
    pixels = np.random.default_rng(1).integers(0, 256, (IMAGES, *streamline.ImageInput.of(integer).shape))
    head, logits = Head.of(integer), export.reference(model, pixels)["output"].reshape(IMAGES, -1)
    found = head.settle(IntGraph(integer)(pixels.astype(np.uint8)))
    if notes_of(integer):
        return "noted, by the reference"
    np.testing.assert_array_equal(found, head.invert(logits)[0])
    return "equal to the reference"


def change(data: bytes, rng: Random) -> bytes:
    """One to three changes: those of the mutants (which keep a network a network), or any field of any message."""
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError:
        model = onnx.load_model_from_string(rng.choice(sorted(seeds().values())))
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        try:
            if rng.random() < 0.5:
                rng.choice(sorted(MUTATIONS.items()))[1](model, np.random.default_rng(rng.getrandbits(32)))
            else:
                _field(model, rng)
        except Exception:  # what was to be changed is not there
            continue
    return model.SerializeToString(deterministic=True)


def _messages(message: Message) -> list[Message]:
    found = [message]
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for part in value if field.label == FieldDescriptor.LABEL_REPEATED else [value]:
                found += _messages(part)
    return found


def _field(model: Message, rng: Random) -> None:
    """A field of one message is cleared, doubled, exchanged for another's or for an odd value."""
    kind = rng.choice(("NodeProto", "AttributeProto", "TensorProto", "ValueInfoProto", "Dimension", ""))
    everything = _messages(model)
    message = rng.choice([m for m in everything if m.DESCRIPTOR.name == kind] or everything)
    unset = rng.random() < 0.2
    field = rng.choice(message.DESCRIPTOR.fields if unset else [f for f, _ in message.ListFields()])
    if field.label == FieldDescriptor.LABEL_REPEATED:
        _repeated(getattr(message, field.name), field, everything, rng)
    elif rng.random() < 0.2:
        message.ClearField(field.name)
    elif field.type == FieldDescriptor.TYPE_MESSAGE:
        getattr(message, field.name).CopyFrom(_another(field, everything, rng))
    else:
        setattr(message, field.name, _value(field, getattr(message, field.name), rng))


def _another(field: FieldDescriptor, everything: list[Message], rng: Random) -> Message:
    """A copy: a message may be a part of the one that it comes from."""
    copy = field.message_type._concrete_class()
    copy.CopyFrom(rng.choice([m for m in everything if m.DESCRIPTOR is field.message_type]))
    return copy


def _repeated(values, field: FieldDescriptor, everything: list[Message], rng: Random) -> None:
    way = rng.random()
    if way < 0.3 and values:
        del values[rng.randrange(len(values))]
    elif field.type == FieldDescriptor.TYPE_MESSAGE:
        values.add().CopyFrom(_another(field, everything, rng))
    elif way < 0.6 or not values:
        values.append(_value(field, values[0] if values else 0, rng))
    else:
        k = rng.randrange(len(values))
        values[k] = _value(field, values[k], rng)


def _value(field: FieldDescriptor, old, rng: Random):
    if field.cpp_type in WHOLE:
        return rng.choice(INTEGERS) if rng.random() < 0.6 else int(old) + rng.choice((-1, 1))
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        return rng.randrange(30)
    if field.cpp_type in (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE):
        return rng.choice(FLOATS)
    if field.type == FieldDescriptor.TYPE_BYTES:
        raw = bytearray(old or b"")
        if rng.random() < 0.3 or not raw:
            return bytes(raw[: rng.randrange(len(raw) + 1)]) + rng.randbytes(rng.randrange(9))
        raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        return bytes(raw)
    return rng.choice(TEXTS)


DOOR = Door("network", ".onnx", enter, (ModelFileError, UnsupportedError), seeds, change)
