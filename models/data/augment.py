"""Random changes of training images: translation, mirroring, random resized crop, lighting; uint8 in, uint8 out.

Every image has its own draws, all taken from one generator on the CPU, so the same generator gives the same bytes.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

ATTEMPTS = 10
ASPECT = (3 / 4, 4 / 3)
EIGENVALUES = (0.2175, 0.0188, 0.0045)
"""Principal components of the RGB values (0..1) of ImageNet, as published with the torch ResNets; the columns of
`EIGENVECTORS` belong to them, the rows to R, G, B.
"""
EIGENVECTORS = ((-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203))


@dataclass(frozen=True)
class Augment:
    """Which random changes a training image goes through, in this order: resized crop, flip, crop, lighting."""

    crop: int = 0
    """Random translation by up to this many pixels (zeros enter at the border); 0: none."""
    flip: bool = False
    """Mirror half of the images."""
    resized_crop: tuple[float, float] | None = None
    """Cut out a random part of this share (low, high) of the area, aspect 3/4 to 4/3, and scale it to the input size
    (Szegedy et al., 2015); None: do not.
    """
    lighting: float = 0.0
    """Standard deviation of AlexNet's colour noise (0.1 in Krizhevsky et al., 2012, section 4.1); 0: none."""

    def __post_init__(self):
        if not isinstance(self.crop, int) or self.crop < 0:
            raise ValueError(f"crop = {self.crop!r}: must be an integer >= 0")
        if self.lighting < 0:
            raise ValueError(f"lighting = {self.lighting!r}: a standard deviation, must be >= 0")
        area = (1, 1) if self.resized_crop is None else self.resized_crop
        if len(area) != 2 or not 0 < area[0] <= area[1] <= 1:
            raise ValueError(f"resized_crop = {self.resized_crop!r}: two shares of the area, 0 < low <= high <= 1")

    def finish(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """Everything behind the resized crop: flip, crop, lighting of uint8 images (N, C, H, W)."""
        images = augment(images, self.crop, self.flip, rng)
        return lighting(images, self.lighting, rng) if self.lighting else images


def augment(images: Tensor, crop: int, flip: bool, rng: torch.Generator) -> Tensor:
    """Random translation by up to ``crop`` pixels and mirroring of uint8 images (N, C, H, W), each image on its own."""
    n, _, h, w = images.shape
    if flip:
        images = torch.where((torch.rand(n, generator=rng) < 0.5)[:, None, None, None], images.flip(3), images)
    if crop:
        padded = nn.functional.pad(images, (crop,) * 4)
        dy, dx = torch.randint(0, 2 * crop + 1, (2, n), generator=rng)
        rows, cols = dy[:, None] + torch.arange(h), dx[:, None] + torch.arange(w)
        images = padded[
            torch.arange(n)[:, None, None, None],
            torch.arange(images.shape[1])[None, :, None, None],
            rows[:, None, :, None],
            cols[:, None, None, :],
        ]
    return images


def lighting(images: Tensor, std: float, rng: torch.Generator) -> Tensor:
    """AlexNet's colour noise on uint8 RGB images (N, 3, H, W): x / 255 + V (a * l) for each image, rounded, clipped.

    V and l are `EIGENVECTORS` and `EIGENVALUES`, a three normal draws with standard deviation ``std`` per image
    (Krizhevsky et al., 2012, section 4.1). The float original neither rounds nor clips.
    """
    alpha = std * torch.randn(len(images), 3, generator=rng, dtype=torch.float64)
    values, vectors = (torch.tensor(t, dtype=torch.float64) for t in (EIGENVALUES, EIGENVECTORS))
    shift = 255 * (alpha * values) @ vectors.T
    return (images + shift[:, :, None, None].float()).round_().clamp_(0, 255).to(torch.uint8)


def crop_draws(n: int, rng: torch.Generator) -> Tensor:
    """The uniform draws of ``n`` random resized crops, (n, ATTEMPTS, 4): area, aspect, row, column. They do not
    depend on the images, whose sizes are known only when they are decoded.
    """
    return torch.rand(n, ATTEMPTS, 4, generator=rng, dtype=torch.float64)


def crop_box(height: int, width: int, area: tuple[float, float], draws: Tensor) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of a random resized crop; ``draws`` (ATTEMPTS, 4) in [0, 1).

    The share of the area is uniform in ``area``, the logarithm of the aspect width/height uniform in ``ASPECT``; the
    first attempt that fits wins. If none does: the largest central box of an allowed aspect.
    """
    low, high = (math.log(a) for a in ASPECT)
    for u_area, u_aspect, u_row, u_col in draws.tolist():
        target = height * width * (area[0] + u_area * (area[1] - area[0]))
        aspect = math.exp(low + u_aspect * (high - low))
        w, h = round(math.sqrt(target * aspect)), round(math.sqrt(target / aspect))
        if 0 < w <= width and 0 < h <= height:
            top, left = int(u_row * (height - h + 1)), int(u_col * (width - w + 1))
            return left, top, left + w, top + h
    aspect = min(max(width / height, ASPECT[0]), ASPECT[1])
    w, h = min(width, round(height * aspect)), min(height, round(width / aspect))
    left, top = (width - w) // 2, (height - h) // 2
    return left, top, left + w, top + h


def cut(image: Image.Image, box: tuple[int, int, int, int], size: tuple[int, int]) -> Image.Image:
    """The part of an image in ``box``, scaled bilinearly (with area support when it shrinks) to (height, width)."""
    return image.resize((size[1], size[0]), Image.Resampling.BILINEAR, box=box)


def resized_crops(images: Tensor, area: tuple[float, float], rng: torch.Generator) -> Tensor:
    """Random resized crop of uint8 images (N, C, H, W), C = 1 or 3, back to their own size."""
    size = tuple(images.shape[2:])
    out = np.empty(images.shape, np.uint8)
    for i, draws in enumerate(crop_draws(len(images), rng)):
        box = crop_box(*size, area, draws)
        for c, plane in enumerate(images[i].numpy()):
            out[i, c] = cut(Image.fromarray(plane), box, size)
    return torch.from_numpy(out)
