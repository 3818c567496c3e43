// Every element that leaves sf_thresholds says how many of its channel's thresholds the element that came has reached,
// for all thresholds in order and all signs.
//
//   case IN_WIDTH=2 IN_SIGNED=0 STAGES=1 OUT_WIDTH=1 PE=1 FOLDS=1
//   case IN_WIDTH=2 IN_SIGNED=1 STAGES=2 OUT_WIDTH=2 PE=1 FOLDS=1
//   case IN_WIDTH=2 IN_SIGNED=1 STAGES=2 OUT_WIDTH=1 PE=1 FOLDS=1 WINDOW=1
//   case IN_WIDTH=1 IN_SIGNED=1 STAGES=1 OUT_WIDTH=3 PE=2 FOLDS=2 BIAS=-3
//   case IN_WIDTH=1 IN_SIGNED=1 STAGES=2 OUT_WIDTH=2 PE=1 FOLDS=3
//
//   assumes sf_memory
//   free out_valid of out_ready_i, in_valid_i, in_data_i
//
//   mutant {1'b0, u_q} >= threshold => {1'b0, u_q} > threshold
//   mutant ^ OFFSET ^ => ^
//   mutant fold_q == FW'(FOLDS - 1) => fold_q == FW'(FOLDS)
//   mutant total != STAGES'(1) => total == STAGES'(1)
//   mutant 32'(total) + BIAS => 32'(total) - BIAS
//   mutant u[s+1][p] = next_u_q => u[s+1][p] = u_q
`default_nettype none

module prove_thresholds #(
  parameter int IN_WIDTH  = 2,
  parameter bit IN_SIGNED = 1'b1,
  parameter int STAGES    = 2,
  parameter int OUT_WIDTH = 2,
  parameter int BIAS      = 0,
  parameter bit WINDOW    = 1'b0,
  parameter int PE        = 1,
  parameter int FOLDS     = 1
) (
  input wire                   clk_i,
  input wire                   pick_i,
  input wire             [7:0] place_i,
  input wire [PE*IN_WIDTH-1:0] in_data_i,
  input wire                   in_valid_i,
  input wire                   out_ready_i
);
  localparam int MANY = 2**STAGES - 1;  // thresholds of a channel

  wire rst_n, in_ready, out_valid, take, in_watched;
  wire [7:0] in_place, place;
  wire  [PE*OUT_WIDTH-1:0] out_data;
  logic [PE*IN_WIDTH-1:0]  word_q;
  logic known_q;

  sf_thresholds #(.IN_WIDTH(IN_WIDTH), .IN_SIGNED(IN_SIGNED), .STAGES(STAGES), .OUT_WIDTH(OUT_WIDTH), .BIAS(BIAS),
                  .WINDOW(WINDOW), .PE(PE), .FOLDS(FOLDS), .THRESHOLDS_0("any"), .THRESHOLDS_1("any"),
                  .THRESHOLDS_2("any"), .SIGNS_FILE("any")) i_thresholds (
    .clk_i, .rst_ni(rst_n), .in_data_i, .in_valid_i, .in_ready_o(in_ready), .out_data_o(out_data),
    .out_valid_o(out_valid), .out_ready_i, .load_i('0), .load_o());

  // thresholds in order, as they lie in the memories of the stages; every row of them is in order
  wire [FOLDS-1:0][PE-1:0][MANY-1:0][IN_WIDTH:0] thresholds;
  for (genvar f = 0; f < FOLDS; f++) begin : gen_fold
    for (genvar p = 0; p < PE; p++) begin : gen_lane
      assign thresholds[f][p][MANY/2] = i_thresholds.gen_stage[0].gen_0.i_thresholds.any_q[f][p];
      if (STAGES > 1) begin : gen_second
        for (genvar i = 0; i < 2; i++) begin : gen_threshold
          assign thresholds[f][p][(2*i + 1) * 2**(STAGES-2) - 1] =
            i_thresholds.gen_stage[1].gen_1.i_thresholds.any_q[2*f + i][p];
        end
      end
      for (genvar i = 1; i < MANY; i++) begin : gen_order
        always_comb assume (thresholds[f][p][i-1] <= thresholds[f][p][i]);
      end
    end
  end

  wire [PE*OUT_WIDTH-1:0] want;
  for (genvar p = 0; p < PE; p++) begin : gen_want
    wire sign = i_thresholds.gen_stage[0].gen_sign.gen_file.i_signs.any_q[place][0][p];
    wire [IN_WIDTH-1:0] x = word_q[p*IN_WIDTH +: IN_WIDTH];
    wire [IN_WIDTH-1:0] above = IN_WIDTH'($signed(x) + (IN_SIGNED ? 2**(IN_WIDTH-1) : 0));
    wire [IN_WIDTH:0]   u = sign ? (IN_WIDTH+1)'(2**IN_WIDTH - 1) - above : {1'b0, above};
    logic [31:0] reached;
    always_comb begin
      reached = '0;
      for (int i = 0; i < MANY; i++) reached += 32'(u >= thresholds[32'(place)][p][i]);
    end
    assign want[p*OUT_WIDTH +: OUT_WIDTH] = WINDOW ? OUT_WIDTH'(reached != 1) : OUT_WIDTH'(reached + BIAS);
  end

  watch #(.IN(FOLDS), .OUT(FOLDS), .WIDTH(PE*OUT_WIDTH), .AHEAD(2 * STAGES + 1), .LATENCY(2 * STAGES)) i_watch (
    .clk_i, .rst_no(rst_n), .pick_i, .place_i, .in_valid_i, .in_ready_i(in_ready), .out_data_i(out_data),
    .out_valid_i(out_valid), .out_ready_i, .take_o(take), .in_place_o(in_place), .in_watched_o(in_watched),
    .place_o(place), .due_i(known_q), .want_i(want));

  always_ff @(posedge clk_i)
    if (!rst_n) known_q <= 1'b0;
    else if (take && in_watched && in_place == place) {known_q, word_q} <= {1'b1, in_data_i};
endmodule

`default_nettype wire
