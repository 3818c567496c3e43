"""Waves: what is read from the file is what the simulation exchanged, and what is drawn is what was read."""

import re

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from vcdvcd import VCDVCD

from signflow.deploy import flow
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.pictures import draw_wave
from signflow.deploy.pictures.wave import Stream, Wave, WaveError, read, record
from signflow.hw.sim import RtlSimulator
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


def test_the_view_shows_every_stream_of_the_file(simulator, frames, tmp_path):
    simulator.wave(frames, tmp_path / "new" / "all.vcd")
    file = VCDVCD(str(tmp_path / "new" / "all.vcd"), only_sigs=True)
    top = f"TOP.{simulator.facts['top']}."
    streams = [
        name for name in file.signals if re.fullmatch(re.escape(top) + r"n\d+_(data\[\d+:0\]|valid|ready)", name)
    ]
    rows = (tmp_path / "new" / "all.gtkw").read_text().splitlines()
    shown = [row for row in rows if row.startswith(top)]
    assert sorted(set(shown)) == sorted(streams) and len(shown) == len(streams) + 1  # the results as a curve, too
    opened = [row[1:] for row, flags in zip(rows[1:], rows, strict=False) if flags in ("@800200", "@c00200")]
    assert opened == [*(entry["node"] for entry in simulator.facts["operators"]), "results"]


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
