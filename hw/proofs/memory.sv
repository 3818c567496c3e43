// sf_memory gives the words of its file, or after a load those that came; and what was not for it passes on.
//
//   case WIDTH=2 LANES=1 DEPTH=3 LOAD=0
//   case WIDTH=2 LANES=2 DEPTH=3 LOAD=0 REGISTERED=1
//   case WIDTH=2 LANES=1 DEPTH=2 LOAD=1
//   case WIDTH=2 LANES=2 DEPTH=3 LOAD=1 REGISTERED=1
//   case WIDTH=33 LANES=1 DEPTH=2 LOAD=1 REGISTERED=1 BLOCK=1
//   case WIDTH=2 LANES=1 DEPTH=1 LOAD=1
//   case WIDTH=2 LANES=1 DEPTH=3 LOAD=1 REGISTERED=1 ULTRA=1
//
//   file image.mem 9 6 c
//
//   mutant place_q == AW'(DEPTH - 1) => place_q == AW'(DEPTH - 2)
//   mutant load_i[32] && !full_q; => load_i[32];
//   mutant rst_ni && load_i[32] && full_q => rst_ni && load_i[32]
//   mutant if (read_i) word_q <= found => word_q <= found
//   mutant part_q == PW'(PARTS - 1) => part_q == '0
`default_nettype none

module prove_memory #(
  parameter int WIDTH      = 2,
  parameter int LANES      = 1,
  parameter int DEPTH      = 2,
  parameter bit REGISTERED = 1'b0,
  parameter bit BLOCK      = 1'b0,
  parameter bit ULTRA      = 1'b0,
  parameter bit LOAD       = 1'b1,
  localparam int AW    = DEPTH > 1 ? $clog2(DEPTH) : 1,
  localparam int ALL   = LANES * WIDTH,
  localparam int PARTS = (ALL + 31) / 32
) (
  input wire                     clk_i,
  input wire                     read_i,
  input wire [LANES-1:0][AW-1:0] addr_i,
  input wire              [32:0] load_i,
  input wire            [AW-1:0] place_i
);
  wire rst_n;
  wire [LANES-1:0][WIDTH-1:0] word;
  wire [32:0] load;
  wake i_wake (.clk_i, .rst_no(rst_n));
  sf_memory #(.WIDTH(WIDTH), .LANES(LANES), .DEPTH(DEPTH), .REGISTERED(REGISTERED), .BLOCK(BLOCK), .ULTRA(ULTRA),
              .LOAD(LOAD), .FILE("image.mem")) i_memory (
    .clk_i, .rst_ni(rst_n), .read_i, .addr_i, .word_o(word), .load_i, .load_o(load));

  // the word at the place chosen: that of the file, or the parts that have come for it
  localparam logic [2:0][3:0] IMAGE = {4'hc, 4'h6, 4'h9};
  logic [AW-1:0] place_q;
  logic [7:0] came_q;  // parts since the reset, until the memory is full
  logic [PARTS-1:0][31:0] word_q;
  wire full = !LOAD || came_q == 8'(DEPTH * PARTS);
  wire known = !LOAD || came_q >= 8'((32'(place_q) + 1) * PARTS);
  wire [ALL-1:0] want = LOAD ? ALL'(word_q) : ALL'(IMAGE[place_q]);
  always_ff @(posedge clk_i)
    if (!rst_n) begin
      place_q <= 32'(place_i) < DEPTH ? place_i : '0;
      came_q  <= '0;
    end else if (load_i[32] && !full) begin
      came_q <= came_q + 1'b1;
      if (32'(came_q) / PARTS == 32'(place_q)) word_q[32'(came_q) % PARTS] <= load_i[31:0];
    end

  for (genvar l = 0; l < LANES; l++) begin : gen_lane
    wire here = addr_i[l] == place_q && known;
    if (REGISTERED) begin : gen_register
      logic here_q;
      logic [WIDTH-1:0] want_q;
      always_ff @(posedge clk_i)
        if (!rst_n) here_q <= 1'b0;
        else if (read_i) {here_q, want_q} <= {here, want[l*WIDTH +: WIDTH]};
      always_comb if (rst_n && here_q) value: assert (word[l] == want_q);
    end else begin : gen_straight
      always_comb if (rst_n && here) value: assert (word[l] == want[l*WIDTH +: WIDTH]);
    end
  end

  logic passed_q;
  logic [31:0] data_q;
  always_ff @(posedge clk_i) {passed_q, data_q} <= {rst_n && load_i[32] && full, load_i[31:0]};
  always_comb
    if (rst_n) begin
      passes_on: assert (LOAD ? load == {passed_q, data_q} : load == load_i);
      reach_full: assert (!(full && word == '0));
    end
endmodule

`default_nettype wire
