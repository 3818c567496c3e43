"""What a file, or bytes on a line, can come in by: right, or refused in one line by an error of the project's own."""

import re
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "tests" / "data" / "corpus"
LINE = 2000
"""Characters of a refusal at most."""
MEMORY = re.compile("unable to allocate|bad_alloc|bad allocation|failed to allocate|memoryerror|allocate memory", re.I)
"""What libraries say of sizes that no machine has: a smaller one would have been given to them."""


@dataclass(frozen=True)
class Door:
    """One way in."""

    name: str
    suffix: str
    """Of its files."""
    enter: Callable[[Path], str]
    """Opens a file as the product does and returns a word for what came out right; raises what the product raises."""
    refusals: tuple[type[Exception], ...]
    """Errors that the product is allowed to raise there."""
    seeds: Callable[[], dict[str, bytes]]
    """Small good files by name; whatever is made once, and takes time, is made here."""
    change: Callable[[bytes, Random], bytes]
    """A file with something of its structure changed, always the same for the same generator."""
    seconds: float = 10.0
    """Longest time for one file, on a machine with other work."""


class Finding(Exception):
    """A file was neither right nor properly refused; ``key`` is the same for what has the same cause."""

    def __init__(self, key: str, text: str):
        self.key = key
        super().__init__(text)


@dataclass
class Verdict:
    """What became of a file."""

    word: str
    """"right ...", or the error's type and what it says."""
    place: str
    """The lines of ours that an error came from, or the word."""
    kind: str = field(init=False)
    """The same for all files of which the same is said: without names, numbers and texts of the file."""

    def __post_init__(self):
        text = re.sub(r"/\S*?input\.\w+|/tmp/\S*", "FILE", self.word)
        text = re.sub(r"'[^']*'|\"[^\"]*\"|\[[^]]*\]|[^ -~]", "_", text)
        self.kind = re.sub(r"\W+", "-", re.sub(r"[-+.\w]*\d[-+.\w]*", "_", text))[:72].strip("-_").lower()


def judge(door: Door, data: bytes) -> Verdict:
    """Open ``data`` by ``door``; raises Finding for what is neither right nor refused, and for litter."""
    with tempfile.TemporaryDirectory(prefix="signflow-door-") as outer:
        path = Path(outer) / "folder" / f"input{door.suffix}"
        path.parent.mkdir()
        path.write_bytes(data)
        start = time.monotonic()
        try:
            where = word = f"right: {door.enter(path)}"
        except door.refusals as error:
            word, where = f"{type(error).__name__}: {error}", place(error)
            where += f" {place(error.__context__)}" if error.__context__ else ""
            _check_words(word, error)
        except Exception as error:
            raise Finding(place(error), "".join(traceback.format_exception(error))[-4000:]) from error
        seconds = time.monotonic() - start
        if seconds > door.seconds:
            raise Finding("slow", f"{seconds:.1f} s: {word}")
        left = sorted(str(p.relative_to(outer)) for p in Path(outer).rglob("*"))
        if left != ["folder", f"folder/input{door.suffix}"]:
            raise Finding("litter", f"{left}: {word}")
    return Verdict(word, where)


def _check_words(word: str, error: Exception) -> None:
    if "\n" in word.strip() or len(word) > LINE:
        raise Finding(f"words-{place(error)}", f"no line of bearable length, {len(word)} characters: {word[:LINE]}")
    if MEMORY.search(word):
        raise Finding(f"memory-{place(error)}", word)


def place(error: BaseException) -> str:
    """Type of an error and the last line of ours that it came through."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if str(ROOT) in frame.filename]
    ours = [frame for frame in frames if "/tests/campaigns/" not in frame.filename] or frames
    where = f"{Path(ours[-1].filename).stem}-{ours[-1].lineno}" if ours else "elsewhere"
    return f"{type(error).__name__}-{where}".lower()


def corpus(door: Door) -> list[Path]:
    """Its committed files."""
    return sorted((CORPUS / door.name).glob("*"))
