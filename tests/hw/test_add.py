"""Join: sums and cycles when the two streams arrive at times of their own; a fork and a join around a longer branch."""

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from qonnx.core.datatype import DataType

from signflow.hw.ops.base import RTL_DIR, OpError
from signflow.hw.sim import RtlError, verilator
from signflow.hw.sim.stream import StreamModel
from signflow.hw.sim.words import pack, unpack

FEW = settings(max_examples=4, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))
STALLS = [(0, 0), (0.4, 0), (0, 0.4), (0.3, 0.3)]
TYPES = ["BINARY", "UINT4", "INT3", "INT9", "UINT9"]


def holds(a, b, s=0, t=0):
    """The smallest type for sums."""
    a, b = DataType[a], DataType[b]
    low, high = int(a.min()) * 2**s + int(b.min()) * 2**t, int(a.max()) * 2**s + int(b.max()) * 2**t
    bits = max(int(high).bit_length(), int(-low - 1).bit_length() if low < 0 else 0)
    return f"INT{bits + 1}" if low < 0 else f"UINT{bits}"


def add(bench, channels=8, pe=2, a="INT5", b="UINT3", odt=None, vectors=(1, 3, 3), shifts=(0, 0)):
    attributes = {"NumChannels": channels, "PE": pe, "numInputVectors": list(vectors), "inputDataType": a}
    attributes |= {"inputDataType1": b, "shift0": shifts[0], "shift1": shifts[1]}
    return bench("Add_sf", attributes | {"outputDataType": odt or holds(a, b, *shifts)})


@FEW
@given(
    *(st.integers(1, 5), st.sampled_from([1, 3]), st.sampled_from(TYPES), st.sampled_from(TYPES)),
    *(st.sampled_from([(0, 0), (3, 0), (0, 1), (2, 5)]), st.integers(0)),
)
def test_add(bench, folds, pe, a, b, shifts, seed):
    rng = np.random.default_rng(seed)
    gates = tuple(int(rng.integers(1, 1 << 62)) for _ in range(2))
    add(bench, folds * pe, pe, a, b, shifts=shifts).compile(gates=gates).check(rng)


@pytest.mark.parametrize("gates", [((1 << 64) - 1, (1 << 64) - 1), (1 << 40, (1 << 64) - 1), ((1 << 64) - 1, 1 << 20)])
def test_one_stream_far_ahead(bench, gates):
    add(bench, odt="INT12").compile(gates=gates).check(np.random.default_rng(1))


def test_the_extreme_sums(bench):
    node = add(bench, 2, 1, "INT8", "UINT8", "INT10", (1,)).compile()
    x = [np.array([[[-128, 127]]] * 3), np.array([[[0, 255]]] * 3)]
    np.testing.assert_array_equal(node.stream(x)[0], [[[-128, 382]]] * 3)


def test_shifted_sums(bench):
    node = add(bench, 2, 1, "INT3", "UINT2", "INT7", (1,), (3, 2)).compile()
    x = [np.array([[[-4, 3]]] * 3), np.array([[[3, 1]]] * 3)]
    np.testing.assert_array_equal(node.stream(x)[0], [[[-32 + 12, 24 + 4]]] * 3)


@pytest.mark.parametrize(
    "shifts", [(3, 0), pytest.param((0, 0), marks=pytest.mark.slow), pytest.param((1, 5), marks=pytest.mark.slow)]
)
def test_estimate(bench, shifts):
    add(bench, 16, 8, shifts=shifts).check_estimate()


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("PE", 3, "PE = 3 does not divide NumChannels = 8"),
        ("outputDataType", "INT5", r"outputDataType INT5 does not hold the sums, -16\.\.22"),
        ("shift1", 3, r"outputDataType INT6 does not hold the sums, -16\.\.71"),
        ("shift0", -1, "shift0 = -1 and shift1 = 0; it shifts to the left"),
        ("inputDataType1", "BIPOLAR", "type BIPOLAR has no arithmetic here; make it BINARY"),
    ],
)
def test_illegal_attributes(bench, attribute, value, message):
    node = add(bench)
    node.op.set_nodeattr(attribute, value)
    with pytest.raises(OpError, match=message):
        node.op.rtl_instance(node.model)


@pytest.mark.parametrize(("width0", "width1", "shift"), [(5, 4, 0), (3, 5, 0), (2, 2, 3)])
def test_elaboration_refuses_sums_narrower_than_a_term(width0, width1, shift):
    parameters = {"WIDTH0": width0, "WIDTH1": width1, "SHIFT1": shift, "OUT_WIDTH": 4}
    message = rf"OUT_WIDTH = 4 is less than WIDTH0 \+ SHIFT0 = {width0} or WIDTH1 \+ SHIFT1 = {width1 + shift}"
    with pytest.raises(RtlError, match=message):
        verilator.lint("sf_add", [RTL_DIR / "sf_add.sv"], parameters)


@pytest.mark.parametrize(("width0", "width1"), [(4, 4), (4, 3), (3, 4)])
def test_sums_as_wide_as_a_term_elaborate(width0, width1):
    verilator.lint("sf_add", [RTL_DIR / "sf_add.sv"], {"WIDTH0": width0, "WIDTH1": width1, "OUT_WIDTH": 4})


def test_finn_wrapper_has_both_streams(bench, tmp_path):
    node = add(bench, 16, 8, "INT4", "UINT3")
    node.op.set_nodeattr("code_gen_dir_ipgen", str(tmp_path))
    node.op.code_generation_ipgen(node.model, "xc7z020clg400-1", 10)
    verilator.lint("dut", node.op.get_rtl_file_list(abspath=True))
    ports = node.op.get_verilog_top_module_intf_names()
    assert ports["s_axis"] == [("in0_V", 32), ("in1_V", 24)] and ports["m_axis"] == [("out0_V", 40)]


DIAMOND = """module diamond #(parameter int DEPTH = 32) (input wire clk_i, input wire rst_ni,
  input wire [9:0] in_data_i, input wire in_valid_i, output wire in_ready_o,
  output wire [5:0] out_data_o, output wire out_valid_o, input wire out_ready_i);
  wire [9:0] a, b, held; wire [2:0] level; wire av, ar, bv, br, hv, hr, lv, lr;
  sf_duplicate #(.WIDTH(10)) i_fork (.clk_i, .rst_ni, .in_data_i, .in_valid_i, .in_ready_o, .out0_data_o(a),
    .out0_valid_o(av), .out0_ready_i(ar), .out1_data_o(b), .out1_valid_o(bv), .out1_ready_i(br));
  sf_fifo #(.WIDTH(10), .DEPTH(DEPTH)) i_beside (.clk_i, .rst_ni, .in_data_i(a), .in_valid_i(av), .in_ready_o(ar),
    .out_data_o(held), .out_valid_o(hv), .out_ready_i(hr));
  sf_thresholds #(.IN_WIDTH(10), .STAGES(3), .OUT_WIDTH(3), .FOLDS(2), .THRESHOLDS_0("t0.mem"), .THRESHOLDS_1("t1.mem"),
    .THRESHOLDS_2("t2.mem")) i_levels (
    .clk_i, .rst_ni, .load_i('0), .load_o(),
    .in_data_i(b), .in_valid_i(bv), .in_ready_o(br), .out_data_o(level), .out_valid_o(lv), .out_ready_i(lr));
  sf_add #(.WIDTH0(5), .WIDTH1(3), .SIGNED1(0), .OUT_WIDTH(6)) i_join (.clk_i, .rst_ni, .in0_data_i(held[9:5]),
    .in0_valid_i(hv), .in0_ready_o(hr), .in1_data_i(level), .in1_valid_i(lv), .in1_ready_o(lr),
    .out_data_o, .out_valid_o, .out_ready_i);
  wire unused_low = &{1'b0, held[4:0]};
endmodule
"""


def diamond(folder, depth):
    (folder / "diamond.sv").write_text(DIAMOND)
    files = [RTL_DIR / f"{m}.sv" for m in ("sf_add", "sf_duplicate", "sf_fifo", "sf_memory", "sf_thresholds")]
    return verilator.compile("diamond", [folder / "diamond.sv", *files], {"DEPTH": depth}, variant="check")


@pytest.mark.parametrize("depth", [2, 6, 7])
def test_diamond(tmp_path, depth):
    """x -> x / 32 + level of x, the level on a branch of six cycles: with 6 + 1 words beside it one word a cycle, with
    fewer slower, and never a deadlock.
    """
    rng, n = np.random.default_rng(depth), 300
    thresholds = np.sort(rng.integers(-512, 513, (2, 7)), axis=1)
    for stage, middles in enumerate(([3], [1, 5], [0, 2, 4, 6])):
        words = (thresholds[:, middles] + 512).ravel()
        (tmp_path / f"t{stage}.mem").write_text("\n".join(f"{w:x}" for w in words) + "\n")
    x = rng.integers(-512, 512, n)
    level = (x[:, None] >= thresholds[np.arange(n) % 2]).sum(axis=1)
    compiled = diamond(tmp_path, depth)
    for seed, (source, sink) in enumerate(STALLS):
        with StreamModel(compiled, tmp_path, seed=2) as dut:
            run = dut.run(pack(x, 10), n, in_stall=source, out_stall=sink, seed=seed, strict=True, watchdog=2000)
        np.testing.assert_array_equal(unpack(run.words, 6, 1, True)[:, 0], (x >> 5) + level)
        if (source, sink) == (0, 0):
            assert (run.last_out[0] < n + 10) == (depth >= 7)
