// A word of sf_ring that is read is the one written last at its place, or the border; it stays until the next read.
// What is read while it is written is not known.
//
// The place chosen never changes and stands for all.
//
//   case DEPTH=1
//   case DEPTH=3
//   case DEPTH=4
//   case DEPTH=3 BLOCK=1
//
//   any
//   alike word_i, border_i, word_o by WIDTH
//
//   mutant masked_q ? border_q : pixel_q => pixel_q
//   mutant masked_i ? border_i : ring_q[read_addr_i] => ring_q[read_addr_i]
//   mutant pixel_q <= ring_q[read_addr_i] => pixel_q <= ring_q[write_addr_i]
`default_nettype none

module prove_ring #(
  parameter int DEPTH = 3,
  parameter bit BLOCK = 1'b0,
  localparam int AW   = DEPTH > 1 ? $clog2(DEPTH) : 1
) (
  input wire          clk_i,
  input wire          write_i,
  input wire [AW-1:0] write_addr_i,
  input wire          word_i,
  input wire          read_i,
  input wire [AW-1:0] read_addr_i,
  input wire          masked_i,
  input wire          border_i
);
  wire rst_n;
  wire word;
  wake i_wake (.clk_i, .rst_no(rst_n));
  sf_ring #(.WIDTH(1), .DEPTH(DEPTH), .BLOCK(BLOCK)) i_ring (
    .clk_i, .write_i, .write_addr_i, .word_i, .read_i, .read_addr_i, .masked_i, .border_i, .word_o(word));

  logic [AW-1:0] place_q;
  always_comb assume (32'(place_q) < DEPTH);
  logic          written_q, due_q;
  logic          there_q, want_q;
  always_ff @(posedge clk_i) begin
    place_q <= place_q;
    if (write_i && write_addr_i == place_q) {written_q, there_q} <= {1'b1, word_i};
    if (read_i) begin
      due_q  <= masked_i || (written_q && read_addr_i == place_q && !(write_i && write_addr_i == place_q));
      want_q <= masked_i ? border_i : there_q;
    end
    if (!rst_n) {written_q, due_q} <= '0;
  end
  wire [DEPTH-1:0] words;
  for (genvar i = 0; i < DEPTH; i++) begin : gen_word
    if (BLOCK) begin : gen_block
      assign words[i] = i_ring.gen_block.ring_q[i];
    end else begin : gen_distributed
      assign words[i] = i_ring.gen_distributed.ring_q[i];
    end
  end
  always_comb
    if (rst_n) begin
      help_ring: assert (!written_q || words[place_q] == there_q);
      value: assert (!due_q || word == want_q);
      reach_a_word: assert (!(due_q && word));
    end
endmodule

`default_nettype wire
