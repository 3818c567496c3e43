"""The driver under the Pythons and numpys of PYNQ's images 2.7, 3.0.1 and 3.1, on the simulated board."""

import json
import shutil
import subprocess
from contextlib import suppress
from multiprocessing.connection import Listener
from pathlib import Path
from threading import Thread

import pytest

from signflow.deploy.board import pynq_link
from signflow.deploy.board.pynq_link import PynqLink

IMAGES = {"2.7": ("3.8", "1.21.6"), "3.0.1": ("3.10", "1.21.5"), "3.1": ("3.10", "1.26.4")}
"""PYNQ's image -> Python and a numpy that it has, or is updated to."""


def python(version: str) -> str:
    """That interpreter; pyenv puts a script in its place, which may not know which one is meant."""
    if (found := shutil.which(f"python{version}")) is None:
        pytest.skip(f"there is no Python {version} here")
    real = sorted((Path(found).parents[1] / "versions").glob(f"{version}.*/bin/python"))
    return str(real[0] if real else found)


class Board:
    """Answers the calls of `old_python.Remote` with the simulated board."""

    def __init__(self, listener: Listener):
        self.link, self.buffers = PynqLink(), {}
        with suppress(EOFError), listener.accept() as connection:
            while True:
                name, *words = connection.recv()
                try:
                    answer = getattr(self, name, getattr(self.link, name, None))(*words)
                    connection.send((False, answer))
                except Exception as error:
                    connection.send((True, str(error)))

    def open(self, bitfile: str, facts: str) -> int:
        self.link.open(Path(bitfile), json.loads(facts))
        return self.link.clock_khz

    def receive(self, nbytes: int) -> None:
        self.packet = self.link.buffer(nbytes)
        self.link.receive(self.packet, nbytes)

    def send(self, content: bytes) -> None:
        self.sending = self.link.buffer(len(content))
        self.sending[:] = bytearray(content)
        self.link.send(self.sending, len(content))

    def received(self) -> bytes | None:
        return bytes(self.packet) if self.link.received() else None


@pytest.mark.slow
@pytest.mark.parametrize("image", IMAGES)
def test_every_logit_is_equal(image, bitfile, tmp_path):
    version, numpy = IMAGES[image]
    subprocess.run([python(version), "-m", "venv", tmp_path / "env"], check=True)
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"numpy=={numpy}"]
    subprocess.run([tmp_path / "env/bin/python", *install], check=True)
    address = str(tmp_path / "board")
    with Listener(address) as listener:
        board = Thread(target=Board, args=(listener,), daemon=True)
        board.start()
        script = Path(__file__).with_name("old_python.py")
        drivers = Path(pynq_link.__file__).parent
        command = [tmp_path / "env/bin/python", script, bitfile.parent, address, drivers]
        environment = {"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path)}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
        board.join(10)
    assert done.returncode == 0, done.stderr
    assert f"with Python {version}" in done.stdout and f"numpy {numpy}" in done.stdout
    assert "is closed" in done.stdout and "cycles an image" in done.stdout
