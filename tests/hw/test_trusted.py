"""What the simulated board accepts as a design: signflow's modules and what it generates, and no program."""

import json
import shutil
import zipfile

import pytest

from signflow.hw.names import RTL
from signflow.hw.sim import SimError, pynq_device
from signflow.hw.sim.trusted import check_design

from .board_top import write_top

TOP = "module net (input wire clk_i);\n{}\nendmodule\n"
PLAIN = TOP.format("")


@pytest.fixture
def design(tmp_path):
    """A project of two modules: one of the library, one generated."""
    (tmp_path / "rtl").mkdir()
    library = next(iter(sorted(RTL.glob("*.sv"))))
    shutil.copy(library, tmp_path / "rtl")

    def write(text=PLAIN, **facts):
        (tmp_path / "rtl" / "net.sv").write_bytes(text.encode())
        names = [f"rtl/{library.name}", "rtl/net.sv"]
        (tmp_path / "accel.json").write_text(json.dumps({"top": "net", "sources": names} | facts))
        return tmp_path

    return write


@pytest.mark.parametrize("board", ["pynq-z2", "zcu104"])
def test_what_signflow_generates_is_hardware(mini, tmp_path, board):
    """Top, shell and the board's top."""
    from signflow.deploy import flow
    from signflow.deploy.generate.project import write_project
    from signflow.hw.boards import board as board_of

    check_design(mini[1] / flow.ACCELERATOR)
    check_design(write_project(mini[1] / flow.ACCELERATOR, board_of(board), tmp_path / "project"))


@pytest.mark.parametrize(
    "code",
    [
        'initial $system("id > f");',
        'localparam X = "//"; initial $system("id");',
        '// a comment\r initial $system("id");',
        'import "DPI-C" function int system(string s);',
        "final begin end",
        "wire \\initial ;",
        '`include "/etc/passwd"',
        "`systemc_header\n#include <stdlib.h>\n`verilog",
        "(* public *) wire x;",
        "/* text */",
        "always #1 x = $random;",
        'localparam F = "../../secret.mem";',
        "bind sf_fifo other x ();",
        "wire a$system;",
        "class c; endclass",
        "wire \u0430;",
    ],
)
def test_what_is_no_hardware_of_ours_is_named(design, code):
    with pytest.raises(SimError, match=r"not made by this version of signflow: rtl/net\.sv holds"):
        check_design(design(TOP.format(code)))
    check_design(design())


def test_a_changed_module_of_the_library_is_refused(design):
    folder = design()
    module = next(path for path in (folder / "rtl").iterdir() if path.name != "net.sv")
    module.write_text(module.read_text().replace("endmodule", 'initial $system("id");\nendmodule'))
    with pytest.raises(SimError, match=f"rtl/{module.name} holds"):
        check_design(folder)


@pytest.mark.parametrize(
    "facts",
    [{"top": "../x"}, {"top": "--exe"}, {"top": 1}, {"sources": ["../net.sv"]}, {"sources": ["rtl/none.sv"]},
     {"sources": ["/etc/passwd"]}, {"sources": 3}, {"sources": [None]}],
)  # fmt: skip
def test_facts_that_lead_elsewhere_are_refused(design, facts):
    with pytest.raises(SimError, match="was not made by signflow"):
        check_design(design(**facts))


def test_the_simulated_board_loads_no_other_design(tmp_path):
    """Before anything of it is compiled."""
    project = write_top(tmp_path / "project", 64, "pynq-z2")
    with zipfile.ZipFile(tmp_path / "plus.bit", "w") as image:
        for path in project.rglob("*.*"):
            image.write(path, path.relative_to(project))
    with pytest.raises(SimError, match=r"rtl/plus_axi\.sv holds"):
        pynq_device.SimulatedDevice()._load(tmp_path / "plus.bit")
