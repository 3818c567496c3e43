"""Signed packages: who signed, what was changed since, and what the driver says of it."""

import os
import subprocess
from pathlib import Path

import pytest

from signflow.deploy.board.accelerator import Accelerator, AcceleratorError
from signflow.deploy.board.package import package
from signflow.deploy.board.signature import SIGNATURE, SUMS, SignatureError, sign, signer, sums
from signflow.deploy.generate.project import write_project
from signflow.deploy.steps import ACCELERATOR
from signflow.hw import boards

from .board_folder import unpack


@pytest.fixture(scope="module")
def keys(tmp_path_factory) -> Path:
    """Key pairs `mine` and `other`; `known` lists mine alone."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("mine", "other"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", folder / name], check=True)
    (folder / "known").write_text(f'me@here namespaces="signflow" {(folder / "mine.pub").read_text()}')
    return folder


@pytest.fixture
def folder(keys, tmp_path) -> Path:
    """A small package, signed."""
    files = {"net.bit": b"bits", "accel.json": b"{}", "accel.npz": b"arrays"}
    files[SUMS] = sums(files)
    files[SIGNATURE] = sign(files[SUMS], keys / "mine")
    (tmp_path / "package").mkdir()
    for name, content in files.items():
        (tmp_path / "package" / name).write_bytes(content)
    return tmp_path / "package"


def test_who_signed(keys, folder):
    assert signer(folder, keys / "known", ["net.bit"]) == "me@here"
    assert sign((folder / SUMS).read_bytes(), keys / "mine") == (folder / SIGNATURE).read_bytes()  # the same bytes


def test_the_documented_command_agrees(keys, folder):
    command = (
        f"ssh-keygen -Y verify -f {keys}/known -I me@here -n signflow -s {SIGNATURE} < {SUMS} && sha256sum -c {SUMS}"
    )
    done = subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True, check=True)
    assert 'Good "signflow" signature for me@here' in done.stdout and "net.bit: OK" in done.stdout


def flip(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda at: flip(at / "net.bit"), "net.bit is not what me@here signed"),
        (lambda at: (at / "accel.npz").unlink(), "accel.npz is not what me@here signed"),
        (lambda at: (at / "more.bin").write_bytes(b"?"), "more.bin is not what me@here signed"),
        (lambda at: flip(at / SUMS), f"{SUMS} is not what me@here signed"),
        (lambda at: (at / SUMS).unlink(), f"{SUMS} is not what me@here signed"),
        (lambda at: (at / SIGNATURE).unlink(), f"is not signed: it has no {SIGNATURE}"),
        (lambda at: (at / SIGNATURE).write_text("nonsense"), "is not signed by any of"),
    ],
)
def test_what_was_changed(keys, folder, change, message):
    change(folder)
    with pytest.raises(SignatureError, match=message):
        signer(folder, keys / "known", ["net.bit", "more.bin"] if (folder / "more.bin").exists() else ["net.bit"])


def test_other_keys_and_namespaces(keys, folder):
    (folder / SIGNATURE).write_bytes(sign((folder / SUMS).read_bytes(), keys / "other"))
    with pytest.raises(SignatureError, match="is not signed by any of"):
        signer(folder, keys / "known")
    command = ["ssh-keygen", "-q", "-Y", "sign", "-f", keys / "mine", "-n", "git", folder / SUMS]
    subprocess.run(command, check=True, capture_output=True)
    with pytest.raises(SignatureError, match="signed"):  # a signature of the same key for something else
        signer(folder, keys / "known")


def test_no_key_no_list_no_tool(keys, folder, monkeypatch):
    with pytest.raises(SignatureError, match="nowhere is no file: name your private key"):
        sign(b"", keys / "nowhere")
    with pytest.raises(SignatureError, match=r"known cannot sign \(ssh-keygen: "):
        sign(b"", keys / "known")
    with pytest.raises(SignatureError, match="nobody is no file: it must list names"):
        signer(folder, keys / "nobody")
    monkeypatch.setitem(os.environ, "PATH", "")
    with pytest.raises(SignatureError, match=r"ssh-keygen cannot be run .*; install OpenSSH"):
        sign(b"", keys / "mine")


def test_the_driver_asks(keys, work, tmp_path):
    project = write_project(work / ACCELERATOR, boards.board("pynq-z2"), tmp_path / "8-project")
    bit = unpack(package(work, project, tmp_path / "package.zip", keys / "mine"), tmp_path / "signed")
    with Accelerator(bit, signers=keys / "known") as opened:
        assert opened.signer == "me@here"
    flip(bit.with_name("accel.npz"))
    with pytest.raises(AcceleratorError, match=r"accel\.npz is not what me@here signed"):
        Accelerator(bit, signers=keys / "known")
    bare = unpack(package(work, project, tmp_path / "package.zip"), tmp_path / "bare")
    with pytest.raises(AcceleratorError, match="is not signed"):
        Accelerator(bare, signers=keys / "known")
