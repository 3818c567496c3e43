"""Run by `test_old_pythons` under the Python of a board's image: FOLDER of a package, ADDRESS of who has the board,
FOLDER of all drivers.

The link hands every call on to the simulated board, which lives in the process of the tests.
"""

import json
import sys
from http.client import HTTPConnection
from io import BytesIO
from multiprocessing.connection import Client
from pathlib import Path
from threading import Thread

import numpy as np

folder, address = Path(sys.argv[1]), sys.argv[2]
sys.path[:0] = [str(folder), sys.argv[3]]
import serial_link  # noqa: E402  (the link of other packages)
from accelerator import Accelerator, AcceleratorError  # noqa: E402
from serve import Server  # noqa: E402
from service import NPY, RAW, Service  # noqa: E402


class Remote:
    """A link whose board is elsewhere."""

    chunk_bytes = 1 << 16

    def __init__(self):
        self._connection, self._packet = Client(address), None

    def _ask(self, *words):
        self._connection.send(words)
        failed, value = self._connection.recv()
        if failed:
            raise RuntimeError(value)
        return value

    def open(self, bitfile, facts):
        self.clock_khz = self._ask("open", str(bitfile), json.dumps(facts))

    def buffer(self, nbytes):
        return np.zeros(nbytes, np.uint8)

    def receive(self, buffer, nbytes):
        self._packet = buffer, nbytes
        self._ask("receive", nbytes)

    def send(self, buffer, nbytes):
        self._ask("send", buffer[:nbytes].tobytes())

    def received(self):
        content = self._ask("received")
        if content is None:
            return False
        buffer, nbytes = self._packet
        buffer[:nbytes] = np.frombuffer(content, np.uint8)
        return True

    def __getattr__(self, name):
        return lambda *words: self._ask(name, *words)


facts = json.loads((folder / "accel.json").read_text())
with np.load(str(folder / "sample.npz")) as arrays:
    images, expected = arrays["images"], arrays["logits"]
npy = BytesIO()
np.save(npy, images)
assert serial_link.SerialLink("/dev/none").lock_file("").name == "signflow-dev-none.lock"
with Accelerator(folder / (facts["name"] + ".bit"), Remote()) as accelerator:
    logits = accelerator(images)
    assert logits.dtype == expected.dtype and (logits == expected).all()
    assert (accelerator(images[::-1].astype(np.int64)) == expected[::-1]).all()
    assert accelerator.page()["FRAMES_OUT"] == len(images)
    print(accelerator.throughput_test(20))
    with Server(Service(accelerator, folder), port=0) as server:  # the web page gives them, too
        Thread(target=server.serve_forever, daemon=True).start()
        connection = HTTPConnection("127.0.0.1", server.server_port)
        for kind, body in ((RAW, images.tobytes()), (NPY, npy.getvalue())):
            connection.request("POST", "/classify", body, {"Content-Type": kind})
            found = json.loads(connection.getresponse().read())
            assert (np.array(found["logits"], np.float32) == expected).all(), found
        connection.request("GET", "/status")
        assert json.loads(connection.getresponse().read())["page"]["FRAMES_OUT"] == len(images)
        server.shutdown()
    try:
        accelerator(images.astype(float))
    except TypeError as error:
        print(error)
try:
    accelerator(images)
except AcceleratorError as error:
    print(error)
print(f"{logits.size} logits equal with Python {sys.version.split()[0]} and numpy {np.__version__}")
