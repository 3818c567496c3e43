"""Beats to words and back, every ratio of widths, against numpy: one bench holds all of them."""

import random
from pathlib import Path

import numpy as np
import pytest

from signflow.hw.ops.base import RTL_DIR
from signflow.hw.sim import RtlError, pins, verilator

from .streams import Sink, Source

WIDTHS = (8, 16, 32, 64, 128)
PAIRS = list(enumerate((beat, word) for beat in WIDTHS for word in WIDTHS))
CASES = [(beat, word, words) for k, (beat, word) in PAIRS for words in (5, (1, 16)[k % 2])]
STALLS = [(0, 0, 0), (0.5, 0, 0), (0, 0.5, 0), (0, 0, 0.5), (0.4, 0.3, 0.4)]
TAGS = 4

CASE = """
  if (1) begin : gen_{k}
    wire [{word}-1:0] data;
    wire valid, ready, last, tag, tag_valid, tag_ready, otag, otag_valid, otag_ready;
    logic [7:0] word_q;
    always_ff @(posedge clk_i) if (!rst_ni) word_q <= 0;
      else if (valid && ready && mid_open_i) word_q <= last ? 0 : word_q + 1;
    assign last = word_q == {words} - 1;
    wire [{beat}-1:0] out;
    sf_beats_to_words #(.BEAT_BITS({beat}), .WORD_BITS({word}), .WORDS({words})) i_in (.clk_i, .rst_ni,
      .in_data_i(in_data_i[{beat}-1:0]), .in_valid_i(in_valid_i && select_i == {k}), .in_last_i,
      .in_ready_o(in_ready[{k}]),
      .out_data_o(data), .out_valid_o(valid), .out_ready_i(ready && mid_open_i),
      .tag_o(tag), .tag_valid_o(tag_valid), .tag_ready_i(tag_ready),
      .busy_o(busy[{k}]), .early_o(early[{k}]), .halted_o(halted[{k}]));
    sf_fifo #(.WIDTH(1), .DEPTH({tags})) i_tags (.clk_i, .rst_ni, .in_data_i(tag), .in_valid_i(tag_valid),
      .in_ready_o(tag_ready), .out_data_o(otag), .out_valid_o(otag_valid), .out_ready_i(otag_ready));
    sf_words_to_beats #(.WORD_BITS({word}), .BEAT_BITS({beat})) i_out (.clk_i, .rst_ni,
      .in_data_i(data), .in_valid_i(valid && mid_open_i), .in_ready_o(ready), .in_last_i(last),
      .out_data_o(out), .out_valid_o(out_valid[{k}]), .out_ready_i(out_ready_i && select_i == {k}),
      .out_last_o(out_last[{k}]), .tag_i(otag), .tag_valid_i(otag_valid), .tag_ready_o(otag_ready));
    assign word_valid[{k}] = valid && ready && mid_open_i;
    assign word_data[{k}] = 128'(data), out_data[{k}] = 128'(out);
  end
"""
BENCH = """
module framing (input wire clk_i, input wire rst_ni, input wire [7:0] select_i, input wire mid_open_i,
  input wire [127:0] in_data_i, input wire in_valid_i, input wire in_last_i, output wire in_ready_o,
  output wire word_valid_o, output wire [127:0] word_data_o,
  output wire [127:0] out_data_o, output wire out_valid_o, input wire out_ready_i, output wire out_last_o,
  output wire busy_o, output wire early_o, output wire halted_o);
  localparam int N = {n};
  wire [N-1:0] in_ready, word_valid, out_valid, out_last, busy, early, halted;
  wire [127:0] word_data [N], out_data [N];
  assign in_ready_o = in_ready[select_i], word_valid_o = word_valid[select_i], word_data_o = word_data[select_i];
  assign out_valid_o = out_valid[select_i], out_data_o = out_data[select_i], out_last_o = out_last[select_i];
  assign busy_o = busy[select_i], early_o = early[select_i], halted_o = halted[select_i];
{cases}endmodule
"""


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    cases = "".join(CASE.format(k=k, beat=b, word=w, words=n, tags=TAGS) for k, (b, w, n) in enumerate(CASES))
    source = tmp_path_factory.mktemp("framing") / "framing.sv"
    source.write_text(BENCH.format(n=len(CASES), cases=cases))
    files = [source, *(RTL_DIR / f"{m}.sv" for m in ("sf_beats_to_words", "sf_words_to_beats", "sf_fifo"))]
    return pins.Pins(verilator.compile("framing", files, variant="check", harness=pins.harness()), seed=3)


def packets(rng: np.random.Generator, beat: int, word: int, words: int, sizes: list[int]):
    """Random frames: (words in order, beats in with rubbish in the padding, beats out), beats with their last marks."""
    frame = rng.integers(0, 256, (sum(sizes), words * word // 8), dtype=np.uint8)
    pad = -frame.shape[1] % (beat // 8)
    rubbish = rng.integers(0, 256, (len(frame), pad), dtype=np.uint8)
    ends = np.cumsum(sizes) - 1

    def beats(padding: np.ndarray):
        table = np.concatenate([frame, padding], axis=1).reshape(len(frame), -1, beat // 8)
        for k, row in enumerate(table):
            for j, part in enumerate(row):
                yield int.from_bytes(part.tobytes(), "little"), int(k in ends and j == len(row) - 1)

    inner = [int.from_bytes(part.tobytes(), "little") for part in frame.reshape(-1, word // 8)]
    return inner, list(beats(rubbish)), list(beats(np.zeros_like(rubbish)))


def run(bench, case: int, sent, count: int, stalls=(0, 0, 0), seed: int = 0, limit: int = 20_000):
    """Stream beats through a case: (words seen inside, beats out, cycles of the beats out)."""
    dice, source, sink, words = random.Random(seed), Source(sent, stalls[0], seed + 1), Sink(stalls[2], seed + 2), []
    bench.cycle(rst_ni=0, in_valid_i=0, out_ready_i=0, select_i=case)
    bench.cycle(rst_ni=1)
    cycle, idle = 0, 0
    while idle < 20:
        offered = source.offer()
        data, last = offered or (dice.getrandbits(128), dice.getrandbits(1))
        seen = bench.cycle(
            in_data_i=data, in_last_i=last, in_valid_i=int(offered is not None),
            mid_open_i=int(dice.random() >= stalls[1]), out_ready_i=sink.ready(),
        )  # fmt: skip
        source.step(seen["in_ready_o"])
        sink.step(seen["out_valid_o"], (seen["out_data_o"], seen["out_last_o"]), cycle)
        if seen["word_valid_o"]:
            words.append(seen["word_data_o"])
        cycle += 1
        idle += source.done and len(sink.items) >= count
        assert cycle < limit, f"{CASES[case]}: stuck with {source.taken} beats in, {len(sink.items)} of {count} out"
    return words, sink.items, sink.cycles


@pytest.mark.parametrize("stalls", STALLS)
def test_frames_and_packets_arrive_as_they_were_sent(bench, stalls):
    for case, (beat, word, words) in enumerate(CASES):
        rng = np.random.default_rng(case)
        inner, sent, expected = packets(rng, beat, word, words, [1, 3, 2, 1])
        seen, got, _ = run(bench, case, sent, len(expected), stalls, case)
        assert seen == inner, f"words of {CASES[case]}"
        assert got == expected, f"beats of {CASES[case]}"


def test_no_bubbles(bench):
    """A frame takes as many cycles as it has beats or words, whichever are more."""
    for case, (beat, word, words) in enumerate(CASES):
        frames = 12
        _, sent, expected = packets(np.random.default_rng(case), beat, word, words, [frames])
        _, _, cycles = run(bench, case, sent, len(expected))
        per_frame = len(expected) // frames
        ends = cycles[per_frame - 1 :: per_frame]
        assert set(np.diff(ends)) == {max(words, per_frame)}, f"{CASES[case]}"


def test_full_tags_hold_the_input_and_lose_nothing(bench):
    """The output stands still until nothing more is taken; then everything comes."""
    for case, (beat, word, words) in enumerate(CASES):
        inner, sent, expected = packets(np.random.default_rng(case), beat, word, words, [2] * (TAGS + 2))
        source, sink = Source(sent, 0, 1), Sink(0, 1)
        bench.cycle(rst_ni=0, in_valid_i=0, out_ready_i=0, select_i=case, mid_open_i=1)
        for cycle in range(200 + 2 * (len(sent) + len(inner))):
            ready = int(cycle > 100 + len(sent))
            data, last = source.offer() or (0, 0)
            seen = bench.cycle(
                rst_ni=1, in_data_i=data, in_last_i=last, in_valid_i=int(source.offered), out_ready_i=ready
            )
            source.step(seen["in_ready_o"])
            if ready:
                sink.ready()
                sink.step(seen["out_valid_o"], (seen["out_data_o"], seen["out_last_o"]), cycle)
            else:
                assert source.taken < len(sent), "more frames than tags were let in"
        assert sink.items == expected, f"{CASES[case]}"


def test_a_packet_that_ends_inside_a_frame_halts(bench):
    """Every beat but the last of a frame with the mark: a pulse, halted, everything taken, until the reset."""
    for case, (beat, word, words) in enumerate(CASES):
        _, sent, _ = packets(np.random.default_rng(case), beat, word, words, [1])
        if len(sent) == 1:
            continue
        for cut in {0, len(sent) - 2}:
            bench.cycle(rst_ni=0, in_valid_i=0, out_ready_i=1, select_i=case, mid_open_i=1)
            source = Source([*((data, 0) for data, _ in sent[:cut]), (sent[cut][0], 1)], 0, 0)
            pulses = 0
            while not source.done:
                data, last = source.offer()
                seen = bench.cycle(rst_ni=1, in_data_i=data, in_last_i=last, in_valid_i=1)
                source.step(seen["in_ready_o"])
                pulses += seen["early_o"]
            for last in (0, 1, 1, 0, 0, 1):
                seen = bench.cycle(in_last_i=last)
                assert (seen["in_ready_o"], seen["halted_o"], seen["early_o"]) == (1, 1, 0), f"{CASES[case]}"
            assert pulses == 1
            bench.cycle(rst_ni=0, in_valid_i=0)
            assert bench.cycle(rst_ni=1)["halted_o"] == 0


def test_busy_means_inside_a_frame(bench):
    case = CASES.index((8, 16, 5))
    bench.cycle(rst_ni=0, in_valid_i=0, out_ready_i=1, select_i=case, mid_open_i=1)
    seen = [bench.cycle(rst_ni=1, in_valid_i=1, in_last_i=0)["busy_o"] for _ in range(20)]
    assert seen == [0, *[1] * 9] * 2, "10 beats a frame"


@pytest.mark.parametrize("module", ["sf_beats_to_words", "sf_words_to_beats"])
def test_widths_that_do_not_divide_are_refused(module):
    with pytest.raises(RtlError, match="BEAT_BITS = 64"):
        verilator.lint(module, [Path(RTL_DIR / f"{module}.sv")], {"BEAT_BITS": 64, "WORD_BITS": 24})


@pytest.mark.parametrize("module", ["sf_beats_to_words", "sf_words_to_beats"])
def test_widths_from_one_bit_on(module):
    sizes = {"BEAT_BITS": 1, "WORD_BITS": 1} | ({"WORDS": 1} if module == "sf_beats_to_words" else {})
    verilator.lint(module, [RTL_DIR / f"{module}.sv"], sizes)
    for name in sizes:
        with pytest.raises(RtlError, match=f"{name} ?= ?0"):
            verilator.lint(module, [RTL_DIR / f"{module}.sv"], sizes | {name: 0})
