// Sliding-window generator, one word per cycle.
//
//   in    frames of H x W pixels of C/SIMD words:  [h][w][cf]
//   out   windows of KH x KW pixels:               [oh][ow][kh][kw][cf],  oh < (H-KH)/SH + 1,  ow < (W-KW)/SW + 1
//
//   throughput  max(H*W, OH*OW*KH*KW) * C/SIMD cycles for a frame: writing overlaps reading, across frames too
//   latency     2 cycles from a pixel's word to its first use in a window
//   storage     a ring of rows: besides the LAST rows that the last windows of a frame need, those that the first
//               windows of the next frame need before they can start (fewer would make reading wait)
//
// Rows are freed when the row of windows that starts with them is complete. BLOCK = 1 puts the ring into block RAM,
// else it is LUT RAM. No padding (a separate operator's job), no dilation.
`default_nettype none

module sf_swg #(
  parameter int ELEM_WIDTH = 1,
  parameter int C    = 64,
  parameter int SIMD = 64,
  parameter int H    = 8,
  parameter int W    = 8,
  parameter int KH   = 3,
  parameter int KW   = 3,
  parameter int SH   = 1,
  parameter int SW   = 1,
  parameter bit BLOCK = 1'b0,
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
  if (C % SIMD != 0)    $error("sf_swg: SIMD = %0d does not divide C = %0d", SIMD, C);
  if (KH > H || KW > W) $error("sf_swg: kernel %0dx%0d is larger than the %0dx%0d frame", KH, KW, H, W);
  if (SH < 1 || SW < 1) $error("sf_swg: stride %0dx%0d, must be >= 1", SH, SW);

  localparam int CF   = C / SIMD;
  localparam int OH   = SH > 0 ? (H - KH) / SH + 1 : 1;
  localparam int OW   = SW > 0 ? (W - KW) / SW + 1 : 1;
  localparam int ROW  = W * CF;                            // words in a row
  localparam int RUN  = KW * CF;                           // contiguous words in one line of a window
  localparam int LAST = H - (OH - 1) * SH;                 // rows from the last row of windows to the end of the frame
  localparam int RING = (LAST + (KH > SH ? KH - 1 : SH)) * ROW;
  localparam int AW    = $clog2(RING);                     // bits of an address,
  localparam int FW    = $clog2(RING + 1);                 // of a number of words
  localparam int RUN_W = RUN > 1 ? $clog2(RUN) : 1;
  localparam int KH_W  = KH > 1 ? $clog2(KH) : 1;
  localparam int OW_W  = OW > 1 ? $clog2(OW) : 1;
  localparam int OH_W  = OH > 1 ? $clog2(OH) : 1;

  // steps of the read position: to the next line of a window, window, row of windows, frame; FINAL is the last word of
  // a row of windows
  localparam int LINE   = ROW - RUN + 1;
  localparam int WINDOW = SW * CF - (KH - 1) * ROW - RUN + 1;
  localparam int FINAL  = (KH - 1) * ROW + (OW - 1) * SW * CF + RUN - 1;

  function automatic logic [AW-1:0] modulo(input int step);  // a step around the ring, forward
    return AW'((step + RING) % RING);
  endfunction

  logic [WIDTH-1:0] out_q;
  logic [AW-1:0] write_q, read_q;  // ring addresses
  logic [FW-1:0] fill_q;           // words written, counted from the first row of the current row of windows
  logic [FW-1:0] place_q;          // place of the word to read, counted likewise
  logic [RUN_W-1:0] run_q;
  logic [KH_W-1:0]  kh_q;
  logic [OW_W-1:0]  ow_q;
  logic [OH_W-1:0]  oh_q;
  logic             out_valid_q;

  assign in_ready_o = fill_q != FW'(RING);
  wire push = in_valid_i && in_ready_o;
  wire move = !out_valid_q || out_ready_i;
  wire last_run  = run_q == RUN_W'(RUN - 1);
  wire last_line = last_run && kh_q == KH_W'(KH - 1);
  wire last_row  = oh_q == OH_W'(OH - 1);
  wire end_row   = last_line && ow_q == OW_W'(OW - 1);
  // the last word of a row of windows also waits for the pixels that no window covers and whose rows are freed with it:
  // rows between windows (SH > KH), and the columns left over at the end of those rows
  wire [FW-1:0] place = !end_row ? place_q : last_row ? FW'(LAST * ROW - 1)
                      : FW'(SH * ROW > FINAL ? SH * ROW - 1 : FINAL);
  wire step = move && fill_q > place;
  wire [FW-1:0] freed = last_row ? FW'(LAST * ROW) : FW'(SH * ROW);

  wire [AW-1:0] ahead = end_row ? (last_row ? modulo(LAST * ROW - FINAL) : modulo(SH * ROW - FINAL))
                      : last_line ? modulo(WINDOW) : last_run ? modulo(LINE) : modulo(1);
  wire [AW:0] next_read = {1'b0, read_q} + {1'b0, ahead};

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      {write_q, read_q, fill_q, place_q} <= '0;
      run_q <= '0;
      kh_q  <= '0;
      ow_q  <= '0;
      oh_q  <= '0;
    end else begin
      if (push) write_q <= write_q == AW'(RING - 1) ? '0 : write_q + 1'b1;
      fill_q <= fill_q + FW'(push) - (step && end_row ? freed : '0);
      if (step) begin
        read_q  <= AW'(next_read >= (AW + 1)'(RING) ? next_read - (AW + 1)'(RING) : next_read);
        place_q <= end_row ? '0 : place_q + (last_line ? FW'(WINDOW) : last_run ? FW'(LINE) : FW'(1));
        run_q   <= last_run ? '0 : run_q + 1'b1;
        if (last_run) kh_q <= last_line ? '0 : kh_q + 1'b1;
        if (last_line) ow_q <= end_row ? '0 : ow_q + 1'b1;
        if (end_row) oh_q <= last_row ? '0 : oh_q + 1'b1;
      end
    end
  end

  if (BLOCK) begin : gen_block
    (* ram_style = "block" *) logic [WIDTH-1:0] ring_q [RING];
    always_ff @(posedge clk_i) if (push) ring_q[write_q] <= in_data_i;
    always_ff @(posedge clk_i) if (step) out_q <= ring_q[read_q];
  end else begin : gen_distributed
    (* ram_style = "distributed" *) logic [WIDTH-1:0] ring_q [RING];
    always_ff @(posedge clk_i) if (push) ring_q[write_q] <= in_data_i;
    always_ff @(posedge clk_i) if (step) out_q <= ring_q[read_q];
  end

  always_ff @(posedge clk_i)
    if (!rst_ni) out_valid_q <= 1'b0;
    else if (move) out_valid_q <= step;
  assign out_data_o  = out_q;
  assign out_valid_o = out_valid_q;
endmodule

`default_nettype wire
