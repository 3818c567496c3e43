// The words of sf_swg_places come in order, and of each it says what its place is by definition.
//
//   case
//   case CF=1 H=2 W=2 KH=1 KW=1 OH=1 OW=1
//   case CF=2 H=5 W=2 KH=2 KW=1 OH=2 OW=2 DH=2 SH=2
//   case CF=1 H=3 W=3 KH=2 KW=2 OH=3 OW=3 DW=3 SW=1 LEFT=2 RIGHT=1 TOP=1
//   case CF=1 H=1 W=4 KH=3 KW=2 OH=2 OW=2 SH=2 SW=3 TOP=2 BOTTOM=3 RIGHT=1
//
//   mutant SIZE == 2 && MOVED[k] => SIZE == 2
//   mutant SIZE > 1 && MOVED[k] => SIZE > 1 && k == 0
//   mutant lasts = {&ends_q, => lasts = {&ends_q[3:0],
//   mutant unsigned'(x_q) >= X_W'(W) => unsigned'(x_q) > X_W'(W)
//   mutant unsigned'(y_q) >= Y_W'(H) => y_q >= Y_W'(H)
//   mutant last[2] ? X_W'(SW - (KW - 1) * DW) => last[2] ? X_W'(SW - KW + 1)
//   mutant CF_W'(0), LASTS[4:3] => CF_W'(0), 2'b00
`default_nettype none

module prove_swg_places #(
  parameter int CF   = 2,
  parameter int H    = 2, W = 2,
  parameter int KH   = 2, KW = 2, OH = 1, OW = 2,
  parameter int SH   = 1, SW = 1, DH = 1, DW = 1,
  parameter int TOP  = 0, LEFT = 0, BOTTOM = 0, RIGHT = 1
) (
  input wire clk_i,
  input wire step_i
);
  localparam int WORDS = OH * OW * KH * KW * CF;
  wire rst_n, end_row, end_frame, outside, next_outside;
  wire [(CF > 1 ? $clog2(CF) : 1)-1:0] cf;
  wire [4:0] next_lasts;
  wake i_wake (.clk_i, .rst_no(rst_n));
  sf_swg_places #(.CF(CF), .H(H), .W(W), .KH(KH), .KW(KW), .OH(OH), .OW(OW), .SH(SH), .SW(SW), .DH(DH), .DW(DW),
                  .TOP(TOP), .LEFT(LEFT), .BOTTOM(BOTTOM), .RIGHT(RIGHT)) i_dut (
    .clk_i, .rst_ni(rst_n), .step_i, .cf_o(cf), .end_row_o(end_row), .end_frame_o(end_frame), .outside_o(outside),
    .next_lasts_o(next_lasts), .next_outside_o(next_outside));

  logic [7:0] word_q;
  always_ff @(posedge clk_i)
    if (!rst_n) word_q <= '0;
    else if (step_i) word_q <= word_q == 8'(WORDS - 1) ? '0 : word_q + 1'b1;

  function automatic int row(input int i);
    return i / CF / KW / KH / OW * SH + i / CF / KW % KH * DH - TOP;
  endfunction
  function automatic int column(input int i);
    return i / CF / KW / KH % OW * SW + i / CF % KW * DW - LEFT;
  endfunction
  function automatic bit beyond(input int i);
    return row(i) < 0 || row(i) >= H || column(i) < 0 || column(i) >= W;
  endfunction
  function automatic bit last(input int i, input int words);
    return i % words == words - 1;
  endfunction

  logic here, behind, counted;  // what is said of the word, of the one behind it, and the registers
  always_comb begin
    {here, behind, counted} = '0;
    for (int i = 0; i < WORDS; i++) begin
      int k;
      k = (i + 1) % WORDS;
      if (word_q == 8'(i)) begin
        here    = 32'(cf) == i % CF && end_row == last(i, WORDS / OH) && end_frame == last(i, WORDS)
                  && outside == beyond(i);
        behind  = next_lasts == {last(k, WORDS), last(k, WORDS / OH), last(k, KH * KW * CF), last(k, KW * CF), last(k, CF)}
                  && next_outside == beyond(k);
        counted = 32'(i_dut.gen_counter[0].count_q) == k % CF && 32'(i_dut.gen_counter[1].count_q) == k / CF % KW
                  && 32'(i_dut.gen_counter[2].count_q) == k / CF / KW % KH
                  && 32'(i_dut.gen_counter[3].count_q) == k / CF / KW / KH % OW
                  && 32'(i_dut.gen_counter[4].count_q) == k / CF / KW / KH / OW
                  && i_dut.ends_q == {last(k / CF / KW / KH / OW, OH), last(k / CF / KW / KH, OW), last(k / CF / KW, KH),
                                      last(k / CF, KW), last(k, CF)}
                  && 32'(i_dut.x_q) == column(k) && 32'(i_dut.y_q) == row(k);
      end
    end
  end

  always_comb
    if (rst_n) begin
      word: assert (here);
      next: assert (behind);
      help_counted: assert (counted);
      reach_the_end: assert (!(end_frame && step_i));
    end
endmodule

`default_nettype wire
