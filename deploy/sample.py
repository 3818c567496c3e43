"""The shipped sample of a network's data set with PyTorch's own answers: what a board is compared with."""

import numpy as np
import torch

from signflow.deploy import flow
from signflow.models import data
from signflow.models.networks import network, predict


def sample(settings: flow.Settings) -> dict[str, np.ndarray]:
    """Arrays ``images`` uint8 (N, *shape), ``labels`` int64 (N,), ``logits`` float32 (N, classes) as PyTorch computes
    them, ``classes`` their names (classes,).

    Raises DataError for a network without a sample, FlowError for a foreign one, which has no PyTorch network.
    """
    net = flow.torch_network(settings)
    if net is None:
        raise flow.FlowError(f"{settings.source} has no PyTorch network to compare with")
    spec = network(settings.source)
    images, labels = data.load(spec.dataset, "sample", spec.input_shape[1:])
    logits = predict(net, torch.as_tensor(images)).numpy()
    names = data.CLASSES if spec.dataset == "fashion-mnist" else [str(k) for k in range(logits.shape[1])]
    return {"images": images.numpy(), "labels": labels.numpy(), "logits": logits, "classes": np.array(names)}
