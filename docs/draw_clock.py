"""Prints the clocks of hardware.md: `python docs/draw_clock.py [SEED ...]`, some minutes; operators alone on an ECP5
(`signflow.deploy.tools.clock`).
"""

import random
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from signflow.deploy.tools import clock
from signflow.hw.ops.base import RtlInstance

DICE = random.Random(1)


def words(bits: int, depth: int) -> list[str]:
    """A memory image of random words."""
    return [f"{DICE.getrandbits(bits):0{-(-bits // 4)}x}" for _ in range(depth)]


def swg(size: int, simd: int, rows: int, block: int = 1, border: int = 0, stride: int = 1) -> RtlInstance:
    """Windows of 3x3 of 64 channels."""
    params = {"C": 64, "SIMD": simd, "H": size, "W": size, "SH": stride, "SW": stride, "ROWS": rows, "BLOCK": block}
    params |= dict.fromkeys(("TOP", "LEFT", "BOTTOM", "RIGHT"), border)
    images = {"border.mem": ["0"]} if border else {}
    return RtlInstance("sf_swg", params | {"BORDER_FILE": next(iter(images), "")}, images)


def mvau(mw: int, simd: int, pe: int, fast: int, act: int = 1, **more: int) -> RtlInstance:
    """64 neurons with a threshold each, weights of one bit in block RAM."""
    width, folds = mw.bit_length() + act + 1, -(-64 // pe)
    params = {
        "MW": mw,
        "MH": 64,
        "SIMD": simd,
        "PE": pe,
        "ACT_WIDTH": act,
        "ACC_WIDTH": width,
        "BLOCK": 1,
        "FAST": fast,
    }
    params |= {"WEIGHTS_FILE": "weights.mem", "START_FILE": "start.mem"} | more
    images = {"weights.mem": words(pe * simd, folds * -(-mw // simd)), "start.mem": words(pe * width, folds)}
    return RtlInstance("sf_mvau", params, images)


OPERATORS = {
    "MVAU of 8-bit pixels, 27x64, SIMD 9, PE 4": mvau(27, 9, 4, 0, act=8),
    "MVAU 256x64, SIMD 32, PE 2": mvau(256, 32, 2, 0, TREE_STAGES=4),
    "the same with `FAST = 1`": mvau(256, 32, 2, 1, TREE_STAGES=5),
    "`sf_swg`, 64 channels, 30x30, ring in block RAM": swg(30, 64, 5),
    "the same, ring of 150 words in LUT RAM": swg(30, 64, 5, block=0),
    "the same in block RAM, 32 channels a word": swg(30, 32, 5),
    "the same, 16 channels a word": swg(30, 16, 5),
    "the same, 64 channels a word, border of 1": swg(30, 64, 3, border=1),
    "the same with the border and stride 2": swg(30, 64, 5, border=1, stride=2),
    "`sf_fifo` 64 x 32": RtlInstance("sf_fifo", {"WIDTH": 64, "DEPTH": 32}),
    "`sf_maxpool`, 64 channels, 28x28": RtlInstance(
        "sf_maxpool", {"C": 64, "PE": 64, "H": 28, "W": 28, "KH": 2, "KW": 2}
    ),
}


def short(cell: str) -> str:
    """The name of a register or memory without the instances around it and what Yosys and nextpnr add."""
    return re.sub(r"(_TRELLIS_FF|\.\d+\.|\$).*", "", cell).split(".")[-1]


if __name__ == "__main__":
    seeds = [int(word) for word in sys.argv[1:]] or [1, 2, 3]
    print(f"| operator | MHz, seeds {', '.join(map(str, seeds))} | longest path of the slowest |\n|---|---|---|")
    for name, instance in OPERATORS.items():
        with TemporaryDirectory() as folder:
            found = [clock.alone(instance, Path(folder), seed) for seed in seeds]
        slowest = min(found, key=lambda one: one[0])[1]
        path = f"`{short(slowest['from'])}` to `{short(slowest['to'])}`, {slowest['routing_ns']:.1f} ns of it routing"
        print(f"| {name} | {', '.join(f'{mhz:.0f}' for mhz, _ in found)} | {path} |", flush=True)
