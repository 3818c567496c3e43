"""Batches: networks of dense layers that take some images together, so that these share the weights that are read.

A dense layer has one vector an image, so `Pixels` finds none to put beside it, and the block RAM, which gives a word a
cycle, bounds the images a second. With a batch of 2 or 4 a frame of the accelerator is so many images, one behind the
other: the operators see as many vectors, and everything that plans, generates and proves goes by frames and stays as it
is. The price: a result comes out when its whole batch has gone in, so whoever sends images fills the last batch up.
"""

from collections.abc import Callable, Mapping, Sequence

from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.plan.fold import apply_folding, folding_of
from signflow.deploy.plan.graph import operators
from signflow.deploy.plan.timing import batch_of, intervals
from signflow.hw.ops.base import StreamOp
from signflow.hw.ops.folding import FoldingError
from signflow.hw.ops.vectors import PIXELS

VECTORS, SUMS = "numInputVectors", "outVectors"


def set_batch(model: ModelWrapper, count: int) -> None:
    """Let a frame of a hardware graph have ``count`` images. Raises FoldingError where it cannot."""
    ops = operators(model)
    if count == batch_of(ops):
        return
    if other := _of_a_map(ops):
        raise FoldingError(
            f"a batch of {count} images: {other.onnx_node.name} looks at a whole map, and only networks of dense "
            "layers take images together"
        )
    if count not in PIXELS:
        raise FoldingError(f"a batch of {count} images: it can be {', '.join(map(str, PIXELS))}")
    for op in ops:
        op.set_nodeattr(VECTORS, [count, *op.get_nodeattr(VECTORS)[1:]])
        if op.pixels() > count:
            op.set_nodeattr("Pixels", 1)
    for info in (*model.graph.input, *model.graph.value_info, *model.graph.output):
        info.type.tensor_type.shape.dim[0].dim_value = count


def best_batch(model: ModelWrapper, counts: Sequence[int], fold: Callable[[int], int]) -> None:
    """Fold ``model`` by ``fold`` in the batch of ``counts`` in which an image takes the fewest cycles, and of these in
    the first. A network that takes single images only does so.

    ``fold(count)`` folds the model for frames of ``count`` images, and returns the cycles of a frame that are so few
    that no further batch need be tried. What it raises is raised where no batch goes.
    """
    best, refused = None, None
    for count in counts if _of_a_map(operators(model)) is None else {1} & {*counts} or counts[:1]:
        set_batch(model, count)
        try:
            enough = fold(count)
        except FoldingError as error:
            refused = refused or error
            continue
        cycles, slowest = intervals(operators(model))
        if cycles % count:
            refused = refused or FoldingError(whole(cycles, count, slowest))
        elif best is None or cycles // count < best[0]:
            best = cycles // count, count, folding_of(model)
        if best and cycles <= enough:
            break
    if best is None:
        raise refused
    set_batch(model, best[1])
    apply_folding(model, best[2])


def whole(cycles: int, count: int, slowest: str) -> str:
    """Why a folding does not go with a batch of ``count`` images that takes so many cycles."""
    return f"{slowest} takes {cycles} cycles for a batch of {count} images, which must be whole cycles an image"


def batch_for(folding: Mapping[str, Mapping], model: ModelWrapper) -> int:
    """The batch that a folding (node -> attribute -> value) was made for."""
    most = max((values.get("Pixels", 1) for values in folding.values()), default=1)
    return 1 if _of_a_map(operators(model)) else most


def _of_a_map(ops: Sequence[StreamOp]) -> StreamOp | None:
    """The first operator that does not go vector by vector: for those that do, more images are more vectors."""
    return next((op for op in ops if VECTORS not in (known := op.get_nodeattr_types()) or SUMS in known), None)
