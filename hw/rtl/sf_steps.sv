// Steps of a matrix-vector unit: NF folds of SF steps for a vector, whose SF words come in the first fold; one starts
// only if there will be room for its result.
//
//   step_o      a step is made: step sf_o of fold nf_o, the last of its fold with last_o = 1; in the first fold
//               (fresh_o = 1) with the word at the input, which is taken
//   room        a FIFO of ROOM words behind the unit gets a word for every fold, with ONCE = 1 for every vector; it has
//               room for each of them, however long they are under way. pop_i: a word leaves it
//   throughput  one step a cycle, while no more than ROOM - 2 words are under way or in the FIFO
//   latency     0 cycles from a word at the input to its step
//
// What a step waits for but for its word are registers: the room is counted a cycle late. So in_ready_o does not depend
// on pop_i.
`default_nettype none

module sf_steps #(
  parameter int  SF   = 4,
  parameter int  NF   = 4,
  parameter int  ROOM = 32,
  parameter bit  ONCE = 1'b0,
  localparam int SFW  = SF > 1 ? $clog2(SF) : 1,
  localparam int NFW  = NF > 1 ? $clog2(NF) : 1
) (
  input  wire            clk_i,
  input  wire            rst_ni,
  input  wire            in_valid_i,
  output wire            in_ready_o,
  input  wire            pop_i,
  output wire            step_o,
  output wire            fresh_o,
  output wire            last_o,
  output wire  [SFW-1:0] sf_o,
  output wire  [NFW-1:0] nf_o
);
  if (SF < 1 || NF < 1 || ROOM < 3)
    $error("sf_steps: SF = %0d, NF = %0d must be >= 1, ROOM = %0d must be >= 3", SF, NF, ROOM);

  localparam int RW = $clog2(ROOM + 1);
  logic [SFW-1:0] sf_q;
  logic [NFW-1:0] nf_q;
  logic           fresh_q;  // nf_q is 0
  logic [RW-1:0]  room_q;   // words of the FIFO that no step under way will need
  logic           able_q;   // there was more than one, a cycle ago
  logic           pop_q;
  wire last_fold = nf_q == NFW'(NF - 1);
  assign last_o     = sf_q == SFW'(SF - 1);
  assign step_o     = able_q && (!fresh_q || in_valid_i);
  assign in_ready_o = able_q && fresh_q;
  assign fresh_o = fresh_q;
  assign sf_o    = sf_q;
  assign nf_o    = nf_q;

  always_ff @(posedge clk_i)
    if (!rst_ni) begin
      {sf_q, nf_q} <= '0;
      fresh_q      <= 1'b1;
      room_q       <= RW'(ROOM);
      able_q       <= 1'b1;
      pop_q        <= 1'b0;
    end else begin
      if (step_o) sf_q <= last_o ? '0 : sf_q + 1'b1;
      if (step_o && last_o) begin
        nf_q    <= last_fold ? '0 : nf_q + 1'b1;
        fresh_q <= last_fold;
      end
      room_q <= room_q - RW'(step_o && last_o && (!ONCE || last_fold)) + RW'(pop_q);
      able_q <= room_q > RW'(1);
      pop_q  <= pop_i;
    end
endmodule

`default_nettype wire
