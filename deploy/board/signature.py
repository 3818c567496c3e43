"""Signatures of packages, by OpenSSH: whoever has an SSH key can sign, whoever knows the key can check.

`SHA256SUMS` in a package names all its other files, as `sha256sum` does; `SHA256SUMS.sig` is its signature for the
namespace "signflow". A list of signers is OpenSSH's: lines of a name and a public key (`man ssh-keygen`, ALLOWED
SIGNERS). Copied into every package; needs `ssh-keygen` of OpenSSH 8.2 or later, no Python package.

The driver of a forged package checks nothing. So a package of unknown origin is checked before anything of it runs:

    ssh-keygen -Y verify -f SIGNERS -I NAME -n signflow -s SHA256SUMS.sig < SHA256SUMS && sha256sum -c SHA256SUMS
"""

import hashlib
import subprocess
from pathlib import Path

SUMS, SIGNATURE, NAMESPACE = "SHA256SUMS", "SHA256SUMS.sig", "signflow"


class SignatureError(RuntimeError):
    """There is no signature to be had, or none to be trusted; the message says why."""


def sums(files) -> bytes:
    """`SHA256SUMS` of files, name -> content."""
    return "".join(f"{sha256(files[name])}  {name}\n" for name in sorted(files)).encode()


def sha256(content: bytes) -> str:
    """In hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def sign(text: bytes, key) -> bytes:
    """Signature of ``text`` with the private key in file ``key`` (or a public one, whose other half an agent holds).
    Raises SignatureError.
    """
    if not Path(key).is_file():
        raise SignatureError(f"{key} is no file: name your private key (`ssh-keygen -t ed25519` makes one)")
    return _ssh_keygen(f"{key} cannot sign", "sign", "-f", key, "-n", NAMESPACE, text=text)


def signer(folder, signers, needed=()) -> str:
    """Who signed the package in ``folder``, a name in the list ``signers`` (a file).

    Raises SignatureError: nobody did, none of them did, a file is not the one that was signed, or one of ``needed``
    (names) is not among the signed ones.
    """
    folder, signature = Path(folder), Path(folder) / SIGNATURE
    if not Path(signers).is_file():
        raise SignatureError(f"{signers} is no file: it must list names and public keys")
    if not signature.is_file():
        raise SignatureError(f"{folder} is not signed: it has no {SIGNATURE} (`signflow package --sign KEY` makes one)")
    text = (folder / SUMS).read_bytes() if (folder / SUMS).is_file() else b""
    stranger = f"{folder} is not signed by any of {signers}"
    name = _ssh_keygen(stranger, "find-principals", "-s", signature, "-f", signers).decode().splitlines()[0]
    forged = f"{folder / SUMS} is not what {name} signed"
    _ssh_keygen(forged, "verify", "-f", signers, "-I", name, "-n", NAMESPACE, "-s", signature, text=text)
    signed = {}
    for line in text.decode().splitlines():
        digest, _, file = line.partition("  ")
        signed[file] = digest
    for file in sorted({*signed, *needed}):
        found = sha256((folder / file).read_bytes()) if (folder / file).is_file() else "missing"
        if found != signed.get(file):
            raise SignatureError(f"{folder / file} is not what {name} signed: unpack the package again")
    return name


def _ssh_keygen(failure: str, what: str, *words, text: bytes = b"") -> bytes:
    """Output of ``ssh-keygen -Y what``; SignatureError begins with ``failure`` and ends with its own words."""
    command = ["ssh-keygen", "-Y", what, *map(str, words)]
    try:
        done = subprocess.run(command, input=text, capture_output=True, check=False)
    except OSError as error:
        raise SignatureError(f"{failure}: ssh-keygen cannot be run ({error}); install OpenSSH") from None
    if done.returncode:
        said = (done.stderr + done.stdout).decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise SignatureError(f"{failure} (ssh-keygen: {said[0]})")
    return done.stdout
