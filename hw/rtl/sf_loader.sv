// Fills the memories of an accelerator through their load chain (sf_memory.sv), word by word from the register bus.
// Registers of 32 bits, byte offsets; all others read 0, so they join those of the status page by OR.
//
//   48 LOAD   write bit 0 = 1: begin, which resets the accelerator for 16 cycles and holds its streams
//             write bit 0 = 0: end, which lets go of the streams; ignored unless LOAD_REST is 1
//             read bit 0: streams are held; bit 1: ready for words, the reset is over
//   4C WORD   write: the next word, lost unless ready; read: words taken since begin
//   50 CRC    CRC-32 of these words, each little end first
//   54 REST   words that have come out at the end of the chain since begin
//
// Whoever loads sends one word more than the memories take. When it has come out they are full: nothing computes on
// memories that are not.
//
//   latency     1 cycle from a write to the chain; reg_rdata_o follows reg_addr_i in the same cycle
//   throughput  one word per cycle
//
// Frames in flight at a begin are lost. It does not know how many words there are, nor which CRC they have: the host
// compares both before it ends.
`default_nettype none

module sf_loader (
  input  wire         clk_i,
  input  wire         rst_ni,
  // register bus
  input  wire  [7:0]  reg_addr_i,
  input  wire         reg_write_i,
  input  wire  [31:0] reg_wdata_i,
  output logic [31:0] reg_rdata_o,
  // the accelerator: in reset; its streams held; its chain, and the end of it
  output wire         reset_o,
  output wire         hold_o,
  output wire  [32:0] load_o,
  input  wire  [32:0] load_i
);
  localparam logic [4:0] RESET_CYCLES = 5'd16;
  localparam logic [5:0] LOAD = 6'h12, WORD = 6'h13, CRC = 6'h14, REST = 6'h15;  // offsets / 4

  logic [4:0]  reset_q;
  logic        hold_q, valid_q;
  logic [31:0] data_q, words_q, rest_q;

  wire [5:0]  place  = reg_addr_i[7:2];
  wire        change = reg_write_i && place == LOAD;
  wire        begins = change && reg_wdata_i[0];
  wire        ready  = hold_q && !reset_o;
  wire        take   = reg_write_i && place == WORD && ready;
  wire [31:0] crc;
  wire        unused_right;
  wire        unused = &{1'b0, reg_addr_i[1:0], load_i[31:0]};

  assign reset_o = reset_q != '0;
  assign hold_o  = hold_q;
  assign load_o  = {valid_q, data_q};

  sf_crc32 #(.BYTES(4)) i_crc (
    .clk_i, .clear_i(begins || !rst_ni), .data_i(reg_wdata_i), .valid_i(take), .crc_o(crc), .right_o(unused_right)
  );

  always_comb
    case (place)
      LOAD:    reg_rdata_o = {30'b0, ready, hold_q};
      WORD:    reg_rdata_o = words_q;
      CRC:     reg_rdata_o = crc;
      REST:    reg_rdata_o = rest_q;
      default: reg_rdata_o = '0;
    endcase

  always_ff @(posedge clk_i) begin
    data_q  <= reg_wdata_i;
    valid_q <= rst_ni && take;
    if (!rst_ni) begin
      reset_q <= '0;
      hold_q  <= 1'b0;
    end else begin
      reset_q <= begins ? RESET_CYCLES : reset_q - 5'(reset_o);
      hold_q  <= begins || (hold_q && !(change && rest_q == 32'd1));
    end
    if (!rst_ni || begins) begin
      words_q <= '0;
      rest_q  <= '0;
    end else begin
      words_q <= words_q + 32'(take);
      rest_q  <= rest_q + 32'(load_i[32]);
    end
  end
endmodule

`default_nettype wire
