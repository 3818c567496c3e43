"""A generated accelerator -> the project folder of a board: the accelerator, the shell around it, the board's top.

`write_project` makes the folder that a board's tool chain reads, complete and free to move; it is simulated as well:

    accel.json    the accelerator's, with "shell" (how frames lie in memory, hash, clock); "top" is the board's top
    rtl/  mem/    of the accelerator, plus the shell's modules, <name>_shell.sv, and the top
    ...           what the board's tool chain needs, given as `extra`

In memory a frame is ``in_beats`` beats of ``beat_bits`` bits, little end first: word j of a frame lies at its byte
j * in_word_bits / 8; frames follow each other without gaps; results likewise.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from signflow.deploy.generate import ulx3s
from signflow.deploy.generate.accelerator import WEIGHTS
from signflow.deploy.generate.shell import AXI_MODULES, LOAD_MODULES, SHELL_MODULES, axi_text, shell_text
from signflow.hw.boards import Board
from signflow.hw.ops.base import RTL_DIR
from signflow.hw.scratch import replacing_folder
from signflow.models.files import replacing

PAGE_VERSION = 1
SHELL_LATENCY = 8  # cycles a frame spends in the shell, generously
BUILD = "build"  # the tool chain's own folder in a project


class ShellError(ValueError):
    """An accelerator cannot be put on a board; the message says why."""


def network_hash(folder: Path) -> str:
    """32 hex digits that stand for an accelerator: structure, weights, thresholds.

    The first 16 bytes of SHA-256 over all files of ``folder``, sorted by relative name: for each file the length of the
    name, the name, the length of the content, the content (lengths as 8 bytes, little end first). Of a loadable one
    only the sources count: it is the same with other weights.
    """
    total, files = hashlib.sha256(), _files(folder)
    if WEIGHTS in files:
        files = {name: content for name, content in files.items() if name.startswith("rtl/")}
    for name, content in sorted(files.items()):
        for part in (name.encode(), content):
            total.update(len(part).to_bytes(8, "little") + part)
    return total.hexdigest()[:32]


def shell_facts(facts: Mapping, board: Board, folder: Path) -> dict:
    """What `accel.json` says of the shell; ``facts`` are those of the accelerator in ``folder``.

    Bits of beats and words, beats of a frame, depth of the tag FIFO, hash, version of the status page, clock in kHz.
    """
    beats, predicted = board.beats(facts), facts["predicted"]
    longest = predicted["latency"] + SHELL_LATENCY + max(1, beats["out_word_bits"] // beats["beat_bits"])
    in_flight = -(-longest // max(1, predicted["interval"])) + 1 + facts.get("batch", 1)
    return {
        **beats,
        "tags": max(4, 1 << (in_flight - 1).bit_length()),
        "network_hash": network_hash(folder),
        "page_version": PAGE_VERSION,
        "clock_khz": round(board.clock_mhz * 1000),
    }


def project_facts(accelerator: Path, board: Board) -> dict:
    """`accel.json` of the project that `write_project` makes. Raises ShellError without an accelerator, and
    what the board's top raises.
    """
    return _compose(accelerator, board)[0]


def write_project(accelerator: Path, board: Board, folder: Path, extra: Mapping[str, str] = {}) -> Path:
    """Write the project of ``accelerator`` (a folder with `accel.json`) for ``board`` to ``folder``, whole or not at
    all.

    ``extra`` are further files, relative name -> text. A project that is there already with the same content is left
    alone, so what its tool chain built stays, also where it was loaded with other weights; another one is replaced.
    Raises ShellError.
    """
    facts, texts, modules = _compose(accelerator, board)
    contents = _files(accelerator) | {f"rtl/{m}.sv": (RTL_DIR / f"{m}.sv").read_bytes() for m in modules}
    for name in extra:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or name in contents or path.parts[0] in ("rtl", "mem", BUILD):
            rule = f"it must be a new file outside rtl, mem and {BUILD}"
            raise ShellError(f"{name!r} cannot be added to the project: {rule}")
    texts = texts | dict(extra) | {"accel.json": json.dumps(facts, indent=1, sort_keys=True) + "\n"}
    contents |= {name: text.encode() for name, text in texts.items()}
    loaded = (WEIGHTS, "accel.json") if facts.get("loadable") else ()
    found = _files(folder, skip=BUILD)
    if found.keys() == contents.keys() and all(found[name] == contents[name] or name in loaded for name in found):
        for name in loaded:
            with replacing(folder / name) as partial:
                partial.write_bytes(contents[name])
        return folder
    with replacing_folder(folder) as new:
        for name, content in contents.items():
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            (new / name).write_bytes(content)
    return folder


def _compose(accelerator: Path, board: Board) -> tuple[dict, dict[str, str], list[str]]:
    """Facts of the project, its generated texts by relative name, the library modules it adds."""
    path = accelerator / "accel.json"
    if not path.exists():
        raise ShellError(f"{path} does not exist: {accelerator} holds no accelerator (run `signflow build`)")
    facts = json.loads(path.read_text())
    facts |= board.facts()
    facts.pop("files", None)  # of the accelerator alone
    facts["shell"] = shell_facts(facts, board, accelerator)
    name = facts["name"]
    top, text, modules = TOPS[board.link](facts, board)
    modules = sorted({*SHELL_MODULES, *(LOAD_MODULES if facts.get("loadable") else ()), *modules})
    if clash := {name, f"{name}_shell", top.split(".")[0]} & set(modules):
        raise ShellError(f"the network cannot be called {name!r}: {clash.pop()} is a module of the shell; rename it")
    texts = {f"rtl/{name}_shell.sv": shell_text(facts), f"rtl/{top}": text}
    new = [f"rtl/{m}.sv" for m in modules if f"rtl/{m}.sv" not in facts["sources"]]
    facts["sources"] = [*facts["sources"], *new, *texts]
    facts["top"] = top.split(".")[0]
    return facts, texts, modules


def _axi_top(facts: Mapping, board: Board) -> tuple[str, str, list[str]]:
    return f"{facts['name']}_axi.v", axi_text(facts), list(AXI_MODULES)


TOPS = {"pynq": _axi_top, "serial": ulx3s.top}
"""Link of a board -> file name and text of its top, and the library modules it uses besides those of the shell."""


def _files(folder: Path, skip: str = "") -> dict[str, bytes]:
    """Content of all files below ``folder`` by relative name, without the folder ``skip``."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    return {name: path.read_bytes() for name, path in names.items() if name.split("/")[0] != skip}


__all__ = ["ShellError", "network_hash", "project_facts", "shell_facts", "write_project"]
