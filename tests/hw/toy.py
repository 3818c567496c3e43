"""A small accelerator by hand, as `signflow.deploy.generate.accelerator` would leave one: words of 24 bits in, 40 bits
out."""

import json
from pathlib import Path

import numpy as np

IN_WORDS, OUT_WORDS, IN_BITS, OUT_BITS, KEY = 7, 5, 24, 40, 0x5A
IN_BYTES, OUT_BYTES = IN_WORDS * 4, OUT_WORDS * 8  # of a frame in memory: words padded to 32 and 64 bits

RTL = f"""
`default_nettype none
module toy #(parameter string MEM_DIR = "mem/") (
  input wire clk_i, input wire rst_ni,
  input wire [{IN_BITS - 1}:0] s_axis_tdata, input wire s_axis_tvalid, output wire s_axis_tready,
  output wire [{OUT_BITS - 1}:0] m_axis_tdata, output wire m_axis_tvalid, input wire m_axis_tready,
  output wire m_axis_tlast
);
  // out[k] = hash + k, hash = 3 * hash + in over the words of a frame, from the key in mem/
  logic [{OUT_BITS - 1}:0] key [1];
  initial $readmemh({{MEM_DIR, "key.mem"}}, key);
  logic [{OUT_BITS - 1}:0] hash_q;
  logic [3:0] in_q, give_q, out_q;
  wire room, take = s_axis_tvalid && s_axis_tready, push = give_q != 0 && room;
  assign s_axis_tready = give_q == 0;
  always_ff @(posedge clk_i)
    if (!rst_ni) begin
      hash_q <= key[0];
      {{in_q, give_q, out_q}} <= '0;
    end else begin
      if (take) begin
        hash_q <= 3 * hash_q + s_axis_tdata;
        in_q <= in_q == {IN_WORDS - 1} ? '0 : in_q + 1'b1;
        if (in_q == {IN_WORDS - 1}) give_q <= {OUT_WORDS};
      end
      if (push) begin
        give_q <= give_q - 1'b1;
        hash_q <= give_q == 1 ? key[0] : hash_q + 1'b1;
      end
      if (m_axis_tvalid && m_axis_tready) out_q <= m_axis_tlast ? '0 : out_q + 1'b1;
    end
  assign m_axis_tlast = out_q == {OUT_WORDS - 1};
  sf_fifo #(.WIDTH({OUT_BITS}), .DEPTH(32)) i_fifo (.clk_i, .rst_ni,
    .in_data_i(hash_q), .in_valid_i(give_q != 0), .in_ready_o(room),
    .out_data_o(m_axis_tdata), .out_valid_o(m_axis_tvalid), .out_ready_i(m_axis_tready));
endmodule
`default_nettype wire
"""


def accelerator(folder: Path, fifo: Path, interval: int = 12) -> Path:
    """The folder of the toy; ``fifo`` is the library's module. ``interval``: what it says of itself."""
    for name, text in {"rtl/toy.sv": RTL, "rtl/sf_fifo.sv": fifo.read_text(), "mem/key.mem": f"{KEY:x}\n"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    sides = {
        "input": {"words": IN_WORDS, "stream_bits": IN_BITS},
        "output": {"words": OUT_WORDS, "stream_bits": OUT_BITS},
    }
    facts = {"name": "toy", "top": "toy", "mem_dir": "mem", "sources": ["rtl/sf_fifo.sv", "rtl/toy.sv"], **sides}
    facts |= {"board": "pynq-z2", "part": "", "clock_mhz": 100, "operators": []}
    facts |= {"predicted": {"latency": 14, "interval": interval, "bottleneck": "toy"}}
    (folder / "accel.json").write_text(json.dumps(facts))
    return folder


def results(frames: np.ndarray) -> np.ndarray:
    """What the toy computes: uint8 [n, IN_BYTES] -> uint8 [n, OUT_BYTES], in plain integers."""
    rows = []
    for frame in frames:
        total = KEY
        for word in frame.reshape(IN_WORDS, 4):
            total = 3 * total + int.from_bytes(word[:3].tobytes(), "little")
        words = [(total + k) % (1 << OUT_BITS) for k in range(OUT_WORDS)]
        rows.append(b"".join(word.to_bytes(8, "little") for word in words))
    return np.frombuffer(b"".join(rows), np.uint8).reshape(len(frames), OUT_BYTES)
