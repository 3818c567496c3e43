"""What the web page of a package asks of the accelerator: one request at a time, each answered or refused.

`serve` is HTTP around it. Copied into every package; needs numpy, Python 3.8 or later.
"""

import base64
import math
import threading
import time
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import numpy as np

MOST_BYTES, MOST_SAMPLES = 16 << 20, 12
"""Of a request; images with known logits that the page offers."""
PATIENCE, STALE = 30.0, 0.5
"""Seconds that a request waits for those before it; for which a status is as good as new."""
MEASURED = {False: 1000, True: 50}
"""Images of a measurement, on a board and on a simulated one."""
RAW, NPY = "application/octet-stream", "application/x-npy"
KINDS = {RAW: "a byte a pixel, in the order of the shape", NPY: "a file of numpy.save"}
"""Content types of images."""


class Refused(Exception):
    """A request that is not answered: HTTP status, one sentence."""


class Service:
    """One accelerator for many requests; ``folder``: where its package lies. Raises AcceleratorError."""

    def __init__(self, accelerator, folder: Path):
        self._accelerator, facts = accelerator, accelerator.facts
        self._codec, self._simulated = _driver().Codec(facts), facts["package"]["simulated"]
        self._pixel = np.int8 if self._codec.range[0] < 0 else np.uint8
        self._turn, self._known, self._read_at = threading.Lock(), accelerator.page(), 0.0
        self._counts, self._counting = {"images": 0, "requests": 0, "refused": 0, "faults": 0}, threading.Lock()
        arrays = _read_sample(folder / "sample.npz", self._codec)
        samples = [arrays[name][:MOST_SAMPLES] for name in ("images", "labels", "logits")]
        self.facts = {
            "name": facts["name"],
            "board": facts["board"],
            "image": facts["image"],
            "classes": arrays["classes"].tolist(),
            "clock_mhz": accelerator.clock_mhz,
            "predicted": facts["predicted"],
            "network_hash": facts["shell"]["network_hash"],
            "simulated": self._simulated,
            "most_bytes": MOST_BYTES,
            "reference": str(arrays["reference"]),
            "samples": [self._sample(*sample) for sample in zip(*samples)],  # noqa: B905 (Python 3.8)
        }

    def count(self, what: str, more: int = 1) -> None:
        """Add to what `status` says was served."""
        with self._counting:
            self._counts[what] += more

    def status(self) -> dict:
        """The status page by name, flags as words; of a moment ago while the accelerator is at work."""
        if self._turn.acquire(blocking=False):
            try:
                if time.monotonic() - self._read_at > STALE:
                    with self._faults():
                        self._known, self._read_at = self._accelerator.page(), time.monotonic()
                busy = False
            finally:
                self._turn.release()
        else:
            busy = True
        page, flags = self._known, _driver().FLAGS
        names = [name for bit, name in flags.items() if page["STATUS"] >> bit & 1]
        return {"page": page, "flags": names or ["idle"], "busy": busy, "served": dict(self._counts)}

    def classify(self, kind: str, body: bytes) -> dict:
        """Images as `parse` reads them -> ``classes`` (N,), ``logits`` (N, classes), ``seconds``; a network that ends
        with the number of the class has no logits.
        """
        try:
            images = self._codec.check(self.parse(kind, body))
            if not len(images):
                raise ValueError("there are no images in this file")
        except (TypeError, ValueError) as error:
            raise Refused(400, str(error)) from None
        with self._exclusive():
            start = time.perf_counter()
            logits = self._accelerator(images)
            seconds = time.perf_counter() - start
        self.count("images", len(images))
        index = logits.dtype.kind == "i" and logits.shape[1] == 1
        return {
            "classes": (logits[:, 0] if index else logits.argmax(1)).tolist(),
            "logits": None if index else logits.tolist(),
            "seconds": seconds,
        }

    def measure(self) -> dict:
        """`Accelerator.throughput_test`, in words and numbers."""
        with self._exclusive():
            found = self._accelerator.throughput_test(MEASURED[self._simulated])
        rates = {"wall": found.images_per_second, "hardware": found.hardware_images_per_second}
        return {"images": found.images, "text": str(found), "latency": found.latency, "images_per_second": rates}

    def parse(self, kind: str, body: bytes) -> np.ndarray:
        """Images (N, *shape) of a request's body; ValueError says what is wrong with it."""
        if kind == NPY:
            return _npz().read_npy(body)
        size = math.prod(self._codec.shape)
        if not body or len(body) % size:
            shape = " x ".join(map(str, self._codec.shape))
            raise ValueError(f"{len(body):,} bytes are no whole number of images: each is {shape} = {size:,} bytes")
        pixels = np.frombuffer(body, self._pixel)
        return pixels.reshape(-1, *self._codec.shape)

    def _sample(self, image: np.ndarray, label: int, logits: np.ndarray) -> dict:
        pixels = image.astype(self._pixel).tobytes()
        return {"pixels": base64.b64encode(pixels).decode(), "label": int(label), "logits": logits.tolist()}

    @contextmanager
    def _exclusive(self):
        """The accelerator for one request; the next one waits."""
        if not self._turn.acquire(timeout=PATIENCE):
            raise Refused(503, f"the accelerator has been busy with other requests for {PATIENCE:g} s: try again")
        try:
            with self._faults():
                yield
        finally:
            self._read_at = 0.0
            self._turn.release()

    @contextmanager
    def _faults(self):
        try:
            yield
        except _driver().AcceleratorError as error:
            self.count("faults")
            raise Refused(503, str(error)) from None


def _driver():
    """accelerator.py lies beside this file, in a package as in signflow."""
    return import_module(f"{__package__}.accelerator" if __package__ else "accelerator")


def _npz():
    """npz.py lies beside this file in a package, in signflow among the models."""
    return import_module("signflow.models.npz" if __package__ else "npz")


def _read_sample(file: Path, codec) -> dict:
    """Images with labels and logits, names of the classes, and whose logits they are; AcceleratorError."""
    try:
        arrays = _npz().read_npz(file)
        if lacks := {"images", "labels", "logits", "classes", "reference"} - arrays.keys():
            raise ValueError(f"it lacks {sorted(lacks)[0]}")
        count, (logits, labels) = len(codec.check(arrays["images"])), (arrays["logits"], arrays["labels"])
        for name, fits in (
            ("labels", labels.shape == (count,) and labels.dtype.kind in "iu"),
            ("logits", logits.ndim == 2 and len(logits) == count and logits.dtype.kind in "iuf"),
            ("classes", arrays["classes"].ndim == 1 and arrays["classes"].dtype.kind == "U"),
            ("reference", arrays["reference"].ndim == 0 and arrays["reference"].dtype.kind == "U"),
        ):
            if not fits:
                raise ValueError(f"{name} of shape {arrays[name].shape} and type {arrays[name].dtype}")
    except (ValueError, TypeError, OSError) as error:
        raise _driver().AcceleratorError(f"{file} is damaged ({error}): unpack the package again") from None
    return arrays
