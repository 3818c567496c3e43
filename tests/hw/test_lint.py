"""Every RTL module is clean alone: Verilator -Wall, and slang, the strictest front end at hand."""

from pathlib import Path

import pyslang
import pytest

from signflow.hw.ops.base import RTL_DIR, RtlInstance
from signflow.hw.sim import verilator

MODULES = sorted(p.stem for p in RTL_DIR.glob("*.sv"))
FILES = {
    "mvau": {"WEIGHTS_FILE": "w.mem", "START_FILE": "s.mem"},
    "lut": {"TABLE_FILE": "t.mem"},
}


def sources(module: str) -> list[Path]:
    return [RTL_DIR / f"{m}.sv" for m in RtlInstance(module, {}).modules]


@pytest.mark.parametrize("module", MODULES)
def test_verilator_wall(module):
    verilator.lint(module, sources(module), FILES.get(module))


@pytest.mark.parametrize("module", MODULES)
def test_slang(module):
    options = [f"'-G{k}=\"{v}\"'" for k, v in FILES.get(module, {}).items()]
    driver = pyslang.driver.Driver()
    driver.addStandardArgs()
    command = " ".join(["slang", "--top", module, *options, *map(str, sources(module))])
    assert driver.parseCommandLine(command, pyslang.driver.CommandLineOptions())
    assert driver.processOptions() and driver.parseAllSources()
    compilation = driver.createCompilation()
    errors = [d for d in compilation.getAllDiagnostics() if d.isError()]
    assert not errors, [str(d.code) for d in errors]


@pytest.mark.parametrize("module", MODULES)
def test_header_states_what_the_module_does(module):
    text = (RTL_DIR / f"{module}.sv").read_text()
    header = text.split("`default_nettype")[0]
    assert "latency" in header.lower() and ("throughput" in header.lower() or "cycle" in header.lower())
    assert "`default_nettype none" in text and text.rstrip().endswith("`default_nettype wire")
    assert len(text.splitlines()) <= 200


def test_the_generated_top_is_clean(mini):
    import json

    from signflow.deploy import flow

    folder = mini[1] / flow.ACCELERATOR
    facts = json.loads((folder / "accel.json").read_text())
    verilator.lint(facts["top"], [folder / s for s in facts["sources"]])
