"""The accelerator on its board as a function of images. Copied into every package; needs numpy, Python 3.8 or later.

    with Accelerator("cnv.bit") as cnv:
        logits = cnv(images)                  # float32 (N, classes), the very logits of PyTorch
        integers = cnv.results(images)        # int64 (N, classes), what the hardware counts
        print(cnv.throughput_test())

Beside the bitstream lie `accel.json` (what the accelerator is), `accel.npz` (images with known results, the table from
integers to logits) and the link, which moves bytes and registers: pynq_link.py, or serial_link.py. Everything is
checked when it is opened. Where the accelerator was built loadable, its weights lie in accel.npz, too, and are loaded
when it is opened; `load_weights` takes those of another network from a file of that form. A fault (a transfer that does
not end, a design that is gone) raises `AcceleratorError` once nothing has moved for `timeout`, and the next call starts
from a clean board.
"""

import fcntl
import hashlib
import importlib
import json
import os
import re
import tempfile
import threading
import time
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MAGIC, VERSION, RESET, CLEAR = 0x53474E46, 1, 1, 2
PAGE = {
    "MAGIC": 0x00, "VERSION": 0x04, "HASH0": 0x08, "HASH1": 0x0C, "HASH2": 0x10, "HASH3": 0x14, "CLOCK_KHZ": 0x18,
    "STATUS": 0x20, "FRAMES_IN": 0x24, "FRAMES_OUT": 0x28, "CYCLES_LO": 0x2C, "CYCLES_HI": 0x30, "IN_STALL": 0x34,
    "OUT_STALL": 0x38, "LATENCY": 0x3C, "LINK_ERRORS": 0x44,
}  # fmt: skip
CONTROL, SCRATCH = 0x1C, 0x40
LOAD, LOAD_WORD, LOAD_CRC, LOAD_REST = 0x48, 0x4C, 0x50, 0x54
"""Registers of a loadable accelerator (`hw/rtl/sf_loader.sv`)."""
FLAGS = {0: "frames in flight", 1: "input waits", 2: "output waits", 8: "LAST_EARLY", 9: "OVERRUN"}
STICKY = 1 << 8 | 1 << 9
RANGES = {"uint8": (0, 255), "uint8/255": (0, 255), "int8": (-128, 127), "bipolar": (-1, 1)}

MOST = 1 << 28
"""No size in `accel.json` is larger."""
_SIDE = {"shape": list, "dtype": str, "words": int, "word_elems": int, "elem_bits": int}
FIELDS = {
    "package": {"link": str, "simulated": bool, "bitstream_sha256": str, "driver_sha256": str, "link_sha256": str,
                "vectors_sha256": str},
    "shell": {"beat_bits": int, "in_word_bits": int, "in_beats": int, "out_word_bits": int, "out_beats": int,
              "page_version": int, "clock_khz": int, "network_hash": str},
    "image": {"kind": str, "shape": list, "order": str, "binary": bool},
    "input": _SIDE,
    "output": _SIDE,
    "predicted": {"latency": int, "interval": int},
}  # fmt: skip
"""What `accel.json` must say, and with which types."""
HASHES = {
    ("shell", "network_hash"): 32, ("package", "bitstream_sha256"): 64, ("package", "driver_sha256"): 64,
    ("package", "link_sha256"): 64, ("package", "vectors_sha256"): 64,
}  # fmt: skip
"""Which of them are hashes, and how many hexadecimal digits they have."""


class AcceleratorError(RuntimeError):
    """The accelerator cannot answer; the message says what was seen. The next call starts from a clean board."""


class AcceleratorTimeoutError(AcceleratorError, TimeoutError):
    """Nothing moved for the time allowed."""


@dataclass(frozen=True)
class Throughput:
    """What `throughput_test` measured, beside what was predicted when the accelerator was generated."""

    images: int
    seconds: float
    """Wall time on the host, packing and copying included."""
    cycles: int
    """From the first beat in to the last beat out, by the accelerator's own counter."""
    clock_mhz: float
    latency: int
    """Cycles of the first image."""
    predicted_latency: int
    """Of the first image; where images go in by batches, of the first batch."""
    predicted_interval: int
    batch: int = 1
    """Images that go in together."""

    @property
    def images_per_second(self) -> float:
        """By the wall clock (of a simulated board: of the simulation)."""
        return self.images / self.seconds

    @property
    def hardware_images_per_second(self) -> float:
        """By the cycle counter."""
        return self.images * self.clock_mhz * 1e6 / self.cycles

    @property
    def interval(self) -> float:
        """Cycles from one image to the next."""
        return (self.cycles - self.latency) / max(1, self.images - self.batch)

    def __str__(self) -> str:
        us = self.latency / self.clock_mhz
        best = self.clock_mhz * 1e6 / self.predicted_interval
        return "\n".join(
            [
                f"{self.images:,} images in {self.seconds:.3f} s: {self.images_per_second:,.0f} images/s (wall clock)",
                f"accelerator at {self.clock_mhz:g} MHz: {self.hardware_images_per_second:,.0f} images/s, "
                f"{self.interval:,.1f} cycles an image (predicted {best:,.0f}, {self.predicted_interval:,})",
                f"latency {self.latency:,} cycles = {us:.2f} us (predicted {self.predicted_latency:,})",
            ]
        )


class Accelerator:
    """One network on one board; call it with images. Use it in a `with` block, or `close` it."""

    def __init__(self, bitfile, link=None, timeout: float = 10.0, signers=None):
        """Check the package, load the bitstream, check what answers, and run the self-test.

        Args:
            bitfile: the bitstream; its package lies in the same folder.
            link: how to reach the board; default `PynqLink()` of pynq_link.py.
            timeout: seconds without any progress after which a transfer has failed.
            signers: a file of names and public keys, one of which must have signed the package (signature.py).
        Raises: AcceleratorError (also: when another process holds the board, or the self-test differs).
        """
        self.bitfile, self.timeout = Path(bitfile).resolve(), timeout
        self.signer = None if signers is None else _signer(self.bitfile, signers)
        self.facts, self._vectors = _read_package(self.bitfile)
        self._shell = self.facts["shell"]
        self._codec = Codec(self.facts)
        self._link = _pynq_link() if link is None else link
        self._busy, self._open, self._faulty = threading.Lock(), False, False
        self._lock = _lock(self._link, self.bitfile)
        try:
            with self._guarded():
                self._load()
            self._open = True
        except BaseException:
            self.close()
            raise

    def __call__(self, images) -> np.ndarray:
        """Images (N, *shape) -> float32 logits (N, classes), or class numbers where the network ends with them."""
        results = self.results(images)
        if "head" not in self._vectors:
            return results
        low, step = self._vectors["head_low"].astype(np.int64), int(self._vectors["head_step"])
        table, classes = self._vectors["head"], np.arange(results.shape[1])
        rows, rest = np.divmod(results - low, step)
        bad = (rest != 0) | (rows < 0) | (rows >= len(table))
        if bad.any():
            i, c = (int(k) for k in np.argwhere(bad)[0])
            raise self._fault(f"image {i}, class {c}: the accelerator gave {results[i, c]}, which it cannot reach")
        return table[rows, classes]

    def results(self, images) -> np.ndarray:
        """Images (N, *shape), integers as the network was built for -> the accelerator's int64 results (N, K).

        Raises: TypeError, ValueError for images that do not fit; AcceleratorError, TimeoutError.
        """
        images = self._codec.check(images)
        with self._exclusive():
            return self._stream(images)

    def throughput_test(self, images: int = 1000) -> Throughput:
        """Run random images and measure; see `Throughput`. Between packets, of a megabyte each, the hardware rests."""
        if images < 1:
            raise ValueError(f"{images} images cannot be timed: at least 1")
        images += -images % self._codec.batch
        low, high = self._codec.range
        rng = np.random.default_rng(1)
        batch = rng.integers(low, high + 1, (images, *self._codec.shape))
        batch = np.where(batch == 0, 1, batch) if self._codec.bipolar else batch
        batch = batch.astype(np.int8 if low < 0 else np.uint8)
        start = time.perf_counter()
        self.results(batch)
        seconds, page, predicted = time.perf_counter() - start, self.page(), self.facts["predicted"]
        beats = (self.facts["shell"][f"{end}_beats"] for end in ("in", "out"))  # of a frame, one a cycle at most
        cycles = page["CYCLES_LO"] | page["CYCLES_HI"] << 32
        return Throughput(
            images, seconds, cycles, self.clock_mhz, page["LATENCY"], predicted["latency"],
            max(predicted["interval"], *beats), self._codec.batch,
        )  # fmt: skip

    def load_weights(self, file) -> None:
        """Load other weights, thresholds and tables into an accelerator that was built loadable, and run the self-test
        in ``file``, an accel.npz that signflow made for another network in the same accelerator. When this fails, the
        next call loads again what was there before.

        Raises: AcceleratorError for a file that does not fit, or a self-test that differs.
        """
        if not self.facts.get("loadable"):
            raise AcceleratorError("this accelerator's weights are fixed: build it with --loadable to load others")
        vectors = _read_weights(Path(file), self.facts)
        with self._exclusive():
            before, self._vectors = self._vectors, vectors
            try:
                self._fill()
                self._prove()
            except BaseException:
                self._vectors = before
                raise

    def self_test(self) -> int:
        """Run the package's images with known results, return how many; AcceleratorError names the first difference."""
        with self._exclusive():
            return self._prove()

    def page(self) -> dict:
        """All registers of the status page by name."""
        with self._exclusive():
            return self._page()

    @property
    def clock_mhz(self) -> float:
        """The clock the accelerator runs at."""
        return getattr(self._link, "clock_khz", self._shell["clock_khz"]) / 1000

    def close(self) -> None:
        """Let go of the board."""
        self._open = False
        try:
            self._link.close()
        finally:
            _unlock(self._lock)

    def __enter__(self) -> "Accelerator":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    @contextmanager
    def _exclusive(self):
        """One call at a time, on a board that is in order."""
        if not self._open:
            raise AcceleratorError("this accelerator is closed: open it again with Accelerator(...)")
        if not self._busy.acquire(blocking=False):
            raise AcceleratorError("this accelerator is at work in another thread: one call at a time")
        try:
            if self._faulty:
                self._recover()
            with self._guarded():
                yield
        finally:
            self._busy.release()

    @contextmanager
    def _guarded(self):
        """Whatever goes wrong, even an interruption, leaves the board to be cleaned; errors of the link become ours."""
        try:
            yield
        except BaseException as error:
            self._faulty = True
            if isinstance(error, (RuntimeError, OSError)) and not isinstance(error, AcceleratorError):
                raise self._fault(str(error)) from error
            raise

    def _load(self) -> None:
        """Bitstream, identity, weights, buffers, self-test."""
        try:
            self._link.open(self.bitfile, self.facts)
        except (RuntimeError, OSError) as error:
            raise AcceleratorError(str(error)) from error
        self._link.reset()
        self._check_identity()
        self._fill()
        size = max(self._codec.in_bytes, self._codec.out_bytes)
        batch = self._codec.batch
        self._chunk = self._link.chunk_bytes // (size * batch) * batch
        if not self._chunk:
            what = f"a batch of {batch} images" if batch > 1 else "an image"
            raise AcceleratorError(
                f"{what} takes {size * batch} bytes, and a packet of this link {self._link.chunk_bytes}"
            )
        self._in = [self._link.buffer(self._chunk * self._codec.in_bytes) for _ in range(2)]
        self._out = [self._link.buffer(self._chunk * self._codec.out_bytes) for _ in range(2)]
        self._prove()

    def _recover(self) -> None:
        """After a fault: clean transport and core, its weights; load the bitstream again when the design is gone."""
        try:
            self._link.reset()
            self._check_identity()
            self._fill()
        except (RuntimeError, OSError):
            with self._guarded():
                self._load()
        self._faulty = False

    def _fill(self) -> None:
        """Load the weights, where the accelerator takes any."""
        if self.facts.get("loadable"):
            self._link.reset()
            fill(self._link, self._vectors["words"])

    def _prove(self) -> int:
        got, expected = self._stream(self._vectors["images"]), self._vectors["results"]
        if (got != expected).any():
            wrong = np.argwhere(got != expected)
            i, c = (int(k) for k in wrong[0])
            raise self._fault(
                f"self-test: image {i}, class {c}: {got[i, c]} instead of {expected[i, c]} ({len(wrong)} of "
                f"{expected.size} results differ): the design on the board does not compute this network"
            )
        return len(expected)

    def _page(self) -> dict:
        return {name: self._link.read(offset) for name, offset in PAGE.items()}

    def _check_identity(self) -> None:
        """What answers must be alive, and the design of this package."""
        self._recognise(self._page())
        for value in (0x55555555, 0xAAAAAAAA):
            self._link.write(SCRATCH, value)
            if (echo := self._link.read(SCRATCH)) != value:
                raise AcceleratorError(f"the status page is stuck: {value:#x} was written, {echo:#x} is read")

    def _recognise(self, page) -> None:
        """Raises AcceleratorError unless a status page is that of this package's design."""
        shell = self._shell
        if page["MAGIC"] != MAGIC:
            raise AcceleratorError(f"no signflow design answers: the magic number is {page['MAGIC']:#010x}")
        found = "".join(f"{page[f'HASH{i}']:08x}" for i in range(4))
        for what, is_, wanted in (
            ("status page version", page["VERSION"], shell["page_version"]),
            ("network hash", found, shell["network_hash"]),
            ("clock in kHz", page["CLOCK_KHZ"], shell["clock_khz"]),
        ):
            if is_ != wanted:
                raise AcceleratorError(f"another design is on the board: its {what} is {is_}, the package's {wanted}")

    def _stream(self, images: np.ndarray) -> np.ndarray:
        """Chunk by chunk; the next one is packed while one runs. The last image fills up its batch."""
        link, codec, count = self._link, self._codec, len(images)
        if count % codec.batch:
            images = np.concatenate([images, np.repeat(images[-1:], -count % codec.batch, axis=0)])
        results = np.empty((len(images), codec.count), np.int64)
        parts = [slice(k, min(k + self._chunk, len(images))) for k in range(0, len(images), self._chunk)]
        link.write(CONTROL, CLEAR)
        for k, part in enumerate(parts):
            n = part.stop - part.start
            if k == 0:
                codec.pack(images[part], self._in[0])
            link.receive(self._out[k % 2], n * codec.out_bytes)
            link.send(self._in[k % 2], n * codec.in_bytes)
            if k + 1 < len(parts):
                codec.pack(images[parts[k + 1]], self._in[(k + 1) % 2])
            if k:
                results[parts[k - 1]] = codec.unpack(self._out[(k - 1) % 2], parts[k - 1].stop - parts[k - 1].start)
            self._wait(part.stop)
        if parts:
            results[parts[-1]] = codec.unpack(self._out[(len(parts) - 1) % 2], parts[-1].stop - parts[-1].start)
        return results[:count]

    def _wait(self, frames: int) -> None:
        """Until the packet is through and the page has counted ``frames`` in and out, without an error."""
        link, seen, changed, look = self._link, (0, 0), time.monotonic(), 0.0
        while not all([link.sent(), link.received()]):  # both are asked: either may have failed
            now = time.monotonic()
            if now >= look:
                progress, look = (link.read(PAGE["FRAMES_IN"]), link.read(PAGE["FRAMES_OUT"])), now + self.timeout / 50
                if progress > seen:
                    seen, changed = progress, now
                if link.read(PAGE["STATUS"]) & STICKY:
                    raise self._fault("the accelerator reports an error")
            if now - changed > self.timeout:
                raise self._fault(f"nothing moved for {self.timeout:g} s", AcceleratorTimeoutError)
        page = self._page()
        self._recognise(page)  # somebody may have loaded another one, whose results are as good to look at
        if page["STATUS"] & STICKY:
            raise self._fault("the accelerator reports an error")
        if page["FRAMES_OUT"] != frames or page["FRAMES_IN"] != frames:
            raise self._fault(f"{frames} images were sent, and the status page counts others")

    def _fault(self, text: str, kind=AcceleratorError) -> AcceleratorError:
        """An error with the status page spelled out; the next call starts clean."""
        self._faulty = True
        try:
            page = self._page()
        except Exception as error:
            return kind(f"{text}; the status page does not answer: {error}")
        if page["MAGIC"] != MAGIC:
            return kind(f"{text}; the design is gone: no status page answers (magic number {page['MAGIC']:#010x})")
        flags = [name for bit, name in FLAGS.items() if page["STATUS"] >> bit & 1] or ["idle"]
        names = "FRAMES_IN", "FRAMES_OUT", "IN_STALL", "OUT_STALL", "LINK_ERRORS"
        return kind(f"{text}; status page: {', '.join(flags)}; " + ", ".join(f"{n} {page[n]}" for n in names))


def fill(link, words) -> None:
    """Send the words (uint32) of all memories of a loadable accelerator through its load chain, and one more, which
    must come out at the end. AcceleratorError unless all arrived. ``link``: reads and writes registers.
    """
    sent = np.append(np.asarray(words, "<u4"), np.zeros(1, "<u4"))
    link.write(LOAD, 1)
    if not any(link.read(LOAD) & 2 for _ in range(100)):
        raise AcceleratorError("the accelerator takes no weights: its reset does not end")
    for word in sent.tolist():
        link.write(LOAD_WORD, word)
    _ = any(link.read(LOAD_REST) for _ in range(1000))  # the chain has a register a memory
    for what, offset, wanted in (
        ("words arrived", LOAD_WORD, len(sent)),
        ("as their CRC-32", LOAD_CRC, zlib.crc32(sent.tobytes())),
        ("words found no place, one should", LOAD_REST, 1),
    ):
        if (found := link.read(offset)) != wanted:
            raise AcceleratorError(f"loading {len(sent)} words of weights failed: {found:,} {what}, not {wanted:,}")
    link.write(LOAD, 0)
    if link.read(LOAD):
        raise AcceleratorError("the accelerator does not start with the weights it got")


class Codec:
    """Images to the bytes of frames and frames to results, as `accel.json` describes them."""

    def __init__(self, facts: dict):
        self._image, self._in, self._out, shell = facts["image"], facts["input"], facts["output"], facts["shell"]
        self.shape, self.range = tuple(self._image["shape"]), RANGES[self._image["kind"]]
        self.bipolar = self._image["kind"] == "bipolar"
        self.in_bytes, self.out_bytes = (shell[f"{side}_beats"] * shell["beat_bits"] // 8 for side in ("in", "out"))
        self._in_word, self._out_word = shell["in_word_bits"] // 8, shell["out_word_bits"] // 8
        self.count = int(np.prod(self._out["shape"]))
        self.batch = facts.get("batch", 1)

    def check(self, images) -> np.ndarray:
        """The images, or TypeError, ValueError that says what the network reads."""
        low, high = self.range
        allowed = "-1 or +1" if self.bipolar else f"{low}..{high}"
        reads = f"this network reads integers {allowed} of shape (N, {', '.join(map(str, self.shape))})"
        if not isinstance(images, np.ndarray):
            raise TypeError(f"images are no numpy array but {type(images).__name__}: {reads}")
        if images.shape[1:] != self.shape or not images.ndim:
            raise ValueError(f"images have shape {images.shape}: {reads}")
        if images.dtype.kind not in "iu":
            raise TypeError(f"images have type {images.dtype}: {reads}; do not scale them")
        bad = (images < low) | (images > high) | ((images == 0) if self.bipolar else False)
        if bad.any():
            first = tuple(int(i) for i in np.argwhere(bad)[0])
            raise ValueError(f"pixel {first} is {images[first]}: {reads}")
        return images

    def pack(self, images: np.ndarray, buffer) -> None:
        """Checked images into the first bytes of ``buffer``, frame by frame."""
        side, n = self._in, len(images)
        if self._image["order"] == "NHWC":
            images = np.moveaxis(images, 1, -1)
        ones = side["dtype"] == "BIPOLAR" or self._image["binary"]
        codes = (images > 0 if ones else images).astype(np.uint8).reshape(n * side["words"], side["word_elems"])
        if side["elem_bits"] < 8:
            planes = codes[:, :, None] >> np.arange(side["elem_bits"], dtype=np.uint8) & 1
            codes = np.packbits(planes.reshape(len(codes), -1), axis=1, bitorder="little")
        words = np.zeros((n, self.in_bytes), np.uint8)
        view = words[:, : side["words"] * self._in_word].reshape(n, side["words"], self._in_word)
        view[:, :, : codes.shape[1]] = codes.reshape(n, side["words"], -1)
        buffer[: n * self.in_bytes] = words.reshape(-1)

    def unpack(self, buffer, n: int) -> np.ndarray:
        """The first ``n`` frames of ``buffer`` as int64 (n, results)."""
        side = self._out
        frames = np.asarray(buffer[: n * self.out_bytes]).reshape(n, self.out_bytes)
        words = frames[:, : side["words"] * self._out_word].reshape(-1, self._out_word)
        bits, elems = side["elem_bits"], side["word_elems"]
        planes = np.unpackbits(words, axis=1, bitorder="little")[:, : bits * elems].reshape(-1, elems, bits)
        weights = np.int64(1) << np.arange(bits, dtype=np.int64)
        if side["dtype"].startswith("INT"):
            weights[-1] *= -1
        values = (planes @ weights).reshape(n, self.count)
        return 2 * values - 1 if side["dtype"] == "BIPOLAR" else values


def _pynq_link():
    """pynq_link.py lies beside this file, in a package as in signflow."""
    return importlib.import_module(f"{__package__}.pynq_link" if __package__ else "pynq_link").PynqLink()


def _npz():
    """npz.py lies beside this file in a package, in signflow among the models."""
    return importlib.import_module("signflow.models.npz" if __package__ else "npz")


def _read_package(bitfile: Path):
    """accel.json and the arrays of accel.npz, after every checksum has been compared; AcceleratorError."""
    facts_file, vectors_file = bitfile.with_name("accel.json"), bitfile.with_name("accel.npz")
    for path in (bitfile, facts_file, vectors_file):
        if not path.exists():
            raise AcceleratorError(f"{path} is missing: unpack the whole package into one folder")
    try:
        facts = json.loads(facts_file.read_text())
    except (ValueError, OSError, RecursionError) as error:
        raise AcceleratorError(f"{facts_file} is damaged ({error}): unpack the package again") from None
    if not isinstance(facts, dict) or "package" not in facts:
        raise AcceleratorError(f"{facts_file} is not of a package: make one with `signflow package`")
    try:
        _check_facts(facts)
        _check_sums(facts["package"], bitfile, vectors_file)
        vectors = _npz().read_npz(vectors_file)
        _check_vectors(facts, vectors)
        if facts.get("loadable"):
            _check_words(facts, vectors)
    except (ValueError, TypeError, OSError) as error:
        raise AcceleratorError(f"{bitfile.parent} is damaged ({error}): unpack the package again") from None
    return facts, vectors


def _fits(value, kind) -> bool:
    """Whether a value of `accel.json` is of that type; numbers, and those in lists, are sizes."""
    if kind is list:
        return type(value) is list and all(_fits(n, int) for n in value)
    return type(value) is kind and (kind is not int or 0 < value <= MOST)


def _check_facts(facts) -> None:
    """Raises ValueError unless `accel.json` has the fields that are used here, and they fit together."""
    if not isinstance(facts.get("loadable", False), bool):
        raise ValueError(f"accel.json: loadable is {facts['loadable']!r:.60}, which no package says")
    if not _fits(facts.get("batch", 1), int):
        raise ValueError(f"accel.json: batch is {facts['batch']!r:.60}, which no package says")
    for name in ("name", "board"):
        if not isinstance(facts.get(name), str):
            raise ValueError(f"accel.json: {name} is {facts.get(name)!r:.60}, which no package says")
    for part, fields in FIELDS.items():
        found = facts.get(part)
        if not isinstance(found, dict):
            raise ValueError(f"accel.json: {part} is no object")
        for name, kind in fields.items():
            if not _fits(found.get(name), kind):
                raise ValueError(f"accel.json: {part}.{name} is {found.get(name)!r:.60}, which no package says")
    image, shell, package = facts["image"], facts["shell"], facts["package"]
    if image["kind"] not in RANGES or image["order"] not in ("NCHW", "NHWC", "HWC", "flat"):
        raise ValueError(f"accel.json: images of kind {image['kind']!r:.60} and order {image['order']!r:.60}")
    for (part, name), digits in HASHES.items():
        if not re.fullmatch(f"[0-9a-f]{{{digits}}}", facts[part][name]):
            raise ValueError(f"accel.json: {part}.{name} is {facts[part][name]!r:.80}, not {digits} hexadecimal digits")
    if package["link"] not in ("pynq_link.py", "serial_link.py"):
        raise ValueError(f"accel.json: {package['link']!r:.60} is no link of signflow")
    if len(image["shape"]) not in (1, 2, 3) or _count(image) != _count(facts["input"]):
        raise ValueError(f"accel.json: images of shape {image['shape']}, and a stream of {facts['input']['shape']}")
    for side, name in ((facts["input"], "in"), (facts["output"], "out")):
        word, beats = shell[f"{name}_word_bits"], shell[f"{name}_beats"] * shell["beat_bits"]
        fits = side["elem_bits"] * side["word_elems"] <= word and side["words"] * word <= beats <= 8 * MOST
        if not fits or word % 8 or beats % 8 or side["words"] * side["word_elems"] != _count(side):
            raise ValueError(f"accel.json: words, beats and shape of the {name}put do not fit together")


def _count(side) -> int:
    """Numbers in a frame: Python's own integers, which do not overflow."""
    count = 1
    for n in side["shape"]:
        count *= n
    return count


def _signer(bitfile: Path, signers) -> str:
    """Who signed the package of ``bitfile``; AcceleratorError unless it is one of ``signers``."""
    module = importlib.import_module(f"{__package__}.signature" if __package__ else "signature")
    try:
        return module.signer(bitfile.parent, signers, (bitfile.name, "accel.json", "accel.npz"))
    except (RuntimeError, OSError, ValueError) as error:
        raise AcceleratorError(str(error)) from None


def _check_sums(package, bitfile: Path, vectors_file: Path) -> None:
    """Raises AcceleratorError for a file that is not the package's, OSError for one that cannot be read."""
    driver = Path(__file__)
    link = driver.with_name(package["link"])
    for what, path in (("bitstream", bitfile), ("driver", driver), ("link", link), ("vectors", vectors_file)):
        found, wanted = hashlib.sha256(path.read_bytes()).hexdigest(), package[f"{what}_sha256"]
        if found != wanted:
            raise AcceleratorError(
                f"{path} is not this package's {what}: its SHA-256 starts with {found[:12]}, accel.json says "
                f"{wanted[:12]}; unpack the package again"
            )


def _check_vectors(facts, vectors) -> None:
    """Raises ValueError, TypeError unless the images with known results are of this network."""
    for name in ("images", "results", *(("head_low", "head_step") if "head" in vectors else ())):
        if name not in vectors:
            raise ValueError(f"accel.npz lacks {name}")
    codec, results = Codec(facts), vectors["results"]
    if results.shape != (len(codec.check(vectors["images"])), codec.count) or results.dtype.kind not in "iu":
        raise ValueError(f"accel.npz: results of shape {results.shape} and type {results.dtype}")
    if "head" not in vectors:
        return
    for name, kinds, fits in (
        ("head", "f", lambda a: a.ndim == 2 and a.shape[1] == codec.count),
        ("head_low", "iu", lambda a: a.shape == (codec.count,)),
        ("head_step", "iu", lambda a: a.shape == () and a > 0),
    ):
        array = vectors[name]
        if array.dtype.kind not in kinds or not fits(array):
            raise ValueError(f"accel.npz: {name} of shape {array.shape} and type {array.dtype}")


def _check_words(facts, vectors) -> None:
    """Raises ValueError unless there are weights for this very accelerator."""
    words, crc, design = vectors.get("words"), vectors.get("crc"), str(vectors.get("design"))
    design = design if design.isprintable() else repr(design)
    if words is None or words.dtype != np.uint32 or words.ndim != 1:
        raise ValueError("accel.npz holds no weights for a loadable accelerator")
    if crc is None or crc.shape != () or crc.dtype.kind not in "iu":
        raise ValueError("accel.npz holds no CRC-32 of its weights")
    if design != facts["shell"]["network_hash"]:
        hash_ = facts["shell"]["network_hash"]
        raise ValueError(f"the weights are for another accelerator: network hash {design:.32}, here it is {hash_}")
    if (found := zlib.crc32(words.astype("<u4").tobytes())) != int(crc):
        raise ValueError(f"the weights are damaged: their CRC-32 is {found:08x}")


def _read_weights(file: Path, facts):
    """The arrays of a file with weights for this accelerator; AcceleratorError for any other file."""
    try:
        vectors = _npz().read_npz(file)
        _check_words(facts, vectors)
        _check_vectors(facts, vectors)
    except (ValueError, TypeError, OSError) as error:
        raise AcceleratorError(f"{file} cannot be loaded ({error})") from None
    return vectors


def _lock(link, bitfile: Path):
    """Hold the board's lock file; AcceleratorError names the process that holds it already."""
    usual = Path(tempfile.gettempdir()) / f"signflow-{type(link).__name__}.lock"
    path = link.lock_file(bitfile) if hasattr(link, "lock_file") else usual
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a link could name any file
    try:
        handle = open(path, "r+", opener=lambda name, _: os.open(name, flags, 0o600))  # noqa: SIM115 (it is kept)
    except OSError as error:
        raise AcceleratorError(f"the board's lock file cannot be opened: {error}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.seek(0)
        pid = handle.read().strip()
        handle.close()
        whose = "this process itself: close() the other Accelerator" if pid == str(os.getpid()) else f"process {pid}"
        raise AcceleratorError(f"the board is in use by {whose} (lock {path})") from None
    if not _lies_there(handle):  # whoever held it before has removed it since
        handle.close()
        return _lock(link, bitfile)
    handle.seek(0)
    handle.truncate()
    handle.write(str(os.getpid()))
    handle.flush()
    return handle


def _unlock(handle) -> None:
    """Let go of the board, and leave no file behind."""
    if not handle.closed and _lies_there(handle):
        os.unlink(handle.name)
    handle.close()


def _lies_there(handle) -> bool:
    """Whether this open file still is the one of its name."""
    try:
        return os.path.samestat(os.fstat(handle.fileno()), os.stat(handle.name))
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    importlib.import_module(f"{__package__}.serve" if __package__ else "serve").main()
