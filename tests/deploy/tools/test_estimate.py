"""Resource counts of small operators: those made by hand, the same in any company, large ones by one of their parts;
caching, and errors.
"""

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from signflow.deploy.command import resources
from signflow.deploy.tools.estimate import (
    OperatorCost,
    Resources,
    Synthesis,
    SynthesisError,
    _resources,
    synthesize,
)
from signflow.hw.ops.base import RTL_DIR, RtlInstance
from signflow.hw.ops.compress import popcount, popcount_of_constants
from signflow.hw.sim import toolchain

# A register, a table in LUTs, a block RAM, and a shift register: counts that can be worked out on paper.
MODULES = {
    "stage": """module stage #(parameter int WIDTH = 8) (input wire clk_i, input wire [WIDTH-1:0] in_data_i,
      output logic [WIDTH-1:0] out_data_o); always_ff @(posedge clk_i) out_data_o <= in_data_i; endmodule""",
    "majority": """module majority #(parameter string TABLE_FILE = "") (input wire [5:0] in_data_i,
      output wire out_data_o);
      (* rom_style = "distributed" *) logic rom [64]; initial $readmemh(TABLE_FILE, rom);
      assign out_data_o = rom[in_data_i]; endmodule""",
    "block": """module block (input wire clk_i, input wire we_i, input wire [9:0] in_addr_i,
      input wire [35:0] in_data_i, output logic [35:0] out_data_o); (* ram_style = "block" *) logic [35:0] ram [1024];
      always_ff @(posedge clk_i) begin if (we_i) ram[in_addr_i] <= in_data_i; out_data_o <= ram[in_addr_i]; end
      endmodule""",
    "delay": """module delay #(parameter int DEPTH = 16) (input wire clk_i, input wire in_data_i,
      output wire out_data_o);
      logic [DEPTH-1:0] q; assign out_data_o = q[DEPTH-1]; always_ff @(posedge clk_i) q <= {q[DEPTH-2:0], in_data_i};
      endmodule""",
    "top": """module top #(parameter string MEM_DIR = "mem/") (input wire clk_i, input wire [7:0] s, output wire m);
      wire [7:0] q; stage #(.WIDTH(8)) i_stage (.clk_i, .in_data_i(s), .out_data_o(q));
      majority #(.TABLE_FILE({MEM_DIR, "i_majority.mem"})) i_majority (.in_data_i(q[5:0]), .out_data_o(m));
      endmodule""",
}
OPERATORS = [
    {"node": "stage0", "op": "Stage", "module": "stage", "params": {"WIDTH": 20}, "macs": 0},
    {"node": "majority0", "op": "Table", "module": "majority", "params": {"TABLE_FILE": "i_majority.mem"}, "macs": 20},
    {"node": "block0", "op": "Block", "module": "block", "params": {}, "macs": 0},
    {"node": "delay0", "op": "Delay", "module": "delay", "params": {"DEPTH": 16}, "macs": 0},
    {"node": "stage1", "op": "Stage", "module": "stage", "params": {"WIDTH": 20}, "macs": 0},
]


def accelerator(folder: Path, operators=OPERATORS) -> Path:
    (folder / "rtl").mkdir()
    (folder / "mem").mkdir()
    for name, text in MODULES.items():
        (folder / "rtl" / f"{name}.sv").write_text(text)
    table = [str(int(bin(k).count("1") >= 3)) for k in range(64)]
    (folder / "mem" / "i_majority.mem").write_text("\n".join(table) + "\n")
    facts = {"name": "small", "top": "top", "sources": [f"rtl/{m}.sv" for m in MODULES], "mem_dir": "mem"}
    (folder / "accel.json").write_text(json.dumps(facts | {"operators": operators}))
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIGNFLOW_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield toolchain.cache_root()


@pytest.fixture(scope="module")
def result(cache, tmp_path_factory):
    ticks = []
    folder = accelerator(tmp_path_factory.mktemp("accelerator"))
    found = synthesize(folder, whole=True, tick=lambda *tick: ticks.append(tick))
    assert ticks[0] == (0, 6, "") and ticks[-1][:2] == (6, 6)
    return found


def test_counts_are_those_on_paper(result):
    cost = {op.node: op.resources for op in result.operators}
    assert cost["stage0"] == cost["stage1"] == Resources(ff=20)
    assert cost["majority0"] == Resources(lut=1, cells=1)
    assert (cost["block0"].bram36, cost["block0"].bram18, cost["block0"].lut) == (1, 0, 0)
    assert (cost["delay0"].srl, cost["delay0"].lut) == (1, 1) and cost["delay0"].ff <= 1
    assert result.total == sum(cost.values(), Resources())
    assert result.whole.lut == 1 and 1 <= result.whole.ff <= 6, "of the 8 registers at most 6 feed the table"


def test_lut_per_mac(result):
    assert [op.lut_per_mac for op in result.operators] == [None, 1 / 20, None, None, None]
    assert result.lut_per_mac == result.total.lut / 20


def test_json_and_table(result):
    text = json.loads(json.dumps(result.as_dict()))
    assert text["total"]["ff"] == result.total.ff and text["operators"][1]["lut_per_mac"] == 0.05
    assert "synth_xilinx" in text["command"] and text["whole"]["lut"] == 1
    table = resources.estimate(result, {"lut": 53200, "ff": 106400, "bram36": 140, "dsp": 220})
    rows = list(zip(*(column.cells for column in table.columns), strict=True))
    assert rows[1][0] == "majority0" and rows[1][-1] == "0.05" and rows[-1][4] == "0.7 %"


@pytest.mark.slow
def test_a_figure_does_not_depend_on_company(tmp_path, monkeypatch):
    delay, *others = [{**OPERATORS[3], "node": f"delay{n}", "params": {"DEPTH": n}} for n in (40, 16, 20, 24, 28)]
    found = []
    for k, operators in enumerate(([delay], [others[0], delay], [delay, *others], [*others, delay])):
        (tmp_path / str(k)).mkdir()
        monkeypatch.setenv("SIGNFLOW_CACHE", str(tmp_path / f"cache{k}"))
        costs = synthesize(accelerator(tmp_path / str(k), operators)).operators
        found.append(next(op.resources for op in costs if op.node == "delay40"))
    assert found == [found[0]] * 4 and found[0].srl == 2


def matrix(folder: Path, block: int, adders: bool = False) -> Path:
    """An accelerator that is one MVAU of 16 * 32 products a cycle, with random weights."""
    rng = np.random.default_rng(7)
    params = {"MW": 96, "MH": 64, "SIMD": 32, "PE": 16, "ACT_WIDTH": 1, "ACT_SIGNED": 0, "WEIGHT_WIDTH": 1}
    params |= {"ACC_WIDTH": 8, "THRESHOLDS": 1, "WINDOW": 0, "BLOCK": block, "TREE_STAGES": popcount(32)[0]}
    params |= {"WEIGHTS_FILE": "weights.mem", "START_FILE": "start.mem", "GAP_FILE": ""}
    if adders:
        constant = f"{64 * 32}'h" + "".join(f"{digit:x}" for digit in rng.integers(16, size=64 * 32 // 4))
        params |= {"MW": 32, "TREE_STAGES": popcount_of_constants(32)[0]}
        params |= {"ADDERS": 1, "WEIGHTS": constant, "WEIGHTS_FILE": ""}
    modules = RtlInstance("sf_mvau", {}).modules
    accelerator(
        folder, [{"node": "m", "op": "M", "module": "sf_mvau", "params": params, "macs": 512, "modules": modules}]
    )
    for module in modules:
        shutil.copy(RTL_DIR / f"{module}.sv", folder / "rtl")
    words = {"weights": (12, 512), "start": (4, 128)}
    for name, (rows, bits) in words.items():
        text = ["".join(f"{digit:x}" for digit in rng.integers(16, size=bits // 4)) for _ in range(rows)]
        (folder / "mem" / f"{name}.mem").write_text("\n".join(text) + "\n")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("block", "adders"),
    [pytest.param(0, False, id="logic"), pytest.param(0, True, id="adders"), pytest.param(1, False, id="block RAM")],
)
def test_one_dot_product_stands_for_all(cache, tmp_path, block, adders):
    folder = matrix(tmp_path, block, adders)
    whole, parts = synthesize(folder, exact=True), synthesize(folder)
    assert (whole.exact, parts.exact, parts.as_dict()["exact"]) == (True, False, False)
    assert (
        replace(parts.total, lut=0, cells=0) == replace(whole.total, lut=0, cells=0) and whole.total.bram == 7.5 * block
    )
    assert abs(parts.total.lut / whole.total.lut - 1) < 0.01, (
        "the rest of an MVAU decides a little how products are mapped"
    )
    for found, mark in ((whole, ""), (parts, "~")):
        table = resources.estimate(found)
        rows = list(zip(*(column.cells for column in table.columns), strict=True))
        assert rows[-1][1] == f"{mark}{found.total.lut}" and rows[0][-1] == f"{mark}{found.total.lut / 512:.2f}"
        assert bool(table.caption) == bool(mark)


def test_results_are_cached_by_content(cache, result, tmp_path):
    folder = accelerator(tmp_path)
    ticks = []
    again = synthesize(folder, tick=lambda *tick: ticks.append(tick))
    assert again.operators == result.operators and ticks == [(5, 5, "")] and again.whole is None
    (folder / "mem" / "i_majority.mem").write_text("0\n" * 64)
    emptied = synthesize(folder)
    assert emptied.operators[1].resources.lut == 0 and emptied.operators[0] == result.operators[0]


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("rom[in_data_i]", "rom[", r"(?s)refuses majority0:.*expected"),
        ('TABLE_FILE = ""', 'OTHER = ""', "TABLE_FILE"),
    ],
)
def test_yosys_errors_are_shown(cache, tmp_path, old, new, text):
    folder = accelerator(tmp_path, OPERATORS[1:2])
    source = folder / "rtl" / "majority.sv"
    source.write_text(source.read_text().replace(old, new))
    with pytest.raises(SynthesisError, match=text):
        synthesize(folder)


def test_a_missing_memory_image_is_named(cache, tmp_path):
    folder = accelerator(tmp_path, OPERATORS[1:2])
    (folder / "mem" / "i_majority.mem").unlink()
    with pytest.raises(SynthesisError, match=r"majority0: memory image .*i_majority\.mem is missing"):
        synthesize(folder)


def test_an_interruption_ends_the_processes(cache, tmp_path):
    def interrupt(done, total, name):
        if done:
            raise KeyboardInterrupt

    operators = [{**OPERATORS[0], "params": {"WIDTH": width}, "macs": 99} for width in (1, 2, 3)]
    with pytest.raises(KeyboardInterrupt):
        synthesize(accelerator(tmp_path, operators), tick=interrupt, jobs=1)


def test_missing_yosys_and_missing_accelerator(tmp_path, monkeypatch):
    with pytest.raises(SynthesisError, match=r"accel\.json does not exist"):
        synthesize(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SynthesisError, match=r"pip install pyosys==0\.70"):
        synthesize(tmp_path)


def test_unknown_memories_are_not_overlooked():
    cells = {"LUT6": 2, "INV": 2, "RAM32M": 2, "SRLC32E": 1, "FDRE": 4, "RAMB18E1": 3, "DSP48E1": 1}
    pair = {f"l{k}": {"type": "INV", "connections": {"I": [1], "O": [k]}} for k in (2, 3)}
    found = _resources({"\\unit": {"num_cells_by_type": cells}}, {"unit": {"cells": pair}})
    assert found == Resources(lut=12, cells=13, lutram=8, srl=1, ff=4, bram18=3, dsp=1) and found.bram == 1.5
    with pytest.raises(SynthesisError, match="RAM512X1S"):
        _resources({"\\unit": {"num_cells_by_type": {"RAM512X1S": 1}}}, {})


def test_the_table_fits_eighty_columns_with_whole_names():
    costs = {
        "ConvolutionInputGenerator_sf_12": Resources(lut=12345, cells=23456),
        "MVAU_sf_12": Resources(lut=12345, cells=23456, ff=54321),
    }
    operators = tuple(OperatorCost(node, "", "", "", 4096, cost, False) for node, cost in costs.items())
    text = io.StringIO()
    Console(file=text, width=80).print(resources.estimate(Synthesis("cnv", operators, None, 1.0), {"lut": 53200}))
    assert "SWG_12" in text.getvalue() and "…" not in text.getvalue()
    assert max(map(len, text.getvalue().splitlines())) <= 80
