"""A small accelerator as a function of images: equal to numpy, in several workers, with waves."""

import json

import numpy as np
import pytest

from signflow.hw.sim import RtlSimulator, SimError, StreamError

# Words of two pixels; per image the sum of weight * pixel and its negative. A frame takes 6 cycles in and one word out.
TOP = """
`default_nettype none
module dot #(parameter string MEM_DIR = "mem/") (
  input wire clk_i, input wire rst_ni,
  input wire [15:0] s_axis_tdata, input wire s_axis_tvalid, output wire s_axis_tready,
  output wire [39:0] m_axis_tdata, output wire m_axis_tvalid, input wire m_axis_tready, output wire m_axis_tlast
);
  accumulate #(.WEIGHTS_FILE({MEM_DIR, "i_acc.mem"})) i_acc (
    .clk_i, .rst_ni, .in_data_i(s_axis_tdata), .in_valid_i(s_axis_tvalid), .in_ready_o(s_axis_tready),
    .out_data_o(m_axis_tdata), .out_valid_o(m_axis_tvalid), .out_ready_i(m_axis_tready)
  );
  assign m_axis_tlast = 1'b1;
endmodule
`default_nettype wire
"""
ACCUMULATE = """
`default_nettype none
module accumulate #(parameter string WEIGHTS_FILE = "") (
  input wire clk_i, input wire rst_ni, input wire [15:0] in_data_i, input wire in_valid_i, output wire in_ready_o,
  output wire [39:0] out_data_o, output wire out_valid_o, input wire out_ready_i
);
  logic signed [7:0] weights [12];
  initial $readmemh(WEIGHTS_FILE, weights);
  logic [2:0] place_q;
  logic signed [19:0] sum_q, out_q;
  logic valid_q;
  wire last = place_q == 3'd5;
  wire signed [8:0] pixel0 = {1'b0, in_data_i[7:0]}, pixel1 = {1'b0, in_data_i[15:8]};
  wire signed [19:0] next = (place_q == 0 ? 20'sd0 : sum_q) + 20'(weights[{place_q, 1'b0}]) * 20'(pixel0)
                          + 20'(weights[{place_q, 1'b1}]) * 20'(pixel1);
  assign in_ready_o = !valid_q || !last;
  assign out_valid_o = valid_q;
  assign out_data_o = {-out_q, out_q};
  always_ff @(posedge clk_i)
    if (!rst_ni) begin
      place_q <= '0;
      valid_q <= 1'b0;
    end else begin
      if (out_ready_i) valid_q <= 1'b0;
      if (in_valid_i && in_ready_o) begin
        place_q <= last ? '0 : place_q + 1'b1;
        sum_q   <= next;
        if (last) begin
          out_q   <= next;
          valid_q <= 1'b1;
        end
      end
    end
endmodule
`default_nettype wire
"""
FACTS = {
    "name": "dot",
    "top": "dot",
    "sources": ["rtl/accumulate.sv", "rtl/dot.sv"],
    "mem_dir": "mem",
    "input": {"shape": [3, 4], "dtype": "UINT8", "word_elems": 2, "elem_bits": 8, "words": 6, "stream_bits": 16},
    "output": {"shape": [2], "dtype": "INT20", "word_elems": 2, "elem_bits": 20, "words": 1, "stream_bits": 40},
    "operators": [
        {"node": "acc", "op": "Accumulate", "module": "accumulate", "plumbing": "", "inputs": ["n0"], "outputs": ["n1"]}
        | {"out_bits": [40], "params": {}, "picture": ["product", ""]}
    ],
    "predicted": {"latency": 8, "interval": 6},
}


def accelerator(folder, weights, facts=FACTS):
    (folder / "rtl").mkdir()
    (folder / "mem").mkdir()
    (folder / "rtl" / "dot.sv").write_text(TOP)
    (folder / "rtl" / "accumulate.sv").write_text(ACCUMULATE)
    (folder / "mem" / "i_acc.mem").write_text("\n".join(f"{int(w) & 255:02x}" for w in weights) + "\n")
    (folder / "accel.json").write_text(json.dumps(facts))
    return RtlSimulator(folder)


WEIGHTS = np.random.default_rng(0).integers(-128, 128, 12)
IMAGES = np.random.default_rng(1).integers(0, 256, (101, 3, 4)).astype(np.uint8)


def golden(images, weights=WEIGHTS):
    sums = images.reshape(len(images), -1).astype(np.int64) @ weights
    return np.stack([sums, -sums], 1)


@pytest.fixture(scope="module")
def simulator(tmp_path_factory):
    return accelerator(tmp_path_factory.mktemp("accelerator"), WEIGHTS)


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("stall", [0, 0.3])
def test_outputs_equal_numpy(simulator, workers, stall):
    result = simulator.run(IMAGES, workers=workers, in_stall=stall, out_stall=stall, seed=workers)
    np.testing.assert_array_equal(result.outputs, golden(IMAGES))
    assert result.outputs.dtype == np.int64 and len(result.starts) == workers
    if not stall:
        assert (result.latency, result.interval) == (6, 6)
        np.testing.assert_array_equal(result.first_in[: 101 // workers], np.arange(101 // workers) * 6)
    assert result.cycles_per_second > 0 and result.cycles_per_core_second > 0


def test_few_images_need_few_workers(simulator):
    result = simulator.run(IMAGES[:1], workers=4)
    assert result.starts == (0,) and result.interval is None
    np.testing.assert_array_equal(result.outputs, golden(IMAGES[:1]))


def test_another_folder_uses_its_own_weights_and_the_same_build(simulator, tmp_path):
    other = accelerator(tmp_path, -WEIGHTS)
    assert other.model.library == simulator.model.library
    np.testing.assert_array_equal(other.run(IMAGES).outputs, golden(IMAGES, (-WEIGHTS).astype(np.int8).astype(int)))


def test_progress_ends_with_all_images(simulator):
    seen = []
    simulator.run(IMAGES, workers=2, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (101, 101) and seen == sorted(seen)


def test_an_interruption_ends_the_run(simulator):
    def interrupt(done, total):
        raise KeyboardInterrupt

    many = np.zeros((500_000, 3, 4), np.uint8)
    with pytest.raises(KeyboardInterrupt):
        simulator.run(many, workers=2, progress=interrupt)
    np.testing.assert_array_equal(simulator.run(IMAGES).outputs, golden(IMAGES))


@pytest.mark.parametrize(
    ("images", "text"),
    [
        (np.zeros((2, 4, 3), np.uint8), r"\[2, 4, 3\] do not fit: expected \[N, 3, 4\]"),
        (np.zeros((0, 3, 4), np.uint8), "N > 0"),
        (np.zeros((2, 3, 4), np.float32), "float32: the hardware takes integers of type UINT8"),
        (np.full((2, 3, 4), 256), r"0\.\.255|256\.\.256"),
        (np.full((2, 3, 4), -1), r"-1\.\.-1: UINT8 input holds 0\.\.255"),
    ],
)
def test_wrong_images_are_refused(simulator, images, text):
    with pytest.raises(ValueError, match=text):
        simulator.run(images)


def test_bipolar_input_is_checked_and_encoded(tmp_path):
    side = {"shape": [96], "dtype": "BIPOLAR", "word_elems": 16, "elem_bits": 1, "words": 6, "stream_bits": 16}
    simulator = accelerator(tmp_path, WEIGHTS, {**FACTS, "input": side})
    signs = np.random.default_rng(2).choice([-1, 1], (20, 96))
    as_bytes = np.packbits(signs > 0, axis=1, bitorder="little")
    np.testing.assert_array_equal(simulator.run(signs).outputs, golden(as_bytes))
    with pytest.raises(ValueError, match="other than -1 and \\+1"):
        simulator.run(signs * 0)


def test_a_wrong_frame_length_is_found(tmp_path):
    facts = {**FACTS, "input": {**FACTS["input"], "shape": [2, 4], "words": 4}}
    simulator = accelerator(tmp_path, WEIGHTS, facts)
    with pytest.raises(StreamError, match="output is missing"):
        simulator.run(np.zeros((10, 2, 4), np.uint8), workers=2, watchdog=500)


def test_waves_of_one_operator(simulator, tmp_path):
    result = simulator.wave(IMAGES[:3], tmp_path / "all")
    np.testing.assert_array_equal(result.outputs, golden(IMAGES[:3]))
    simulator.wave(IMAGES[:3], tmp_path / "one.fst", "acc")
    files = {file.suffix: file for file in tmp_path.glob("all.*")}
    assert files.pop(".gtkw").stat().st_size > 500 and files.pop(".sucl").stat().st_size > 100
    (everything,), (one,) = files.values(), tmp_path.glob("one.*")
    assert everything.suffix in (".fst", ".vcd") and one.stat().st_size > 500
    if one.suffix == ".vcd":
        assert "place_q" in one.read_text() and "m_axis_tvalid" in everything.read_text()
        assert "m_axis_tvalid" not in one.read_text() and "1ns" in one.read_text()
    with pytest.raises(SimError, match="no operator 'nothing' in dot: it has acc"):
        simulator.wave(IMAGES[:3], tmp_path / "x", "nothing")


def test_a_folder_without_accelerator_is_refused(tmp_path):
    with pytest.raises(SimError, match=r"accel\.json does not exist"):
        RtlSimulator(tmp_path)
