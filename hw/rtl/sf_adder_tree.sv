// Sum of N integers, one sum per cycle: registers, then a tree of registered adders, one adder a stage.
//
//   sum = terms[0] + .. + terms[N-1], exact; in two's complement if IS_SIGNED
//   latency     1 + LEVELS cycles, LEVELS = ceil(log2(N))
//   throughput  1 sum a cycle
//
// Every level is one bit wider than the one below. The registers run freely, without enable or reset: an enable would
// cost a table input at every register. Whoever uses the sums knows which of them count.
`default_nettype none

module sf_adder_tree #(
  parameter int  N         = 8,
  parameter int  WIDTH     = 8,
  parameter bit  IS_SIGNED = 1'b1,
  localparam int LEVELS    = $clog2(N),
  localparam int OUT_WIDTH = WIDTH + LEVELS
) (
  input  wire                 clk_i,
  input  wire   [N*WIDTH-1:0] terms_i,
  output wire [OUT_WIDTH-1:0] sum_o
);
  if (N < 1 || WIDTH < 1) $error("sf_adder_tree: N = %0d, WIDTH = %0d, must be >= 1", N, WIDTH);

  for (genvar l = 0; l <= LEVELS; l++) begin : gen_level
    localparam int NODES = (N + (1 << l) - 1) >> l;
    localparam int W     = WIDTH + l;
    logic [NODES-1:0][W-1:0] sum_q;
    if (l == 0) begin : gen_leaf
      always_ff @(posedge clk_i) sum_q <= terms_i;
    end else begin : gen_add
      localparam int BELOW = (N + (1 << (l - 1)) - 1) >> (l - 1);
      for (genvar i = 0; i < NODES; i++) begin : gen_node
        wire [W-2:0] a = gen_level[l-1].sum_q[2*i];
        if (2*i + 1 < BELOW) begin : gen_pair
          wire [W-2:0] b = gen_level[l-1].sum_q[2*i+1];
          always_ff @(posedge clk_i) sum_q[i] <= {IS_SIGNED && a[W-2], a} + {IS_SIGNED && b[W-2], b};
        end else begin : gen_odd
          always_ff @(posedge clk_i) sum_q[i] <= {IS_SIGNED && a[W-2], a};
        end
      end
    end
  end
  assign sum_o = gen_level[LEVELS].sum_q;
endmodule

`default_nettype wire
