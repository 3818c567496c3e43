// Matrix-vector-activation unit with weights in {-1, +1} (bit 1 = +1).
//
//   ACT_WIDTH = 1   acc[n] = popcount over i of (act[i] XNOR w[n][i])        in 0..MW
//   ACT_WIDTH > 1   acc[n] = sum over i of (w[n][i] ? act[i] : -act[i])      signed
//   THRESHOLDS = 1  out[n] = acc[n] >= T[n]   (1 bit)
//   THRESHOLDS = 0  out[n] = acc[n]           (ACC_WIDTH bit, signed where ACT_WIDTH > 1)
//
//   folding     NF = MH/PE neuron folds, SF = MW/SIMD input folds; PE p works on neuron nf*PE + p in step nf*SF + sf
//   throughput  one vector in exactly NF*SF cycles, no gaps; the SF input words are taken during nf = 0 and replayed after that
//   latency     3 cycles from the last step of a fold to its output word
//
// Memories: WEIGHTS_FILE, NF*SF words of PE*SIMD bits; THRESH_FILE, NF words of PE*ACC_WIDTH bits ($readmemh). Deep weight memories are read
// synchronously (block RAM), those up to 64 words are logic that merges with the XNOR. There is no saturation: ACC_WIDTH must hold the range.
`default_nettype none

module mvau #(
  parameter int    MW           = 64,
  parameter int    MH           = 16,
  parameter int    SIMD         = 16,
  parameter int    PE           = 4,
  parameter int    ACT_WIDTH    = 1,
  parameter bit    ACT_SIGNED   = 1'b0,
  parameter int    ACC_WIDTH    = 7,
  parameter bit    THRESHOLDS   = 1'b1,
  parameter string WEIGHTS_FILE = "",
  parameter string THRESH_FILE  = "",
  localparam int   OUT_WIDTH    = THRESHOLDS ? 1 : ACC_WIDTH
) (
  input  wire                       clk_i,
  input  wire                       rst_ni,
  input  wire  [SIMD*ACT_WIDTH-1:0] in_data_i,
  input  wire                       in_valid_i,
  output wire                       in_ready_o,
  output wire  [PE*OUT_WIDTH-1:0]   out_data_o,
  output wire                       out_valid_o,
  input  wire                       out_ready_i
);
  if (MW % SIMD != 0) $error("mvau: SIMD = %0d does not divide MW = %0d", SIMD, MW);
  if (MH % PE != 0)   $error("mvau: PE = %0d does not divide MH = %0d", PE, MH);

  localparam int SF    = MW / SIMD;
  localparam int NF    = MH / PE;
  localparam int DEPTH = NF * SF;
  localparam int SFW   = SF > 1 ? $clog2(SF) : 1;
  localparam int NFW   = NF > 1 ? $clog2(NF) : 1;
  localparam int AW    = DEPTH > 1 ? $clog2(DEPTH) : 1;
  localparam int LANES = SIMD * ACT_WIDTH;
  localparam bit DEEP  = DEPTH > 64;

  // ---- step control: the whole pipeline moves when its last register is free
  logic           out_valid_q;
  logic [SFW-1:0] sf_q;
  logic [NFW-1:0] nf_q;
  logic [AW-1:0]  addr_q;
  wire            move  = !out_valid_q || out_ready_i;
  wire            fresh = nf_q == '0;
  wire            step  = move && (!fresh || in_valid_i);
  wire            sf_last = sf_q == SFW'(SF - 1);
  wire            nf_last = nf_q == NFW'(NF - 1);
  assign in_ready_o = move && fresh;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      sf_q   <= '0;
      nf_q   <= '0;
      addr_q <= '0;
    end else if (step) begin
      sf_q <= sf_last ? '0 : sf_q + 1'b1;
      if (sf_last) nf_q <= nf_last ? '0 : nf_q + 1'b1;
      addr_q <= sf_last && nf_last ? '0 : addr_q + 1'b1;
    end
  end

  // ---- stage 1: activation of this step, from the input or replayed
  logic [LANES-1:0] act_q;
  if (NF > 1) begin : gen_replay
    (* ram_style = "distributed" *) logic [LANES-1:0] buffer_q [SF];
    wire [LANES-1:0] replayed = buffer_q[sf_q];
    always_ff @(posedge clk_i) begin
      if (step && fresh) buffer_q[sf_q] <= in_data_i;
      if (step) act_q <= fresh ? in_data_i : replayed;
    end
  end else begin : gen_straight
    always_ff @(posedge clk_i) if (step) act_q <= in_data_i;
  end

  logic           valid1_q, first1_q, last1_q;
  logic [NFW-1:0] nf1_q;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) valid1_q <= 1'b0;
    else if (move) valid1_q <= step;
    if (move) begin
      first1_q <= sf_q == '0;
      last1_q  <= sf_last;
      nf1_q    <= nf_q;
    end
  end

  // ---- weights of this step
  wire [PE*SIMD-1:0] weights;
  if (DEEP) begin : gen_deep
    (* rom_style = "block" *) logic [PE*SIMD-1:0] rom [DEPTH];
    initial $readmemh(WEIGHTS_FILE, rom);
    logic [PE*SIMD-1:0] weights_q;
    always_ff @(posedge clk_i) if (move) weights_q <= rom[addr_q];
    assign weights = weights_q;
  end else begin : gen_shallow
    (* rom_style = "distributed" *) logic [PE*SIMD-1:0] rom [DEPTH];
    initial $readmemh(WEIGHTS_FILE, rom);
    logic [AW-1:0] addr1_q;
    always_ff @(posedge clk_i) if (move) addr1_q <= addr_q;
    assign weights = rom[addr1_q];
  end

  // ---- thresholds of this fold, read one stage later
  logic [PE*ACC_WIDTH-1:0] thresh;
  if (THRESHOLDS) begin : gen_thresholds
    (* rom_style = "distributed" *) logic [PE*ACC_WIDTH-1:0] rom [NF];
    initial $readmemh(THRESH_FILE, rom);
    logic [NFW-1:0] nf2_q;
    always_ff @(posedge clk_i) if (move) nf2_q <= nf1_q;
    assign thresh = rom[nf2_q];
  end else begin : gen_no_thresholds
    assign thresh = '0;
    wire unused_nf = &{1'b0, nf1_q};
  end

  logic valid2_q, first2_q, last2_q;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) valid2_q <= 1'b0;
    else if (move) valid2_q <= valid1_q;
    if (move) begin
      first2_q <= first1_q;
      last2_q  <= last1_q;
    end
  end

  // ---- stage 2: partial sums; stage 3: accumulate, compare
  for (genvar p = 0; p < PE; p++) begin : gen_pe
    logic [ACC_WIDTH-1:0] part_d, part_q, acc_q;
    wire  [SIMD-1:0]      w = weights[p*SIMD +: SIMD];
    if (ACT_WIDTH == 1) begin : gen_xnor
      assign part_d = ACC_WIDTH'($countones(act_q ~^ w));
    end else begin : gen_sum
      always_comb begin
        part_d = '0;
        for (int i = 0; i < SIMD; i++) begin
          automatic logic [ACC_WIDTH-1:0] x = ACT_SIGNED ? ACC_WIDTH'($signed(act_q[i*ACT_WIDTH +: ACT_WIDTH]))
                                                         : ACC_WIDTH'(act_q[i*ACT_WIDTH +: ACT_WIDTH]);
          part_d += (x ^ {ACC_WIDTH{!w[i]}}) + ACC_WIDTH'(!w[i]);
        end
      end
    end
    wire [ACC_WIDTH-1:0] sum = part_q + (first2_q ? '0 : acc_q);
    always_ff @(posedge clk_i) begin
      if (move) part_q <= part_d;
      if (move && valid2_q) acc_q <= sum;
    end
    logic [OUT_WIDTH-1:0] out_q;
    if (THRESHOLDS) begin : gen_compare
      wire [ACC_WIDTH-1:0] t = thresh[p*ACC_WIDTH +: ACC_WIDTH];
      always_ff @(posedge clk_i)
        if (move) out_q <= ACT_WIDTH == 1 ? sum >= t : $signed(sum) >= $signed(t);
    end else begin : gen_raw
      always_ff @(posedge clk_i) if (move) out_q <= sum;
    end
    assign out_data_o[p*OUT_WIDTH +: OUT_WIDTH] = out_q;
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) out_valid_q <= 1'b0;
    else if (move) out_valid_q <= valid2_q && last2_q;
  end
  assign out_valid_o = out_valid_q;
endmodule

`default_nettype wire
