"""The harness: right data at the right cycle, and every kind of broken stream found and named."""

from pathlib import Path

import numpy as np
import pytest

from signflow.hw.sim import SimError, StreamError, StreamModel, pack, unpack, verilator

# A registered stage between AXI streams that adds a table entry, and misbehaves as its memory image says. One build
# serves all cases: the faults are read at run time.
STAGE = """
`default_nettype none
module stage #(parameter int WIDTH = 16, parameter string MEM_DIR = "mem/") (
  input wire clk_i, input wire rst_ni,
  input wire [WIDTH-1:0] s_axis_tdata, input wire s_axis_tvalid, output wire s_axis_tready,
  output wire [WIDTH-1:0] m_axis_tdata, output wire m_axis_tvalid, input wire m_axis_tready, output wire m_axis_tlast
);
  localparam int FRAME = 8;
  logic [15:0] fault [1];
  logic [15:0] table_q [1];
  initial begin
    $readmemh({MEM_DIR, "fault.mem"}, fault);
    $readmemh({MEM_DIR, "table.mem"}, table_q);
  end
  logic valid_q, phase_q;
  logic [WIDTH-1:0] data_q;
  logic [15:0] in_q, out_q;
  wire odd = in_q == 16'd20;                              // the word that goes wrong
  wire drop = fault[0] == 1 && odd;
  wire stuck = fault[0] == 2 && in_q >= 16'd20;
  wire twice = fault[0] == 3 && out_q == 16'd20;
  wire last = out_q % FRAME == FRAME - 1;
  assign s_axis_tready = (!valid_q || (m_axis_tready && !twice)) && !stuck;
  assign m_axis_tvalid = fault[0] == 7 ? valid_q && m_axis_tready : valid_q && !(fault[0] == 9 && phase_q);
  assign m_axis_tdata  = fault[0] == 6 && !m_axis_tready ? ~data_q : data_q;
  assign m_axis_tlast  = fault[0] == 4 ? 1'b0 : fault[0] == 5 ? last || out_q == 16'd18 : last;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_q <= 1'b0;
      in_q    <= '0;
      out_q   <= '0;
    end else begin
      if (s_axis_tready) valid_q <= s_axis_tvalid && !drop;
      else if (m_axis_tready && !twice) valid_q <= 1'b0;
      if (s_axis_tready && s_axis_tvalid) in_q <= in_q + 1;
      if (m_axis_tvalid && m_axis_tready) out_q <= out_q + 1;
      if (fault[0] == 8 && in_q == 16'd20) $fatal(1, "the stage gave up");
    end
    phase_q <= rst_ni && !phase_q;
    if (s_axis_tready) data_q <= s_axis_tdata + WIDTH'(table_q[0]);
    else if (fault[0] == 10) data_q <= data_q + 1'b1;
  end
endmodule
`default_nettype wire
"""

# The plain port names, a wide word, and a first-in first-out order kept over two stages.
WIDE = """
`default_nettype none
module wide #(parameter int WIDTH = 100) (
  input wire clk_i, input wire rst_ni,
  input wire [WIDTH-1:0] in_data_i, input wire in_valid_i, output wire in_ready_o,
  output wire [WIDTH-1:0] out_data_o, output wire out_valid_o, input wire out_ready_i
);
  logic [WIDTH-1:0] a_q, b_q;
  logic a_valid_q, b_valid_q;
  assign in_ready_o = !b_valid_q;                         // skid: ready does not depend on out_ready_i
  assign out_valid_o = a_valid_q;
  assign out_data_o = a_q;
  always_ff @(posedge clk_i)
    if (!rst_ni) begin
      a_valid_q <= 1'b0;
      b_valid_q <= 1'b0;
    end else if (!a_valid_q || out_ready_i) begin
      a_q       <= b_valid_q ? b_q : in_data_i;
      a_valid_q <= b_valid_q || in_valid_i;
      b_valid_q <= 1'b0;
    end else if (in_ready_o) begin
      b_q       <= in_data_i;
      b_valid_q <= in_valid_i;
    end
endmodule
`default_nettype wire
"""

FRAMES, FRAME = 5, 8
CODES = np.arange(FRAMES * FRAME) * 7 % 1000


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    source = tmp_path_factory.mktemp("rtl") / "stage.sv"
    source.write_text(STAGE)
    return verilator.compile("stage", [source], variant="check")


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    source = tmp_path_factory.mktemp("rtl") / "wide.sv"
    source.write_text(WIDE)
    return verilator.compile("wide", [source], variant="check")


def images(folder: Path, fault: int, offset: int = 5) -> Path:
    (folder / "mem").mkdir()
    (folder / "mem" / "fault.mem").write_text(f"{fault:x}\n")
    (folder / "mem" / "table.mem").write_text(f"{offset:x}\n")
    return folder


def stream(model, folder, **options):
    options = {"frames": FRAMES, "watchdog": 200, **options}
    with StreamModel(model, folder) as instance:
        return instance.run(pack(CODES, 16), len(CODES), **options)


@pytest.mark.parametrize("in_stall", [0, 0.4])
@pytest.mark.parametrize("out_stall", [0, 0.4])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_good_stage_passes_with_any_stalls(stage, tmp_path, in_stall, out_stall, seed):
    run = stream(
        stage, images(tmp_path, 0, 9), in_stall=in_stall, out_stall=out_stall, seed=seed, strict=True, stamps=True
    )
    np.testing.assert_array_equal(unpack(run.words, 16, 1)[:, 0], CODES + 9)
    assert (run.out_cycles > run.in_cycles).all() and (np.diff(run.in_cycles) > 0).all()
    np.testing.assert_array_equal(run.first_in, run.in_cycles[::FRAME])
    np.testing.assert_array_equal(run.last_out, run.out_cycles[FRAME - 1 :: FRAME])


def test_cycles_without_stalls_are_exact(stage, tmp_path):
    run = stream(stage, images(tmp_path, 0), stamps=True)
    np.testing.assert_array_equal(run.in_cycles, np.arange(len(CODES)))
    np.testing.assert_array_equal(run.out_cycles, np.arange(len(CODES)) + 1)


def test_words_arrive_as_scheduled(stage, tmp_path):
    arrivals = np.cumsum(np.random.default_rng(0).integers(0, 4, len(CODES)))
    run = stream(stage, images(tmp_path, 0), arrivals=arrivals, stamps=True)
    expected = np.maximum.accumulate(arrivals - np.arange(len(arrivals))) + np.arange(len(arrivals))
    np.testing.assert_array_equal(run.in_cycles, expected)
    np.testing.assert_array_equal(run.out_cycles, expected + 1)


def test_waiting_for_a_late_word_is_no_deadlock(stage, tmp_path):
    run = stream(stage, images(tmp_path, 0), arrivals=np.arange(len(CODES)) * 500)
    assert run.cycles > 500 * (len(CODES) - 1)


def test_stalls_repeat_with_their_seed(stage, tmp_path):
    folder = images(tmp_path, 0)
    one, same, other = (stream(stage, folder, in_stall=0.3, out_stall=0.3, seed=s, stamps=True) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.out_cycles, same.out_cycles)
    assert (one.out_cycles != other.out_cycles).any()


@pytest.mark.parametrize(
    ("fault", "kind", "text"),
    [
        (1, "deadlock", "dropped words or still holds them"),
        (2, "deadlock", "20 of 40, in frame 2 word 4"),
        (3, "surplus", "nobody expects"),
        (4, "last missing", "TLAST is missing"),
        (5, "last early", "before the last word"),
        (8, "rtl", "stage.sv"),
    ],
)
def test_a_broken_stage_is_found(stage, tmp_path, fault, kind, text):
    with pytest.raises(StreamError, match=text) as caught:
        stream(stage, images(tmp_path, fault), in_stall=0.2, out_stall=0.2)
    assert caught.value.kind == kind


@pytest.mark.parametrize(
    ("fault", "kind"), [(9, "unstable"), (10, "unstable"), (7, "combinational"), (6, "combinational")]
)
def test_a_broken_handshake_is_found(stage, tmp_path, fault, kind):
    with pytest.raises(StreamError) as caught:
        stream(stage, images(tmp_path, fault), out_stall=0.4, strict=kind == "combinational")
    assert caught.value.kind == kind


def test_data_is_only_looked_at_when_valid(wide):
    codes = np.random.default_rng(1).integers(0, 2, (300, 100))
    with StreamModel(wide) as instance:
        for stalls in [(0, 0), (0.5, 0), (0, 0.5), (0.5, 0.5)]:
            run = instance.run(pack(codes, 1), 300, in_stall=stalls[0], out_stall=stalls[1], seed=3, strict=True)
            np.testing.assert_array_equal(unpack(run.words, 1, 100), codes)


def test_several_runs_follow_each_other_and_a_reset(wide):
    codes = np.arange(50)
    with StreamModel(wide) as instance:
        for _ in range(2):
            np.testing.assert_array_equal(unpack(instance.run(pack(codes, 100), 50).words, 100 - 40, 1)[:, 0], codes)
        with pytest.raises(StreamError):
            instance.run(pack(codes, 100), 60, watchdog=50)
        instance.reset()
        assert len(instance.run(pack(codes, 100), 50).words) == 50


def test_missing_memory_image_is_named(stage, tmp_path):
    with pytest.raises(SimError, match=r"mem/fault\.mem.*not found"):
        StreamModel(stage, tmp_path)
    with pytest.raises(SimError, match="cannot enter the folder"):
        StreamModel(stage, tmp_path / "nowhere")
    assert Path.cwd().exists() and Path.cwd() != tmp_path


def test_short_memory_image_is_refused(stage, tmp_path):
    folder = images(tmp_path, 0)
    (folder / "mem" / "fault.mem").write_text("zz zz\n")
    with pytest.raises(SimError, match=r"fault\.mem"):
        StreamModel(stage, folder)


@pytest.mark.parametrize(
    ("words", "options", "text"),
    [
        (np.zeros((4, 12), np.uint8), {}, r"\[n, 13\] for a 100-bit port"),
        (np.zeros((4, 13), np.int64), {}, "must be uint8"),
        (np.full((4, 13), 255, np.uint8), {}, "above bit 99"),
        (np.zeros((4, 13), np.uint8), {"frames": 3}, "do not make 3 equal frames"),
        (np.zeros((4, 13), np.uint8), {"in_stall": 1.0}, "below 1"),
        (np.zeros((4, 13), np.uint8), {"arrivals": np.arange(3)}, "4 cycles"),
    ],
)
def test_wrong_arguments_are_refused(wide, words, options, text):
    with StreamModel(wide) as instance, pytest.raises(ValueError, match=text):
        instance.run(words, 4, **options)


@pytest.mark.parametrize(("bits", "count"), [(1, 1), (1, 77), (2, 5), (7, 3), (8, 4), (12, 1), (16, 9), (33, 2)])
def test_pack_and_unpack_are_inverse(bits, count):
    values = np.random.default_rng(bits).integers(-(1 << bits - 1), 1 << bits - 1, (20, count))
    words = pack(values, bits, bits * count + 11)
    assert words.shape == (20, (bits * count + 18) // 8)
    np.testing.assert_array_equal(unpack(words, bits, count, signed=True), values)
    np.testing.assert_array_equal(unpack(words, bits, count), values % (1 << bits))
    assert int.from_bytes(words[3].tobytes(), "little") == sum(
        int(v) % (1 << bits) << bits * k for k, v in enumerate(values[3])
    )


def test_pack_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match=r"0\.\.9 do not fit into 3 bits"):
        pack(np.arange(10), 3)
    with pytest.raises(ValueError, match="do not fit into a word of 16 bits"):
        pack(np.zeros((2, 3), int), 8, 16)
