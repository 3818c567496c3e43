"""A small disk of its own on which the command runs and is disturbed: files, processes, memory, what is left."""

import atexit
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from signflow.hw.sim.toolchain import SEAL
from signflow.tests.campaigns import verbs

MARK = "SIGNFLOW_EVENT"
"""A variable that all processes of an event inherit, wherever they go."""
PATIENCE = 400.0
"""Seconds within which a command must have ended; it has hung then."""
ENDING = 15.0
"""Seconds within which all that it has started must have ended, too."""
PLACES = ("in", "out", "tmp", "cache")


@dataclass
class Ended:
    """How a run of the command ended."""

    code: int
    """Exit code, or minus the number of the signal that ended it."""
    text: str
    """What it said on standard error."""
    seconds: float
    memory: int
    """The most address space that its first process had, in bytes."""
    used: int
    """The most bytes on the disk."""
    orphans: list[str] = field(default_factory=list)
    """What it had started and still ran when it had ended for `ENDING` seconds."""
    unheeded: float = 0.0
    """Seconds for which it went on after a signal that asked it to end."""


def in_own_namespace() -> None:
    """Run this program again where nobody else sees its mounts, which end with it, and with an empty /tmp and /dev/shm
    of its own.
    """
    if not os.environ.get("SIGNFLOW_NAMESPACE"):
        os.environ |= {"SIGNFLOW_NAMESPACE": "1", "OMP_NUM_THREADS": "1"}
        rights = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        os.execvp("unshare", ["unshare", "--mount", *rights, *sys.orig_argv])
    for folder in SHARED:
        mount("-t", "tmpfs", "none", folder)


SHARED = ("/tmp", "/dev/shm")
SEMAPHORES = "sem.mp-"
"""What Python's multiprocessing leaves in /dev/shm, 32 bytes each, when all its processes are killed; nobody can tell
whose they are.
"""


def mount(*words: str | Path) -> None:
    """The program `mount`."""
    subprocess.run(["mount", *map(str, words)], check=True, capture_output=True, text=True)


class Disk:
    """A file system in memory at ``folder``, of a size that can be changed, with the four `PLACES`."""

    def __init__(self, folder: Path):
        self.folder = folder.resolve()
        self.folder.mkdir(exist_ok=True)
        mount("-t", "tmpfs", "-o", "size=1g", "none", self.folder)

    def fill(self, template: Path) -> None:
        """Hold what ``template`` holds, and nothing else."""
        self.resize(1 << 30)
        for path in self.folder.iterdir():
            shutil.rmtree(path)
        for name in PLACES:
            shutil.copytree(template / name, self.folder / name)

    @property
    def used(self) -> int:
        """Bytes in use."""
        facts = os.statvfs(self.folder)
        return (facts.f_blocks - facts.f_bfree) * facts.f_bsize

    def resize(self, size: int) -> None:
        """So many bytes, and no more."""
        mount("-o", f"remount,size={size}", self.folder)

    def freeze(self, place: str) -> Callable[[], None]:
        """Let nobody write below ``place``; returns what undoes it."""
        at = self.folder / place
        mount("--bind", at, at)
        mount("-o", "remount,bind,ro", at)
        return lambda: subprocess.run(["umount", str(at)], check=True)

    def age(self) -> None:
        """Half an hour passes."""
        for path in (path for path in self.folder.rglob("*") if path.is_dir() and not path.is_symlink()):
            facts = path.stat()
            os.utime(path, (facts.st_atime, facts.st_mtime - 1800))

    def written(self) -> set[str]:
        """Names of all products and temporary files, and of what is no whole entry of the cache."""
        entries = (self.folder / "cache").glob("*/*")
        found = {*self._below("out", "tmp"), *(path for path in entries if not (path / SEAL).exists())}
        shared = {path for folder in SHARED for path in Path(folder).iterdir() if not path.name.startswith(SEMAPHORES)}
        return {path.relative_to(self.folder).as_posix() for path in found} | set(map(str, shared))

    def _below(self, *places: str) -> Iterator[Path]:
        return (path for place in places for path in (self.folder / place).rglob("*"))


class Run:
    """The command, begun on ``disk`` as a session of its own."""

    def __init__(self, disk: Disk, words: Sequence[str], mark: str, memory: int = 0, fresh: bool = False, **own: str):
        """``mark``: a word for its processes; ``memory``: bytes of address space, on top of what this process has, or
        in all where a ``fresh`` interpreter runs it instead of a fork of this one; ``own``: variables of its
        environment.
        """
        self.disk, self.mark, self.begun = disk, f"{MARK}={mark}".encode(), time.monotonic()
        environment = verbs.environment(disk.folder) | own | {MARK: mark}
        self.said, (ready, begun) = os.memfd_create("said"), os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self._enter(environment, memory + (0 if fresh else address_space("self")) if memory else 0)
                if fresh:
                    call = f"from {verbs.__name__} import prepare; prepare()()"
                    os.execve(sys.executable, [sys.executable, "-c", call, *words], environment)
                command = verbs.prepare()
                os.close(begun)
                code = _ended(command, words)
            except BaseException:
                sys.excepthook(*sys.exc_info())
                code = 1
            finally:
                sys.stderr.flush()
                os._exit(code)
        os.close(begun)
        os.read(ready, 1)
        os.close(ready)

    def _enter(self, environment: dict[str, str], memory: int) -> None:
        os.setsid()
        os.chdir(self.disk.folder)
        for number, file in enumerate((os.open(os.devnull, os.O_RDWR), os.open(os.devnull, os.O_RDWR), self.said)):
            os.dup2(file, number)
        os.environ.clear()
        os.environ.update(environment)
        tempfile.tempdir = None
        signal.signal(signal.SIGINT, signal.default_int_handler)  # who runs in the background ignores it
        if memory:
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))

    def signal(self, number: int, whom: str, choose: Callable[[list[int]], int]) -> None:
        """Send a signal to the ``group``, to the ``main`` process, or to a ``child`` that ``choose`` picks."""
        children = [pid for pid in self._alive() if pid != self.pid] if whom == "child" else []
        if whom == "group":
            os.killpg(self.pid, number)
        else:
            os.kill(choose(children) if children else self.pid, number)

    def runs(self, seconds: float) -> bool:
        """Whether it still runs so many seconds after its beginning; waits until then."""
        while (time.monotonic() - self.begun) < seconds:
            if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                return False
            time.sleep(0.005)
        return True

    def end(self) -> Ended:
        """Wait until it has ended, and everything that it started."""
        memory = used = 0
        while (found := os.waitpid(self.pid, os.WNOHANG))[0] == 0:
            if time.monotonic() - self.begun > PATIENCE:
                os.killpg(self.pid, signal.SIGKILL)
            memory, used = max(memory, address_space(self.pid)), max(used, self.disk.used)
            time.sleep(0.02)
        seconds = time.monotonic() - self.begun
        while (left := self._alive()) and time.monotonic() - self.begun < seconds + ENDING:
            time.sleep(0.02)
        orphans = [Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")[:100] for pid in left]
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        with open(self.said, "rb") as file:
            file.seek(0)
            text = file.read().decode(errors="replace")
        return Ended(os.waitstatus_to_exitcode(found[1]), text, seconds, memory, used, orphans)

    def _alive(self) -> list[int]:
        """Numbers of its processes."""
        return sorted(pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if self._lives(pid))

    def _lives(self, pid: int) -> bool:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            marked = pid == self.pid or self.mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            return marked and state not in "ZX"
        except OSError:
            return False


def _ended(command: Callable[[], None], words: Sequence[str]) -> int:
    """Run a command in this process as a new interpreter would; returns its exit code."""
    sys.argv = ["signflow", *words]
    sys.stdout, sys.stderr = (open(n, "w", buffering=1, closefd=False) for n in (1, 2))  # noqa: SIM115 (till the end)
    try:
        command()
    except SystemExit as end:
        return end.code or 0
    finally:
        threading._shutdown()
        atexit._run_exitfuncs()
    return 0


def address_space(pid: int | str) -> int:
    """Bytes, 0 of a process that has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
    except (OSError, IndexError):
        return 0
