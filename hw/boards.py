"""The boards of `boards.toml`, and those of a user's own file of that form, as typed records."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from difflib import get_close_matches
from pathlib import Path

FILE = Path(__file__).with_name("boards.toml")
DEVICES = ("xc7", "xcup", "ecp5")
LINKS = ("pynq", "serial")
PORTS = {"xc7": (64, 250), "xcup": (128, 0)}
"""Device with a processing system -> bits of a memory port, and the fastest clock in MHz at which it may run where that
is a multiple of the accelerator's (DS187); 0: the accelerator's is the only one.
"""
LINE_MBAUD, BYTE_BITS = 2, 10
"""Of a serial link: bits a microsecond, a rate that the USB chip of the board makes exactly, at which
`signflow.deploy.board.serial_link` opens the port; and how many bits a byte takes.
"""
PLAIN_MHZ = {"xc7": 125, "xcup": 125, "ecp5": 75}
"""Device -> up to which clock operators are not made for a fast one: those of the 7 series by their logic (no open tool
knows its timing), of UltraScale+ by the same number, of ECP5 as nextpnr times them (docs/hardware.md).
"""
MOST = 10**9
"""No number of a board is larger."""
NARROW = 64
"""Bits of a beat that costs nothing: no narrower one is chosen, where the link has it."""


class BoardError(ValueError):
    """A board is unknown, or a field of it cannot be; the message holds the value, the rule, and what to do."""


@dataclass(frozen=True)
class Board:
    """What a board offers to the accelerator. Raises BoardError for a value that cannot be."""

    name: str
    device: str
    """What the design is mapped to: "xc7" (Zynq-7000), "xcup" (Zynq UltraScale+), "ecp5"."""
    toolchain: str
    """What makes its bitstream: a name in `signflow.deploy.tools.TOOLCHAINS`."""
    link: str
    """How the host reaches it: "pynq" (AXI, driven by pynq), "serial" (the pins and the USB line of a ULX3S)."""
    part: str
    lut: int
    ff: int
    bram18: int
    dsp: int
    stream_bits: int
    """Widest AXI-Stream that its link feeds every cycle at its clock; 8 on a serial link."""
    clock_mhz: float
    uram: int = 0
    """UltraRAMs of 288 kbit; only weights that are loaded at run time can lie there."""
    lut_share: float = 0.8
    """The share of its LUTs that a folding for the board fills at most; the rest is left to be routed."""

    def __post_init__(self):
        for field in fields(self):
            value, (legal, rule) = getattr(self, field.name), RULES[field.name]
            if not legal(value):
                raise BoardError(f"board {self.name!r}: {field.name} = {value!r}, it must be {rule}")
        if self.link == "serial" and self.stream_bits != 8:
            rule = "with link = 'serial' it must be 8"
            raise BoardError(f"board {self.name!r}: stream_bits = {self.stream_bits}, {rule}")

    @classmethod
    def of(cls, facts: Mapping) -> "Board":
        """The board that an accelerator was made for, from its `accel.json`."""
        known = cls(**facts["target"]) if "target" in facts else board(facts["board"])
        return replace(known, clock_mhz=facts.get("clock_mhz", known.clock_mhz))

    @property
    def fast(self) -> bool:
        """Operators are made for a fast clock: more registers, a few more LUTs."""
        return self.clock_mhz > PLAIN_MHZ[self.device]

    @property
    def widest_beat(self) -> int:
        """Bits that its link feeds every cycle: ``stream_bits``, or less at a clock of which the memory port does
        not take the multiple.
        """
        port, fastest = PORTS.get(self.device, (self.stream_bits, self.clock_mhz))
        faster = max(1, int(fastest / self.clock_mhz))
        return min(self.stream_bits, port << (faster.bit_length() - 1))

    def beats(self, facts: Mapping) -> dict[str, int]:
        """How frames of the accelerator of ``facts`` (`accel.json`) travel: bits of a beat, the narrowest that keeps
        pace, or the widest; bits of a word in memory (a power of two) and beats of a frame, in and out.
        """
        words = {end: max(8, 1 << (facts[end]["stream_bits"] - 1).bit_length()) for end in ("input", "output")}
        beat = min(NARROW, self.widest_beat)

        def frame(end: str) -> int:
            return -(-facts[end]["words"] * words[end] // beat)

        while beat < self.widest_beat and max(map(frame, words)) > facts["predicted"]["interval"]:
            beat *= 2
        return {
            "beat_bits": beat,
            "in_word_bits": words["input"],
            "in_beats": frame("input"),
            "out_word_bits": words["output"],
            "out_beats": frame("output"),
        }

    def link_cycles(self, facts: Mapping) -> int:
        """Cycles that its link takes for an image of the accelerator of ``facts`` at least."""
        beats = self.beats(facts)
        frame = max(beats["in_beats"], beats["out_beats"])
        return frame if self.link != "serial" else int(frame * BYTE_BITS * self.clock_mhz / LINE_MBAUD)

    @property
    def offers(self) -> dict[str, int]:
        """What it has of everything that a folding is estimated in."""
        return {"LUT": self.lut, "BRAM18": self.bram18, "DSP": self.dsp, "URAM": self.uram}

    def facts(self) -> dict:
        """What `accel.json` says of it, all that `of` needs; "target" only if `boards.toml` does not have it."""
        known = boards().get(self.name)
        own = known is None or replace(known, clock_mhz=self.clock_mhz) != self
        named = {"board": self.name, "part": self.part, "clock_mhz": self.clock_mhz}
        return named | ({"target": asdict(self)} if own else {})


def _one_of(names: tuple[str, ...]):
    return lambda v: v in names, "one of " + ", ".join(repr(name) for name in names)


def _number(kind: type | tuple[type, ...], legal, rule: str):
    rule += "" if "at most" in rule or " to " in rule else f", below {MOST:,}"
    return lambda v: isinstance(v, kind) and not isinstance(v, bool) and abs(v) < MOST and legal(v), rule


_TEXT = (lambda v: isinstance(v, str) and re.fullmatch(r"\w[\w.-]*", v, re.ASCII), "letters, digits, '_', '.' and '-'")
_COUNT = _number(int, lambda v: v >= 0, "a whole number, 0 or more")
RULES = {
    "name": _TEXT, "part": _TEXT, "toolchain": _TEXT, "device": _one_of(DEVICES), "link": _one_of(LINKS),
    "lut": _number(int, lambda v: v > 0, "a whole number above 0"), "ff": _COUNT, "bram18": _COUNT, "dsp": _COUNT,
    "uram": _COUNT,
    "stream_bits": _number(int, lambda v: 8 <= v <= 1024 and v & (v - 1) == 0, "a power of two from 8 to 1024"),
    "clock_mhz": _number((int, float), lambda v: v > 0, "a finite number of MHz above 0"),
    "lut_share": _number((int, float), lambda v: 0 < v <= 1, "above 0 and at most 1"),
}  # fmt: skip
"""Field -> (test, rule in words)."""


def boards(own: Path | None = None) -> dict[str, Board]:
    """All boards by name: ours, and those of the file ``own``, which adds boards and overrides fields of ours.

    Raises BoardError, with the file's name, for a file or a field that cannot be.
    """
    rows = tomllib.loads(FILE.read_text())
    if own is None:
        return {name: Board(name=name, **row) for name, row in rows.items()}
    try:
        for name, row in tomllib.loads(own.read_text()).items():
            rows[name] = rows.get(name, {}) | _fields(name, row)
            if missing := [f.name for f in fields(Board)[1:] if f.default is MISSING and f.name not in rows[name]]:
                raise BoardError(f"board {name!r} lacks {', '.join(missing)}; hw/boards.toml has examples")
        return {name: Board(name=name, **row) for name, row in rows.items()}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError, BoardError) as e:
        raise BoardError(f"{own}: {e}") from e


def board(name: str, own: Path | None = None) -> Board:
    """Look up a board; raises BoardError that lists the known names, and the nearest."""
    known = boards(own)
    if name not in known:
        raise BoardError(f"unknown board {name!r}{_meant(name, known)}; known boards: {', '.join(known)}")
    return known[name]


def _fields(name: str, row: object) -> dict:
    """A table of the user's file, if all its keys are fields of a board."""
    if not isinstance(row, dict):
        raise BoardError(f"{name} = {row!r} stands outside of a table: a board is a table [name] with its fields")
    known = [f.name for f in fields(Board)[1:]]
    for key in row:
        if key not in known:
            raise BoardError(f"board {name!r} has no field {key!r}{_meant(key, known)}; fields: {', '.join(known)}")
    return row


def _meant(word: str, known) -> str:
    near = get_close_matches(word, list(known), 1)
    return f" (did you mean {near[0]}?)" if near else ""
