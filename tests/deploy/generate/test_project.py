"""Project folders: hash, facts, files, refusals; every top is clean; the whole shell computes what the network does."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyslang
import pytest

from signflow.deploy import flow
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.generate import project as shell
from signflow.deploy.golden.intgraph import IntGraph
from signflow.hw.boards import board, boards
from signflow.hw.sim import pack, pins, unpack, verilator

VIVADO = [name for name, b in boards().items() if b.toolchain == "vivado"]


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def facts_of(project: Path) -> dict:
    return json.loads((project / "accel.json").read_text())


@pytest.fixture(scope="module")
def accelerator(mini) -> Path:
    return mini[1] / flow.ACCELERATOR


@pytest.fixture(scope="module")
def project(accelerator, tmp_path_factory) -> Path:
    return shell.write_project(accelerator, board("pynq-z2"), tmp_path_factory.mktemp("project") / "8-project")


def test_hash_is_what_it_says(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x").write_bytes(b"12")
    (tmp_path / "a.json").write_bytes(b"")
    text = b"".join(n.to_bytes(8, "little") + s for s in (b"a.json", b"", b"b/x", b"12") for n in [len(s)])
    assert shell.network_hash(tmp_path) == hashlib.sha256(text).hexdigest()[:32]


def test_hash_sees_one_bit_of_a_weight(accelerator, tmp_path):
    copy = shutil.copytree(accelerator, tmp_path / "copy")
    before = shell.network_hash(accelerator)
    assert shell.network_hash(copy) == before
    weights = next((copy / "mem").glob("*weights.mem"))
    text = weights.read_text()
    weights.write_text(f"{int(text[0], 16) ^ 1:x}{text[1:]}")
    assert shell.network_hash(copy) != before


@pytest.mark.parametrize(
    ("stream", "word", "words", "widest", "interval", "beat", "beats"),
    [
        (64, 64, 98, 64, 200, 64, 98),
        (16, 16, 5, 64, 200, 64, 2),
        (24, 32, 5, 64, 200, 64, 3),
        (8, 8, 17, 32, 200, 32, 5),
        (72, 128, 3, 64, 200, 64, 6),
        (128, 128, 49, 128, 98, 64, 98),  # no wider than it must be
        (128, 128, 49, 128, 97, 128, 49),
        (392, 512, 16, 128, 16, 128, 64),  # the core alone: the link is slower
    ],
)
def test_beats_of_a_frame(tmp_path, stream, word, words, widest, interval, beat, beats):
    side, target = {"stream_bits": stream, "words": words}, replace(board("pynq-z2"), stream_bits=widest)
    facts = {"input": side, "output": side, "predicted": {"latency": 1000, "interval": interval}}
    found = shell.shell_facts(facts, target, tmp_path)
    assert (found["in_word_bits"], found["in_beats"], found["out_word_bits"], found["out_beats"]) == (word, beats) * 2
    assert (found["beat_bits"], target.link_cycles(facts)) == (beat, beats)
    tags = 1 << (-(-(1000 + 8 + max(1, word // beat)) // interval) + 2 - 1).bit_length()
    assert (found["tags"], found["clock_khz"], found["page_version"]) == (tags, 100_000, 1)


def test_the_project_is_complete_and_the_same_every_time(accelerator, project, tmp_path):
    again = shell.write_project(accelerator, board("pynq-z2"), tmp_path / "p", {"build.tcl": "# nothing\n"})
    assert content(project) | {"build.tcl": b"# nothing\n"} == content(again)
    facts = facts_of(project)
    assert facts == shell.project_facts(accelerator, board("pynq-z2"))
    assert facts["top"] == "mini_axi" and facts["shell"]["network_hash"] == shell.network_hash(accelerator)
    assert {f"rtl/{p.name}" for p in (project / "rtl").iterdir()} == set(facts["sources"])
    assert {k: v for k, v in content(project).items() if k[:4] == "mem/"} == {
        k: v for k, v in content(accelerator).items() if k[:4] == "mem/"
    }


def test_what_the_tool_chain_built_stays_until_something_changes(accelerator, tmp_path):
    folder = shell.write_project(accelerator, board("pynq-z2"), tmp_path / "p")
    (folder / "build").mkdir()
    (folder / "build" / "mini.bit").write_text("")
    shell.write_project(accelerator, board("pynq-z2"), folder)
    assert (folder / "build" / "mini.bit").exists()
    shell.write_project(accelerator, board("pynq-z2"), folder, {"build.tcl": ""})
    assert not (folder / "build").exists() and (folder / "build.tcl").exists()


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "accel.json", "rtl/mini_axi.v", "mem/x", "build/x", "rtl/new.sv"])
def test_extra_files_may_not_replace_anything(accelerator, tmp_path, name):
    with pytest.raises(shell.ShellError, match="cannot be added to the project"):
        shell.write_project(accelerator, board("pynq-z2"), tmp_path / "p", {name: ""})
    assert not (tmp_path / "p").exists()


def test_refusals(accelerator, tmp_path):
    with pytest.raises(shell.ShellError, match=r"accel\.json does not exist"):
        shell.write_project(tmp_path / "none", board("pynq-z2"), tmp_path / "p")
    copy = shutil.copytree(accelerator, tmp_path / "copy")
    (copy / "accel.json").write_text(
        (copy / "accel.json").read_text().replace('"name": "mini"', '"name": "sf_axi_lite"')
    )
    with pytest.raises(shell.ShellError, match="cannot be called 'sf_axi_lite'"):
        shell.project_facts(copy, board("pynq-z2"))


@pytest.mark.parametrize("name", VIVADO)
def test_the_top_is_clean(accelerator, tmp_path, name):
    project = shell.write_project(accelerator, board(name), tmp_path / "p")
    facts = facts_of(project)
    sources = [project / s for s in facts["sources"]]
    verilator.lint(facts["top"], sources)
    driver = pyslang.driver.Driver()
    driver.addStandardArgs()
    command = " ".join(["slang", "--top", facts["top"], *map(str, sources)])
    assert driver.parseCommandLine(command, pyslang.driver.CommandLineOptions())
    assert driver.processOptions() and driver.parseAllSources()
    assert not [str(d.code) for d in driver.createCompilation().getAllDiagnostics() if d.isError()]


def test_the_board_top_computes_the_network(mini, project, images, tmp_path):
    """Images through the ports of `mini_axi`, moved elsewhere, all in one packet."""
    moved = shutil.copytree(project, tmp_path / "moved")
    facts, count = facts_of(moved), 6
    stream = ImageInput.of(flow.read(mini[1], flow.FOLDED)).stream(images[:count])
    side, s = facts["input"], facts["shell"]
    words = pack(stream.reshape(-1, side["word_elems"]), side["elem_bits"], s["in_word_bits"])
    frames = words.reshape(count, -1)
    beats = np.pad(frames, ((0, 0), (0, -frames.shape[1] % 8))).reshape(-1, 8).view("<u8")[:, 0].tolist()
    sources = [moved / source for source in facts["sources"]]
    dut = pins.Pins(verilator.compile("mini_axi", sources, harness=pins.harness("aclk")), moved)
    dut.cycle(aresetn=0)
    dut.cycle(aresetn=1, m_axis_out_tready=1)
    got, sent = [], 0
    while len(got) < count * s["out_beats"]:
        last = int(sent == len(beats) - 1)
        data = {"s_axis_in_tdata": beats[sent], "s_axis_in_tlast": last} if sent < len(beats) else {}
        seen = dut.cycle(**data, s_axis_in_tvalid=int(sent < len(beats)))
        sent += sent < len(beats) and seen["s_axis_in_tready"]
        if seen["m_axis_out_tvalid"]:
            got.append(seen["m_axis_out_tdata"])
            assert seen["m_axis_out_tlast"] == (len(got) == count * s["out_beats"])
    side, raw = facts["output"], np.array(got, "<u8").view(np.uint8).reshape(count, -1)
    size = s["out_word_bits"] // 8
    rows = raw[:, : side["words"] * size].reshape(-1, size)
    results = unpack(rows, side["elem_bits"], side["word_elems"], side["dtype"].startswith("INT"))
    expected = IntGraph(flow.read(mini[1], flow.INTEGER))(images[:count])
    np.testing.assert_array_equal(results.reshape(count, -1), expected.reshape(count, -1))
