"""A dataflow graph as one plain Verilog module: what FINN's `CreateStitchedIP` does with Vivado's block designs.

Every node is an instance of its module, every tensor a stream between two of them, and the ends of the graph are
``s_axis_<n>`` and ``m_axis_<n>`` of the top. What FINN's simulation of a stitched graph reads
(`finn.core.rtlsim_exec`) is left in the model's metadata under the same names.
"""

import json
from pathlib import Path

from finn.util.fpgadataflow import is_rtl_node
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from signflow.deploy.compile.errors import refuse

TOP = "finn_design_wrapper"
"""The name that FINN gives to it."""
RULE = "nodes of RTL, of streams alone: signflow's, and FINN's Thresholding, windows, FIFOs, width converters, padding"


def stitch(model: ModelWrapper, folder: Path) -> Path:
    """Write the top of ``model``, whose nodes have their HDL (`step_hw_codegen`), into ``folder``, note it in the
    metadata, and return its file. Raises UnsupportedError for a node without RTL, or where two neighbours differ in
    the width of their stream.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stitched = _Stitched(model)
    file = folder / f"{TOP}.v"
    file.write_text(stitched.text())
    (folder / "all_verilog_srcs.txt").write_text("\n".join([*stitched.sources, str(file)]) + "\n")
    ends = {"clk": ["ap_clk"], "rst": ["ap_rst_n"], "s_axis": stitched.inputs, "m_axis": stitched.outputs}
    for key, value in {
        "wrapper_filename": str(file),
        "vivado_stitch_proj": str(folder),
        "vivado_stitch_ifnames": json.dumps(ends | {"aximm": [], "axilite": [], "ap_none": []}),
        "rtlsim_so": "",
    }.items():
        model.set_metadata_prop(key, value)
    return file


class _Stitched:
    """Ports, wires and instances."""

    def __init__(self, model: ModelWrapper):
        self.sources: list[str] = []
        self.ports, self.wires, self.instances = ["input ap_clk", "input ap_rst_n"], [], []
        self.inputs: list[tuple[str, int]] = []
        self.outputs: list[tuple[str, int]] = []
        self.streams: dict[str, tuple[str, int]] = {}
        graph = model.graph
        self.ends = [[value.name for value in side] for side in (graph.input, graph.output)]
        for node in graph.node:
            self._add(node)

    def text(self) -> str:
        """The module."""
        ports = ",\n  ".join(self.ports)
        return "\n".join([f"module {TOP} (\n  {ports}\n);", *self.wires, *self.instances, "endmodule", ""])

    def _add(self, node) -> None:
        if not is_rtl_node(node):
            raise refuse(node, "it has no RTL", RULE)
        op = getCustomOp(node)
        names = op.get_verilog_top_module_intf_names()
        if names["aximm"] or names["axilite"]:
            raise refuse(node, "it has a bus beside its streams", RULE)
        for path in map(str, op.get_rtl_file_list(abspath=True)):
            if Path(path).name not in {Path(known).name for known in self.sources}:
                self.sources.append(path)
        pins = [".ap_clk(ap_clk)", ".ap_rst_n(ap_rst_n)"]
        for tensor, (port, bits) in zip(node.input, names["s_axis"], strict=False):
            pins += self._pins(port, self._source(node, tensor, bits))
        for tensor, (port, bits) in zip(node.output, names["m_axis"], strict=False):
            pins += self._pins(port, self._sink(node, tensor, bits))
        module = op.get_nodeattr("gen_top_module") or node.name
        self.instances.append(f"  {module} {node.name}_i ({', '.join(pins)});")

    def _pins(self, port: str, stream: str) -> list[str]:
        return [f".{port}_{signal}({stream}_{signal.lower()})" for signal in ("TDATA", "TVALID", "TREADY")]

    def _source(self, node, tensor: str, bits: int) -> str:
        if tensor in self.ends[0]:
            name = f"s_axis_{len(self.inputs)}"
            self.inputs.append((name, bits))
            self._port("input", "output", name, bits)
            return name
        name, given = self.streams[tensor]
        if given != bits:
            raise refuse(
                node, f"it reads words of {bits} bits, and {given} come", "width converters between unequal words"
            )
        return name

    def _sink(self, node, tensor: str, bits: int) -> str:
        if tensor in self.ends[1]:
            name = f"m_axis_{len(self.outputs)}"
            self.outputs.append((name, bits))
            self._port("output", "input", name, bits)
            return name
        name = f"{node.name}_out{len(self.streams)}"
        self.streams[tensor] = name, bits
        self.wires.append(f"  wire [{bits - 1}:0] {name}_tdata; wire {name}_tvalid, {name}_tready;")
        return name

    def _port(self, way: str, back: str, name: str, bits: int) -> None:
        self.ports += [f"{way} [{bits - 1}:0] {name}_tdata", f"{way} {name}_tvalid", f"{back} {name}_tready"]
