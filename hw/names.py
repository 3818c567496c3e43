"""From any file name to a name that is legal, and nobody else's, wherever the network's name goes: as a module in
SystemVerilog and VHDL, as a word in Tcl, as an identifier in Python, as the name of files and folders.
"""

import hashlib
import keyword
import re
import unicodedata
from pathlib import Path

PREFIX, OURS = "net_", "sf_"
"""In front of a name that would not do; in front of the names of signflow's own modules."""
LONGEST = 64
RTL = Path(__file__).with_name("rtl")

# fmt: off
SYSTEMVERILOG = """
accept_on alias always always_comb always_ff always_latch and assert assign assume automatic before begin bind bins
binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle checker class clocking cmos config const
constraint context continue cover covergroup coverpoint cross deassign default defparam design disable dist do edge
else end endcase endchecker endclass endclocking endconfig endfunction endgenerate endgroup endinterface endmodule
endpackage endprimitive endprogram endproperty endspecify endsequence endtable endtask enum event eventually expect
export extends extern final first_match for force foreach forever fork forkjoin function generate genvar global
highz0 highz1 if iff ifnone ignore_bins illegal_bins implements implies import incdir include initial inout input
inside instance int integer interconnect interface intersect join join_any join_none large let liblist library local
localparam logic longint macromodule matches medium modport module nand negedge nettype new nexttime nmos nor
noshowcancelled not notif0 notif1 null or output package packed parameter pmos posedge primitive priority program
property protected pull0 pull1 pulldown pullup pulsestyle_ondetect pulsestyle_onevent pure rand randc randcase
randsequence rcmos real realtime ref reg reject_on release repeat restrict return rnmos rpmos rtran rtranif0
rtranif1 s_always s_eventually s_nexttime s_until s_until_with scalared sequence shortint shortreal showcancelled
signed small soft solve specify specparam static string strong strong0 strong1 struct super supply0 supply1
sync_accept_on sync_reject_on table tagged task this throughout time timeprecision timeunit tran tranif0 tranif1 tri
tri0 tri1 triand trior trireg type typedef union unique unique0 unsigned until until_with untyped use uwire var
vectored virtual void wait wait_order wand weak weak0 weak1 while wildcard wire with within wor xnor xor
"""
"""Reserved words of IEEE 1800-2017, annex B."""
VHDL = """
abs access after alias all and architecture array assert assume assume_guarantee attribute begin block body buffer
bus case component configuration constant context cover default disconnect downto else elsif end entity exit fairness
file for force function generate generic group guarded if impure in inertial inout is label library linkage literal
loop map mod nand new next nor not null of on open or others out package parameter port postponed procedure process
property protected pure range record register reject release rem report restrict restrict_guarantee return rol ror
select sequence severity shared signal sla sll sra srl strong subtype then to transport type unaffected units until
use variable vmode vprop vunit wait when while with xnor xor work std ieee
"""
"""Reserved words of IEEE 1076-2008, and its libraries."""
PORTS = """
clk_i rst_ni mem_dir s_axis_tdata s_axis_tvalid s_axis_tready m_axis_tdata m_axis_tvalid m_axis_tready m_axis_tlast
word_q unused_padding con prn aux nul top root unit
"""
"""Names inside the generated top, devices of an operating system, names of Verilator."""
# fmt: on
RESERVED = {*SYSTEMVERILOG.split(), *VHDL.split(), *PORTS.split(), *map(str.lower, keyword.kwlist)}


def identifier(stem: str) -> str:
    """A lasting name for ``stem``: itself where that will do; else letters without their accents, "_" for what is no
    letter or digit, `PREFIX` in front of what is taken or starts with a digit, and a part of its hash behind it where
    another stem could give the same.
    """
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    name = re.sub(r"[^0-9A-Za-z]+", "_", plain).strip("_")
    if not stem.isascii() or len(name) > LONGEST or not name:
        mark = hashlib.sha256(stem.encode("utf-8", "surrogateescape")).hexdigest()[:8]
        name = f"{name[: LONGEST - 9].strip('_')}_{mark}".strip("_")
    return PREFIX + name if _taken(name) else name


def _taken(name: str) -> bool:
    """Whether a name starts with no letter, is reserved, or may be a module of ours; in VHDL case does not count."""
    modules = {path.stem.lower() for path in RTL.glob("*.sv")}
    low = name.lower()
    return not name[0].isalpha() or low.startswith((OURS, "xpm_")) or low in RESERVED or low in modules
