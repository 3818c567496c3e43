"""The web page of a package in a real browser, where there is one (Chromium in the PATH): pictures reach the
accelerator pixel for pixel, its logits reach the page, a camera works, and what is wrong is said.
"""

import csv
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from .stand_in import CLASSES, StandIn, served

CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]


@pytest.fixture(scope="module")
def browser(launch):
    found = launch(*CAMERA)
    yield found
    found.close()


@pytest.fixture
def opened(browser):
    """Opens an address in a window of a width and theme; nothing but failed requests may stand in its console."""
    errors, windows = [], []

    def open_page(address: str, width: int = 1100, theme: str = "light"):
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=theme)
        windows.append(page)
        page.on("console", lambda said: None if "Failed to load" in said.text else errors.append(said.text))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: None if request.url.startswith((address, "blob:", "data:"))
                else errors.append(request.url))  # fmt: skip
        page.goto(address)
        page.locator("#samples button").first.wait_for()
        return page

    yield open_page
    for page in windows:
        page.close()
    assert errors == []


def shown(page) -> list[str]:
    """The logits that stand on the page."""
    return page.locator("#logits b").all_inner_texts()


def as_shown(logits: np.ndarray) -> list[str]:
    return [f"{value:g}" for value in logits]


@pytest.mark.parametrize(
    ("kind", "shape", "order"),
    [("uint8", (1, 6, 5), "NCHW"), ("int8", (3, 6, 5), "NHWC"), ("bipolar", (6, 5, 3), "HWC")],
)
def test_a_picture_reaches_the_accelerator_pixel_for_pixel(opened, tmp_path, kind, shape, order):
    accelerator = StandIn(kind, shape, order)
    colours = np.random.default_rng(5).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    Image.fromarray(colours).save(tmp_path / "a.png")
    wide = np.concatenate([np.full((6, 3, 3), 9, np.uint8), colours, np.full((6, 3, 3), 9, np.uint8)], axis=1)
    Image.fromarray(wide).save(tmp_path / "wide.png")  # its middle is the same
    grey = np.floor(colours @ np.array([0.299, 0.587, 0.114]) + 0.5).astype(int)[None]
    planes = colours.astype(int)
    levels = grey if shape[0] == 1 else planes if order == "HWC" else planes.transpose(2, 0, 1)
    code = {"uint8": lambda v: v, "int8": lambda v: v - 128, "bipolar": lambda v: np.where(v < 128, -1, 1)}[kind]
    with served(accelerator, tmp_path) as server:
        page = opened(server.address)
        page.set_input_files("#files", [tmp_path / "a.png", tmp_path / "wide.png"])
        page.locator("#batch").wait_for()
        (seen,) = accelerator.seen
        np.testing.assert_array_equal(seen, [code(levels)] * 2)
        expected = accelerator.logits(seen)
        assert shown(page) == as_shown(expected[1])
        assert page.locator("#class").inner_text() == CLASSES[expected[1].argmax()]
        page.locator("#invert").check()
        page.set_input_files("#files", tmp_path / "a.png")
        page.locator("#batch").wait_for(state="hidden")
        np.testing.assert_array_equal(accelerator.seen[1], [code(255 - levels)])
        painted = page.evaluate("[...at('seen').getContext('2d').getImageData(0, 0, 5, 6).data]")
        level = {"bipolar": lambda v: np.where(v < 128, 0, 255)}.get(kind, lambda v: v)(255 - levels)
        level = level if order == "HWC" else level.transpose(1, 2, 0)
        np.testing.assert_array_equal(np.reshape(painted, (6, 5, 4))[..., :3], np.broadcast_to(level, (6, 5, 3)))


def test_arrays_samples_and_mistakes(opened, tmp_path):
    accelerator = StandIn()
    np.save(tmp_path / "good.npy", accelerator.images(25))
    np.save(tmp_path / "bad.npy", np.zeros((3, 1, 6, 5)))
    (tmp_path / "notes.txt").write_text("no picture")
    with served(accelerator, tmp_path) as server:
        page = opened(server.address)
        page.set_input_files("#files", tmp_path / "good.npy")
        page.locator("#batch").wait_for()
        expected = accelerator.logits(accelerator.images(25))
        assert shown(page) == as_shown(expected[24]) and page.locator("#batch tr").count() == 21
        with page.expect_download() as download:
            page.locator("#csv").click()
        with open(download.value.path(), newline="") as file:
            head, *rows = csv.reader(file)
        assert head == ["image", "class", *CLASSES] and [row[0] for row in rows][::24] == [
            "good.npy [0]",
            "good.npy [24]",
        ]
        np.testing.assert_array_equal(np.array([row[2:] for row in rows], np.float32), expected)
        for name, words in (("bad.npy", "images have type float64"), ("notes.txt", "notes.txt is no picture")):
            page.set_input_files("#files", tmp_path / name)
            page.locator("#error", has_text=words).wait_for()
        for k, words in ((2, "Every logit is the same as that of PyTorch"), (3, "Every logit is different")):
            page.locator("#samples button").nth(k).click()
            page.locator("#known", has_text=words).wait_for()
        assert not page.locator("#error").is_visible()
        page.locator("#status dd", has_text="2,000,000 images/s").wait_for(state="detached")
        page.locator("#status dd", has_text="60 cycles = 0.6 µs").wait_for()
        page.locator("#measure").click()
        page.locator("#measured", has_text="50 images in 0.500 s").wait_for()


def test_the_keyboard_is_enough_and_a_camera_works(opened, tmp_path):
    accelerator = StandIn()
    with served(accelerator, tmp_path) as server:
        page = opened(server.address)
        reached = []
        for _ in range(4):
            page.keyboard.press("Tab")
            reached.append(page.evaluate("document.activeElement.id || document.activeElement.ariaLabel"))
        assert reached == ["files", "camera", "invert", "sample 1, bag"]
        page.keyboard.press("Enter")
        page.locator("#known", has_text="the label is bag").wait_for()
        page.locator("#camera").focus()
        page.keyboard.press("Enter")
        page.locator("#took", has_text="images/s through browser").wait_for()
        assert page.locator("#camera").get_attribute("aria-pressed") == "true" and page.locator("#video").is_visible()
        assert shown(page) and len(accelerator.seen) > 1
        page.keyboard.press("Enter")
        page.locator("#video").wait_for(state="hidden")
        assert page.locator("#camera").inner_text() == "Start camera" and not page.locator("#error").is_visible()


def test_without_a_camera_it_says_where_there_is_one(opened, browser, tmp_path):
    with served(StandIn(), tmp_path, host="0.0.0.0") as server:
        page = opened(f"http://{os.uname().nodename}:{server.server_port}")
        assert not page.locator("#camera").is_visible()
        assert f"ssh -L {server.server_port}:localhost:{server.server_port}" in page.locator("#nocamera").inner_text()


def test_a_network_that_reads_no_pictures(opened, tmp_path):
    accelerator = StandIn("uint8", (30,), "flat")
    Image.new("RGB", (5, 6)).save(tmp_path / "a.png")
    with served(accelerator, tmp_path) as server:
        page = opened(server.address)
        assert not page.locator("#camera").is_visible() and not page.locator("#nocamera").is_visible()
        page.set_input_files("#files", tmp_path / "a.png")
        page.locator("#error", has_text="a.png is no .npy file, and this network reads no pictures").wait_for()
        page.locator("#samples button").first.click()
        page.locator("#known", has_text="Every logit is the same").wait_for()
        assert not page.locator("#seen").is_visible()


@pytest.mark.parametrize(("width", "theme"), [(1100, "light"), (360, "dark")])
def test_it_fits_and_is_readable(opened, tmp_path, width, theme):
    with served(StandIn(), tmp_path) as server:
        page = opened(server.address, width, theme)
        page.locator("#samples button").first.click()
        page.locator("#answer").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        ground, ink = (page.evaluate(f"getComputedStyle(document.querySelector('section')).{which}")
                       for which in ("backgroundColor", "color"))  # fmt: skip
        light = [sum(map(int, colour[4:-1].split(","))) for colour in (ground, ink)]
        assert light[0] - light[1] > 500 if theme == "light" else light[1] - light[0] > 500


@pytest.mark.slow
def test_the_package_serves_its_network_on_the_simulated_board(opened, bitfile):
    """As on a board: `python -m accelerator --serve` in the unpacked package; every sample gets PyTorch's logits."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    command = [sys.executable, "-m", "accelerator", "--serve", "--port", "0"]
    with subprocess.Popen(command, cwd=bitfile.parent, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            said = [process.stdout.readline() for _ in range(5)]
            assert said[0] == "tfc on pynq-z2: every check passed\n" and "cycles an image" in said[2]
            page = opened(said[4].split()[0])
            for k in range(page.locator("#samples button").count()):
                page.evaluate("at('known').textContent = ''")
                page.locator("#samples button").nth(k).click()
                page.locator("#known", has_text="Every logit is the same as that of PyTorch").wait_for()
            page.locator("#status dd", has_text="228 cycles").wait_for()
        finally:
            process.terminate()
        page.locator("#error", has_text="The board does not answer").wait_for()
