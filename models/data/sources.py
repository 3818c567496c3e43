"""What training reads from: labels, and batches of uint8 images by index, augmented or not."""

import torch
from torch import Tensor

from signflow.models.data.augment import Augment, resized_crops
from signflow.models.data.files import DataError


class Source:
    """One split of a data set. ``labels`` is int64 (N,), ``classes`` the number of classes."""

    labels: Tensor
    classes: int

    def __len__(self) -> int:
        """Number of images."""
        return len(self.labels)

    def batch(self, indices: Tensor, rng: torch.Generator | None) -> Tensor:
        """Images uint8 (n, C, H, W) of ``indices`` (n,); with ``rng`` randomly augmented (each image on its own, all
        draws from ``rng``), with None as they are evaluated.
        """
        raise NotImplementedError


class MemorySource(Source):
    """A data set that is all in memory: uint8 ``images`` (N, C, H, W), int64 ``labels`` (N,)."""

    def __init__(self, images: Tensor, labels: Tensor, classes: int, augment: Augment):
        if augment.lighting and images.shape[1] != 3:
            raise DataError(f"lighting = {augment.lighting} needs RGB images; these have {images.shape[1]} channel(s)")
        self.images, self.labels, self.classes, self.augment = images, labels, classes, augment

    def batch(self, indices: Tensor, rng: torch.Generator | None) -> Tensor:
        """See `Source.batch`."""
        images = self.images[indices]
        if rng is None:
            return images
        if self.augment.resized_crop:
            images = resized_crops(images, self.augment.resized_crop, rng)
        return self.augment.finish(images, rng)
