"""Images with labels and reference logits that a package carries: what a board's answers are compared with."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from signflow.deploy import flow
from signflow.deploy.compile.passes.head import Head
from signflow.models import data
from signflow.models.networks import network, predict


def sample(work: Path, vectors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Arrays of a built network: ``images`` (N, *shape), ``labels`` int64 (N,), ``logits`` (N, classes), the names of
    the ``classes``, and whose logits they are (``reference``).

    Of a network of ours: the 1,000 images of its data set that are shipped, and PyTorch's logits. Else, or where none
    are shipped: ``vectors`` (`signflow.deploy.board.package.vectors`), the logits of the integer graph, and its own
    guesses as labels. Raises FlowError.
    """
    settings = flow.settings_of(work)
    net = flow.torch_network(settings)
    try:
        if net is None:
            raise data.DataError(f"{settings.source} has no data set")
        spec = network(settings.source)
        images, labels = data.load(spec.dataset, "sample", spec.input_shape[1:])
    except data.DataError:
        return _without_data(work, vectors)
    logits = predict(net, torch.as_tensor(images)).numpy()
    names = data.CLASSES if spec.dataset == "fashion-mnist" else range(logits.shape[1])
    return _arrays(images.numpy(), labels.numpy(), logits, names, "PyTorch")


def _without_data(work: Path, vectors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    results, head = vectors["results"], Head.of(flow.read(work, flow.INTEGER))
    if head.index:
        labels, logits, count = results[:, 0], results, int(results.max()) + 1
    else:
        logits = head(results).astype(np.float32)
        labels, count = logits.argmax(1), logits.shape[1]
    return _arrays(vectors["images"], labels, logits, range(count), "the integer graph")


def _arrays(images, labels, logits, names, reference: str) -> dict[str, np.ndarray]:
    classes = np.array([str(name) for name in names])
    return {"images": images, "labels": labels, "logits": logits, "classes": classes, "reference": np.array(reference)}
