"""Augmentation against slow references that touch one pixel at a time."""

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from signflow.models.data import Augment, DataError, MemorySource, augment
from signflow.models.data.augment import ATTEMPTS, crop_box, crop_draws, cut, lighting, resized_crops


def random_images(n: int, c: int, h: int, w: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 256, (n, c, h, w), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def generator(seed: int = 7) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("crop", "flip"), [(0, False), (0, True), (2, False), (2, True), (3, True)])
def test_crop_and_flip_pixel_by_pixel(crop, flip):
    images, rng = random_images(12, 2, 5, 6), generator()
    mirrored = torch.rand(12, generator=rng) < 0.5 if flip else torch.zeros(12, dtype=bool)
    dy, dx = torch.randint(0, 2 * crop + 1, (2, 12), generator=rng) if crop else torch.zeros(2, 12, dtype=int)
    expected = torch.zeros_like(images)
    for n, c, y, x in np.ndindex(*images.shape):
        row, column = y + dy[n] - crop, x + dx[n] - crop
        if 0 <= row < 5 and 0 <= column < 6:
            expected[n, c, y, x] = images[n, c, row, 5 - column if mirrored[n] else column]
    assert torch.equal(augment(images, crop, flip, generator()), expected)
    assert not flip or 0 < mirrored.sum() < 12


def reference_resize(plane: np.ndarray, box, size) -> list[np.ndarray]:
    """Bilinear scaling of the box of a plane as Pillow defines it: a triangle of width max(1, scale) around the centre
    of each output pixel, weights as fixed-point numbers of 22 bits, one axis after the other with uint8 between. Pillow
    takes the cheaper axis first, so both orders are given.
    """

    def one_axis(lines: np.ndarray, low: int, high: int, n: int) -> np.ndarray:
        scale = (high - low) / n
        support = max(scale, 1.0)
        out = np.zeros((len(lines), n), np.uint8)
        for i in range(n):
            centre = low + (i + 0.5) * scale
            first, last = max(0, int(centre - support + 0.5)), min(lines.shape[1], int(centre + support + 0.5))
            weights = [max(0.0, 1 - abs((x + 0.5 - centre) / support)) for x in range(first, last)]
            fixed = [int(w / sum(weights) * 2**22 + 0.5) for w in weights]
            for k, line in enumerate(lines):
                total = sum(int(line[first + j]) * w for j, w in enumerate(fixed)) + 2**21
                out[k, i] = min(max(total >> 22, 0), 255)
        return out

    left, top, right, bottom = box
    return [
        one_axis(one_axis(plane, left, right, size[1]).T, top, bottom, size[0]).T,
        one_axis(one_axis(plane.T, top, bottom, size[0]).T, left, right, size[1]),
    ]


def assert_scaled(found: np.ndarray, plane: np.ndarray, box) -> None:
    assert any(np.array_equal(found, one) for one in reference_resize(plane, box, found.shape))


@pytest.mark.parametrize("box", [(0, 0, 9, 7), (2, 1, 7, 6), (3, 0, 4, 7), (0, 5, 9, 7)])
@pytest.mark.parametrize("size", [(7, 9), (4, 4), (3, 13)])
def test_scaling_pixel_by_pixel(box, size):
    image = random_images(1, 3, 7, 9, seed=5)[0]
    found = np.asarray(cut(Image.fromarray(image.permute(1, 2, 0).numpy()), box, size))
    for c in range(3):
        assert_scaled(found[:, :, c], image[c].numpy(), box)


def test_resized_crops_of_a_batch_pixel_by_pixel():
    images = random_images(6, 3, 8, 10)
    found = resized_crops(images, (0.2, 0.9), generator())
    boxes = [crop_box(8, 10, (0.2, 0.9), draws) for draws in crop_draws(6, generator())]
    assert len(set(boxes)) == 6
    for n, c in np.ndindex(6, 3):
        assert_scaled(found[n, c].numpy(), images[n, c].numpy(), boxes[n])


def test_the_whole_image_as_crop_changes_nothing():
    images = random_images(3, 1, 6, 6)
    whole = Augment(resized_crop=(1.0, 1.0))
    boxes = {crop_box(6, 6, (1.0, 1.0), draws) for draws in crop_draws(200, generator())}
    assert boxes == {(0, 0, 6, 6)}  # any other aspect of the whole area does not fit
    assert torch.equal(MemorySource(images, torch.zeros(3), 1, whole).batch(torch.arange(3), generator()), images)


@settings(max_examples=200)
@given(
    height=st.integers(1, 400),
    width=st.integers(1, 400),
    area=st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)).map(sorted),
    seed=st.integers(0, 10_000),
)
def test_boxes_lie_inside_and_have_the_area_and_aspect_asked_for(height, width, area, seed):
    draws = crop_draws(1, generator(seed))[0]
    left, top, right, bottom = crop_box(height, width, tuple(area), draws)
    w, h = right - left, bottom - top
    assert 0 <= left < right <= width and 0 <= top < bottom <= height
    assume(min(w, h) > 20)
    if crop_box(height, width, tuple(area), draws[:0]) != (left, top, right, bottom):
        assert area[0] * 0.93 <= w * h / (height * width) <= area[1] * 1.07
    assert 0.95 * 3 / 4 <= w / h <= 1.05 * 4 / 3


def test_boxes_are_drawn_uniformly():
    """Shares of the area, logarithms of the aspect and positions of 4,000 crops that all fit."""
    boxes = np.array([crop_box(1000, 1000, (0.2, 0.5), draws) for draws in crop_draws(4000, generator())])
    w, h = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    uniform = {
        "area": (w * h / 1e6 - 0.2) / 0.3,
        "aspect": (np.log(w / h) - math.log(3 / 4)) / (2 * math.log(4 / 3)),
        "left": boxes[:, 0] / (1000 - w),
        "top": boxes[:, 1] / (1000 - h),
    }
    for name, values in uniform.items():
        distance = np.abs(np.sort(values) - np.arange(4000) / 4000).max()
        assert distance < 1.63 / math.sqrt(4000) + 0.005, (name, distance)  # Kolmogorov-Smirnov, 1 %, and rounding


def test_the_box_when_nothing_fits():
    nothing = torch.zeros(ATTEMPTS, 4, dtype=torch.float64)
    assert crop_box(100, 10, (1.0, 1.0), nothing) == (0, 43, 10, 56)  # aspect 3/4 of width 10, in the middle
    assert crop_box(10, 100, (1.0, 1.0), nothing) == (43, 0, 56, 10)  # aspect 4/3 of height 10
    assert crop_box(10, 12, (1.0, 1.0), nothing) == (0, 0, 12, 10)  # an aspect that is allowed: everything


def test_the_first_attempt_that_fits_wins():
    draws = torch.full((ATTEMPTS, 4), 0.7, dtype=torch.float64)
    draws[0, 1] = 0.0  # aspect 3/4: 98 rows, does not fit
    draws[1, 1] = 0.8  # aspect (4/3)^(2 * 0.8 - 1): 93 columns, 78 rows
    draws[2:] = 0.5  # aspect 1 fits nowhere either: 85 rows
    assert crop_box(80, 100, (0.9, 0.9), draws) == (5, 2, 98, 80)  # int(0.7 * 8), int(0.7 * 3)
    draws[2, 1] = 0.9  # fits too, but comes later
    assert crop_box(80, 100, (0.9, 0.9), draws) == (5, 2, 98, 80)


def test_lighting_pixel_by_pixel():
    images = random_images(5, 3, 4, 4)
    alphas = 0.1 * torch.randn(5, 3, generator=generator(), dtype=torch.float64).numpy()
    values = [0.2175, 0.0188, 0.0045]
    vectors = [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]]
    found = lighting(images, 0.1, generator())
    for n, c, y, x in np.ndindex(*images.shape):
        noise = sum(alphas[n, k] * values[k] * vectors[c][k] for k in range(3))
        expected = min(max(float(images[n, c, y, x]) / 255 + noise, 0), 1) * 255
        assert abs(int(found[n, c, y, x]) - expected) <= 0.5001
    assert not torch.equal(found, images)


def test_the_published_components_are_orthonormal():
    from signflow.models.data.augment import EIGENVECTORS

    assert np.allclose(np.array(EIGENVECTORS).T @ np.array(EIGENVECTORS), np.eye(3), atol=2e-4)


def test_lighting_clips_and_is_one_shift_per_image_and_channel():
    images = torch.stack([torch.zeros(3, 2, 2), torch.full((3, 2, 2), 255), torch.full((3, 2, 2), 128)]).byte()
    images = images.repeat(20, 1, 1, 1)
    found = lighting(images, 3.0, generator())
    assert found.amin((2, 3)).equal(found.amax((2, 3)))
    assert found[0::3].amin() == 0 and found[1::3].amax() == 255
    assert (found[2::3, 0, 0, 0] > 128).any() and (found[2::3, 0, 0, 0] < 128).any()


ALL = Augment(crop=2, flip=True, resized_crop=(0.3, 1.0), lighting=0.1)


def test_a_source_augments_with_the_generator_only():
    images, labels = random_images(10, 3, 9, 9), torch.arange(10)
    data, pick = MemorySource(images, labels, 10, ALL), torch.tensor([3, 1, 1, 8])
    assert torch.equal(data.batch(pick, None), images[pick])
    once = data.batch(pick, generator())
    assert once.dtype == torch.uint8 and torch.equal(once, data.batch(pick, generator()))
    assert not torch.equal(once, data.batch(pick, generator(8)))
    assert not torch.equal(once[1], once[2])  # the same image, its own draws
    assert torch.equal(data.images, random_images(10, 3, 9, 9))


def test_the_order_is_resized_crop_flip_crop_lighting():
    images, rng = random_images(4, 3, 9, 9), generator()
    expected = lighting(augment(resized_crops(images, (0.3, 1.0), rng), 2, True, rng), 0.1, rng)
    assert torch.equal(MemorySource(images, torch.arange(4), 4, ALL).batch(torch.arange(4), generator()), expected)


def test_lighting_of_grey_images_is_refused():
    with pytest.raises(DataError, match=r"lighting = 0.1 needs RGB images; these have 1 channel"):
        MemorySource(random_images(1, 1, 4, 4), torch.zeros(1), 1, Augment(lighting=0.1))


@pytest.mark.parametrize(
    "wrong",
    [
        {"crop": -1},
        {"crop": 1.5},
        {"lighting": -0.1},
        {"resized_crop": (0.0, 1.0)},
        {"resized_crop": (0.5, 0.4)},
        {"resized_crop": (0.5, 1.1)},
        {"resized_crop": (0.5,)},
    ],
)
def test_impossible_augmentations(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} = "):
        Augment(**wrong)
