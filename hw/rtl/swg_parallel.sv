// Sliding-window generator, one whole window per cycle.
//
//   in    frames of H x W pixels, all C channels in a word:  [h][w]
//   out   windows: element (kh, kw, c) at position (kh*KW + kw)*C + c;  [oh][ow],  oh < (H-KH)/SH + 1,  ow < (W-KW)/SW + 1
//
//   throughput  one pixel per cycle: H*W cycles for a frame
//   latency     1 cycle from the last pixel of a window to the window
//   storage     KH-1 rows of pixels and a window of registers
//
// No padding, no dilation.
`default_nettype none

module swg_parallel #(
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
  if (KH > H || KW > W) $error("swg_parallel: kernel %0dx%0d is larger than the %0dx%0d frame", KH, KW, H, W);

  localparam int OH = (H - KH) / SH + 1;
  localparam int OW = (W - KW) / SW + 1;
  localparam int XW = W > 1 ? $clog2(W) : 1;
  localparam int YW = H > 1 ? $clog2(H) : 1;

  logic [XW-1:0] x_q;
  logic [YW-1:0] y_q;
  logic          out_valid_q;
  logic [KH-1:0][KW-1:0][WIDTH-1:0] window_q;  // [0][0]: first pixel, least significant
  logic [KH-1:0][WIDTH-1:0]         column;    // newest column of the window

  assign in_ready_o = !out_valid_q || out_ready_i;
  wire take   = in_valid_i && in_ready_o;
  wire last_x = x_q == XW'(W - 1);
  wire last_y = y_q == YW'(H - 1);

  if (KH > 1) begin : gen_rows
    (* ram_style = "distributed" *) logic [(KH-1)*WIDTH-1:0] rows_q [W];  // the KH-1 pixels above, oldest least significant
    wire [(KH-1)*WIDTH-1:0] above = rows_q[x_q];
    assign column = {in_data_i, above};
    always_ff @(posedge clk_i) if (take) rows_q[x_q] <= column[KH-1:1];
  end else begin : gen_row
    assign column = in_data_i;
  end

  // a window ends at (x, y) where it covers pixels 0..  and the stride matches
  wire ends_x = x_q >= XW'(KW - 1) && (32'(x_q) - (KW - 1)) % SW == 0 && (32'(x_q) - (KW - 1)) / SW < OW;
  wire ends_y = y_q >= YW'(KH - 1) && (32'(y_q) - (KH - 1)) % SH == 0 && (32'(y_q) - (KH - 1)) / SH < OH;

  always_ff @(posedge clk_i) begin
    if (take)
      for (int r = 0; r < KH; r++) begin
        for (int k = 0; k < KW - 1; k++) window_q[r][k] <= window_q[r][k+1];
        window_q[r][KW-1] <= column[r];
      end
    if (!rst_ni) begin
      x_q         <= '0;
      y_q         <= '0;
      out_valid_q <= 1'b0;
    end else begin
      if (take) x_q <= last_x ? '0 : x_q + 1'b1;
      if (take && last_x) y_q <= last_y ? '0 : y_q + 1'b1;
      if (in_ready_o) out_valid_q <= take && ends_x && ends_y;
    end
  end
  assign out_data_o  = window_q;
  assign out_valid_o = out_valid_q;
endmodule

`default_nettype wire
