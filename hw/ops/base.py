"""What every operator of signflow adds to the FINN operator it implements: an RTL module, memory images, exact timing,
resource estimates.

An operator is written once as a SystemVerilog module of `hw/rtl` and bound here to a FINN hardware operator
(`FINNOp_sf`) that supplies data types, folding attributes, shapes, and the reference behaviour in numpy. `rtl_instance`
says which module with which parameters and memory images computes a node; from it alone come the instance in the top
(`signflow.deploy.generate.accelerator`) and FINN's per-node wrapper (`generate_hdl`).

Most operators have one stream in and one out (ports ``in_*``, ``out_*``); a fork has two out (``out0_*``, ``out1_*``),
a join two in (``in0_*``, ``in1_*``). Stream i carries the tensor ``node.input[i]`` or ``node.output[i]``; FINN's
getters take i as ``ind``. Further inputs of the node are constants.
"""

import itertools
import math
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from finn.custom_op.fpgadataflow.rtlbackend import RTLBackend

from signflow.hw.ops.folding import FoldingError, OpError, Option, need
from signflow.hw.parameters import is_image, verilog

RTL_DIR = Path(__file__).resolve().parents[1] / "rtl"
RTL_DOMAIN = "finn.custom_op.fpgadataflow.rtl"
BRAM18_SHAPES = ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384))
LUT_PER_BRAM18 = 100
"""LUTs worth one block RAM. The XC7Z020 has 190 for each; weights want the block RAMs more than FIFOs and windows do
not want the LUTs.
"""


@dataclass(frozen=True)
class RtlInstance:
    """A module of `hw/rtl` with parameter values; file parameters name memory images in ``mem``."""

    module: str
    params: dict[str, int | str]
    mem: dict[str, list[str]] = field(default_factory=dict)
    """File name -> words in hexadecimal, for $readmemh, in the order of the load chain."""

    @property
    def chained(self) -> bool:
        """The module has the ports of the load chain (`sf_memory.sv`)."""
        return "sf_memory" in self.modules

    @property
    def loadable(self) -> bool:
        """Its memories can be filled through the load chain."""
        return self.params.get("LOAD") == 1

    def load(self) -> np.ndarray:
        """The words that fill its memories through the load chain (uint32)."""
        images = self.mem.values() if self.loadable else ()
        return np.concatenate([np.zeros(0, np.uint32), *map(load_words, images)])

    @property
    def modules(self) -> list[str]:
        """The module and everything of `hw/rtl` below it, sorted."""
        return sorted(_with_parts(self.module))


@cache
def _with_parts(module: str) -> frozenset[str]:
    text = (RTL_DIR / f"{module}.sv").read_text()
    parts = [
        p.stem
        for p in RTL_DIR.glob("*.sv")
        if p.stem != module and re.search(rf"^\s*{p.stem}\s+(#\(|\w+\s*\()", text, re.MULTILINE)
    ]
    return frozenset({module}.union(*(_with_parts(p) for p in parts)))


def earliest(bound: np.ndarray) -> np.ndarray:
    """Cycles of events that happen in order, at most one a cycle, event i not before ``bound[i]``: t[i] = max(bound[i],
    t[i-1] + 1).
    """
    ramp = np.arange(len(bound))
    return np.maximum.accumulate(bound - ramp) + ramp


def hex_words(bits: np.ndarray) -> list[str]:
    """Rows of bits (words, width), bit 0 first, as hexadecimal words."""
    digits = -(-bits.shape[1] // 4)
    packed = np.packbits(bits.astype(np.uint8), axis=1, bitorder="little")[:, ::-1]
    return [row.tobytes().hex()[-digits:] for row in packed]


def load_words(words: Sequence[str]) -> np.ndarray:
    """A memory image as words of the load chain (uint32): of every memory word 32 bits after 32 bits, the low ones
    first.
    """
    digits = -(-len(words[0]) // 8) * 8
    parts = np.frombuffer(bytes.fromhex("".join(word.zfill(digits) for word in words)), ">u4")
    return parts.reshape(len(words), -1)[:, ::-1].ravel().astype(np.uint32)


def to_bits(values: np.ndarray, width: int) -> np.ndarray:
    """Integers (words, n) in two's complement, as bits (words, n*width), bit 0 first."""
    planes = values.astype(np.int64)[..., None] >> np.arange(width) & 1
    return planes.reshape(len(values), -1)


def grid(width: int, depth: int, shapes: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """(side by side, in banks): the fewest memories, each of one of ``shapes`` (bits, words), that hold ``width`` bits
    by ``depth`` words; of as many, the fewest banks.
    """
    grids = ((math.ceil(width / w), math.ceil(depth / d)) for w, d in shapes)
    return min(grids, key=lambda grid: (math.prod(grid), grid[1]))


def brams(width: int, depth: int) -> int:
    """18 kbit block RAMs of a memory with one write and one read port, ``width`` bits by ``depth`` words."""
    return math.prod(grid(width, depth, BRAM18_SHAPES))


def bank_luts(width: int, banks: int) -> int:
    """LUTs that choose one of ``banks`` words of ``width`` bits: four a LUT."""
    return width * math.ceil((banks - 1) / 3)


def bram_luts(width: int, depth: int) -> int:
    """LUTs of such a memory: of its banks."""
    return bank_luts(width, grid(width, depth, BRAM18_SHAPES)[1])


def urams(width: int, depth: int) -> int:
    """288 kbit UltraRAMs, 72 bits by 4,096 words, of a memory of ``width`` bits by ``depth`` words."""
    return math.ceil(width / 72) * math.ceil(depth / 4096)


def lut_rams(width: int, depth: int, ports: int = 2) -> int:
    """LUTs of a memory with one write and one read port: the fewest fours of 6 bits by 32 words or 3 bits by 64 words,
    and a choice of banks, of a word to read and of one to write. With one port, whose word is read and written at the
    same address, 8 or 4 bits.
    """
    shapes = ((8, 32), (4, 64)) if ports == 1 else ((6, 32), (3, 64))
    across, banks = grid(width, depth, shapes)
    return 4 * across * banks + bank_luts(width, banks) + banks * (banks > 1)


def bit_luts(width: int, own: int, shared: int) -> int:
    """LUT sites of a function for each of ``width`` bits, of ``own`` inputs and of ``shared`` ones, the same for all:
    two to a site where their inputs together are five at most; what is too much for a LUT is computed in front of it.
    """
    if own + shared > 6:
        return 1 + bit_luts(width, own, 1)
    return -(-width // 2) if 2 * own + shared <= 5 else width


def clip_luts(width: int, out: int) -> float:
    """LUT sites that clip an integer of ``width`` bits to ``out`` bits: a choice for each of these, and comparisons
    with two constants, of six bits a LUT; more than two such LUTs are joined by a carry chain.
    """
    parts = math.ceil(width / 6)
    return out + (2 * (parts + 1) if parts > 2 else width / 6)


def rom_luts(width: int, depth: int) -> int:
    """LUT sites of constants, chosen by an address (fitted to yosys, which needs far more than one for 64 of them)."""
    if depth == 1:
        return 0
    return int(min(width, 2.0 ** min(depth, 64)) * max(0.4, 0.06 * depth - 0.31))


def in_block(style: str, width: int, depth: int) -> bool:
    """Whether a memory lies in block RAM: FINN's attribute ram_style, "auto" by what is scarcer on a board
    (LUT_PER_BRAM18).
    """
    return style == "block" or (style == "auto" and lut_rams(width, depth) > LUT_PER_BRAM18 * brams(width, depth))


def port_names(side: str, streams: int) -> list[str]:
    """Prefixes of a module's ports on a side, "in" or "out": ``in``, or ``in0``, ``in1`` with two streams."""
    return [side] if streams == 1 else [f"{side}{i}" for i in range(streams)]


def counter_luts(states: int) -> int:
    """LUT sites of a handshake and a counter of words, in which the bits of a carry chain need none."""
    return 2 + 2 * (states > 4) + 2 * (states & (states - 1) > 0)


def decoded_bits(states: int, *limits: int) -> int:
    """Bits of a counter of ``states`` that say between which of ``limits`` it is: all but the lowest ones, where the
    limits are multiples.
    """
    low = min((limit & -limit).bit_length() - 1 for limit in limits if 0 < limit < states)
    return (states - 1).bit_length() - low


def times(shape: Iterable[int]) -> str:
    """A shape in words: "3\N{MULTIPLICATION SIGN}3"."""
    return "\N{MULTIPLICATION SIGN}".join(str(n) for n in shape)


def _definitions(op: "StreamOp") -> dict[str, tuple]:
    """Attribute -> what qonnx wants to know of it, put together once a class: timing and estimates ask millions of
    times.
    """
    kind = type(op)
    if "_known" not in vars(kind):
        kind._known = {name: (*given, None)[:4] for name, given in op.get_nodeattr_types().items()}
    return kind._known


class PassesOn:
    """Mixin in front of `StreamOp`: the output is the input, element for element. Producer and reader may see the
    tensor as maps of other height and width: its shape is not looked at (FINN's width converter insists on its own).
    """

    def execute_node(self, context, graph) -> None:
        """Passes the tensor on."""
        context[self.onnx_node.output[0]] = context[self.onnx_node.input[0]]


_OPTIONS: dict[type, dict[tuple[bytes, ...], list[Option]]] = {}
"""What `StreamOp.options` has found: class -> attributes but the folding ones -> foldings."""


class StreamOp:
    """Mixin in front of a FINN operator and `RTLBackend`: ``class Foo_sf(StreamOp, Foo, RTLBackend)``."""

    IN_STREAMS = 1
    OUT_STREAMS = 1
    BEHIND = 0
    """Words that can come together while one is held."""
    PLUMBING = ""
    """What tables call many of it ("FIFOs"), if it only carries words from one operator to the next."""

    def get_nodeattr_types(self):
        """FINN's attributes, the RTL backend's one; loadable: its memories can be filled at run time; fast: it is made
        for a fast clock (`signflow.hw.boards.Board.fast`).
        """
        own = {"gen_top_module": ("s", False, ""), "loadable": ("i", False, 0), "fast": ("i", False, 0)}
        return super().get_nodeattr_types() | own

    def get_nodeattr_def(self, name):
        """(type, whether it must be there, default, allowed values or None) of an attribute, looked up once a class."""
        return _definitions(self)[name]

    def get_nodeattr(self, name):
        """As qonnx does, but a number, a word or a list of numbers is looked for where it was the last time."""
        kind, required, default, allowed = self.get_nodeattr_def(name) if name in _definitions(self) else ("", 0, 0, 0)
        if kind not in ("i", "s", "ints"):
            return super().get_nodeattr(name)
        places, attributes = self.__dict__.setdefault("_places", {}), self.onnx_node.attribute
        place, count = places.get(name, (0, -1))
        if place is None and count == len(attributes) and not required:  # still not there
            return list(default) if kind == "ints" else default
        if place is None or place >= len(attributes) or attributes[place].name != name:
            place = next((i for i, item in enumerate(attributes) if item.name == name), None)
            places[name] = place, len(attributes)
        value = None if place is None else getattr(attributes[place], kind)
        value = value.decode() if kind == "s" and value is not None else value
        if value is None or (allowed is not None and value not in allowed):
            return super().get_nodeattr(name)
        return list(value) if kind == "ints" else value

    def rtl_instance(self, model) -> RtlInstance:
        """The module that computes this node of ``model`` (ModelWrapper, for the weights). Raises OpError."""
        raise NotImplementedError

    def picture(self) -> tuple[str, str]:
        """(kind, words): what a drawing makes of it, "product", "decision", "arithmetic" or "movement", or what is a
        mark on a wire, "fifo", "block" or "dwc"; and what is written on it.
        """
        return "arithmetic", ""

    # ---- memories

    def memory_params(self) -> dict[str, int]:
        """Parameters of a module with memories, beside their files: nothing, or that they can be loaded."""
        return {"LOAD": 1} if self.get_nodeattr("loadable") else {}

    def constant_luts(self, constant: float, width: int, depth: int) -> float:
        """LUTs of a memory of ``width`` bits by ``depth`` words outside of block RAM: ``constant``, or where it can be
        loaded, LUT RAM or the registers of a single word.
        """
        if not self.get_nodeattr("loadable"):
            return constant
        return lut_rams(width, depth) if depth > 1 else 0

    def chain_luts(self, *memories: tuple[int, int]) -> int:
        """LUTs of the load chain through memories of (bits, words), in block RAM or not."""
        if not self.get_nodeattr("loadable"):
            return 0
        return sum(6 + (-(-width // 32) * depth).bit_length() for width, depth in memories)

    # ---- streams

    def in_group(self, ind: int = 0) -> int:
        """How many bits of an input stream share a flag (`signflow.hw.ops.flags`); 0: it has no flags."""
        return 0

    def out_group(self, ind: int = 0) -> int:
        """The same of an output stream."""
        return 0

    # ---- folding

    def foldings(self) -> dict[str, list]:
        """Its folding attributes and their legal values, the slowest first; empty when it has none to choose."""
        return {}

    def folding(self) -> dict[str, int | str]:
        """The folding it has now."""
        return {attribute: self.get_nodeattr(attribute) for attribute in self.foldings()}

    def check_folding(self) -> None:
        """Raises FoldingError where values that are legal alone are not together."""

    def options(self) -> list[Option]:
        """Every folding worth trying, with what it takes; the operator keeps the one it has.

        They depend on its attributes alone, and operators with the same ones share them.
        """
        names = self.foldings()
        rest = [a.SerializeToString(deterministic=True) for a in self.onnx_node.attribute if a.name not in names]
        known, key = _OPTIONS.setdefault(type(self), {}), tuple(sorted(rest))
        if key not in known:
            known[key] = self._options()
        return known[key]

    def candidates(self) -> dict[str, list]:
        """Of `foldings`, those that `options` tries: all, but for "auto", which is one of the others."""
        names = self.foldings()
        return names | {"ram_style": [s for s in names["ram_style"] if s != "auto"]} if "ram_style" in names else names

    def _options(self) -> list[Option]:
        names = self.candidates()
        found, tried = [], self._all_attributes()
        self.get_nodeattr = tried.__getitem__  # in place of the node's: it is asked a million times
        try:
            for values in itertools.product(*names.values()):
                tried |= zip(names, values, strict=True)
                with suppress(FoldingError):
                    self.check_folding()
                    found.append(self._option(dict(zip(names, values, strict=True))))
        finally:
            del self.get_nodeattr
        return found

    def _option(self, values: dict[str, int | str]) -> Option:
        pixels = self.pixels()
        taken = tuple(int(self.get_folded_input_shape(i)[-1]) // pixels for i in range(self.IN_STREAMS))
        given = tuple(int(self.get_folded_output_shape(i)[-1]) // pixels for i in range(self.OUT_STREAMS))
        lut, *rest = need(self)
        return Option(values, int(self.get_exp_cycles()), (lut + self.plumbing(), *rest), taken, given, self.room() > 0)

    def pixels(self) -> int:
        """How many vectors stand side by side in its words (`signflow.hw.ops.interleave`)."""
        return 1

    def beside(self) -> tuple[int, int]:
        """The same of its input's words and of its output's."""
        return self.pixels(), self.pixels()

    def plumbing(self) -> int:
        """LUTs of what it brings along around it."""
        return 0

    def _all_attributes(self) -> dict:
        """Every attribute that it has or that has a default."""
        there = {attribute.name for attribute in self.onnx_node.attribute}
        required = {name for name, (_, must, *_) in _definitions(self).items() if must}
        return {name: self.get_nodeattr(name) for name in _definitions(self) if name in there or name not in required}

    def memory_bits(self) -> int:
        """Bits of its weights."""
        return 0

    # ---- time and space

    def accepts(self, *arrivals: np.ndarray) -> np.ndarray | list[np.ndarray]:
        """Cycle in which word k of every input stream is taken when words are offered from ``arrivals`` on, one array
        for each stream, and the outputs are never blocked (int64, whole frames). Where streams are not taken together
        (here a join takes both words in the same cycle), a list of one array for each.
        """
        return earliest(np.maximum.reduce(arrivals))

    def delay(self) -> int | None:
        """Cycles from a word (of every input) to its word of every output, where each gives one; else None."""
        return None

    def timing(self, *arrivals: np.ndarray) -> np.ndarray:
        """Cycle in which word k of every output stream is first offered, under the same conditions as `accepts`.

        Here: that of an operator with a `delay`.
        """
        return self.accepts(*arrivals) + self.delay()

    def both(self, *arrivals: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        """(`accepts`, one array for each input stream; `timing`)."""
        taken, delay = self.accepts(*arrivals), self.delay()
        leaves = self.timing(*arrivals) if delay is None else taken + delay
        return taken if isinstance(taken, list) else [taken] * len(arrivals), leaves

    def room(self) -> int:
        """Words that it has room for behind its pipeline, those in it included, so that they need no FIFO."""
        return 0

    def holds(self) -> bool:
        """Whether it keeps its words until its reader asks for them (`hold`)."""
        return False

    def hold(self, arrivals: np.ndarray, leave: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(`accepts`, `timing`) of an operator that holds its words, where word j of its output is taken from it in
        cycle ``leave[j]``, not before the `timing` of one whose words are taken at once.
        """
        raise NotImplementedError

    def macs_per_cycle(self) -> int:
        """Multiply-accumulates in a cycle at full rate; 0 for operators that do not multiply."""
        return 0

    def lut_estimation(self, fpgapart: str = "") -> int:
        """Estimated LUTs (fitted to yosys synth_xilinx)."""
        raise NotImplementedError

    def bram_estimation(self, fpgapart: str = "") -> int:
        """Estimated 18 kbit block RAMs."""
        return 0

    def uram_estimation(self, fpgapart: str = "") -> int:
        """UltraRAMs."""
        return 0

    def fail(self, message: str) -> OpError:
        """An OpError that names this node."""
        return OpError(f"{self.onnx_node.name} ({self.onnx_node.op_type}): {message}")

    # ---- FINN's per-node interface: everything from rtl_instance

    def generate_hdl(self, model, fpgapart: str, clk: float) -> None:
        """Write FINN's wrapper (ap_clk, in<i>_V_T*, out<i>_V_T*), the module and its memory images to
        ``code_gen_dir_ipgen``.
        """
        folder = Path(self.get_nodeattr("code_gen_dir_ipgen"))
        rtl = self.rtl_instance(model)
        for name, words in rtl.mem.items():
            (folder / name).write_text("\n".join(words) + "\n")
        for module in rtl.modules:
            (folder / f"{module}.sv").write_text((RTL_DIR / f"{module}.sv").read_text())
        (folder / f"{self.onnx_node.name}.sv").write_text(self._wrapper(rtl, folder))
        self.set_nodeattr("gen_top_module", self.onnx_node.name)
        self.set_nodeattr("ipgen_path", str(folder))
        self.set_nodeattr("ip_path", str(folder))

    def _wrapper(self, rtl: RtlInstance, folder: Path) -> str:
        params = ", ".join(f".{k}({verilog(str(folder / v) if is_image(v) else v)})" for k, v in rtl.params.items())
        ports, nets, pins = ["input ap_clk", "input ap_rst_n"], [], [".clk_i(ap_clk), .rst_ni(ap_rst_n)"]
        for i, port in enumerate(port_names("in", self.IN_STREAMS)):
            bits, padded, axi = self.get_instream_width(i), self.get_instream_width_padded(i), f"in{i}_V_T"
            ports.append(f"input [{padded - 1}:0] {axi}DATA, input {axi}VALID, output {axi}READY")
            pins.append(
                f".{port}_data_i({axi}DATA[{bits - 1}:0]), .{port}_valid_i({axi}VALID), .{port}_ready_o({axi}READY)"
            )
        if rtl.chained:
            pins.append(".load_i(33'd0), .load_o()")
        for i, port in enumerate(port_names("out", self.OUT_STREAMS)):
            bits, padded, axi = self.get_outstream_width(i), self.get_outstream_width_padded(i), f"out{i}_V_T"
            ports.append(f"output [{padded - 1}:0] {axi}DATA, output {axi}VALID, input {axi}READY")
            pad = f"{{{padded - bits}'b0, out{i}}}" if padded > bits else f"out{i}"
            nets.append(f"  wire [{bits - 1}:0] out{i};\n  assign {axi}DATA = {pad};\n")
            pins.append(f".{port}_data_o(out{i}), .{port}_valid_o({axi}VALID), .{port}_ready_i({axi}READY)")
        return (
            f"module {self.onnx_node.name} (\n  " + ",\n  ".join(ports) + "\n);\n" + "".join(nets)
            + f"  {rtl.module} #({params}) core (\n    " + ",\n    ".join(pins) + "\n  );\nendmodule\n"
        )  # fmt: skip

    def get_rtl_file_list(self, abspath: bool = False) -> list:
        """The wrapper and the module, as FINN's simulation and stitching want them."""
        folder = Path(self.get_nodeattr("code_gen_dir_ipgen"))
        files = [folder / p.name for p in sorted(folder.glob("*.sv"))]
        return files if abspath else [f.name for f in files]

    def code_generation_ipi(self) -> list[str]:
        """Tcl that adds the node to a Vivado block design."""
        name = self.onnx_node.name
        return [
            *(f"add_files -norecurse {f}" for f in self.get_rtl_file_list(abspath=True)),
            f"create_bd_cell -type module -reference {name} {name}",
        ]


__all__ = [
    "RTL_DIR",
    "RTL_DOMAIN",
    "FoldingError",
    "OpError",
    "RTLBackend",
    "RtlInstance",
    "StreamOp",
    "bit_luts",
    "bram_luts",
    "brams",
    "clip_luts",
    "counter_luts",
    "decoded_bits",
    "earliest",
    "hex_words",
    "in_block",
    "load_words",
    "lut_rams",
    "port_names",
    "rom_luts",
    "times",
    "to_bits",
    "urams",
]
