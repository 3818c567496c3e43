"""Boards of a user's own file and clocks of one's own: recorded by the build, refused with their rule."""

import json

import pytest
from click.testing import CliRunner

from signflow.deploy.command.cli import main
from signflow.deploy.generate.project import write_project
from signflow.deploy.products import settings_of
from signflow.deploy.tools.vivado import run as vivado
from signflow.hw.boards import Board

from ...own_boards import OWN  # noqa: TID252 - the tests are no package that could be named

MINE = f"[mine]\n{OWN}clock_mhz = 80\n"


def test_a_board_of_ones_own_needs_no_option_after_the_build(tmp_path):
    """Its clock sets the predicted rate, its part reaches the project, and the file may be gone."""
    file, work = tmp_path / "mine.toml", tmp_path / "work"
    file.write_text(MINE)
    named = ["tfc", "--board", "mine", "--out", str(work)]
    done = CliRunner().invoke(main, ["build", *named, "--boards", str(file), "--target-fps", "20000", "--no-check"])
    assert done.exit_code == 0, done.output
    file.unlink()
    facts = json.loads((work / "5-accelerator" / "accel.json").read_text())
    assert (facts["board"], facts["part"], facts["clock_mhz"]) == ("mine", "xc7z010clg400-1", 80)
    assert 80e6 / facts["predicted"]["interval"] >= 20000
    again = CliRunner().invoke(main, ["build", *named, "--from", "fold", "--clock", "40", "--no-check"])
    assert again.exit_code == 0, again.output
    slow = json.loads((work / "5-accelerator" / "accel.json").read_text())
    assert slow["clock_mhz"] == 40 and f"{40e6 / slow['predicted']['interval']:,.0f} images/s" in " ".join(
        again.output.split()
    )
    target = settings_of(work).target
    assert (target.name, target.clock_mhz, target.stream_bits) == ("mine", 40, 32)
    project = write_project(work / "5-accelerator", Board.of(slow), tmp_path / "project")
    shell = json.loads((project / "accel.json").read_text())["shell"]
    assert (shell["beat_bits"], shell["clock_khz"]) == (32, 40_000)
    texts = vivado.files(json.loads((project / "accel.json").read_text()))
    assert "xc7z010clg400-1" in texts["project.tcl"] and "clock_mhz  40\n" in texts["project.tcl"]


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (["--clock", "0"], "0.0 is not in the range x>0"),
        (["--clock", "nan"], "clock_mhz = nan, it must be a finite number of MHz above 0"),
        (["--clock", "inf"], "clock_mhz = inf, it must be a finite number of MHz above 0"),
        (
            ["--clock", "50", "--from", "generate"],
            "--clock, --boards and --loadable need --from fold or an earlier step",
        ),
        (["--boards", "none.toml"], "none.toml"),
        (["--board", "pynqz2"], "did you mean pynq-z2?"),
    ],
)
def test_clocks_and_boards_that_cannot_be(tmp_path, words, rule):
    done = CliRunner().invoke(main, ["build", "tfc", "--out", str(tmp_path / "work"), *words])
    assert done.exit_code != 0 and rule in " ".join(done.output.split())
    assert not (tmp_path / "work" / "5-accelerator").exists()


@pytest.mark.parametrize("verb", ["build", "verify", "simulate", "report", "bitstream", "package", "demo", "table"])
def test_every_verb_takes_a_file_of_boards(tmp_path, verb):
    file = tmp_path / "mine.toml"
    file.write_text(MINE.replace("lut = 17600", "lut = -1"))
    done = CliRunner().invoke(main, [verb, *([] if verb == "demo" else ["tfc"]), "--boards", str(file)])
    assert done.exit_code == 1 and "board 'mine': lut = -1, it must be a whole number above 0" in done.output
    file.write_text(MINE.replace("vivado", "quartus"))
    done = CliRunner().invoke(main, [verb, *([] if verb == "demo" else ["tfc"]), "--boards", str(file)])
    assert done.exit_code == 1 and "toolchain = 'quartus', it must be one of vivado, nextpnr-ecp5" in done.output
