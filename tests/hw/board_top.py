"""A small board top for tests of the harness and of the DMA: bytes plus one, a few registers, faults on demand.

00 a constant   while 40 holds DEAD: 08 no answer, 10 SLVERR
40 scratch   44 beats taken   4C write: $stop   50 a byte of mem/
"""

import json
from pathlib import Path

TOP = """`default_nettype none
module plus_axi #(parameter string MEM_DIR = "mem/") (
  input wire aclk, input wire aresetn,
  input wire [7:0] s_axi_ctrl_awaddr, input wire [2:0] s_axi_ctrl_awprot, input wire s_axi_ctrl_awvalid,
  output wire s_axi_ctrl_awready, input wire [31:0] s_axi_ctrl_wdata, input wire [3:0] s_axi_ctrl_wstrb,
  input wire s_axi_ctrl_wvalid, output wire s_axi_ctrl_wready, output wire [1:0] s_axi_ctrl_bresp,
  output logic s_axi_ctrl_bvalid, input wire s_axi_ctrl_bready, input wire [7:0] s_axi_ctrl_araddr,
  input wire [2:0] s_axi_ctrl_arprot, input wire s_axi_ctrl_arvalid, output wire s_axi_ctrl_arready,
  output logic [31:0] s_axi_ctrl_rdata, output logic [1:0] s_axi_ctrl_rresp, output logic s_axi_ctrl_rvalid,
  input wire s_axi_ctrl_rready,
  input wire [BITS-1:0] s_axis_in_tdata, input wire s_axis_in_tvalid, output wire s_axis_in_tready,
  input wire s_axis_in_tlast,
  output logic [BITS-1:0] m_axis_out_tdata, output logic m_axis_out_tvalid, input wire m_axis_out_tready,
  output logic m_axis_out_tlast
);
  logic [31:0] scratch_q, beats_q;
  logic [7:0]  mem [1];
  initial $readmemh({MEM_DIR, "byte.mem"}, mem);
  wire go = s_axi_ctrl_awvalid && s_axi_ctrl_wvalid && !s_axi_ctrl_bvalid;
  assign s_axi_ctrl_awready = go, s_axi_ctrl_wready = go, s_axi_ctrl_bresp = 2'b00;
  assign s_axi_ctrl_arready = !s_axi_ctrl_rvalid && !(s_axi_ctrl_araddr == 8'h08 && scratch_q == 32'hDEAD);
  assign s_axis_in_tready = !m_axis_out_tvalid || m_axis_out_tready;
  always_ff @(posedge aclk)
    if (!aresetn) begin
      {s_axi_ctrl_bvalid, s_axi_ctrl_rvalid, m_axis_out_tvalid} <= '0;
      {scratch_q, beats_q} <= '0;
    end else begin
      s_axi_ctrl_bvalid <= s_axi_ctrl_bvalid ? !s_axi_ctrl_bready : go;
      if (go && s_axi_ctrl_awaddr == 8'h40) scratch_q <= s_axi_ctrl_wdata;
      if (go && s_axi_ctrl_awaddr == 8'h4C) $stop;
      s_axi_ctrl_rvalid <= s_axi_ctrl_rvalid ? !s_axi_ctrl_rready : s_axi_ctrl_arvalid && s_axi_ctrl_arready;
      if (s_axi_ctrl_arready) begin
        s_axi_ctrl_rresp <= s_axi_ctrl_araddr == 8'h10 && scratch_q == 32'hDEAD ? 2'b10 : 2'b00;
        case (s_axi_ctrl_araddr)
          8'h40:   s_axi_ctrl_rdata <= scratch_q;
          8'h44:   s_axi_ctrl_rdata <= beats_q;
          8'h50:   s_axi_ctrl_rdata <= 32'(mem[0]);
          default: s_axi_ctrl_rdata <= 32'hC0FFEE00;
        endcase
      end
      if (s_axis_in_tready) begin
        m_axis_out_tvalid <= s_axis_in_tvalid;
        m_axis_out_tlast  <= s_axis_in_tlast;
        for (int i = 0; i < BITS / 8; i++) m_axis_out_tdata[8*i +: 8] <= s_axis_in_tdata[8*i +: 8] + 8'd1;
      end
      if (s_axis_in_tready && s_axis_in_tvalid) beats_q <= beats_q + 1;
    end
endmodule
"""


def write_top(folder: Path, bits: int = 64, board: str = "pynq-z2", text: str = TOP) -> Path:
    """A project folder with this top; returns it."""
    (folder / "rtl").mkdir(parents=True)
    (folder / "mem").mkdir()
    (folder / "rtl" / "plus_axi.sv").write_text(text.replace("BITS", str(bits)))
    (folder / "mem" / "byte.mem").write_text("2a\n")
    facts = {"name": "plus", "top": "plus_axi", "sources": ["rtl/plus_axi.sv"], "board": board}
    facts["shell"] = {"beat_bits": bits, "clock_khz": 100_000 if board == "pynq-z2" else 200_000}
    (folder / "accel.json").write_text(json.dumps(facts))
    return folder
