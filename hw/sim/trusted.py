"""Whether a design that came from elsewhere is hardware and nothing else, before it is compiled and run.

SystemVerilog is a language for programs, too: `$system` starts any, an imported C function is one. A simulation image
may hold the modules of signflow, byte for byte, and around them what signflow generates: modules of wires, registers
and instances, in the few words below.
"""

import json
import re
from pathlib import Path

from signflow.hw.names import RTL, SYSTEMVERILOG
from signflow.hw.sim.toolchain import SimError

RESERVED = set(SYSTEMVERILOG.split())
SOURCE = re.compile(r"rtl/[A-Za-z]\w*\.s?v")
TOKEN = re.compile(
    r"""(?P<word>[A-Za-z_][A-Za-z0-9_]*(?![$]))
    | [ \n\t]+ | //[ -~]*\n | `default_nettype[ ](?:none|wire)\n | "(?:mem/|[A-Za-z0-9_]+\.mem)?"
    | \(\*[ ]X_INTERFACE_(?:INFO|PARAMETER)[ ]=[ ]"[A-Za-z0-9_:., ]*"[ ]\*\)
    | \((?!\*) | [0-9!#%&')*+,.:;<=>?@[\]^{|}~-]""",
    re.VERBOSE,
)
"""A word, number or sign of a generated design; its strings are the folder of the memory images and their names."""
WORDS = {
    *("always", "always_ff", "assign", "begin", "else", "end", "endmodule", "genvar", "if", "input", "localparam"),
    *("logic", "module", "or", "output", "parameter", "posedge", "reg", "signed", "wire"),
}
"""Reserved words of a generated design: nothing starts, reads or writes a file, or calls a function."""


def check_design(folder: Path) -> None:
    """Raises SimError that names the first file and word that is no hardware of signflow; ``folder`` holds `accel.json`
    and the sources it names.
    """
    try:
        facts = json.loads((folder / "accel.json").read_text())
        top, sources = facts["top"], facts["sources"]
        if not re.fullmatch(r"[A-Za-z]\w*", top) or not all(SOURCE.fullmatch(source) for source in sources):
            raise ValueError("names of the top or of the sources are no names of signflow's")
        texts = {source: (folder / source).read_bytes() for source in sources}
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise SimError(f"this simulation image was not made by signflow: accel.json: {error}") from None
    for source, text in texts.items():
        library = RTL / Path(source).name
        if not (library.exists() and library.read_bytes() == text) and (foreign := _foreign(text.decode("latin-1"))):
            raise SimError(
                f"this simulation image was not made by this version of signflow: {source} holds {foreign!r}, which is "
                "neither in a module of its library nor in what it generates; the image would be run as a program"
            )


def _foreign(text: str) -> str:
    """The beginning of what no generated design holds; "" if there is none."""
    at = 0
    while at < len(text):
        token = TOKEN.match(text, at)
        if token is None or (token["word"] in RESERVED and token["word"] not in WORDS):
            return text[at : at + 20]
        at = token.end()
    return ""
