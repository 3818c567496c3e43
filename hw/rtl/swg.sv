// Sliding-window generator, one word per cycle.
//
//   in    frames of H x W pixels of C/SIMD words:  [h][w][cf]
//   out   windows of KH x KW pixels:               [oh][ow][kh][kw][cf],  oh < (H-KH)/SH + 1,  ow < (W-KW)/SW + 1
//
//   throughput  max(H*W, OH*OW*KH*KW) * C/SIMD cycles for a frame: writing overlaps reading, also from one frame to the next
//   latency     2 cycles from the last pixel a window needs to its first word
//   storage     a ring of 2*max(KH, SH) rows, so that the first KH rows of a frame fit while the last KH rows of the one before are still read
//
// No padding (a separate operator's job), no dilation.
`default_nettype none

module swg #(
  parameter int ELEM_WIDTH = 1,
  parameter int C    = 64,
  parameter int SIMD = 64,
  parameter int H    = 8,
  parameter int W    = 8,
  parameter int KH   = 3,
  parameter int KW   = 3,
  parameter int SH   = 1,
  parameter int SW   = 1,
  localparam int WIDTH = SIMD * ELEM_WIDTH
) (
  input  wire              clk_i,
  input  wire              rst_ni,
  input  wire  [WIDTH-1:0] in_data_i,
  input  wire              in_valid_i,
  output wire              in_ready_o,
  output wire  [WIDTH-1:0] out_data_o,
  output wire              out_valid_o,
  input  wire              out_ready_i
);
  if (C % SIMD != 0)    $error("swg: SIMD = %0d does not divide C = %0d", SIMD, C);
  if (KH > H || KW > W) $error("swg: kernel %0dx%0d is larger than the %0dx%0d frame", KH, KW, H, W);

  localparam int CF   = C / SIMD;
  localparam int OH   = (H - KH) / SH + 1;
  localparam int OW   = (W - KW) / SW + 1;
  localparam int ROW  = W * CF;                     // words in a row
  localparam int RING = 2 * (KH > SH ? KH : SH) * ROW;  // words in the ring
  localparam int RUN  = KW * CF;                    // contiguous words in one line of a window
  localparam int NEXT_ROW   = SH * ROW;             // from one output row to the next
  localparam int NEXT_FRAME = (H - (OH - 1) * SH) * ROW;
  localparam int AW = $clog2(RING + 1);
  localparam int RUN_W = RUN > 1 ? $clog2(RUN) : 1;
  localparam int KH_W = KH > 1 ? $clog2(KH) : 1;
  localparam int OW_W = OW > 1 ? $clog2(OW) : 1;
  localparam int OH_W = OH > 1 ? $clog2(OH) : 1;

  // (a + b) mod RING for a < RING, b <= RING
  function automatic logic [AW-1:0] ring_add(input logic [AW-1:0] a, input logic [AW-1:0] b);
    logic [AW:0] s;
    s = {1'b0, a} + {1'b0, b};
    ring_add = AW'(s >= (AW + 1)'(RING) ? s - (AW + 1)'(RING) : s);
  endfunction

  logic [WIDTH-1:0] ring_q [RING];
  logic [AW-1:0] write_q;                           // next word to write
  logic [AW-1:0] fill_q;                            // words written from the first row of the current output row on
  logic [AW-1:0] need_q;                            // of them, how many the current window needs
  logic [AW-1:0] base_q, window_q, line_q, read_q;  // ring addresses: output row, window, line of the window, word
  logic [RUN_W-1:0] run_q;
  logic [KH_W-1:0]  kh_q;
  logic [OW_W-1:0]  ow_q;
  logic [OH_W-1:0]  oh_q;
  logic             out_valid_q;
  logic [WIDTH-1:0] out_q;

  assign in_ready_o = fill_q != AW'(RING);
  wire push = in_valid_i && in_ready_o;
  wire move = !out_valid_q || out_ready_i;
  wire last_word = run_q == RUN_W'(RUN - 1);
  wire last_line = last_word && kh_q == KH_W'(KH - 1);
  wire last_col  = ow_q == OW_W'(OW - 1);
  wire last_row  = oh_q == OH_W'(OH - 1);
  wire end_row   = last_line && last_col;
  wire [AW-1:0] need = last_col && last_row ? AW'(NEXT_FRAME) : need_q;  // the last window also waits for pixels no window covers
  wire step = move && fill_q >= need;

  wire [AW-1:0] next_base = ring_add(base_q, last_row ? AW'(NEXT_FRAME) : AW'(NEXT_ROW));
  wire [AW-1:0] next_window = ring_add(window_q, AW'(SW * CF));
  wire [AW-1:0] next_line = ring_add(line_q, AW'(ROW));
  wire [AW-1:0] freed = !(step && end_row) ? '0 : last_row ? AW'(NEXT_FRAME) : AW'(NEXT_ROW);

  always_ff @(posedge clk_i) begin
    if (push) ring_q[write_q] <= in_data_i;
    if (!rst_ni) begin
      write_q <= '0;
      fill_q  <= '0;
    end else begin
      if (push) write_q <= ring_add(write_q, AW'(1));
      fill_q <= fill_q + AW'(push) - freed;
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      {base_q, window_q, line_q, read_q} <= '0;
      need_q <= AW'((KH - 1) * ROW + RUN);
      run_q  <= '0;
      kh_q   <= '0;
      ow_q   <= '0;
      oh_q   <= '0;
    end else if (step) begin
      run_q <= last_word ? '0 : run_q + 1'b1;
      if (last_word) kh_q <= last_line ? '0 : kh_q + 1'b1;
      if (last_line) ow_q <= last_col ? '0 : ow_q + 1'b1;
      if (end_row) oh_q <= last_row ? '0 : oh_q + 1'b1;
      if (end_row) begin
        {base_q, window_q, line_q, read_q} <= {4{next_base}};
        need_q <= AW'((KH - 1) * ROW + RUN);
      end else if (last_line) begin
        {window_q, line_q, read_q} <= {3{next_window}};
        need_q <= need_q + AW'(SW * CF);
      end else if (last_word) begin
        {line_q, read_q} <= {2{next_line}};
      end else begin
        read_q <= ring_add(read_q, AW'(1));
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (step) out_q <= ring_q[read_q];
    if (!rst_ni) out_valid_q <= 1'b0;
    else if (move) out_valid_q <= step;
  end
  assign out_data_o  = out_q;
  assign out_valid_o = out_valid_q;
endmodule

`default_nettype wire
