"""The CRC unit against zlib's, byte by byte."""

import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signflow.hw.ops.base import RTL_DIR
from signflow.hw.sim import pack, unpack, verilator
from signflow.hw.sim.stream import StreamModel

CLEAR = 256
BENCH = """module crc_bench (input wire clk_i, input wire rst_ni,
  input wire [8:0] in_data_i, input wire in_valid_i, output wire in_ready_o,
  output wire [32:0] out_data_o, output logic out_valid_o, input wire out_ready_i);
  wire take = in_valid_i && in_ready_o;
  assign in_ready_o = !out_valid_o || out_ready_i;
  always_ff @(posedge clk_i) out_valid_o <= rst_ni && (take || (out_valid_o && !out_ready_i));
  sf_crc32 i_crc (.clk_i, .clear_i(take && in_data_i[8]), .data_i(in_data_i[7:0]), .valid_i(take),
    .crc_o(out_data_o[31:0]), .right_o(out_data_o[32]));
endmodule
"""


@pytest.fixture(scope="module")
def crc(tmp_path_factory):
    """Messages -> for each, (CRC, whether it ends with its own) after every byte."""
    file = tmp_path_factory.mktemp("crc") / "crc_bench.sv"
    file.write_text(BENCH)
    model = StreamModel(verilator.compile("crc_bench", [file, RTL_DIR / "sf_crc32.sv"], variant="check"))

    def run(messages, **options):
        codes = np.concatenate([[CLEAR, *message] for message in messages])
        words = model.run(pack(codes, 9), len(codes), **options).words
        values = unpack(words, 33, 1)[:, 0]
        sizes = np.cumsum([1 + len(message) for message in messages])
        return [(v & 0xFFFFFFFF, v >> 32) for v in np.split(values, sizes[:-1])]

    return run


def test_equals_zlib_after_every_byte(crc):
    rng = np.random.default_rng(0)
    messages = [rng.integers(0, 256, n).astype(np.uint8).tobytes() for n in (1, 2, 5, 300, 1037)]
    for in_stall, out_stall in ((0, 0), (0.3, 0), (0, 0.3)):
        for message, (crcs, _) in zip(messages, crc(messages, in_stall=in_stall, out_stall=out_stall), strict=True):
            assert crcs.tolist() == [zlib.crc32(message[:k]) for k in range(len(message) + 1)]


def test_the_known_check_value(crc):
    assert crc([b"123456789"])[0][0][-1] == 0xCBF43926


@settings(max_examples=20)
@given(st.lists(st.binary(max_size=40), min_size=1, max_size=5), st.data())
def test_right_exactly_behind_the_own_crc(crc, messages, data):
    whole = [m + zlib.crc32(m).to_bytes(4, "little") for m in messages]
    for message, (_, right) in zip(whole, crc(whole), strict=True):
        ends = [
            k
            for k in range(4, len(message) + 1)
            if zlib.crc32(message[: k - 4]) == int.from_bytes(message[k - 4 : k], "little")
        ]
        assert np.flatnonzero(right).tolist() == ends and len(message) in ends
    bit = data.draw(st.integers(0, 8 * len(whole[0]) - 1))
    damaged = bytearray(whole[0])
    damaged[bit // 8] ^= 1 << bit % 8
    assert crc([bytes(damaged)])[0][1][-1] == 0
