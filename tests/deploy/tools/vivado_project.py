"""A Vivado project folder of an accelerator small enough to read: every byte of a beat goes through one table."""

import json
from pathlib import Path

from signflow.deploy.tools.vivado import run as vivado
from signflow.hw.boards import board

AXI = """`default_nettype none
module toy_axi #(
  parameter MEM_DIR = "mem/"
) (
  (* X_INTERFACE_INFO = "xilinx.com:signal:clock:1.0 aclk CLK" *)
  (* X_INTERFACE_PARAMETER = "ASSOCIATED_BUSIF s_axi_ctrl:s_axis_in:m_axis_out, ASSOCIATED_RESET aresetn" *)
  input  wire aclk,
  (* X_INTERFACE_INFO = "xilinx.com:signal:reset:1.0 aresetn RST" *)
  (* X_INTERFACE_PARAMETER = "POLARITY ACTIVE_LOW" *)
  input  wire aresetn,
PORTS
);
  wire unused = &{1'b0, s_axi_ctrl_awaddr, s_axi_ctrl_awprot, s_axi_ctrl_wdata, s_axi_ctrl_wstrb,
                  s_axi_ctrl_araddr, s_axi_ctrl_arprot};
  assign s_axi_ctrl_awready = s_axi_ctrl_wvalid, s_axi_ctrl_wready = s_axi_ctrl_awvalid;
  assign s_axi_ctrl_bvalid = s_axi_ctrl_awvalid && s_axi_ctrl_wvalid && s_axi_ctrl_bready, s_axi_ctrl_bresp = 2'd0;
  assign s_axi_ctrl_arready = s_axi_ctrl_rready, s_axi_ctrl_rvalid = s_axi_ctrl_arvalid;
  assign s_axi_ctrl_rdata = 32'd0, s_axi_ctrl_rresp = 2'd0;
  toy #(.TABLE_FILE({MEM_DIR, "table.mem"}), .BEAT(BEAT_BITS)) i_toy (
    .clk_i(aclk), .rst_ni(aresetn),
    .in_data_i(s_axis_in_tdata), .in_last_i(s_axis_in_tlast),
    .in_valid_i(s_axis_in_tvalid), .in_ready_o(s_axis_in_tready),
    .out_data_o(m_axis_out_tdata), .out_last_o(m_axis_out_tlast),
    .out_valid_o(m_axis_out_tvalid), .out_ready_i(m_axis_out_tready)
  );
endmodule
`default_nettype wire
"""

TOY = """`default_nettype none
module toy #(
  parameter TABLE_FILE = "",
  parameter int BEAT = 64
) (
  input  wire clk_i, rst_ni,
  input  wire  [BEAT-1:0] in_data_i, input wire in_last_i, in_valid_i, output wire in_ready_o,
  output logic [BEAT-1:0] out_data_o, output logic out_last_o, out_valid_o, input wire out_ready_i
);
  (* rom_style = "distributed" *) logic [7:0] rom [256];
  initial $readmemh(TABLE_FILE, rom);
  assign in_ready_o = !out_valid_o || out_ready_i;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) out_valid_o <= 1'b0;
    else if (in_ready_o) out_valid_o <= in_valid_i;
    if (in_ready_o) out_last_o <= in_last_i;
    for (int k = 0; k < BEAT / 8; k++) if (in_ready_o) out_data_o[8*k +: 8] <= rom[in_data_i[8*k +: 8]];
  end
endmodule
`default_nettype wire
"""

CONTROL = {
    "awaddr": ("input", 12), "awprot": ("input", 3), "awvalid": ("input", 1), "awready": ("output", 1),
    "wdata": ("input", 32), "wstrb": ("input", 4), "wvalid": ("input", 1), "wready": ("output", 1),
    "bresp": ("output", 2), "bvalid": ("output", 1), "bready": ("input", 1),
    "araddr": ("input", 12), "arprot": ("input", 3), "arvalid": ("input", 1), "arready": ("output", 1),
    "rdata": ("output", 32), "rresp": ("output", 2), "rvalid": ("output", 1), "rready": ("input", 1),
}  # fmt: skip


def ports(beat: int) -> str:
    stream = {"tdata": beat, "tvalid": 1, "tready": 1, "tlast": 1}
    rows = [("aximm", "s_axi_ctrl", name, *what) for name, what in CONTROL.items()]
    for bus, ready, other in (("s_axis_in", "output", "input"), ("m_axis_out", "input", "output")):
        rows += [("axis", bus, name, ready if name == "tready" else other, bits) for name, bits in stream.items()]
    return ",\n".join(
        f'  (* X_INTERFACE_INFO = "xilinx.com:interface:{kind}:1.0 {bus} {name.upper()}" *)\n'
        f"  {direction} wire {f'[{bits - 1}:0]' if bits > 1 else ''} {bus}_{name}"
        for kind, bus, name, direction, bits in rows
    )


def facts(name: str = "pynq-z2", beat: int = 0) -> dict:
    target = board(name)
    return {
        "name": "toy",
        "top": "toy_axi",
        "board": target.name,
        "part": target.part,
        "clock_mhz": target.clock_mhz,
        "mem_dir": "mem",
        "sources": ["rtl/toy.sv", "rtl/toy_axi.v"],
        "shell": {"beat_bits": beat or target.stream_bits},
        "operators": [{"node": "toy0", "params": {"TABLE_FILE": "table.mem", "BEAT": beat or target.stream_bits}}],
    }


def project(folder: Path, name: str = "pynq-z2", beat: int = 0) -> Path:
    """Write the folder, with beats of ``beat`` bits, 0: the board's widest; returns it."""
    known = facts(name, beat)
    beat = known["shell"]["beat_bits"]
    texts = vivado.files(known) | {
        "accel.json": json.dumps(known),
        "rtl/toy.sv": TOY,
        "rtl/toy_axi.v": AXI.replace("PORTS", ports(beat)).replace("BEAT_BITS", str(beat)),
        "mem/table.mem": "\n".join(f"{(3 * k) % 256:02x}" for k in range(256)) + "\n",
    }
    for file, text in texts.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text)
    return folder
