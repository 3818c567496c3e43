"""Verilator under the names of FINN's simulator binding: streams against a queue, and FINN's own FIFO module."""

from collections import deque
from pathlib import Path

import numpy as np
import pytest

from signflow.deploy.compile import engine
from signflow.deploy.finn import verilator
from signflow.hw.sim import pins
from signflow.hw.sim import verilator as compiler

SWAP = """module swap(input ap_clk, input ap_rst_n,
  input [7:0] in0_V_TDATA, input in0_V_TVALID, output in0_V_TREADY,
  output [7:0] out0_V_TDATA, output out0_V_TVALID, input out0_V_TREADY);
  reg [7:0] kept; reg full;
  assign in0_V_TREADY = !full || out0_V_TREADY;
  assign out0_V_TVALID = full;
  assign out0_V_TDATA = ~kept;
  always @(posedge ap_clk)
    if (!ap_rst_n) full <= 0;
    else if (in0_V_TREADY) begin kept <= in0_V_TDATA; full <= in0_V_TVALID; end
endmodule
"""


@pytest.fixture(scope="module")
def swap(tmp_path_factory):
    """An open simulation of a register that inverts what it holds."""
    folder = tmp_path_factory.mktemp("swap")
    (folder / "swap.v").write_text(SWAP)
    return verilator.load_sim_obj(*verilator.compile_sim_obj("swap", [folder / "swap.v"], folder))


def test_words_come_out_in_order(swap):
    words = np.random.default_rng(0).integers(0, 256, 50).tolist()
    io = {"inputs": {"in0": words}, "outputs": {"out0": []}}
    verilator.reset_rtlsim(swap)
    cycles = verilator.rtlsim_multi_io(swap, io, 50, sname="_V")
    assert io["outputs"]["out0"] == [255 - word for word in words]
    assert cycles == 52, "one word a cycle behind one register, and one idle cycle at the end"


def test_silence_is_an_error(swap):
    io = {"inputs": {"in0": [1, 2]}, "outputs": {"out0": []}}
    verilator.reset_rtlsim(swap)
    with pytest.raises(RuntimeError, match=r"no output for 20 cycles: \{'out0': 2\} words of \{'out0': 3\} came"):
        verilator.rtlsim_multi_io(swap, io, 3, sname="_V", liveness_threshold=20)
    with pytest.raises(RuntimeError, match="no port in1_V_tvalid"):
        verilator.rtlsim_multi_io(swap, {"inputs": {"in1": []}, "outputs": {"out0": []}}, 1, sname="_V")


@pytest.mark.parametrize("depth", [2, 700])
def test_finns_fifo_is_simulated(depth, tmp_path):
    """FINN's own module, but for one constant: words in order, at least ``depth`` of them inside, under stalls."""
    engine.boot()
    from finn.util.settings import get_settings

    source = Path(get_settings().finn_rtllib) / "fifo" / "hdl" / "fifo.sv"
    readable = verilator._readable(source, tmp_path)
    assert verilator.SAME_SIZES in readable.read_text(), "the function that Verilator does not evaluate is gone"
    model = compiler.compile(
        "fifo", [readable], {"DEPTH": depth, "DATA_WIDTH": 12}, variant="once", harness=pins.harness("clk")
    )
    dut, rng, held, most = pins.Pins(model), np.random.default_rng(depth), deque(), 0
    for _ in range(4):
        dut.cycle(rst=1)
    for cycle in range(4 * depth + 200):
        give, take = rng.random() < 0.9, cycle > 2 * depth and rng.random() < 0.7
        word = int(rng.integers(4096))
        seen = dut.cycle(rst=0, idat=word, ivld=int(give), ordy=int(take))
        if take and seen["ovld"]:
            assert seen["odat"] == held.popleft()
        if give and seen["irdy"]:
            held.append(word)
        most = max(most, len(held))
    assert most >= depth
