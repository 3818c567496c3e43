// Memory of constants with a read port a lane, and the load chain that fills it at run time.
//
//   word_o[l] = lane l of memory word addr_i[l]        REGISTERED = 0: in the same cycle
//                                                      REGISTERED = 1: a cycle later, kept while read_i = 0
//
//   throughput  a word a cycle in every lane
//   latency     0 or 1 cycle (REGISTERED); on the load chain 1 cycle from load_i to load_o, with LOAD = 0 none
//
// Memory: FILE, DEPTH words of LANES * WIDTH bits ($readmemh), lane 0 in the low bits; in block RAM (BLOCK = 1) or in
// logic, which with LOAD = 1 is LUT RAM, or registers for a single word. ULTRA = 1: in UltraRAM, which starts
// undefined, so FILE is not read.
//
// Load chain (LOAD = 1): load_i and load_o are {valid, 32 bits of data}. After a reset a memory takes the first DEPTH *
// PARTS words, a memory word in PARTS = ceil(LANES * WIDTH / 32) of them, its low bits first, and passes on all that
// follow. So the words of all memories come one behind the other, without addresses, and what comes out at the end was
// too much. A reset leaves the contents as they are. It does not keep anyone from reading while it is filled.
`default_nettype none

module sf_memory #(
  parameter int    WIDTH      = 8,
  parameter int    LANES      = 1,
  parameter int    DEPTH      = 16,
  parameter bit    REGISTERED = 1'b0,
  parameter bit    BLOCK      = 1'b0,
  parameter bit    ULTRA      = 1'b0,
  parameter bit    LOAD       = 1'b0,
  parameter FILE = "",
  localparam int   AW         = DEPTH > 1 ? $clog2(DEPTH) : 1
) (
  input  wire                         clk_i,
  input  wire                         rst_ni,
  input  wire                         read_i,
  input  wire  [LANES-1:0]   [AW-1:0] addr_i,
  output wire  [LANES-1:0][WIDTH-1:0] word_o,
  // load chain
  input  wire                  [32:0] load_i,
  output wire                  [32:0] load_o
);
  if (WIDTH < 1 || LANES < 1 || DEPTH < 1)
    $error("sf_memory: WIDTH = %0d, LANES = %0d, DEPTH = %0d, must be >= 1", WIDTH, LANES, DEPTH);
  if (FILE == "" && !ULTRA)         $error("sf_memory: FILE is empty");
  if (ULTRA && !(LOAD && LANES == 1))
    $error("sf_memory: ULTRA = 1 with LOAD = %0d and LANES = %0d; UltraRAM is loaded, and has one lane", LOAD, LANES);

  localparam int ALL = LANES * WIDTH;
  wire unused = &{1'b0, clk_i, rst_ni, read_i};  // some have no use for them
  wire [LANES-1:0][WIDTH-1:0] found;

  if (!LOAD) begin : gen_constant
    assign load_o = load_i;
    if (BLOCK) begin : gen_block
      (* rom_style = "block" *) logic [ALL-1:0] rom [DEPTH];
      initial $readmemh(FILE, rom);
      for (genvar l = 0; l < LANES; l++) begin : gen_lane
        assign found[l] = rom[addr_i[l]][l*WIDTH +: WIDTH];
      end
    end else begin : gen_logic
      (* logic_block *) logic [ALL-1:0] rom [DEPTH];
      initial $readmemh(FILE, rom);
      for (genvar l = 0; l < LANES; l++) begin : gen_lane
        assign found[l] = rom[addr_i[l]][l*WIDTH +: WIDTH];
      end
    end
  end else begin : gen_load
    localparam int PARTS = (ALL + 31) / 32;
    localparam int PW    = PARTS > 1 ? $clog2(PARTS) : 1;

    // ---- the chain: how much of this memory has come, and what is passed on
    logic [PW-1:0] part_q;
    logic [AW-1:0] place_q;
    logic          full_q, valid_q;
    logic [31:0]   data_q;
    wire  take  = load_i[32] && !full_q;
    wire  write = take && part_q == PW'(PARTS - 1);
    assign load_o = {valid_q, data_q};
    always_ff @(posedge clk_i) begin
      data_q  <= load_i[31:0];
      valid_q <= rst_ni && load_i[32] && full_q;
      if (!rst_ni) begin
        part_q  <= '0;
        place_q <= '0;
        full_q  <= 1'b0;
      end else if (take) begin
        part_q <= write ? '0 : part_q + 1'b1;
        if (write) begin
          place_q <= place_q + 1'b1;
          full_q  <= place_q == AW'(DEPTH - 1);
        end
      end
    end

    // ---- the word that is written: its parts so far, and the last one
    wire [32*PARTS-1:0] parts;
    if (PARTS > 1) begin : gen_parts
      logic [32*(PARTS-1)-1:0] parts_q;
      always_ff @(posedge clk_i) if (take) parts_q <= parts[32*PARTS-1:32];
      assign parts = {load_i[31:0], parts_q};
    end else begin : gen_part
      assign parts = load_i[31:0];
    end
    wire [ALL-1:0] word = parts[ALL-1:0];
    if (32 * PARTS > ALL) begin : gen_rest
      wire unused_bits = &{1'b0, parts[32*PARTS-1:ALL]};
    end

    // ---- one memory a lane, of which its own bits are read and remain
    for (genvar l = 0; l < LANES; l++) begin : gen_lane
      if (ULTRA) begin : gen_ultra
        (* ram_style = "ultra" *) logic [ALL-1:0] ram [DEPTH];
        always_ff @(posedge clk_i) if (write) ram[place_q] <= word;
        assign found[l] = ram[addr_i[l]];
      end else if (DEPTH == 1) begin : gen_word
        logic [ALL-1:0] ram [DEPTH];
        initial $readmemh(FILE, ram);
        always_ff @(posedge clk_i) if (write) ram[place_q] <= word;
        assign found[l] = ram[addr_i[l]][l*WIDTH +: WIDTH];
      end else if (BLOCK) begin : gen_block
        (* ram_style = "block" *) logic [ALL-1:0] ram [DEPTH];
        initial $readmemh(FILE, ram);
        always_ff @(posedge clk_i) if (write) ram[place_q] <= word;
        assign found[l] = ram[addr_i[l]][l*WIDTH +: WIDTH];
      end else begin : gen_logic
        (* ram_style = "distributed" *) logic [ALL-1:0] ram [DEPTH];
        initial $readmemh(FILE, ram);
        always_ff @(posedge clk_i) if (write) ram[place_q] <= word;
        assign found[l] = ram[addr_i[l]][l*WIDTH +: WIDTH];
      end
    end
  end

  if (REGISTERED) begin : gen_register
    logic [LANES-1:0][WIDTH-1:0] word_q;
    always_ff @(posedge clk_i) if (read_i) word_q <= found;
    assign word_o = word_q;
  end else begin : gen_straight
    assign word_o = found;
  end
endmodule

`default_nettype wire
