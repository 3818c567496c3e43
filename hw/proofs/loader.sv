// sf_loader passes every word that is written while it is ready on to the load chain, once and in order, and never lets
// go of the streams before exactly one word too many has come out at the end. The CRC is that of an sf_crc32 that is
// cleared when a load begins and gets every word that is passed on (crc_of); crc32.sv proves what it makes of them.
//
//   case
//
//   mutant hold_q && !reset_o => hold_q
//   mutant rest_q == 32'd1 => rest_q != 32'd1
//   mutant words_q + 32'(take) => words_q + 32'(valid_q)
//   mutant begins ? RESET_CYCLES : => begins && !hold_q ? RESET_CYCLES :
//   mutant rst_ni && take => rst_ni && reg_write_i
`default_nettype none

module prove_loader (
  input wire        clk_i,
  input wire  [7:0] addr_i,
  input wire        write_i,
  input wire [31:0] data_i,
  input wire [32:0] end_i
);
  wire rst_n, in_reset, hold;
  wire [31:0] rdata;
  wire [32:0] load;
  wake i_wake (.clk_i, .rst_no(rst_n));
  sf_loader i_loader (
    .clk_i, .rst_ni(rst_n), .reg_addr_i(addr_i), .reg_write_i(write_i), .reg_wdata_i(data_i), .reg_rdata_o(rdata),
    .reset_o(in_reset), .hold_o(hold), .load_o(load), .load_i(end_i));

  logic        hold_q, sent_q;
  logic [4:0]  reset_q;
  logic [31:0] word_q, words_q, rest_q;
  wire begins = write_i && addr_i[7:2] == 6'h12 && data_i[0];
  wire ends   = write_i && addr_i[7:2] == 6'h12 && !data_i[0] && rest_q == 32'd1;
  wire word   = write_i && addr_i[7:2] == 6'h13 && hold_q && reset_q == '0;
  always_ff @(posedge clk_i)
    if (!rst_n) {hold_q, reset_q, sent_q, words_q, rest_q} <= '0;
    else begin
      hold_q  <= begins || (hold_q && !ends);
      reset_q <= begins ? 5'd16 : reset_q - 5'(reset_q != '0);
      {sent_q, word_q} <= {word, data_i};
      words_q <= begins ? '0 : words_q + 32'(word);
      rest_q  <= begins ? '0 : rest_q + 32'(end_i[32]);
    end
  always_comb
    crc_of: assert (i_loader.i_crc.clear_i == (begins || !rst_n)
                    && (!rst_n || (i_loader.i_crc.valid_i == word && i_loader.i_crc.data_i == data_i)));
  always_comb
    if (rst_n) begin
      holds:   assert (hold == hold_q);
      resets:  assert (in_reset == (reset_q != '0));
      passes:  assert (load[32] == sent_q && (!sent_q || load[31:0] == word_q));
      ready:   assert (addr_i[7:2] != 6'h12 || rdata == {30'd0, hold_q && reset_q == '0, hold_q});
      counts:  assert ((addr_i[7:2] != 6'h13 || rdata == words_q) && (addr_i[7:2] != 6'h15 || rdata == rest_q)
                        && (addr_i[7:2] != 6'h14 || rdata == i_loader.i_crc.crc_o));
      silent:  assert (addr_i[7:2] inside {[6'h12:6'h15]} || rdata == '0);
      help_same: assert (i_loader.reset_q == reset_q && i_loader.words_q == words_q && i_loader.rest_q == rest_q);
      reach_a_word: assert (!sent_q);
    end
endmodule

`default_nettype wire
