// Sliding-window generator, one whole window per cycle.
//
//   in    frames of H x W pixels, all C channels in a word:  [h][w]
//   out   windows: element (kh, kw, c) at position (kh*KW + kw)*C + c,
//         [oh][ow],  oh < (H-KH)/SH + 1,  ow < (W-KW)/SW + 1
//
//   throughput  one pixel per cycle: H*W cycles for a frame
//   latency     1 cycle from the last pixel of a window to the window
//   storage     KH-1 rows of pixels and a window of registers
//
// No padding, no dilation.
`default_nettype none

module sf_swg_parallel #(
  parameter int ELEM_WIDTH = 8,
  parameter int C  = 1,
  parameter int H  = 8,
  parameter int W  = 8,
  parameter int KH = 3,
  parameter int KW = 3,
  parameter int SH = 1,
  parameter int SW = 1,
  localparam int WIDTH = C * ELEM_WIDTH
) (
  input  wire                    clk_i,
  input  wire                    rst_ni,
  input  wire        [WIDTH-1:0] in_data_i,
  input  wire                    in_valid_i,
  output wire                    in_ready_o,
  output wire [KH*KW*WIDTH-1:0]  out_data_o,
  output wire                    out_valid_o,
  input  wire                    out_ready_i
);
  if (SH < 1 || SW < 1) $error("sf_swg_parallel: stride %0dx%0d, must be >= 1", SH, SW);
  if (KH > H || KW > W) $error("sf_swg_parallel: kernel %0dx%0d is larger than the %0dx%0d frame", KH, KW, H, W);

  localparam int XW  = W > 1 ? $clog2(W) : 1;
  localparam int YW  = H > 1 ? $clog2(H) : 1;
  localparam int WXW = KW > SW ? (KW > 1 ? $clog2(KW) : 1) : SW > 1 ? $clog2(SW) : 1;
  localparam int WYW = KH > SH ? (KH > 1 ? $clog2(KH) : 1) : SH > 1 ? $clog2(SH) : 1;

  logic [XW-1:0] x_q;
  logic [YW-1:0] y_q;
  logic [WXW-1:0] wait_x_q;
  logic [WYW-1:0] wait_y_q;
  logic          out_valid_q;
  logic [KH-1:0][KW-1:0][WIDTH-1:0] window_q;  // [0][0]: first pixel, least significant
  logic [KH-1:0][WIDTH-1:0]         column;    // newest column of the window

  assign in_ready_o = !out_valid_q || out_ready_i;
  wire take   = in_valid_i && in_ready_o;
  wire last_x = x_q == XW'(W - 1);
  wire last_y = y_q == YW'(H - 1);

  if (KH > 1) begin : gen_rows
    (* ram_style = "distributed" *) logic [(KH-1)*WIDTH-1:0] rows_q [W];  // the KH-1 pixels above, oldest first
    wire [(KH-1)*WIDTH-1:0] above = rows_q[x_q];
    assign column = {in_data_i, above};
    always_ff @(posedge clk_i) if (take) rows_q[x_q] <= column[KH-1:1];
  end else begin : gen_row
    assign column = in_data_i;
  end

  // pixels (rows) until the next window ends: first KW - 1, then SW - 1
  wire ends_x = wait_x_q == '0;
  wire ends_y = wait_y_q == '0;

  always_ff @(posedge clk_i) begin
    if (take)
      for (int r = 0; r < KH; r++) begin
        for (int k = 0; k < KW - 1; k++) window_q[r][k] <= window_q[r][k+1];
        window_q[r][KW-1] <= column[r];
      end
    if (!rst_ni) begin
      x_q         <= '0;
      y_q         <= '0;
      wait_x_q    <= WXW'(KW - 1);
      wait_y_q    <= WYW'(KH - 1);
      out_valid_q <= 1'b0;
    end else begin
      if (take) begin
        x_q      <= last_x ? '0 : x_q + 1'b1;
        wait_x_q <= last_x ? WXW'(KW - 1) : ends_x ? WXW'(SW - 1) : wait_x_q - 1'b1;
      end
      if (take && last_x) begin
        y_q      <= last_y ? '0 : y_q + 1'b1;
        wait_y_q <= last_y ? WYW'(KH - 1) : ends_y ? WYW'(SH - 1) : wait_y_q - 1'b1;
      end
      if (in_ready_o) out_valid_q <= take && ends_x && ends_y;
    end
  end
  assign out_data_o  = window_q;
  assign out_valid_o = out_valid_q;
endmodule

`default_nettype wire
