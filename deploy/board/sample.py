"""Images with labels and reference logits that a package carries: what a board's answers are compared with."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from signflow.deploy import flow
from signflow.deploy.compile.passes.head import Head
from signflow.deploy.verify import images


def sample(work: Path, vectors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Arrays of a built network: ``images`` (N, *shape), ``labels`` int64 (N,), ``logits`` (N, classes), the names of
    the ``classes``, and whose logits they are (``reference``).

    Of a network of ours: the 1,000 images of its data set that are shipped, and PyTorch's logits. Else, or where none
    are shipped: ``vectors`` (`signflow.deploy.board.package.vectors`), the logits of the integer graph, and its own
    guesses as labels. Raises FlowError.
    """
    settings = flow.settings_of(work)
    shipped = images.sample(settings.source)
    if shipped is None:
        return _without_data(work, vectors)
    import torch

    from signflow.models.data import CLASSES
    from signflow.models.networks import network, predict

    logits = predict(flow.torch_network(settings), torch.as_tensor(shipped.pixels)).numpy()
    fashion = network(settings.source).dataset == "fashion-mnist"
    names = CLASSES if fashion else range(logits.shape[1])
    return _arrays(shipped.pixels, shipped.labels, logits, names, "PyTorch")


def _without_data(work: Path, vectors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    results, head = vectors["results"], Head.of(flow.read(work, flow.INTEGER))
    if head.index:
        labels, logits, count = results[:, 0], results, int(results.max()) + 1
    else:
        logits = head(results).astype(np.float32)
        labels, count = logits.argmax(1), logits.shape[1]
    return _arrays(vectors["images"], labels, logits, range(count), "the integer graph")


def _arrays(pixels, labels, logits, names, reference: str) -> dict[str, np.ndarray]:
    classes = np.array([str(name) for name in names])
    return {"images": pixels, "labels": labels, "logits": logits, "classes": classes, "reference": np.array(reference)}
