// What sf_slip_rx gives is the definition of SLIP, byte by byte; an end mark ends whatever was before, so that a cut or
// damaged packet never reaches into the next one.
//
//   case
//
//   mutant data_i == ESC_END ? END : ESC => data_i == ESC_END ? ESC : END
//   mutant (!escaped_q || right) => 1'b1
//   mutant error_i || (valid_i => (valid_i
//   mutant escaped_q <= is_esc && !escaped_q => escaped_q <= is_esc
`default_nettype none

module prove_slip_rx (
  input wire       clk_i,
  input wire [7:0] data_i,
  input wire       valid_i,
  input wire       error_i
);
  wire rst_n, valid, ends, bad;
  wire [7:0] data;
  wake i_wake (.clk_i, .rst_no(rst_n));
  sf_slip_rx i_rx (
    .clk_i, .rst_ni(rst_n), .data_i, .valid_i, .error_i, .data_o(data), .valid_o(valid), .end_o(ends), .bad_o(bad));

  // RFC 1055: the byte before was an escape that begins a pair, and no error of the line came between
  logic pair_q;
  always_ff @(posedge clk_i)
    if (!rst_n || error_i) pair_q <= 1'b0;
    else if (valid_i) pair_q <= data_i == 8'hdb && !pair_q;
  wire plain  = valid_i && !pair_q && data_i != 8'hc0 && data_i != 8'hdb;
  wire second = valid_i && pair_q && (data_i == 8'hdc || data_i == 8'hdd);
  always_comb
    if (rst_n) begin
      marks: assert (ends == (valid_i && data_i == 8'hc0));
      bytes: assert (valid == (plain || second)
                     && (!valid || data == (plain ? data_i : data_i == 8'hdc ? 8'hc0 : 8'hdb)));
      wrong: assert (bad == (error_i || (valid_i && pair_q && !second)));
      reach_a_pair: assert (!second);
    end
  logic ended_q;  // an end mark was the last that came
  always_ff @(posedge clk_i) ended_q <= rst_n && (valid_i ? data_i == 8'hc0 && !error_i : ended_q);
  always_comb if (rst_n) fresh: assert (!ended_q || !pair_q);
endmodule

`default_nettype wire
