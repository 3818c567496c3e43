"""TinyImageNet and ImageNet folders of small files written here: order, labels, views, and what is said of damage."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from signflow.models.data import Augment, DataError, folders, load, source
from signflow.models.data.augment import crop_box, crop_draws, cut
from signflow.models.data.folders import evaluation_view

WNIDS = ["n01440764", "n01443537", "n02084071"]
PLAIN = Augment()


def picture(seed: int, size: tuple[int, int]) -> Image.Image:
    """A smooth RGB picture of (width, height): compresses well, and no two seeds are alike."""
    corners = np.random.default_rng(seed).integers(0, 256, (3, 3, 3), np.uint8)
    return Image.fromarray(corners).resize(size, Image.Resampling.BICUBIC)


def save(path, image: Image.Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, "JPEG", quality=95)


def decoded(path) -> Image.Image:
    return Image.open(path).convert("RGB")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Folder of the data sets, whose sizes are three classes with two training images and one other each."""
    monkeypatch.setenv("SIGNFLOW_DATA", str(tmp_path))
    for name, spec in folders.SETS.items():
        small = dataclasses.replace(spec, classes=3, images={"train": 6, "test": 3})
        monkeypatch.setitem(folders.SETS, name, small)
    return tmp_path


@pytest.fixture
def imagenet(home):
    """ImageNet: pictures of several sizes, one grey, one CMYK."""
    sizes = [(300, 200), (200, 300), (240, 240), (64, 90), (500, 375), (257, 256)]
    for k, wnid in ((1, WNIDS[1]), (2, WNIDS[2]), (0, WNIDS[0])):  # neither in order nor backwards
        for i in range(2):
            image = picture(2 * k + i, sizes[2 * k + i])
            image = image.convert("L") if (k, i) == (1, 0) else image.convert("CMYK") if (k, i) == (1, 1) else image
            save(home / f"imagenet/train/{wnid}/{wnid}_{i}.JPEG", image)
        save(home / f"imagenet/val/{wnid}/ILSVRC2012_val_0000000{3 - k}.JPEG", picture(10 + k, sizes[k]))
    return home / "imagenet"


@pytest.fixture
def tiny(home):
    """TinyImageNet as its archive unpacks: 64 x 64, `wnids.txt` out of order."""
    root = home / "tiny-imagenet/tiny-imagenet-200"
    for k, wnid in enumerate(WNIDS):
        for i in range(2):
            save(root / f"train/{wnid}/images/{wnid}_{i}.JPEG", picture(2 * k + i, (64, 64)))
        (root / f"train/{wnid}/{wnid}_boxes.txt").write_text("boxes are of no interest")
    for i in range(3):
        save(root / f"val/images/val_{i}.JPEG", picture(20 + i, (64, 64)))
    lines = [f"val_{i}.JPEG\t{WNIDS[(i + 2) % 3]}\t0\t32\t44\t62\n" for i in (2, 0, 1)]
    (root / "val/val_annotations.txt").write_text("".join(lines))
    (root / "wnids.txt").write_text("\n".join([WNIDS[2], WNIDS[0], WNIDS[1]]) + "\n")
    return root


def test_imagenet_is_in_the_order_of_wnids(imagenet):
    train, test = source("imagenet", "train", (24, 24), PLAIN), source("imagenet", "test", (24, 24), PLAIN)
    assert train.labels.tolist() == [0, 0, 1, 1, 2, 2] and test.labels.tolist() == [0, 1, 2]
    assert train.labels.dtype == torch.int64 and len(train) == 6 and train.classes == 3
    paths = [imagenet / f"train/{w}/{w}_{i}.JPEG" for w in WNIDS for i in range(2)]
    pick = [5, 0, 2, 3, 2]
    batch = train.batch(torch.tensor(pick), None)
    assert batch.shape == (5, 3, 24, 24) and batch.dtype == torch.uint8
    for k, image in zip(pick, batch, strict=True):
        expected = np.asarray(evaluation_view(decoded(paths[k]), (24, 24), 256 / 224)).transpose(2, 0, 1)
        assert np.array_equal(image, expected)


def test_grey_becomes_three_equal_channels_and_cmyk_keeps_its_colours(imagenet):
    grey, cmyk = source("imagenet", "train", (56, 56), PLAIN).batch(torch.tensor([2, 3]), None)
    assert torch.equal(grey[0], grey[1]) and torch.equal(grey[0], grey[2])
    expected = np.asarray(evaluation_view(picture(3, (64, 90)), (56, 56), 256 / 224)).transpose(2, 0, 1)
    assert np.abs(cmyk.numpy().astype(int) - expected).mean() < 6  # JPEG and the way there and back


@pytest.mark.parametrize(
    ("size", "scaled", "box"),
    [
        ((300, 200), (384, 256), (80, 16, 304, 240)),
        ((200, 301), (256, 385), (16, 80, 240, 304)),
        ((256, 256), (256, 256), (16, 16, 240, 240)),
    ],
)
def test_the_evaluation_scales_the_shorter_side_to_256_and_cuts_224(size, scaled, box):
    image = picture(1, size)
    expected = image.resize(scaled, Image.Resampling.BILINEAR).crop(box)
    found = evaluation_view(image, (224, 224), 256 / 224)
    assert found.size == (224, 224) and found.tobytes() == expected.tobytes()


@settings(max_examples=100)
@given(
    width=st.integers(1, 90),
    height=st.integers(1, 90),
    h=st.integers(1, 40),
    w=st.integers(1, 40),
    margin=st.sampled_from([1.0, 256 / 224]),
)
def test_the_evaluation_always_fits(width, height, h, w, margin):
    """White pictures stay white: the cut never leaves the scaled image, whose outside would be black."""
    white = Image.new("RGB", (width, height), (255, 255, 255))
    assert np.array_equal(np.asarray(evaluation_view(white, (h, w), margin)), np.full((h, w, 3), 255))


def test_tiny_imagenet_reads_its_annotations(tiny):
    train, test = source("tiny-imagenet", "train", (64, 64), PLAIN), source("tiny-imagenet", "test", (64, 64), PLAIN)
    assert train.labels.tolist() == [0, 0, 1, 1, 2, 2] and test.labels.tolist() == [1, 2, 0]
    for data, paths in (
        (train, [tiny / f"train/{w}/images/{w}_{i}.JPEG" for w in WNIDS for i in range(2)]),
        (test, [tiny / f"val/images/val_{i}.JPEG" for i in (2, 0, 1)]),
    ):
        batch = data.batch(torch.arange(len(paths)), None)
        assert np.array_equal(batch.permute(0, 2, 3, 1), np.stack([np.asarray(decoded(p)) for p in paths]))


def test_tiny_imagenet_without_the_folder_of_its_archive(tiny):
    for item in list(tiny.iterdir()):
        item.rename(tiny.parent / item.name)
    tiny.rmdir()
    assert len(source("tiny-imagenet", "train", (64, 64), PLAIN)) == 6


def test_random_resized_crops_see_the_whole_image(imagenet):
    rng, area = torch.Generator().manual_seed(5), (0.08, 1.0)
    data = source("imagenet", "train", (24, 20), Augment(resized_crop=area))
    batch = data.batch(torch.tensor([0, 4, 0]), rng)
    draws = crop_draws(3, torch.Generator().manual_seed(5))
    for k, one, image in zip([0, 4, 0], draws, batch, strict=True):
        whole = decoded(imagenet / data.paths[k])
        expected = cut(whole, crop_box(whole.height, whole.width, area, one), (24, 20))
        assert np.array_equal(image, np.asarray(expected).transpose(2, 0, 1))
    assert not torch.equal(batch[0], batch[2])


@pytest.mark.parametrize("threads", [1, 5])
def test_threads_do_not_change_what_is_drawn(imagenet, monkeypatch, threads):
    augment = Augment(crop=2, flip=True, resized_crop=(0.3, 1.0), lighting=0.1)
    data, pick = source("imagenet", "train", (24, 24), augment), torch.arange(40) % 6
    once = data.batch(pick, torch.Generator().manual_seed(1))
    monkeypatch.setattr(folders, "THREADS", threads)
    assert torch.equal(once, data.batch(pick, torch.Generator().manual_seed(1)))
    assert not torch.equal(once, data.batch(pick, torch.Generator().manual_seed(2)))
    views = Augment(crop=2, flip=True)
    data, rng = source("imagenet", "train", (24, 24), views), torch.Generator().manual_seed(1)
    expected = views.finish(data.batch(pick, None), torch.Generator().manual_seed(1))
    assert torch.equal(data.batch(pick, rng), expected)


@pytest.mark.parametrize(("name", "site"), [("imagenet", "image-net.org"), ("tiny-imagenet", "cs231n.stanford.edu")])
def test_a_missing_data_set_says_where_to_get_it(home, name, site):
    with pytest.raises(DataError, match=rf"is missing; .*{site}.*Found: .* is not there"):
        source(name, "test", (64, 64), PLAIN)
    with pytest.raises(DataError, match=f"unknown split 'val'; {name} has train, test"):
        source(name, "val", (64, 64), PLAIN)
    with pytest.raises(DataError, match=f"{name} is not loaded into memory.*source"):
        load(name, "test", (64, 64))


def test_validation_images_that_are_not_sorted_into_classes(imagenet):
    for path in list((imagenet / "val").rglob("*.JPEG")):
        path.rename(imagenet / "val" / path.name)
        path.parent.rmdir()
    with pytest.raises(DataError, match=r"val: 0 class folders, expected 3; .*<wnid>.*ILSVRC2012_val_00000001.JPEG"):
        source("imagenet", "test", (24, 24), PLAIN)


def test_missing_images_are_counted(imagenet):
    (imagenet / "train" / WNIDS[1] / f"{WNIDS[1]}_0.JPEG").unlink()
    with pytest.raises(DataError, match="train: 5 images, expected 6; get ILSVRC 2012"):
        source("imagenet", "train", (24, 24), PLAIN)


def test_a_damaged_file_is_named_when_it_is_read(imagenet):
    path = imagenet / "train" / WNIDS[2] / f"{WNIDS[2]}_1.JPEG"
    data = source("imagenet", "train", (24, 24), PLAIN)
    for raw in (path.read_bytes()[:700], b"<html>not found</html>", b""):
        path.write_bytes(raw)
        data.batch(torch.arange(5), None)
        with pytest.raises(DataError, match=f"{path.name}: cannot be decoded"):
            data.batch(torch.arange(6), None)


def test_tiny_imagenet_that_contradicts_itself(tiny):
    (tiny / "wnids.txt").write_text("\n".join([WNIDS[0], WNIDS[1], "n99999999"]))
    with pytest.raises(DataError, match=f"differ in {WNIDS[2]}, n99999999"):
        source("tiny-imagenet", "train", (64, 64), PLAIN)
    with pytest.raises(DataError, match=f"'val_0.JPEG.*{WNIDS[2]}.*' names no class of wnids.txt"):
        source("tiny-imagenet", "test", (64, 64), PLAIN)
    (tiny / "wnids.txt").write_text(WNIDS[0])
    with pytest.raises(DataError, match=r"wnids.txt: 1 classes, expected 3"):
        source("tiny-imagenet", "test", (64, 64), PLAIN)
    (tiny / "val/val_annotations.txt").unlink()
    with pytest.raises(
        DataError, match=r"val_annotations.txt is missing; unpack tiny-imagenet-200.zip .*holds images/"
    ):
        source("tiny-imagenet", "test", (64, 64), PLAIN)
