"""From a Brevitas module, or a foreign file, to the QONNX graph the compiler reads: integer images in, logits out.

A network defines its arithmetic on floats; how the integer pixels of an image become those floats is declared once, as
an `ImageInput`, and prepended to the graph as ordinary nodes. From there on the graph input *is* the image, and the
scaling is just another part of what the first thresholds swallow.

`export` writes a Brevitas module (`brevitas.export.export_qonnx`), `load` reads a QONNX file that signflow never saw;
both give the same kind of model. `reference` runs it node by node in qonnx: the second rung of the ladder.
"""

import contextlib
import io
import logging
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile import engine, finn_graph
from signflow.deploy.compile.errors import ModelFileError, UnsupportedError
from signflow.deploy.compile.images import ImageInput, image_kind
from signflow.deploy.compile.soundness import check_texts, make_sound, one_line
from signflow.deploy.compile.tidy import tidy
from signflow.hw.scratch import Scratch
from signflow.models.files import replacing


@contextlib.contextmanager
def _quiet():
    """Swallow what the exporters print, and torch's notes on operators of packages that are not installed."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logger.setLevel(level)


def _strip(proto: onnx.ModelProto) -> None:
    """Remove what does not belong to the network: stack traces, docs, and the exporter's notes. They hold paths and
    differ from run to run.
    """
    graph = proto.graph
    proto.doc_string = graph.doc_string = ""
    del proto.metadata_props[:], graph.metadata_props[:], proto.functions[:]
    for part in (graph.node, graph.value_info, graph.input, graph.output, graph.initializer):
        for item in part:
            item.doc_string = ""
            del item.metadata_props[:]


def _declare_input(proto: onnx.ModelProto, kind_name: str) -> ModelWrapper:
    """The tidy model of ``proto`` (`signflow.deploy.compile.tidy`) behind its declared scaling, with the pixel's data
    type and the image's shape noted.
    """
    kind, graph = image_kind(kind_name), proto.graph
    constants = {tensor.name for tensor in graph.initializer}
    image = next(value for value in graph.input if value.name not in constants)
    shape = [dim.dim_value for dim in image.type.tensor_type.shape.dim]
    if kind.divisor is not None:
        scaled, image.name = image.name, "signflow_image"
        graph.initializer.append(numpy_helper.from_array(np.array(kind.divisor, dtype=np.float32), "signflow_divisor"))
        scale = helper.make_node("Div", [image.name, "signflow_divisor"], [scaled])
        graph.node.insert(0, scale)
    from signflow.deploy.compile.passes.plain_images import channels_come_last

    model = tidy(proto, DataType[kind.datatype])
    ImageInput(kind_name, tuple(shape[1:]), "HWC" if channels_come_last(model) else "NCHW").save_to(model)
    return model


def save(model: ModelWrapper, path: str | Path) -> Path:
    """Write ``model`` to ``path`` (one ONNX file, no side files, atomically, same model = same bytes); returns the
    path.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        partial.write_bytes(model.model.SerializeToString(deterministic=True))
    return path


def _check_runs(net, image) -> None:
    """Why an export failed, where it is the module itself: ValueError in one line instead of the exporter's many."""
    try:
        net(image)
    except Exception as error:
        said = f"{type(net).__name__} does not run on an image of shape {tuple(image.shape[1:])}"
        raise ValueError(f"{said}: {one_line(error)}") from error


@contextlib.contextmanager
def _adaptive_pools(net):
    """While ``net`` runs; behind it, UnsupportedError for an adaptive average pool of a map that does not divide into
    its windows: torch writes those as gathers, and no reader of a gather could say what is wrong.
    """
    from torch import nn

    uneven, hooks = [], []

    def look(name, module, inputs, output):
        before, after = (list(x.shape[2:]) for x in (inputs[0], output))
        if any(n % m for n, m in zip(before, after, strict=True)):
            uneven.append((name, type(module).__name__, before, after))

    for name, module in net.named_modules():
        if isinstance(module, nn.AdaptiveAvgPool1d | nn.AdaptiveAvgPool2d):
            hooks.append(module.register_forward_hook(partial(look, name)))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
    if uneven:
        name, kind, before, after = uneven[0]
        reason = f"a map of {before} does not divide into {after} windows of one size"
        raise UnsupportedError(name, kind, reason, "sizes that divide the map's, or AvgPool of a kernel and a stride")


def export(net, shape: tuple[int, ...], kind: str = "uint8", path: str | Path | None = None) -> ModelWrapper:
    """Export a Brevitas module to QONNX.

    ``net``: torch module in any mode (exported in eval mode, its mode is restored). ``shape``: one image without the
    batch. ``kind``: how its images reach it (a key of `KINDS`). ``path``: where to write the file, or None. Returns the
    tidied model, whose input is the integer image. Raises ValueError for a module that does not run on such an image,
    UnsupportedError for adaptive pools whose windows differ.

    The exported graph decides exactly as PyTorch's (`signflow.deploy.compile.passes.align`): the two libraries round
    differently, and where an accumulator lies within rounding of the sign's switch they would disagree.
    """
    import torch
    from brevitas.export import export_qonnx

    from signflow.deploy.compile.passes.align import Align
    from signflow.deploy.compile.passes.torch_norms import follow_torch

    engine.boot()
    image_kind(kind)
    training = net.training
    net.eval()
    try:
        with Scratch("signflow-export-") as folder, _quiet(), torch.no_grad():
            file, image = Path(folder) / "net.onnx", torch.zeros(1, *shape)
            try:
                with _adaptive_pools(net):
                    export_qonnx(net, image, export_path=str(file))
            except Exception:
                _check_runs(net, image)
                raise
            proto = onnx.load(file)
    finally:
        net.train(training)
    _strip(proto)
    model = _declare_input(proto, kind).transform(Align(), cleanup=False)
    follow_torch(model)
    if path is not None:
        save(model, path)
    return model


def load(path: str | Path, kind: str) -> ModelWrapper:
    """Read a QONNX file; ``kind`` declares how images reach its input (a key of `KINDS`).

    Raises ModelFileError for what is no usable model (not a file, not ONNX or not valid, no or several inputs or
    outputs, unknown or symbolic sizes, batch other than 1), UnsupportedError for operators of unknown domains.
    """
    engine.boot()
    image_kind(kind)
    path = Path(path)
    if not path.is_file():
        raise ModelFileError(
            f"{path}: {'a folder, not a file' if path.is_dir() else 'no such file'}; give a QONNX file"
        )
    try:
        proto = onnx.load(path)
    except Exception as error:
        raise ModelFileError(f"{path}: not a readable ONNX file: {one_line(error)}") from error
    check_texts(path, proto)
    if not proto.graph.node:
        raise ModelFileError(f"{path}: not an ONNX network: it has no nodes")
    _check_io(path, proto)
    proto = finn_graph.rewrite(path, proto) if finn_graph.is_finns(proto) else proto
    make_sound(path, proto)
    _strip(proto)
    try:
        model = _declare_input(proto, kind)
    except Exception as error:
        raise ModelFileError(f"{path}: its shapes or constants cannot be worked out: {one_line(error)}") from error
    if model.graph.output[0].name in {tensor.name for tensor in model.graph.initializer}:
        raise ModelFileError(f"{path}: its output is the same for all images")
    _run_once(path, model)
    return model


def _run_once(path: Path, model: ModelWrapper) -> None:
    """What the reference does not run, nobody can be equal to. Raises ModelFileError."""
    image = ImageInput.of(model)
    try:
        reference(model, np.full((1, *image.shape), image_kind(image.kind).low))
    except Exception as error:
        raise ModelFileError(f"{path}: ONNX Runtime and qonnx do not run it: {one_line(error)}") from error


def _check_io(path: Path, proto: onnx.ModelProto) -> None:
    """One float input of batch 1 with known sizes, one output."""
    constants = {tensor.name for tensor in proto.graph.initializer}
    inputs = [value for value in proto.graph.input if value.name not in constants]
    if len(inputs) != 1 or len(proto.graph.output) != 1:
        raise ModelFileError(
            f"{path}: {len(inputs)} inputs and {len(proto.graph.output)} outputs; supported is one of each"
        )
    tensor = inputs[0].type.tensor_type
    sizes = [dim.dim_value if dim.HasField("dim_value") else (dim.dim_param or "?") for dim in tensor.shape.dim]
    if tensor.elem_type != TensorProto.FLOAT:
        known = tensor.elem_type in TensorProto.DataType.values()
        name = TensorProto.DataType.Name(tensor.elem_type) if known else f"number {tensor.elem_type}"
        raise ModelFileError(
            f"{path}: input {inputs[0].name!r} has type {name}; supported is FLOAT (integer pixels are declared with "
            f"--input)"
        )
    if len(sizes) not in (2, 3, 4):
        supported = "[1, features], [1, channels, length] or [1, channels, height, width]"
        raise ModelFileError(f"{path}: input {inputs[0].name!r} has shape {sizes}; supported is {supported}")
    if any(not isinstance(size, int) or size < 1 for size in sizes):
        raise ModelFileError(
            f"{path}: input {inputs[0].name!r} has shape {sizes}, which is not fixed; export the network with a fixed "
            f"batch of 1"
        )
    if sizes[0] != 1:
        raise ModelFileError(
            f"{path}: input {inputs[0].name!r} has batch {sizes[0]}; export the network with a fixed batch of 1"
        )


def reference(model: ModelWrapper, images: np.ndarray, tensors: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """Run the QONNX model node by node (qonnx), one image at a time.

    ``images`` (N, *shape) integers. Returns the graph's output under "output", shape (N, ...), and each tensor named in
    ``tensors`` under its name.
    """
    engine.boot()
    from qonnx.core.onnx_exec import execute_onnx

    name, out = model.graph.input[0].name, model.graph.output[0].name
    rows: dict[str, list[np.ndarray]] = {key: [] for key in ("output", *tensors)}
    for image in ImageInput.of(model).check(images):
        context = execute_onnx(model, {name: image[None].astype(np.float32)}, return_full_exec_context=True)
        for key in rows:
            rows[key].append(context[out if key == "output" else key])
    return {key: np.concatenate(value) for key, value in rows.items()}
