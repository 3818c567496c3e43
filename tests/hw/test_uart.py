"""UART: bytes, timing, tolerance, noise. The receiver is also fed with waveforms made here, sample by sample."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signflow.hw.ops.base import RTL_DIR
from signflow.hw.sim import RtlError, StreamError, pack, unpack, verilator
from signflow.hw.sim.stream import StreamModel

# bytes in, sent with one bit time, received with another; bit 8 of the output: a wrong stop bit
PAIR = """module uart_pair #(parameter int TX = 8, parameter int RX = 8) (
  input wire clk_i, input wire rst_ni,
  input wire [7:0] in_data_i, input wire in_valid_i, output wire in_ready_o,
  output wire [8:0] out_data_o, output wire out_valid_o, input wire out_ready_i);
  wire line, valid, error;
  sf_uart_tx #(.CLOCKS_PER_BIT(TX)) i_tx (.clk_i, .rst_ni, .data_i(in_data_i), .valid_i(in_valid_i),
    .ready_o(in_ready_o), .tx_o(line));
  sf_uart_rx #(.CLOCKS_PER_BIT(RX)) i_rx (.clk_i, .rst_ni, .rx_i(line), .data_o(out_data_o[7:0]), .valid_o(valid),
    .error_o(error));
  assign out_data_o[8] = error, out_valid_o = valid || error;
endmodule
"""
# the level of the line in every cycle in
LINE = """module uart_line #(parameter int RX = 8) (input wire clk_i, input wire rst_ni,
  input wire in_data_i, input wire in_valid_i, output wire in_ready_o,
  output wire [8:0] out_data_o, output wire out_valid_o, input wire out_ready_i);
  wire valid, error;
  assign in_ready_o = 1'b1;
  sf_uart_rx #(.CLOCKS_PER_BIT(RX)) i_rx (.clk_i, .rst_ni, .rx_i(in_data_i || !in_valid_i), .data_o(out_data_o[7:0]),
    .valid_o(valid), .error_o(error));
  assign out_data_o[8] = error, out_valid_o = valid || error;
endmodule
"""
ERROR = 256


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uart")
    (folder / "uart_pair.sv").write_text(PAIR)
    (folder / "uart_line.sv").write_text(LINE)

    def model(top, **parameters):
        files = [folder / f"{top}.sv", RTL_DIR / "sf_uart_rx.sv", RTL_DIR / "sf_uart_tx.sv"]
        return StreamModel(verilator.compile(top, files, parameters, variant="check"))

    return model


@pytest.fixture(scope="module")
def line(build):
    return build("uart_line", RX=20)


def wave(codes, bit=20.0, gaps=0, stop=1):
    """Levels of the line, cycle by cycle: frames 8N1 with bits of `bit` cycles, `gaps` idle cycles behind each."""
    levels, time = [1] * 40, 40.0
    for code, gap in zip(codes, np.broadcast_to(gaps, len(codes)), strict=True):
        for level in [0, *(int(code) >> k & 1 for k in range(8)), stop]:
            time += bit
            levels += [level] * (round(time) - len(levels))
        levels += [1] * int(gap)
        time += int(gap)
    return np.array(levels + [1] * 400)


def heard(model, levels, count):
    """What the receiver makes of the levels: exactly `count` bytes, ERROR added where the stop bit is wrong."""
    run = model.run(pack(levels, 1), count, drain=200, watchdog=20_000)
    model.reset()
    return unpack(run.words, 9, 1)[:, 0].tolist()


@pytest.mark.parametrize(("tx", "rx"), [(4, 4), (25, 25), (49, 50), (51, 50)])
def test_every_byte_passes_without_a_gap(build, tx, rx):
    codes = np.concatenate([np.arange(256), np.random.default_rng(tx).integers(0, 256, 64)])
    run = build("uart_pair", TX=tx, RX=rx).run(pack(codes, 8), len(codes), stamps=True)
    assert unpack(run.words, 9, 1)[:, 0].tolist() == codes.tolist()
    assert (np.diff(run.in_cycles) == 10 * tx).all()  # back to back at the line's rate
    latency = run.out_cycles - run.in_cycles
    assert (abs(latency - 9.5 * rx - 4) <= max(2, 0.025 * 10 * tx)).all()


@pytest.mark.parametrize("mismatch", [-0.08, 0.08])
def test_eight_percent_do_not_pass(line, mismatch):
    """The tolerance has an end, or the test of 2.5 % would say nothing."""
    codes = np.random.default_rng(1).integers(0, 256, 50)
    with pytest.raises((AssertionError, StreamError)):
        assert heard(line, wave(codes, 20 * (1 + mismatch)), len(codes)) == codes.tolist()
    line.reset()


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.integers(0, 255), st.integers(0, 45)), min_size=1, max_size=12),
    st.floats(-0.025, 0.025),
)
def test_any_bytes_gaps_and_bit_times_within_the_tolerance(line, frames, mismatch):
    codes, gaps = zip(*frames, strict=True)
    assert heard(line, wave(codes, 20 * (1 + mismatch), gaps), len(codes)) == list(codes)


def test_a_wrong_stop_bit_is_an_error_and_the_next_byte_is_right(line):
    levels = np.concatenate([wave([0x35], stop=0), wave([0xA7])])
    assert heard(line, levels, 2) == [ERROR + 0x35, 0xA7]


def test_a_break_is_one_error(line):
    levels = np.concatenate([np.ones(30), np.zeros(20 * 200), wave([0x11])]).astype(int)
    assert heard(line, levels, 2) == [ERROR, 0x11]


def test_a_short_spike_is_no_start_bit(line):
    spike = np.concatenate([np.ones(50), np.zeros(8), np.ones(50)]).astype(int)
    assert heard(line, np.concatenate([spike, wave([0x42]), spike]), 1) == [0x42]


def test_the_idle_line_says_nothing(line):
    assert heard(line, np.concatenate([np.ones(5000, int), wave([0])]), 1) == [0]


@pytest.mark.parametrize("module", ["sf_uart_rx", "sf_uart_tx"])
def test_elaboration_refuses(module):
    with pytest.raises(RtlError, match="CLOCKS_PER_BIT = 3, must be >= 4"):
        verilator.lint(module, [RTL_DIR / f"{module}.sv"], {"CLOCKS_PER_BIT": 3})
