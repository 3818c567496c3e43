"""A module with several streams on a side as one with a single stream in and out, which the simulator can drive.

All streams of a side travel side by side as one word, the first in the low bits; inside, each has gates that open at
its own times, between FIFOs. Where one input stream has fewer words than the other, the words at the end of a frame
carry none of it: the top bits, one for each stream, say which are there.
"""

from signflow.hw.ops.base import port_names
from signflow.hw.parameters import verilog

BUFFER = 1024  # words of the FIFOs: they never fill


def gate(name, source, sink, width, slot):
    """SystemVerilog: a FIFO that fills through gate ``slot`` from the stream ``source`` to ``sink``."""
    return f"""
  wire {name}_room, {name}_open = gates_{slot}[cycle_q];
  assign {source}_ready = {name}_room && {name}_open;
  sf_fifo #(.WIDTH({width}), .DEPTH({BUFFER})) {name} (.clk_i, .rst_ni,
    .in_data_i({source}_data), .in_valid_i({source}_valid && {name}_open), .in_ready_o({name}_room),
    .out_data_o({sink}_data), .out_valid_o({sink}_valid), .out_ready_i({sink}_ready));
"""


def nets(*pairs):
    return "".join(f"  wire [{w - 1}:0] {n}_data;\n  wire {n}_valid, {n}_ready;\n" for n, w in pairs)


def stays(port):
    """SystemVerilog: an offered word stays until it is taken."""
    return f"""
  logic {port}_wait_q = 0;
  logic [$bits({port}_data)-1:0] {port}_last_q;
  always_ff @(posedge clk_i) begin
    {port}_wait_q <= rst_ni && {port}_valid && !{port}_ready;
    {port}_last_q <= {port}_data;
    if ({port}_wait_q && !({port}_valid && {port}_data == {port}_last_q)) $error("{port} changed before it was taken");
  end
"""


def wrapper(name, rtl, ins, outs, gates):
    """SystemVerilog of module ``name`` around ``rtl``. With two streams on a side, stream i passes gate i."""
    wide_in, wide_out = together(ins), sum(s.width for s in outs)
    sides = [list(zip(port_names(side, len(s)), s, strict=True)) for side, s in (("in", ins), ("out", outs))]
    text = f"""module {name} (input wire clk_i, input wire rst_ni,
  input wire [{wide_in - 1}:0] in_data_i, input wire in_valid_i, output wire in_ready_o,
  output wire [{wide_out - 1}:0] out_data_o, output wire out_valid_o, input wire out_ready_i);
  logic [5:0] cycle_q;
  always_ff @(posedge clk_i) cycle_q <= rst_ni ? cycle_q + 1'b1 : '0;
  wire [63:0] gates_0 = 64'd{gates[0]}, gates_1 = 64'd{gates[1]}, gates_open = '1;
"""
    text += nets(*((port, s.width) for side in sides for port, s in side))
    if len(ins) == 1:
        text += "  assign in_data = in_data_i, in_valid = in_valid_i, in_ready_o = in_ready;\n"
    else:
        (_, a), (_, b) = sides[0]
        text += nets(("whole0", wide_in), ("whole1", wide_in), ("part0", a.width), ("part1", b.width))
        text += nets(("held0", a.width), ("held1", b.width))
        text += f"""  sf_duplicate #(.WIDTH({wide_in})) i_split (.clk_i, .rst_ni, .in_data_i, .in_valid_i, .in_ready_o,
    .out0_data_o(whole0_data), .out0_valid_o(whole0_valid), .out0_ready_i(whole0_ready),
    .out1_data_o(whole1_data), .out1_valid_o(whole1_valid), .out1_ready_i(whole1_ready));
  assign part0_data = whole0_data[0 +: {a.width}], part1_data = whole1_data[{a.width} +: {b.width}];
  wire here0 = whole0_data[{wide_in - 2}], here1 = whole1_data[{wide_in - 1}];
  assign part0_valid = whole0_valid && here0, part1_valid = whole1_valid && here1;
  assign whole0_ready = part0_ready || !here0, whole1_ready = part1_ready || !here1;
"""
        for i, (port, s) in enumerate(sides[0]):
            text += gate(f"i_front{i}", f"part{i}", f"held{i}", s.width, "open")
            text += gate(f"i_in{i}", f"held{i}", port, s.width, i)
    params = ", ".join(f".{k}({verilog(v)})" for k, v in rtl.params.items())
    pins = [f".{p}_data_i({p}_data), .{p}_valid_i({p}_valid), .{p}_ready_o({p}_ready)" for p, _ in sides[0]]
    pins += [f".{p}_data_o({p}_data), .{p}_valid_o({p}_valid), .{p}_ready_i({p}_ready)" for p, _ in sides[1]]
    text += f"  {rtl.module} #({params}) i_core (.clk_i, .rst_ni,\n    " + ",\n    ".join(pins) + ");\n"
    text += "".join(stays(port) for port, _ in sides[1])
    if len(outs) == 1:
        text += "  assign out_data_o = out_data, out_valid_o = out_valid, out_ready = out_ready_i;\n"
    else:
        text += nets(*((f"back{i}", s.width) for i, s in enumerate(outs)))
        text += "".join(gate(f"i_out{i}", port, f"back{i}", s.width, i) for i, (port, s) in enumerate(sides[1]))
        text += """  assign out_data_o = {back1_data, back0_data}, out_valid_o = back0_valid && back1_valid;
  assign back0_ready = out_ready_i && back1_valid, back1_ready = out_ready_i && back0_valid;
"""
    return text + "endmodule\n"


def together(ins):
    """Bits of a word with a word of every input stream, and the bits that say whether it is there."""
    return sum(s.width for s in ins) + (len(ins) if len(ins) > 1 else 0)
