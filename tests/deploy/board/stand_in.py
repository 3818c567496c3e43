"""An accelerator that is no more than a matrix, for tests of what stands in front of one."""

import json
import threading
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from signflow.deploy.board import serve, service
from signflow.deploy.board.accelerator import PAGE, AcceleratorError, Codec, Throughput

CLASSES = "bag", "<shirt>", "shoe"


class StandIn:
    """Logits of images (N, *shape) by the definition ``images @ matrix / 4``; remembers the images."""

    clock_mhz = 100.0

    def __init__(self, kind: str = "uint8", shape: tuple = (1, 6, 5), order: str = "NCHW"):
        size = int(np.prod(shape))
        self.facts = {
            "name": "net", "board": "pynq-z2",
            "image": {"kind": kind, "shape": list(shape), "order": order, "binary": False},
            "input": {"dtype": "UINT8", "words": size, "word_elems": 1, "elem_bits": 8, "shape": [size]},
            "output": {"dtype": "INT8", "words": 1, "word_elems": 3, "elem_bits": 8, "shape": [3]},
            "shell": {"beat_bits": 8, "in_word_bits": 8, "in_beats": size, "out_word_bits": 32, "out_beats": 4,
                      "network_hash": "0123456789abcdef" * 2},
            "predicted": {"latency": 60, "interval": 50}, "package": {"simulated": True},
        }  # fmt: skip
        self.codec, self.seen, self.fault, self.index = Codec(self.facts), [], None, False
        self.matrix = np.random.default_rng(7).integers(-9, 9, (size, len(CLASSES)))
        self.registers = dict.fromkeys(PAGE, 0) | {"STATUS": 1 << 9}

    def __call__(self, images: np.ndarray) -> np.ndarray:
        if self.fault:
            fault, self.fault = self.fault, None
            raise AcceleratorError(fault)
        self.seen.append(images)
        self.registers |= {"FRAMES_OUT": len(images), "CYCLES_LO": 60 + 50 * (len(images) - 1), "LATENCY": 60}
        logits = self.logits(images)
        return logits.argmax(1)[:, None] if self.index else logits

    def logits(self, images: np.ndarray) -> np.ndarray:
        return (images.reshape(len(images), -1).astype(np.int64) @ self.matrix / 4).astype(np.float32)

    def images(self, count: int, seed: int = 1) -> np.ndarray:
        low, high = self.codec.range
        found = np.random.default_rng(seed).integers(low, high + 1, (count, *self.codec.shape))
        return (np.where(found > 0, 1, -1) if self.codec.bipolar else found).astype(np.int8 if low < 0 else np.uint8)

    def page(self) -> dict:
        return dict(self.registers)

    def throughput_test(self, images: int):
        return Throughput(images, 0.5, 60 + 50 * (images - 1), self.clock_mhz, 60, 60, 50)


@contextmanager
def served(accelerator: StandIn, folder: Path, **where):
    """The server, at work in a thread, of ``accelerator``, whose sample lies in ``folder`` then."""
    images = accelerator.images(4)
    logits = accelerator.logits(images)
    logits[3, 0] += 1  # the last one is not what the accelerator says
    known = {"images": images, "labels": np.arange(4) % 3, "logits": logits, "classes": np.array(CLASSES)}
    np.savez(folder / "sample.npz", **known, reference=np.array("PyTorch"))
    with serve.Server(service.Service(accelerator, folder), **{"port": 0, **where}) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def answer(connection, *request, **options) -> tuple[int, dict]:
    """Status and content of what a `http.client` connection says to a request."""
    connection.request(*request, **options)
    found = connection.getresponse()
    return found.status, json.loads(found.read())
