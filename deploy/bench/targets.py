"""Figures of others, and ours before the micro-architecture of docs/micro-architecture.md: what is compared with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from signflow.deploy.bench.networks import CIFAR, CORES, RATE, Build

FINN = "finn-plus, CI on the RFSoC2x2 at 100 MHz"
SHELL = f"{FINN}, with its shell"
FINN17 = "Umuroglu et al., FPGA 2017: ZC706 at 200 MHz"


@dataclass(frozen=True)
class Target:
    """A figure: what it is called, that of others and whose it is, ours of before, and how it follows from builds."""

    name: str
    anchor: float | None
    source: str
    before: str
    now: Callable[[Mapping[str, Build]], float]
    by: str
    """How it was found: "RTL", "synthesis" or both."""
    digits: int = 0
    smaller: bool = False
    """Less is better."""

    def ratio(self, builds: Mapping[str, Build]) -> float | None:
        """How many times better than the others'."""
        if self.anchor is None:
            return None
        now = self.now(builds)
        return self.anchor / now if self.smaller else now / self.anchor


def _sd(builds: Mapping[str, Build]) -> float:
    return 100 * (builds[f"cnv-sd-{RATE}"].lut / builds[f"cnv-{RATE}"].lut - 1)


WHOLE = f"{CIFAR}-fastest"
WIDE, WIDEST, SIGNS = (case.name for case in CORES)
TARGETS = (
    Target("CNV, 32x32x3: images/s, 100 MHz", 2_929, FINN, "13,889", lambda b: b[WHOLE].fps, "RTL"),
    Target("the same, latency of one image, cycles", 134_471, FINN, "25,617", lambda b: b[WHOLE].simulated[0], "RTL",
           smaller=True),
    Target("the same, LUT for a MAC a cycle", 9.0, f"derived from {FINN}", "2.86", lambda b: b[WHOLE].lut_per_mac,
           "synthesis", 2, True),
    Target("the same, LUTs (of 53,200)", 30_807, SHELL, "26,142", lambda b: b[WHOLE].lut, "synthesis", smaller=True),
    Target("TFC: cycles an image", 64, FINN, "98", lambda b: b["tfc-fastest"].simulated[1], "RTL", smaller=True),
    Target("the same, LUTs", 17_675, SHELL, "2,204", lambda b: b["tfc-fastest"].lut, "synthesis", smaller=True),
    Target("TFC, 512 bits a word: cycles an image", 64, FINN, "16", lambda b: b[WIDE].simulated[1], "RTL",
           smaller=True),
    Target("the same, LUTs", 17_675, SHELL, "12,369", lambda b: b[WIDE].lut, "synthesis", smaller=True),
    Target("TFC, 1,024 bits a word: cycles an image", 64, FINN, "-", lambda b: b[WIDEST].simulated[1], "RTL",
           smaller=True),
    Target("the same, LUTs", 17_675, SHELL, "-", lambda b: b[WIDEST].lut, "synthesis", smaller=True),
    Target("SFC of bytes: images/s, 100 MHz", 12.3e6, f"{FINN17}, one-bit input", "1,020,408",
           lambda b: b["sfc-fastest"].fps, "RTL"),
    Target("SFC of one-bit images: images/s, 100 MHz", 12.3e6, FINN17, "-", lambda b: b[SIGNS].fps, "RTL"),
    Target("cnv-sd against cnv at 13,889 images/s: LUTs, %", None, "nobody", "+117", _sd, "synthesis"),
)  # fmt: skip
