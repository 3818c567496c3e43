"""SystemVerilog to a shared library: lint and compile with Verilator, cached by content.

`compile` turns a module into a library that holds the Verilated model and a harness in C++: by default the loop of
`harness.cpp` around one input and one output stream. What is read at run time ($readmemh images) is not part of it:
new weights need no new build.
"""

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path

from signflow.hw.parameters import verilog
from signflow.hw.sim.toolchain import (
    RtlError,
    cached,
    cxx,
    digest,
    fingerprint,
    has_headers,
    linker,
    run_tool,
    verilator_root,
)

POPCOUNT = Path(__file__).with_name("popcount.h")
EXPAND_WORDS = "8"
"""Words of 32 bits up to which an operation is written out; g++ makes vectors of the loops, in a quarter less time."""
FUNCTION_NODES = "2000"
"""Statements of a C++ function, about: g++ -O2 took 72 s for one of 1.2 MB (ResNet-20), and 38 s for all in pieces."""
UNITY_BYTES = 300_000  # of the smallest files, compiled as one translation unit: the headers are then parsed once

# variant -> (Verilator options, C++ options). No --threads: measured, two threads halve the speed of such designs.
VARIANTS = {
    "fast": (["-O3", "--x-assign", "fast", "--x-initial", "fast", "--noassert"], ["-O3", "-march=native"]),
    "check": (["-O3", "--x-assign", "unique", "--x-initial", "unique", "--assert"], ["-O0"]),
    "once": (["-O3", "--x-assign", "fast", "--x-initial", "fast", "--noassert"], ["-O1"]),
    "trace": (["-O3", "--x-assign", "fast", "--x-initial", "fast", "--noassert"], ["-O2"]),
    "vcd": (["-O3", "--x-assign", "fast", "--x-initial", "fast", "--noassert"], ["-O2"]),
}
# C++14 has fewer templates in its headers than 17 and compiles sooner; Verilator's classes lie on cache lines
CXX_OPTIONS = [
    "-std=gnu++14", "-faligned-new", "-fPIC", "-fvisibility=hidden", "-fno-semantic-interposition", "-w",
    "-DVL_TIME_CONTEXT", "-DVL_USER_STOP", "-DVL_USER_FATAL", "-DVL_USER_WARN",
]  # fmt: skip

OPTIONAL = ("in_last", "out_last", "load_in", "load_out")
# role -> port name, for the two stream shapes a top may have
PORT_STYLES = {
    "axis": {
        "in_data": "s_axis_tdata", "in_valid": "s_axis_tvalid", "in_ready": "s_axis_tready",
        "in_last": "s_axis_tlast", "out_data": "m_axis_tdata", "out_valid": "m_axis_tvalid",
        "out_ready": "m_axis_tready", "out_last": "m_axis_tlast", "load_in": "load_i", "load_out": "load_o",
    },
    "plain": {
        "in_data": "in_data_i", "in_valid": "in_valid_i", "in_ready": "in_ready_o",
        "in_last": "in_last_i", "out_data": "out_data_o", "out_valid": "out_valid_o",
        "out_ready": "out_ready_i", "out_last": "out_last_o", "load_in": "load_i", "load_out": "load_o",
    },
}  # fmt: skip


@dataclass(frozen=True)
class Harness:
    """The C++ around a Verilated design, and what it must know of it."""

    source: Path
    """The C++ file; it includes "ports.h" and "Vtop.h"."""
    header: Callable[[str, dict[str, tuple[str, int]]], tuple[str, dict]]
    """(the design's name for messages, its ports name -> (side, bits)) -> (text of ports.h, in_bits, out_bits, out_last
    of `CompiledModel`); raises RtlError when the ports do not fit."""


@dataclass(frozen=True)
class CompiledModel:
    """A compiled design: the library, and the widths in bits of its two streams."""

    library: Path
    top: str
    in_bits: int
    out_bits: int
    out_last: bool  # the output stream has TLAST
    wave: str  # "" or the suffix of the wave files this build writes: "fst" or "vcd"


def lint(
    top: str,
    sources: Sequence[Path],
    parameters: Mapping[str, int | str] | None = None,
    include_dirs: Sequence[Path] = (),
) -> None:
    """Elaborate `top` under `-Wall` and raise RtlError on any warning or error not waived in the source.

    Unnamed generate blocks are not reported: the one-line parameter checks of our RTL need no label. Nor are variables
    of a single bit that our RTL lets Verilator split: others are wider.

    Args: `sources` in any order that declares packages first; `parameters` of the top, integers or strings.
    """
    options = ["--lint-only", "-Wall", "-Wno-GENUNNAMED", "-Wno-SPLITVAR", "--no-timing"]
    options += _elaboration(top, sources, parameters, include_dirs)
    done = run_tool([verilator_root() / "bin" / "verilator_bin", *options])
    if done.returncode:
        raise RtlError(_excerpt(f"Verilator refuses {top}{_shown(parameters)}", done.stdout), done.stdout)


def compile(
    top: str,
    sources: Sequence[Path],
    parameters: Mapping[str, int | str] | None = None,
    *,
    variant: str = "fast",
    include_dirs: Sequence[Path] = (),
    harness: Harness | None = None,
) -> CompiledModel:
    """Compile `top` (or find it in the cache) into a library for `stream.StreamModel`, or for another `harness`.

    Args:
        variant: "fast" (full speed), "once" (soon compiled, for few cycles), "check" (RTL assertions on, registers and
            memories start at seeded random values, so a missing reset shows), "vcd" (can write waves) or "trace" (waves
            as FST if lz4.h and zlib.h are installed, else VCD).
    Raises: ToolMissingError, or RtlError with the first useful lines if Verilator or the C++ compiler fails.
    """
    if variant not in VARIANTS:
        raise ValueError(f"variant {variant!r} is none of {', '.join(VARIANTS)}")
    wave = {"vcd": "vcd", "trace": "fst" if has_headers("lz4.h", "zlib.h") else "vcd"}.get(variant, "")
    elaboration = _elaboration(top, sources, parameters, include_dirs)
    texts = [word for path in _all_files(sources, include_dirs) for word in (path.name, path.read_bytes())]
    recipe = json.dumps([top, dict(parameters or {}), variant, VARIANTS[variant], CXX_OPTIONS, wave])
    harness = harness or STREAM
    own = [path.read_bytes() for path in (harness.source, POPCOUNT, Path(__file__))]
    key = digest(fingerprint(), recipe, *own, *texts)
    name = f"{top}{_shown(parameters)}"
    folder = cached("models", f"{top[:40]}-{key}", partial(_build, name, top, elaboration, variant, wave, harness))
    facts = json.loads((folder / "model.json").read_text())
    return CompiledModel(library=folder / "model.so", **facts)


def prepare() -> None:
    """Compile what every "fast" library of this machine shares, where it is not in the cache: six seconds, once. Raises
    what `compile` raises.
    """
    _precompiled([*_options(""), *VARIANTS["fast"][1]])
    _runtime("")


def _build(
    name: str, top: str, elaboration: list[str], variant: str, wave: str, harness: Harness, folder: Path
) -> None:
    """Fill `folder` with model.so and model.json; the intermediate C++ is removed again."""
    verilator_options, level = VARIANTS[variant]
    cpp = folder / "cpp"
    flags = ["--cc", "--no-timing", "-Wno-fatal", "-Wno-lint", "-Wno-style", "-Werror-USERERROR", "-Werror-USERFATAL"]
    flags += ["--Mdir", cpp, "--prefix", "Vtop", "--output-split-cfuncs", FUNCTION_NODES]
    flags += ["--expand-limit", EXPAND_WORDS]
    flags += [f"--trace-{wave}", "--trace-structs"] if wave else []
    done = run_tool([verilator_root() / "bin" / "verilator_bin", *flags, *verilator_options, *elaboration])
    if done.returncode:
        raise RtlError(_excerpt(f"Verilator refuses {name}", done.stdout), done.stdout)
    ports = _ports((cpp / "Vtop.h").read_text())
    text, facts = harness.header(name, ports)
    (cpp / "ports.h").write_text(text)
    options = [*_options(wave), *level]
    options += ["-I", cpp, "-include", _precompiled(options)]
    _compile_cpp(name, harness.source, cpp, folder / "model.so", options, wave)
    (folder / "model.json").write_text(json.dumps(dict(facts, top=top, wave=wave)))
    for path in cpp.iterdir():
        path.unlink()
    cpp.rmdir()


def _compile_cpp(name: str, harness: Path, cpp: Path, library: Path, options: list[str], wave: str) -> None:
    """Compile the generated C++ and the harness, small files as one unit and large ones in parallel, and link."""
    files, unity = sorted([harness, *sorted(cpp.glob("*.cpp"))], key=_size), cpp / "unity.cpp"
    small = sum(total < UNITY_BYTES for total in accumulate(map(_size, files)))
    unity.write_text("".join(f'#include "{path}"\n' for path in files[:small]))

    def one(path: Path) -> Path:
        target = cpp / f"{path.stem}.o"
        _cxx(f"compiling {name}", [*options, *(["-O1"] if "Slow" in path.name else []), "-c", path, "-o", target])
        return target

    runtime = _runtime(wave)
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # largest first, so that the last one is short
        objects = list(pool.map(one, [*reversed(files[small:]), unity]))
    libraries = ["-lz", "-llz4"] if wave == "fst" else []
    _cxx(f"linking {name}", ["-shared", *linker(), *objects, runtime, "-lpthread", *libraries, "-o", library])


def _size(path: Path) -> int:
    return path.stat().st_size


def _precompiled(options: list) -> Path:
    """`popcount.h`, and beside it what g++ made of it and of Verilator's headers, which are most of a small design, for
    C++ with exactly these options. Clang's would have to stay where it was made.
    """
    text = POPCOUNT.read_bytes()

    def build(folder: Path) -> None:
        header = folder / POPCOUNT.name
        header.write_bytes(text)
        if "clang" not in fingerprint():
            _cxx("compiling Verilator's headers", [*options, "-x", "c++-header", header, "-o", f"{header}.gch"])

    return cached("headers", digest(fingerprint(), json.dumps(list(map(str, options))), text), build) / POPCOUNT.name


def _runtime(wave: str) -> Path:
    """Verilator's own C++ run-time as a static library, compiled once per machine and wave format."""
    files = ["verilated.cpp", "verilated_threads.cpp"]
    files += [f"verilated_{wave}_c.cpp"] if wave else []

    def build(folder: Path) -> None:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            compile_one = partial(_runtime_object, _options(wave), folder)
            objects = list(pool.map(compile_one, files))
        _cxx("linking the Verilator run-time", ["-r", *objects, "-o", folder / "runtime.o"])

    return cached("runtime", digest(fingerprint(), json.dumps([CXX_OPTIONS, "-O1", files])), build) / "runtime.o"


def _runtime_object(options: list, folder: Path, file: str) -> Path:
    target, source = folder / f"{Path(file).stem}.o", verilator_root() / "include" / file
    _cxx("compiling the Verilator run-time", [*options, "-O1", "-c", source, "-o", target])
    return target


def _options(wave: str) -> list:
    """What all C++ is compiled with: `CXX_OPTIONS`, the macros of the wave format, the folders of the headers."""
    enabled = {"VM_TRACE": wave != "", "VM_TRACE_FST": wave == "fst", "VM_TRACE_VCD": wave == "vcd"}
    root = verilator_root() / "include"
    macros = [f"-D{name}={int(value)}" for name, value in enabled.items()]
    return [*CXX_OPTIONS, *macros, "-I", root, "-I", root / "vltstd"]


def _cxx(doing: str, options: list) -> None:
    done = run_tool([cxx(), *options])
    if done.returncode:
        raise RtlError(_excerpt(f"{doing}: {Path(cxx()).name} failed", done.stdout), done.stdout)


def _ports(header: str) -> dict[str, tuple[str, int]]:
    """Ports of the generated class: name -> ("IN" or "OUT", bits). Names are the Verilog ones."""
    found = re.findall(r"VL_(IN|OUT)\w*\(&(\w+),(\d+),(\d+)", header)
    return {name: (side, int(left) - int(right) + 1) for side, name, left, right in found}


def _stream_header(name: str, ports: dict[str, tuple[str, int]]) -> tuple[str, dict]:
    """What harness.cpp must know: port names and widths."""
    style = next((s for s in PORT_STYLES.values() if s["in_data"] in ports), None)
    if style is None:
        known = " or ".join(s["in_data"] for s in PORT_STYLES.values())
        raise RtlError(f"{name} has no input stream: expected a port {known}, found {', '.join(sorted(ports))}")
    needed = {"clk_i", "rst_ni", *(port for role, port in style.items() if role not in OPTIONAL)}
    optional = {style[role] for role in OPTIONAL}
    if missing := needed - set(ports):
        raise RtlError(f"{name} lacks the ports {', '.join(sorted(missing))}; found {', '.join(sorted(ports))}")
    if extra := {port for port, (side, _) in ports.items() if side == "IN"} - needed - optional:
        raise RtlError(f"{name} has inputs the harness does not drive: {', '.join(sorted(extra))}")
    lines = [f"#define PORT_{role.upper()} {port}" for role, port in style.items() if port in ports]
    in_bits, out_bits = ports[style["in_data"]][1], ports[style["out_data"]][1]
    lines += [f"#define IN_BITS {in_bits}", f"#define OUT_BITS {out_bits}", ""]
    return "\n".join(lines), {"in_bits": in_bits, "out_bits": out_bits, "out_last": style["out_last"] in ports}


STREAM = Harness(Path(__file__).with_name("harness.cpp"), _stream_header)
"""One input stream, one output stream: the loop of `harness.cpp`."""


def _elaboration(
    top: str, sources: Sequence[Path], parameters: Mapping[str, int | str] | None, include_dirs: Sequence[Path]
) -> list[str]:
    """Verilator's command words for the design itself; absolute paths, since we may run elsewhere."""
    for path in [*sources, *include_dirs]:
        if not Path(path).exists():
            raise RtlError(f"{path} does not exist: it is listed as a source of {top}")
    words = ["--top-module", top]
    words += [f"-G{name}={verilog(value)}" for name, value in (parameters or {}).items()]
    words += [f"-I{Path(path).resolve()}" for path in include_dirs]
    return words + [str(Path(path).resolve()) for path in sources]


def _all_files(sources: Sequence[Path], include_dirs: Sequence[Path]) -> list[Path]:
    headers = [path for folder in include_dirs for path in sorted(Path(folder).iterdir())]
    return [*map(Path, sources), *(path for path in headers if path.suffix in (".sv", ".svh", ".v", ".vh"))]


def _shown(parameters: Mapping[str, int | str] | None) -> str:
    """Parameters for messages: " #(W=8, ...)"."""
    return f" #({', '.join(f'{k}={v}' for k, v in parameters.items())})" if parameters else ""


def _excerpt(summary: str, log: str, lines: int = 12) -> str:
    """The summary and the first lines of a tool's log that tell the cause."""
    rows = [row for row in log.splitlines() if row.strip() and "Exiting due to" not in row]
    words = ("error", "undefined reference", "%warning")
    first = next((i for word in words for i, row in enumerate(rows) if word in row.lower()), 0)
    return "\n  ".join([summary + ":", *rows[first : first + lines]])


__all__ = ["STREAM", "CompiledModel", "Harness", "compile", "lint", "prepare"]
