"""The loader: registers on one side, two memories on a chain on the other."""

import random
import zlib

import numpy as np
import pytest

from signflow.hw.ops.base import RTL_DIR
from signflow.hw.sim import pins, verilator

LOAD, WORD, CRC, REST = 0x48, 0x4C, 0x50, 0x54
DEPTHS, WIDTHS = (3, 5), (40, 9)  # 3 words of two parts, 5 of one: 11 on the chain

BENCH = """
module loaded (input wire clk_i, input wire rst_ni,
  input wire [7:0] reg_addr_i, input wire reg_write_i, input wire [31:0] reg_wdata_i, output wire [31:0] reg_rdata_o,
  output wire reset_o, output wire hold_o,
  input wire [1:0] addr0_i, input wire [2:0] addr1_i, output wire [39:0] word0_o, output wire [8:0] word1_o);
  wire [32:0] a, b, c;
  sf_loader i_loader (.clk_i, .rst_ni, .reg_addr_i, .reg_write_i, .reg_wdata_i, .reg_rdata_o, .reset_o, .hold_o,
    .load_o(a), .load_i(c));
  sf_memory #(.WIDTH(40), .DEPTH(3), .LOAD(1), .FILE("zero.mem")) i_wide (.clk_i, .rst_ni(rst_ni && !reset_o),
    .read_i(1'b1), .addr_i(addr0_i), .word_o(word0_o), .load_i(a), .load_o(b));
  sf_memory #(.WIDTH(9), .DEPTH(5), .BLOCK(1), .LOAD(1), .FILE("zero.mem")) i_narrow (.clk_i,
    .rst_ni(rst_ni && !reset_o), .read_i(1'b1), .addr_i(addr1_i), .word_o(word1_o), .load_i(b), .load_o(c));
endmodule
"""


@pytest.fixture(scope="module")
def dut(tmp_path_factory):
    folder = tmp_path_factory.mktemp("loader")
    (folder / "loaded.sv").write_text(BENCH)
    (folder / "zero.mem").write_text("0\n" * 3)
    files = [folder / "loaded.sv", *(RTL_DIR / f"{name}.sv" for name in ("sf_loader", "sf_memory", "sf_crc32"))]
    model = pins.Pins(verilator.compile("loaded", files, variant="check", harness=pins.harness()), folder, seed=5)
    model.cycle(rst_ni=0)
    model.cycle(rst_ni=1)
    return model


def read(dut, offset):
    return dut.cycle(reg_addr_i=offset, reg_write_i=0)["reg_rdata_o"]


def write(dut, offset, value):
    return dut.cycle(reg_addr_i=offset, reg_write_i=1, reg_wdata_i=value)


def begin(dut):
    write(dut, LOAD, 1)
    assert read(dut, LOAD) == 1  # held, and in reset
    cycles = 1
    while read(dut, LOAD) != 3:
        cycles += 1
    assert cycles == 16


def contents(dut):
    found = []
    for port, depth in enumerate(DEPTHS):
        found.append([dut.cycle(**{f"addr{port}_i": k, "reg_write_i": 0})[f"word{port}_o"] for k in range(depth)])
    return found


def test_a_load_fills_every_memory_and_is_counted(dut):
    """With pauses between the words; twice, because a load starts anew."""
    rng = random.Random(1)
    for _ in range(2):
        begin(dut)
        words = [rng.getrandbits(32) for _ in range(11)]
        for count, word in enumerate([*words, 7], 1):
            write(dut, WORD, word)
            for _ in range(rng.choice((0, 0, 3))):
                assert read(dut, WORD) == count
        sent = np.array([*words, 7], "<u4").tobytes()
        assert read(dut, WORD) == 12 and read(dut, CRC) == zlib.crc32(sent) and read(dut, REST) == 1
        write(dut, LOAD, 0)
        assert read(dut, LOAD) == 0
        wide = [words[2 * k] | (words[2 * k + 1] & 0xFF) << 32 for k in range(3)]
        assert contents(dut) == [wide, [word & 0x1FF for word in words[6:]]]


@pytest.mark.parametrize("count", [0, 11, 13])
def test_memories_that_are_not_just_full_hold_the_accelerator(dut, count):
    begin(dut)
    for _ in range(count):
        write(dut, WORD, 3)
    for _ in range(8):
        assert read(dut, LOAD) == 3
    assert read(dut, REST) == max(0, count - 11)
    write(dut, LOAD, 0)
    assert dut.cycle(reg_write_i=0)["hold_o"] == 1


def test_words_during_the_reset_or_outside_of_a_load_are_lost(dut):
    write(dut, LOAD, 1)
    write(dut, WORD, 1)
    assert read(dut, WORD) == 0
    for _ in range(20):
        read(dut, LOAD)
    for k in range(12):
        write(dut, WORD, k)
    for _ in range(8):
        read(dut, REST)
    write(dut, LOAD, 0)
    before = contents(dut)
    write(dut, WORD, 0xFFFFFFFF)
    assert read(dut, WORD) == 12 and read(dut, LOAD) == 0 and contents(dut) == before
    assert read(dut, 0x40) == 0 and read(dut, 0x58) == 0  # of the status page, or nobody's
