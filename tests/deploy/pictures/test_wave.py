"""Waves: what is read from the file is what the simulation exchanged, and what is drawn is what was read."""

import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from signflow.deploy import flow
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.pictures import draw_wave
from signflow.deploy.pictures.wave import Stream, Wave, WaveError, read, record, vcd
from signflow.hw.sim import RtlSimulator
from signflow.hw.sim.view import gtkwave
from signflow.hw.sim.words import pack


@pytest.fixture(scope="module")
def frames(mini, images) -> np.ndarray:
    """Two images as the accelerator of `mini` takes them."""
    simulator = RtlSimulator(mini[1] / flow.ACCELERATOR)
    return (
        ImageInput.of(flow.read(mini[1], flow.FOLDED))
        .stream(images[:2])
        .reshape(-1, *simulator.facts["input"]["shape"])
    )


@pytest.fixture(scope="module")
def simulator(mini) -> RtlSimulator:
    return RtlSimulator(mini[1] / flow.ACCELERATOR)


def as_words(values: np.ndarray, side: dict) -> list[int]:
    """Stream elements as integers, one a word; the padding of the accelerator's ports is not in the operator's."""
    packed = pack(values.reshape(-1, side["word_elems"]), side["elem_bits"], side["word_elems"] * side["elem_bits"])
    return [int.from_bytes(row.tobytes(), "little") for row in packed]


def test_the_first_operator_takes_the_images(simulator, frames, tmp_path):
    wave = record(simulator, frames, simulator.facts["operators"][0]["node"], tmp_path)
    run, (into, _) = simulator.run(frames), wave.streams
    side = simulator.facts["input"]
    assert into.name == "in" and into.bits == side["word_elems"] * side["elem_bits"]
    assert into.words == as_words(frames, side)
    assert into.taken[:: side["words"]].tolist() == run.first_in.tolist()


@pytest.fixture(scope="module")
def everything(simulator, frames, tmp_path_factory):
    """The waves of all operators as VCD, and views of them."""
    file = tmp_path_factory.mktemp("wave") / "new" / "all.vcd"
    simulator.wave(frames, file)
    return file


def test_the_views_show_every_stream_of_the_file(simulator, everything):
    signals = vcd(everything, only_sigs=True).signals
    top = f"TOP.{simulator.facts['top']}."
    stream = re.compile(re.escape(top) + r"n\d+_(data\[\d+:0\]|valid|ready)")
    streams = [name for name in signals if stream.fullmatch(name)]
    rows = everything.with_suffix(".gtkw").read_text().splitlines()
    assert sorted({row for row in rows if row.startswith(top)}) == sorted(streams)
    opened = [row[1:] for row, flags in zip(rows[1:], rows, strict=False) if flags in ("@800200", "@c00200")]
    assert opened == [*(entry["node"] for entry in simulator.facts["operators"]), "results"]
    curves = [name for row in rows if row[:1] in ("+", "#") for name in re.findall(r"TOP\.\S+", row)]
    assert set(curves) <= set(signals) and any("acc_q" in name for name in curves)
    computing = [entry for entry in simulator.facts["operators"] if not entry["plumbing"]]
    commands = everything.with_suffix(".sucl").read_text().splitlines()
    dividers = [row.split()[1] for row in commands if row.startswith("divider_add")]
    assert dividers == [*(entry["node"] for entry in computing), "results"] and commands[-1] == "zoom_fit"
    added = [row.split()[1] for row in commands if row.startswith("variable_add")]
    assert set(added) <= {re.sub(r"\[\d+:0\]$", "", name) for name in streams}


def shown_by_gtkwave(view, times) -> dict[str, list[str]]:
    """What GTKWave's own script says of its rows at ``times``: name -> values; folded ones have none."""
    script, said = view.with_suffix(".tcl"), view.with_suffix(".txt")
    script.write_text(f"""
        set out [open {{{said}}} w]
        foreach time {{{" ".join(map(str, times))}}} {{
            gtkwave::setMarker $time
            for {{set i 0}} {{$i < [gtkwave::getTotalNumTraces]}} {{incr i}} {{
                puts $out "[gtkwave::getTraceNameFromIndex $i]|[gtkwave::getTraceValueAtMarkerFromIndex $i]"
            }}
        }}
        close $out
        gtkwave::/File/Quit
    """)
    subprocess.run(["xvfb-run", "-a", "gtkwave", "-S", script, view], check=True, capture_output=True, timeout=60)
    found = {}
    for line in said.read_text().splitlines():
        name, value = line.split("|")
        found.setdefault(name, []).append(value)
    return found


with_gtkwave = pytest.mark.skipif(
    not all(map(shutil.which, ("gtkwave", "xvfb-run"))), reason="no GTKWave, or no Xvfb, in the PATH"
)


@with_gtkwave
def test_gtkwave_shows_numbers_of_words(tmp_path):
    """A wave of two operators, written by hand: words of three numbers, the codes of their quantiser, a sum."""
    rng, times = np.random.default_rng(2), range(0, 80, 10)
    words, codes, sums = (rng.integers(0, 2**bits, len(times)) for bits in (12, 6, 5))
    params = {"IN_WIDTH": 4, "IN_SIGNED": 1, "OUT_WIDTH": 2, "LOW": -2}
    mvau = {"ACC_WIDTH": 5, "ACT_WIDTH": 2, "ACT_SIGNED": 0, "THRESHOLDS": 1}
    ops = [
        {"node": "Quantiser", "module": "sf_requantise", "picture": ["decision", ""], "params": params},
        {"node": "MVAU", "module": "sf_mvau", "picture": ["product", ""], "params": mvau},
    ]
    for k, (op, bits) in enumerate(zip(ops, (6, 7), strict=True)):
        op |= {"inputs": [f"n{k}"], "outputs": [f"n{k + 1}"], "out_bits": [bits], "plumbing": ""}
    side = {"word_elems": 3, "elem_bits": 4}
    facts = {"top": "net", "operators": ops, "input": side, "predicted": {"latency": 9}}
    facts["output"] = {"word_elems": 1, "elem_bits": 7, "dtype": "INT7"}
    signals = {f"n{k}_{part}": 1 for k in range(3) for part in ("valid", "ready")} | {
        "n0_data": 12, "n1_data": 6, "n2_data": 7}  # fmt: skip
    head = ["$timescale 1ns $end", "$scope module TOP $end", "$scope module net $end"]
    head += [f"$var wire {n} {name} {name}{f' [{n - 1}:0]' if n > 1 else ''} $end" for name, n in signals.items()]
    head += ["$scope module i_MVAU $end", "$scope module i_accumulate $end", "$var wire 5 acc acc_q[0] [4:0] $end"]
    head += 4 * ["$upscope $end"] + ["$enddefinitions $end"]
    rows = zip(times, words, codes, sums, strict=True)
    changes = [f"#{at}\nb{word:b} n0_data\nb{code:b} n1_data\nb{total:b} acc" for at, word, code, total in rows]
    (tmp_path / "net.vcd").write_text("\n".join([*head, *changes, "#90", ""]))
    (tmp_path / "net.gtkw").write_text(gtkwave(facts, tmp_path / "net.vcd"))
    shown = shown_by_gtkwave(tmp_path / "net.gtkw", [at + 5 for at in times])
    assert [int(value) for value in shown["number[3:0]"]] == [(w + 8) % 16 - 8 for w in words % 16]
    assert [int(value) for value in shown["number[1:0]"]] == (codes % 4).tolist()
    assert [int(value) for value in shown["code[1:0]"]] == [(c + 2) % 4 - 2 for c in codes % 4]
    assert [int(value) for value in shown["sum - threshold"]] == [(s + 16) % 32 - 16 for s in sums]
    assert {"Quantiser", "MVAU", "results", "n1_valid", "n2_data[6:0]"} <= set(shown)


@with_gtkwave
@pytest.mark.slow
def test_gtkwave_finds_every_row_in_fst_too(simulator, frames, everything, tmp_path):
    simulator.wave(frames, tmp_path / "all.fst")
    assert (tmp_path / "all.fst").exists(), "no lz4.h or zlib.h: apt install liblz4-dev zlib1g-dev"
    times = range(5, 9000, 990)
    shown = [shown_by_gtkwave(file.with_suffix(".gtkw"), times) for file in (everything, tmp_path / "all.fst")]
    assert shown[0] == shown[1] and len(set(shown[1]["sum - threshold"])) > 2


def test_the_last_operator_gives_the_results(simulator, frames, tmp_path):
    wave = record(simulator, frames, simulator.facts["operators"][-1]["node"], tmp_path)
    run, (_, out) = simulator.run(frames), wave.streams
    side = simulator.facts["output"]
    assert out.words == as_words(run.outputs & (1 << side["elem_bits"]) - 1, side)
    assert out.taken[side["words"] - 1 :: side["words"]].tolist() == run.last_out.tolist()


def test_a_file_without_the_operator_is_refused(simulator, frames, tmp_path):
    node = simulator.facts["operators"][0]["node"]
    record(simulator, frames[:1], node, tmp_path)
    with pytest.raises(WaveError, match="no streams of 'nobody'"):
        read(tmp_path / f"{node}.vcd", "nobody")
    with pytest.raises(WaveError, match="does not exist"):
        read(tmp_path / "none.vcd", node)


def made(valid: str, ready: str, data: list[int], bits: int = 8, name: str = "in") -> Stream:
    return Stream(name, bits, np.array([c == "1" for c in valid]), np.array([c == "1" for c in ready]), tuple(data))


def test_every_word_is_written_once_and_inside():
    data = [0x11, 0x22, 0x33, 0x33, 0x33, 0x44, 0x66, 0x55]
    stream = made("01111101", "11001101", data)
    assert stream.taken.tolist() == [1, 4, 5, 7] and stream.words == [0x22, 0x33, 0x44, 0x55]
    wide = made("11111111", "11111111", [0xABCDEF0123456789] * 8, 64, "out")
    figure = draw_wave.draw(Wave("MVAU_sf_0", (stream, wide), 8), 0, 8, per_row=8)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    texts = [t.get_text() for t in figure.findobj(Text)]
    assert [texts.count(t) for t in ("11", "22", "33", "44", "55", "66")] == [0, 1, 1, 1, 1, 0]  # 33 waits
    assert sum(t.startswith("…") and t.endswith("9") for t in texts) == 8
    assert {"clk", "in_valid", "in_ready", "in_data", "out_valid", "out_ready", "out_data", "MVAU_sf_0"} <= set(texts)
    width, height = figure.get_size_inches() * figure.dpi
    for text in figure.findobj(Text):
        if text.get_text():
            extent = text.get_window_extent(canvas.get_renderer())
            assert extent.x0 >= 0 and extent.y0 >= 0 and extent.x1 <= width and extent.y1 <= height, text


def test_a_wave_shorter_than_asked_for_is_drawn_to_its_end():
    stream = made("1" * 40, "1" * 40, list(range(40)))
    figure = draw_wave.draw(Wave("op", (stream,), 40), 4, 1000)
    texts = [t.get_text() for t in figure.findobj(Text)]
    assert "27" in texts and "03" not in texts[2:]
    assert {str(c) for c in range(4, 40, 4)} <= set(texts) and "40" not in texts


CLOSED = """
import os, sys
from signflow.deploy.pictures.wave import vcd
vcd(sys.argv[1])
read, write = os.pipe()
os.close(read)
try:
    os.write(write, b"a word")
except BrokenPipeError:
    print("an exception")
"""


def test_a_closed_pipe_stays_an_exception(tmp_path):
    """vcdvcd would have it kill the process, as it did pytest's workers when a pool of processes broke."""
    (tmp_path / "empty.vcd").write_text("$enddefinitions $end\n")
    done = subprocess.run([sys.executable, "-c", CLOSED, tmp_path / "empty.vcd"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "an exception\n"), done.stderr
