// The steps of sf_steps come in order, each with its word where it is the first fold; results never find the FIFO full,
// however late its words leave; and while at most ROOM - 2 words are there or under way, no step is refused.
//
//   case SF=1 NF=1 ROOM=4
//   case SF=2 NF=3 ROOM=5
//   case SF=1 NF=4 ROOM=4 ONCE=1
//
//   any
//
//   free in_ready, step of pop_i
//
//   mutant able_q <= room_q > RW'(1) => able_q <= room_q > RW'(0)
//   mutant RW'(step_o && last_o && (!ONCE || last_fold)) => RW'(step_o && last_o && last_fold)
//   mutant fresh_q <= last_fold => fresh_q <= 1'b1
//   mutant able_q <= room_q > RW'(1) => able_q <= room_q > RW'(2)
//   mutant room_q       <= RW'(ROOM) => room_q <= RW'(ROOM - 2)
`default_nettype none

module prove_steps #(
  parameter int SF   = 1,
  parameter int NF   = 1,
  parameter int ROOM = 4,
  parameter bit ONCE = 1'b0
) (
  input wire clk_i,
  input wire in_valid_i,
  input wire pop_i
);
  wire rst_n, in_ready, step, fresh, last;
  wire [(SF > 1 ? $clog2(SF) : 1)-1:0] sf;
  wire [(NF > 1 ? $clog2(NF) : 1)-1:0] nf;
  wake i_wake (.clk_i, .rst_no(rst_n));

  // words there or under way, of which one may leave; step of the vector by definition; where room was enough, one and
  // two cycles ago, whatever left then
  logic [15:0] words_q, at_q;
  logic [1:0] roomy_q;
  wire pop  = pop_i && words_q != '0;
  wire push = step && (ONCE ? at_q == 16'(SF * NF - 1) : at_q % 16'(SF) == 16'(SF - 1));
  sf_steps #(.SF(SF), .NF(NF), .ROOM(ROOM), .ONCE(ONCE)) i_dut (
    .clk_i, .rst_ni(rst_n), .in_valid_i, .in_ready_o(in_ready), .pop_i(pop), .step_o(step), .fresh_o(fresh),
    .last_o(last), .sf_o(sf), .nf_o(nf));
  always_ff @(posedge clk_i)
    if (!rst_n) begin
      {words_q, at_q} <= '0;
      roomy_q <= '1;
    end else begin
      words_q <= words_q + 16'(push) - 16'(pop);
      if (step) at_q <= at_q == 16'(SF * NF - 1) ? '0 : at_q + 1'b1;
      roomy_q <= {roomy_q[0], words_q + 16'(push) <= 16'(ROOM - 2)};
    end

  always_comb
    if (rst_n) begin
      room:  assert (words_q <= 16'(ROOM));
      order: assert (16'(sf) == at_q % 16'(SF) && 16'(nf) == at_q / 16'(SF) && last == (at_q % 16'(SF) == 16'(SF - 1)));
      takes: assert (fresh == (at_q < 16'(SF)) && (fresh ? step == (in_valid_i && in_ready) : !in_ready));
      moves: assert (!roomy_q[1] || (fresh ? in_ready : step));
      help_room: assert (16'(i_dut.room_q) + 16'(i_dut.pop_q) + words_q == 16'(ROOM) && at_q < 16'(SF * NF)
                         && (!i_dut.able_q || i_dut.room_q != '0));
      reach_the_end: assert (!(step && at_q == 16'(SF * NF - 1)));
    end
endmodule

`default_nettype wire
