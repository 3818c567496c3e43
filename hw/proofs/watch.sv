// What every stream of frames keeps, checked on one word that the prover chooses: any frame, any place in it.
//
//   a frame is IN words in and OUT words out; the prover marks one frame as it begins (pick_i), and before that one
//   place among the words out (place_i); so what is proven of the word at this place holds for every word
//
//   value    when its turn comes out_data_i is want_i, and due_i says that want_i is known by then: no word is lost,
//            doubled, swapped or changed
//   comes    it is offered within LATENCY cycles from when it was due and everything before it was taken
//   stays    a word offered stays until it is taken
//   held     no word comes of a frame that has not begun; at most AHEAD frames are inside: no over- or underflow
//   moves    with a word offered and the output ready, something moves within IDLE cycles: no deadlock
//   help_    follows from the others and helps the prover
//   reach_   must be refuted: the word does come out, so that nothing above holds because nothing happens
//
// rst_no is the reset of the module (wake.sv).
`default_nettype none

module watch #(
  parameter int IN      = 1,
  parameter int OUT     = 1,
  parameter int WIDTH   = 1,  // of out_data_i
  parameter int AHEAD   = 1,
  parameter int LATENCY = 1,  // 0: the word at the input is offered in the same cycle
  parameter int IDLE    = 0
) (
  input  wire              clk_i,
  output wire              rst_no,
  input  wire              pick_i,
  input  wire        [7:0] place_i,
  input  wire              able_i = 1'b1,   // nothing but the streams is waited for
  input  wire              flows_i = 1'b1,  // nor inside, so LATENCY counts
  // the streams
  input  wire              in_valid_i,
  input  wire              in_ready_i,
  input  wire  [WIDTH-1:0] out_data_i,
  input  wire              out_valid_i,
  input  wire              out_ready_i,
  // where they are: words that move now, their place in their frame, whether that is the frame chosen
  output wire              take_o,
  output wire        [7:0] in_place_o,
  output wire              in_watched_o,
  output wire              give_o,
  output wire        [7:0] out_place_o,
  output wire              out_watched_o,
  // the word chosen
  output wire        [7:0] place_o,
  input  wire              due_i,
  input  wire  [WIDTH-1:0] want_i
);
  if (IN > 255 || OUT > 255) begin : gen_refuse
    $error("watch: %0d words in and %0d out, but places have 8 bits", IN, OUT);
  end
  wake i_wake (.clk_i, .rst_no);
  steady #(.WIDTH(WIDTH)) i_out (
    .clk_i, .rst_ni(rst_no), .data_i(out_data_i), .valid_i(out_valid_i), .ready_i(out_ready_i));

  localparam int IW = $clog2(IN + 1), OW = $clog2(OUT + 1), FW = $clog2(AHEAD + 2);
  localparam int TW = $clog2((LATENCY > IDLE ? LATENCY : IDLE) + 2);
  logic [IW-1:0] in_q;                // place of the next word in, in its frame
  logic [OW-1:0] out_q, place_q;      // of the next word out; the place chosen
  logic [FW-1:0] inside_q, ahead_q;   // frames inside; those that leave before the one chosen
  logic          chosen_q, coming_q, gone_q;
  assign take_o = in_valid_i && in_ready_i;
  assign give_o = out_valid_i && out_ready_i;
  wire   begins = take_o && in_q == '0;
  wire   ends   = give_o && out_q == OW'(OUT - 1);
  wire   pick   = pick_i && begins && !chosen_q;
  wire   next   = pick ? inside_q == '0 : chosen_q && !gone_q && ahead_q == '0;  // its turn at the output

  assign place_o       = 8'(place_q);
  assign in_place_o    = 8'(in_q);
  assign out_place_o   = 8'(out_q);
  assign in_watched_o  = pick || coming_q;
  assign out_watched_o = next;
  wire   here = next && out_q == place_q;

  always_ff @(posedge clk_i)
    if (!rst_no) begin
      place_q <= place_i < 8'(OUT) ? OW'(place_i) : '0;
      {in_q, out_q, inside_q, chosen_q, coming_q, gone_q} <= '0;
    end else begin
      if (take_o) in_q <= in_q == IW'(IN - 1) ? '0 : in_q + 1'b1;
      if (give_o) out_q <= ends ? '0 : out_q + 1'b1;
      inside_q <= inside_q + FW'(begins) - FW'(ends);
      if (take_o && in_q == IW'(IN - 1)) coming_q <= 1'b0;
      else if (pick) coming_q <= 1'b1;
      if (pick) begin
        chosen_q <= 1'b1;
        ahead_q  <= inside_q - FW'(ends && inside_q != '0);
      end else if (ends && ahead_q != '0) ahead_q <= ahead_q - 1'b1;
      if (next && ends) gone_q <= 1'b1;
    end

  logic [TW-1:0] late_q, idle_q;  // cycles so far
  wire  late = flows_i && here && due_i && !out_valid_i;
  wire  idle = able_i && in_valid_i && out_ready_i && !take_o && !give_o;
  always_ff @(posedge clk_i) begin
    late_q <= !(rst_no && late) ? '0 : late_q + TW'(32'(late_q) < LATENCY);
    idle_q <= !(rst_no && idle) ? '0 : idle_q + TW'(32'(idle_q) < IDLE);
  end

  always_comb
    if (rst_no) begin
      value: assert (!(here && out_valid_i) || (due_i && out_data_i == want_i));
      comes: assert (!late || 32'(late_q) + 1 < LATENCY);
      held:  assert (32'(inside_q) <= AHEAD
                     && (!out_valid_i || inside_q != '0 || (LATENCY == 0 && in_valid_i)));
      moves: assert (!idle || 32'(idle_q) < IDLE);
      help_watch: assert (in_q < IW'(IN) && out_q < OW'(OUT) && place_q < OW'(OUT) && 32'(idle_q) <= IDLE
                          && 32'(late_q) <= LATENCY && (chosen_q || !(gone_q || coming_q)) && !(coming_q && in_q == '0)
                          && (!chosen_q || gone_q
                              || (coming_q ? 32'(ahead_q) + 1 == 32'(inside_q) : ahead_q < inside_q)));
      reach_the_word: assert (!(here && give_o));
    end
endmodule

`default_nettype wire
