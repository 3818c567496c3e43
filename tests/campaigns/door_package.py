"""Packages, as the driver opens them: whoever made one, it is the accelerator that it says, or it is refused.

The board answers zeros, which the packages begin with as known results; checksums are those of the files as they are,
unless the zip's comment is "sums". The simulated board unpacks the bitstream where it is a zip, too.
"""

import io
import json
import zipfile
import zlib
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np

from signflow.deploy.board import accelerator as driver
from signflow.deploy.board import service, signature
from signflow.deploy.board.accelerator import Accelerator, AcceleratorError
from signflow.deploy.board.package import zipped
from signflow.hw.sim.pynq_device import unpack_image

from .door import Door
from .trees import arrays_changed, bytes_changed, changed, jsoned, npz

FILES = "net.bit", "accel.json", "accel.npz", "sample.npz", signature.SUMS, signature.SIGNATURE
MOST = 1 << 22
"""Bytes of a file in the packages here."""
SIDE = {"dtype": "UINT8", "elem_bits": 8, "shape": [12], "stream_bits": 32, "word_elems": 4, "words": 3}
FACTS = {
    "name": "net", "board": "pynq-z2", "part": "x", "clock_mhz": 100, "top": "net", "sources": ["rtl/net.sv"],
    "image": {"binary": False, "kind": "uint8", "order": "flat", "shape": [1, 3, 4]},
    "input": SIDE,
    "output": SIDE | {"dtype": "INT7", "shape": [2], "elem_bits": 7, "word_elems": 2, "words": 1},
    "predicted": {"latency": 9, "interval": 3},
    "shell": {"beat_bits": 64, "in_word_bits": 32, "in_beats": 2, "out_word_bits": 16, "out_beats": 1,
              "page_version": 1, "clock_khz": 100_000, "network_hash": "0" * 32},
    "package": {"link": "pynq_link.py", "simulated": True},
}  # fmt: skip


class Zeros:
    """A board whose accelerator has 0 for every result, and takes whatever weights come."""

    chunk_bytes = 1 << 20

    def __init__(self, folder: Path):
        self._folder, self._registers, self._frames, self._words = folder, {}, 0, []

    def lock_file(self, bitfile: Path) -> Path:
        """Outside of the package."""
        return self._folder / "lock"

    def open(self, bitfile: Path, facts: dict) -> None:
        """Powered up, with the simulation image where there is one."""
        if zipfile.is_zipfile(bitfile):
            (self._folder / "design").mkdir()
            unpack_image(bitfile, self._folder / "design")
        shell = facts["shell"]
        self._size = shell["in_beats"] * shell["beat_bits"] // 8
        known = {"MAGIC": driver.MAGIC, "VERSION": shell["page_version"], "CLOCK_KHZ": shell["clock_khz"]}
        words = shell["network_hash"].ljust(32, "0")
        known |= {f"HASH{i}": int("0" + words[8 * i : 8 * i + 8], 16) for i in range(4) if _is_hex(words)}
        self._registers = {driver.PAGE[name]: value for name, value in known.items()}

    def close(self) -> None:
        """Powered down."""

    def reset(self) -> None:
        """Nothing is left."""
        self._frames = 0

    def read(self, offset: int) -> int:
        """A register."""
        counts = {driver.PAGE["FRAMES_IN"]: self._frames, driver.PAGE["FRAMES_OUT"]: self._frames,
                  driver.PAGE["CYCLES_LO"]: 100}  # fmt: skip
        words = np.array(self._words, "<u4").tobytes()
        loading = {driver.LOAD: 2 * self._registers.get(driver.LOAD, 0), driver.LOAD_WORD: len(self._words),
                   driver.LOAD_CRC: zlib.crc32(words), driver.LOAD_REST: 1}  # fmt: skip
        return (counts | loading).get(offset, self._registers.get(offset, 0))

    def write(self, offset: int, value: int) -> None:
        """A register."""
        if offset == driver.LOAD_WORD:
            self._words.append(value)
            return
        self._registers[offset] = value
        if offset == driver.LOAD:
            self._words = self._words if not value else []
        if offset == driver.CONTROL:
            self._frames = 0

    def buffer(self, nbytes: int) -> np.ndarray:
        """Zeros."""
        return np.zeros(nbytes, np.uint8)

    def send(self, buffer: np.ndarray, nbytes: int) -> None:
        """Frames."""
        self._frames += nbytes // self._size

    def receive(self, buffer: np.ndarray, nbytes: int) -> None:
        """Their results."""
        buffer[:nbytes] = 0

    def sent(self) -> bool:
        """At once."""
        return True

    received = sent


def _is_hex(text: str) -> bool:
    return all(c in "0123456789abcdefABCDEF" for c in text)


def seeds() -> dict[str, bytes]:
    """With a table of logits, loadable with class numbers, and with a simulation image as bitstream."""
    known = {"images": np.arange(24, dtype=np.uint8).reshape(2, 1, 3, 4), "results": np.zeros((2, 2), np.int64)}
    sample = npz(images=known["images"], labels=np.array([0, 1]), logits=np.zeros((2, 2), np.float32),
                  classes=np.array(["a", "b"]), reference=np.array("PyTorch"))  # fmt: skip
    head = {"head": np.ones((3, 2), np.float32), "head_low": np.array([-2, 0]), "head_step": np.int64(2)}
    words = np.arange(5, dtype=np.uint32)
    load = {"words": words, "crc": np.uint32(zlib.crc32(words.tobytes())), "design": np.array("0" * 32)}
    image = zipped({"accel.json": jsoned(FACTS), "rtl/net.sv": b"module net (input wire clk_i);\nendmodule\n"})
    sums = {signature.SUMS: b"", signature.SIGNATURE: b"signed"}
    plain = {"net.bit": b"bits", "accel.json": jsoned(FACTS), "accel.npz": npz(**known, **head), "sample.npz": sample}
    loadable = {"accel.json": jsoned(FACTS | {"loadable": True}), "accel.npz": npz(**known, **load)}
    packages = {"plain": plain, "loadable": plain | loadable, "simulated": plain | {"net.bit": image}}
    return {f"{name}.zip": zipped(files | sums) for name, files in packages.items()}


def _contents(data: bytes) -> tuple[dict[str, bytes], bytes]:
    """Files by name and the comment; nothing of what is no zip, or is larger than any file here."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            small = [entry for entry in archive.infolist() if entry.filename in FILES and entry.file_size < MOST]
            return {entry.filename: archive.read(entry) for entry in small}, archive.comment
    except Exception:
        return {}, b""


def enter(path: Path) -> str:
    """Open the package, ask for everything that it offers, and load its own weights once more."""
    files, comment = _contents(path.read_bytes())
    with TemporaryDirectory() as outer:
        folder, bitfile = Path(outer) / "package", Path(outer) / "package" / "net.bit"
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        if comment != b"sums":
            _rehash(bitfile, files)
        before = sorted(p.name for p in folder.iterdir())
        said = _used(bitfile)
        assert sorted(p.name for p in folder.iterdir()) == before
        assert {p.name for p in folder.parent.iterdir()} <= {"package", "design"}, "the lock file is left"
    return said


def _used(bitfile: Path) -> str:
    ssh_keygen, signature._ssh_keygen = signature._ssh_keygen, lambda *words, text=b"": b"me\n"
    try:
        signed = bitfile.with_name(signature.SIGNATURE).exists() and bitfile.with_name(signature.SUMS).exists()
        listed = Path(__file__) if signed and b"  " in bitfile.with_name(signature.SUMS).read_bytes() else None
        with Accelerator(bitfile, link=Zeros(bitfile.parents[1]), timeout=0.2, signers=listed) as opened:
            images = opened._vectors["images"][:2]
            answers = opened(images)
            assert len(answers) == len(images) and answers.ndim == 2
            assert str(opened.throughput_test(3))
            if opened.facts.get("loadable"):
                opened.load_weights(bitfile.with_name("accel.npz"))
            site = service.Service(opened, bitfile.parent)
            assert json.loads(json.dumps([site.facts, site.status()]))
            site.classify(service.RAW, images.tobytes())
            return f"{'loadable' if opened.facts.get('loadable') else ''} {opened.facts['board']}"
    finally:
        signature._ssh_keygen = ssh_keygen


def _rehash(bitfile: Path, files: dict[str, bytes]) -> None:
    """Make accel.json and the list of checksums believe in the files as they are, if they are of that form."""
    try:
        facts = json.loads(files["accel.json"])
        here = Path(driver.__file__)
        named = {"bitstream": bitfile, "driver": here, "vectors": bitfile.with_name("accel.npz"),
                 "link": here.with_name(facts["package"]["link"])}  # fmt: skip
        facts["package"] |= {f"{what}_sha256": signature.sha256(file.read_bytes()) for what, file in named.items()}
    except (ValueError, KeyError, TypeError, OSError, RecursionError):
        return
    bitfile.with_name("accel.json").write_bytes(jsoned(facts))


def change(data: bytes, rng: Random) -> bytes:
    """One file of it: the tree of accel.json, one array of an .npz, bytes of anything, the name or the absence."""
    files, comment = _contents(data)
    if not files:
        files, comment = _contents(rng.choice(sorted(seeds().values())))
    name, way = rng.choice(sorted(files)), rng.random()
    if way < 0.4 and "accel.json" in files:
        files["accel.json"] = _facts(files["accel.json"], rng)
    elif way < 0.75 and name.endswith(".npz"):
        files[name] = arrays_changed(files[name], rng)
    elif way < 0.9:
        files[name] = bytes_changed(files[name], rng)
    elif way < 0.95:
        del files[name]
    else:
        comment = rng.choice((b"", b"sums"))
    archive = io.BytesIO(zipped(files))
    if comment:
        with zipfile.ZipFile(archive, "a") as again:
            again.comment = comment
    return archive.getvalue()


def _facts(text: bytes, rng: Random) -> bytes:
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        tree = FACTS
    words = "loadable", "target", "INT7", "BIPOLAR", "bipolar", "NHWC", "HWC", "int8", "uint8/255", "serial_link.py"
    return jsoned(changed(tree if isinstance(tree, dict) else FACTS, rng, words, (*words, 1 << 28, 1 << 40, 8, 16)))


DOOR = Door("package", ".zip", enter, (AcceleratorError, service.Refused), seeds, change)
