"""Every RTL module is clean alone: Verilator -Wall, and slang, the strictest front end at hand."""

import re
from pathlib import Path

import pyslang
import pytest

from signflow.hw.ops.base import RTL_DIR, RtlInstance
from signflow.hw.sim import verilator

MODULES = sorted(p.stem for p in RTL_DIR.glob("*.sv"))
FILES = {
    "sf_memory": {"FILE": "m.mem"},
    "sf_mvau": {"WEIGHTS_FILE": "w.mem", "START_FILE": "s.mem"},
    "sf_lut": {"TABLE_FILE": "t.mem"},
    "sf_thresholds": {"THRESHOLDS_0": "t.mem", "THRESHOLDS_1": "t.mem"},
    "sf_requantise": {"CONSTANTS_FILE": "c.mem"},
}


def sources(module: str) -> list[Path]:
    return [RTL_DIR / f"{m}.sv" for m in RtlInstance(module, {}).modules]


@pytest.mark.parametrize("module", MODULES)
def test_verilator_wall(module):
    verilator.lint(module, sources(module), FILES.get(module))


@pytest.mark.parametrize("module", [m for m in MODULES if "sf_memory" in RtlInstance(m, {}).modules])
def test_verilator_wall_of_what_can_be_loaded(module):
    verilator.lint(module, sources(module), FILES.get(module, {}) | {"LOAD": 1})


def slang_errors(top: str, files: list[Path], options: list[str]) -> list[str]:
    driver = pyslang.driver.Driver()
    driver.addStandardArgs()
    command = " ".join(["slang", "--top", top, *options, *map(str, files)])
    assert driver.parseCommandLine(command, pyslang.driver.CommandLineOptions())
    assert driver.processOptions() and driver.parseAllSources()
    return [str(d.code) for d in driver.createCompilation().getAllDiagnostics() if d.isError()]


@pytest.mark.parametrize("module", MODULES)
def test_slang(module):
    options = [f"'-G{k}=\"{v}\"'" for k, v in FILES.get(module, {}).items()]
    assert not slang_errors(module, sources(module), options)


def test_finn_wrapper_of_every_operator_elaborates(mini, tmp_path):
    """What FINN's own per-node flow (PrepareIP, stitching) reads: wrapper, modules, memory images."""
    from signflow.deploy import flow
    from signflow.deploy.plan.graph import operators

    model = flow.read(mini[1], flow.FOLDED)
    for op in operators(model):
        folder = tmp_path / op.onnx_node.name
        folder.mkdir()
        op.set_nodeattr("code_gen_dir_ipgen", str(folder))
        op.code_generation_ipgen(model, "xc7z020clg400-1", 10)
        assert op.get_nodeattr("gen_top_module") == op.get_verilog_top_module_name() == op.onnx_node.name
        assert not slang_errors(op.onnx_node.name, op.get_rtl_file_list(abspath=True), [])
        assert op.code_generation_ipi()


@pytest.mark.parametrize("module", MODULES)
def test_header_states_what_the_module_does(module):
    text = (RTL_DIR / f"{module}.sv").read_text()
    header = text.split("`default_nettype")[0]
    assert "latency" in header or "cycles later" in header
    assert "throughput" in header or "per cycle" in header
    assert "`default_nettype none" in text and text.rstrip().endswith("`default_nettype wire")
    assert len(text.splitlines()) <= 200
    assert max(map(len, text.splitlines())) <= 120


def test_the_table_has_every_module_and_who_uses_it():
    """hw/rtl/README.md: one row a module; "used by" is what the sources say, or an operator or a top outside."""
    rows = [line.split("|")[1:-1] for line in (RTL_DIR / "README.md").read_text().splitlines() if line[:4] == "| `s"]
    table = {cells[0].strip(" `"): cells[-1] for cells in rows}
    assert list(table) == sorted(table) and sorted(table) == MODULES
    for module in MODULES:
        readers = {m for m in MODULES if m != module and module in RtlInstance(m, {}).modules}
        direct = {
            m
            for m in readers
            if not any(module in RtlInstance(k, {}).modules for k in RtlInstance(m, {}).modules if k not in (m, module))
        }
        assert direct <= set(re.findall(r"`(sf_\w+)`", table[module])) <= readers, module


def test_the_generated_top_is_clean(mini):
    import json

    from signflow.deploy import flow

    folder = mini[1] / flow.ACCELERATOR
    facts = json.loads((folder / "accel.json").read_text())
    verilator.lint(facts["top"], [folder / s for s in facts["sources"]])
