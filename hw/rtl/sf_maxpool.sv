// Maximum over KH x KW windows that do not overlap; of single bits it is their OR.
//
//   in    frames of H x W pixels of C/PE words of PE integers of WIDTH bits, signed where SIGNED = 1:  [h][w][cf]
//   out   [oh][ow][cf],  oh < H/KH,  ow < W/KW;  rows and columns that fill no window are dropped
//
//   throughput  one word per cycle: H*W*C/PE cycles for a frame
//   latency     1 cycle from the last word of a window to its maximum
//   storage     one row of outputs
`default_nettype none

module sf_maxpool #(
  parameter int C      = 64,
  parameter int PE     = 64,
  parameter int H      = 8,
  parameter int W      = 8,
  parameter int KH     = 2,
  parameter int KW     = 2,
  parameter int WIDTH  = 1,
  parameter bit SIGNED = 1'b0
) (
  input  wire                 clk_i,
  input  wire                 rst_ni,
  input  wire  [PE*WIDTH-1:0] in_data_i,
  input  wire                 in_valid_i,
  output wire                 in_ready_o,
  output wire  [PE*WIDTH-1:0] out_data_o,
  output wire                 out_valid_o,
  input  wire                 out_ready_i
);
  if (C % PE != 0)    $error("sf_maxpool: PE = %0d does not divide C = %0d", PE, C);
  if (KH > H || KW > W) $error("sf_maxpool: window %0dx%0d is larger than the %0dx%0d frame", KH, KW, H, W);
  if (WIDTH < 1 || WIDTH == 1 && SIGNED) $error("sf_maxpool: WIDTH = %0d with SIGNED = %0d", WIDTH, SIGNED);

  localparam int CF = C / PE;
  localparam int OH = H / KH;
  localparam int OW = W / KW;
  localparam int CW = CF > 1 ? $clog2(CF) : 1;
  localparam int KXW = KW > 1 ? $clog2(KW) : 1;
  localparam int KYW = KH > 1 ? $clog2(KH) : 1;
  localparam int YW = $clog2(OH + 1);
  localparam int DEPTH = OW * CF;
  localparam int AW = DEPTH > 1 ? $clog2(DEPTH) : 1;
  localparam int PW = $clog2(DEPTH + CF);

  logic [CW-1:0] c_q;       // word in a pixel
  logic [KXW-1:0] kx_q;     // pixel in a window
  logic [KYW-1:0] ky_q;
  logic [PW-1:0] place_q;   // word in the row of outputs; behind it while the row has pixels left that fill no window
  logic [YW-1:0] oy_q;      // window; OH while the frame has pixels left that fill none
  logic [$clog2(W+1)-1:0] x_q;
  logic [$clog2(H+1)-1:0] y_q;
  logic out_valid_q;
  logic [PE*WIDTH-1:0] out_q;
  (* ram_style = "distributed" *) logic [PE*WIDTH-1:0] row_q [DEPTH];

  assign in_ready_o = !out_valid_q || out_ready_i;
  wire take   = in_valid_i && in_ready_o;
  wire last_c = c_q == CW'(CF - 1);
  wire last_x = 32'(x_q) == W - 1;
  wire last_y = 32'(y_q) == H - 1;
  wire covered = 32'(place_q) < DEPTH && 32'(oy_q) < OH;
  wire last_kx = kx_q == KXW'(KW - 1);
  wire last_ky = ky_q == KYW'(KH - 1);
  wire first  = kx_q == '0 && ky_q == '0;
  wire last   = last_kx && last_ky;
  wire [AW-1:0] addr = AW'(place_q);

  initial place_q = '0;  // without a value Yosys doubles it for the read port, and the RAM has two addresses

  // ---- the larger of the input and what the window holds so far
  wire [PE*WIDTH-1:0] kept = row_q[addr];
  wire [PE*WIDTH-1:0] value;
  if (WIDTH == 1) begin : gen_bits
    assign value = in_data_i | (first ? '0 : kept);
  end else begin : gen_integers
    localparam logic [WIDTH-1:0] BIAS = SIGNED ? WIDTH'(1) << (WIDTH - 1) : '0;  // makes them unsigned, in order
    for (genvar p = 0; p < PE; p++) begin : gen_lane
      wire [WIDTH-1:0] a = in_data_i[p*WIDTH +: WIDTH];
      wire [WIDTH-1:0] b = kept[p*WIDTH +: WIDTH];
      assign value[p*WIDTH +: WIDTH] = first || (a ^ BIAS) > (b ^ BIAS) ? a : b;
    end
  end

  always_ff @(posedge clk_i) begin
    if (take && covered) row_q[addr] <= value;
    if (in_ready_o) out_q <= value;
    if (!rst_ni) begin
      {c_q, kx_q, ky_q, place_q, oy_q, x_q, y_q} <= '0;
      out_valid_q <= 1'b0;
    end else begin
      if (in_ready_o) out_valid_q <= take && covered && last;
      if (take) begin
        c_q     <= last_c ? '0 : c_q + 1'b1;
        place_q <= last_c && last_x ? '0 : place_q + (last_c && !last_kx ? PW'(1 - CF) : PW'(1));
        if (last_c) begin
          x_q  <= last_x ? '0 : x_q + 1'b1;
          kx_q <= last_x || last_kx ? '0 : kx_q + 1'b1;
        end
        if (last_c && last_x) begin
          y_q  <= last_y ? '0 : y_q + 1'b1;
          ky_q <= last_y || last_ky ? '0 : ky_q + 1'b1;
          oy_q <= last_y ? '0 : oy_q + YW'(last_ky);
        end
      end
    end
  end
  assign out_data_o  = out_q;
  assign out_valid_o = out_valid_q;
endmodule

`default_nettype wire
