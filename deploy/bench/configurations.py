"""What the bench builds: configurations of every operator, as networks have them, small enough to be synthesised in
seconds. (Large ones have PE equal dot products, so a few say what many take.)
"""

from collections.abc import Callable

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.bench.graphs import (
    Node,
    chain,
    channels,
    dwc,
    fifo,
    mvau,
    numbers,
    requantise,
    thresholds,
    vectors,
    windows,
)

Build = Callable[[np.random.Generator], ModelWrapper]


def _mvaus() -> dict[str, Build]:
    bytes_ = {"inputDataType": "INT8", "weightDataType": "INT8", "steps": 0}
    block, logic, adders = ({"ram_style": style} for style in ("block", "distributed", "adders"))
    shapes = {
        "1152x64, SIMD 128, PE 2, block": (1152, 64, 128, 2, block),
        "1152x64, SIMD 128, PE 4, block": (1152, 64, 128, 4, block),
        "576x64, SIMD 192, PE 4, block": (576, 64, 192, 4, block),
        "576x64, SIMD 64, PE 8, block": (576, 64, 64, 8, block),
        "576x128, SIMD 32, PE 8, block": (576, 128, 32, 8, block),
        "2304x32, SIMD 256, PE 1, block": (2304, 32, 256, 1, block),
        "256x64, SIMD 32, PE 2, block": (256, 64, 32, 2, block),
        "512x64, SIMD 8, PE 1, block": (512, 64, 8, 1, block),
        "784x64, SIMD 49, PE 8, block": (784, 64, 49, 8, block),
        "576x32, SIMD 576, PE 8, logic": (576, 32, 576, 8, logic),
        "288x32, SIMD 144, PE 4, logic": (288, 32, 144, 4, logic),
        "64x64, SIMD 64, PE 4, logic": (64, 64, 64, 4, logic),
        "576x16, SIMD 576, PE 4, adders": (576, 16, 576, 4, adders),
        "144x32, SIMD 144, PE 8, adders": (144, 32, 144, 8, adders),
        "576x64, SIMD 64, PE 4, block, window": (576, 64, 64, 4, block | {"steps": 2}),
        "512x10, SIMD 16, PE 1, block, sums": (512, 10, 16, 1, block | {"steps": 0}),
        "27x32, SIMD 27, PE 32, planes 1": (27, 32, 27, 32, adders | {"inputDataType": "UINT8", "planes": 1}),
        "27x32, SIMD 27, PE 32, planes 2": (27, 32, 27, 32, adders | {"inputDataType": "UINT8", "planes": 2}),
        "27x32, SIMD 27, PE 32, planes 4": (27, 32, 27, 32, adders | {"inputDataType": "INT8", "planes": 4}),
        "27x64, SIMD 27, PE 8, bytes, logic": (27, 64, 27, 8, logic | {"inputDataType": "UINT8"}),
        "32x32, SIMD 4, PE 4, int8 x int8": (32, 32, 4, 4, bytes_),
    }  # fmt: skip
    return {f"MVAU {name}": lambda rng, s=shape: chain(mvau(rng, *s[:4], **s[4])) for name, shape in shapes.items()}


def _padded() -> dict[str, Build]:
    shapes = {
        "1152x32, SIMD 115, PE 6, block": (1152, 32, 115, 6, {}),
        "576x32, SIMD 192, PE 4, 2 pixels": (576, 32, 192, 4, {"Pixels": 2}),
        "1152x32, SIMD 288, PE 2, 4 pixels": (1152, 32, 288, 2, {"Pixels": 4}),
    }
    return {
        f"MVAU {name}": lambda rng, s=s: chain(
            vectors(s[0], 8), mvau(rng, *s[:4], ram_style="block", **s[4]), vectors(s[1], 8)
        )
        for name, s in shapes.items()
    }


def _windows() -> dict[str, Build]:
    whole = {"parallel_window": 1}
    shapes = {
        "3x3 of 32x32x3 bytes, SIMD 3": (32, 3, 3, {"dt": "UINT8"}),
        "3x3 of 30x30x64, SIMD 64": (30, 64, 64, {}),
        "3x3 of 30x30x64, whole": (30, 64, 64, whole),
        "3x3 of 14x14x64, SIMD 32": (14, 64, 32, {}),
        "3x3 of 12x12x128, SIMD 128": (12, 128, 128, {}),
        "3x3 of 5x5x128, SIMD 16": (5, 128, 16, {}),
        "3x3 of 16x16x16, border": (16, 16, 16, {"pad": 1, "padGroup": 16}),
        "3x3 of 16x16x16, border, whole": (16, 16, 16, {"pad": 1, "padGroup": 16} | whole),
        "3x3 of 16x16x32, border of +1": (16, 32, 32, {"pad": 1, "Border": [1]}),
        "5x5 of 16x16x8, SIMD 8": (16, 8, 8, {"kernel": 5}),
        "3x3 of 12x12x16 of 4 bits, SIMD 16": (12, 16, 16, {"dt": "INT4"}),
    }
    return {f"windows {n}": lambda rng, s=s: chain(windows(*s[:3], **s[3])) for n, s in shapes.items()}


def _streams() -> dict[str, Build]:
    pool = {"IFMDim": [14, 14], "PoolDim": [2, 2]}
    pools = {
        f"pool 2x2 of 14x14x{c} {dt}, PE {pe}": Node(
            "MaxPool_sf", pool | {"Channels": c, "PE": pe, "inputDataType": dt}
        )
        for c, pe, dt in ((64, 64, "BIPOLAR"), (64, 16, "BIPOLAR"), (16, 16, "INT4"))
    }
    pads = {
        f"{c} channels of 5 bits + {before} + {after}, PE {pe}": channels(
            "PadChannels_sf", c, pe, "INT5", before=before, after=after, outputDataType="INT5"
        )
        for c, before, after, pe in ((16, 8, 8, 8), (64, 0, 64, 16))
    }
    sums = {
        f"sums of 8x8 pixels, 32 channels of 5 bits, PE {pe}": channels(
            "AccPool_sf", 32, pe, "INT5", outVectors=[1], outputDataType="INT11"
        )
        for pe in (32, 4)
    }
    copies = {
        f"64 copies of 32 channels of 8 bits, PE {pe}": channels("Replicate_sf", 32, pe, "INT8", outVectors=[1, 8, 8])
        for pe in (32, 4)
    }
    label = {"Labels": 10, "PE": 1, "K": 1, "inputDataType": "INT16", "outputDataType": "UINT4", "numInputVectors": [1]}
    single = {
        "dwc 576 to 192": dwc(192, 576, False),
        "dwc 16 to 128": dwc(16, 128, True),
        "dwc 64 to 8": dwc(8, 64, False),
        "FIFO 64 x 32": fifo(64, 32),
        "FIFO 192 x 64": fifo(192, 64),
        "FIFO 16 x 512": fifo(16, 512),
        "FIFO 8 x 4096": fifo(8, 4096),
        "largest of 10 of 16 bits": Node("LabelSelect_sf", label),
    }
    return {name: lambda rng, node=node: chain(node) for name, node in (single | pools | pads | sums | copies).items()}


def _integers() -> dict[str, Build]:
    """Thresholds, tables, and linear functions of integers."""
    steps = {
        "1 threshold of 12 bits, 64 channels, PE 16": (64, 16, "INT12", 1, "BINARY"),
        "15 thresholds of 12 bits, 64 channels, PE 8": (64, 8, "INT12", 15, "UINT4"),
        "31 thresholds of 11 bits, 128 channels, PE 4": (128, 4, "UINT11", 31, "UINT5"),
        "3 thresholds of 5 bits, 64 channels, PE 16": (64, 16, "INT5", 3, "UINT2"),
        "1 threshold of 8 bits, 3 channels, PE 3": (3, 3, "UINT8", 1, "BINARY"),
    }
    lines = {
        "line of 12 bits, 64 channels, PE 4": (64, 4, ("INT12", "INT16", "INT28", "INT5")),
        "line of 12 bits, 512 channels, PE 1": (512, 1, ("INT12", "INT16", "INT28", "INT5")),
        "line of 14 bits, 16 channels, PE 1": (16, 1, ("INT14", "INT26", "INT38", "INT9")),
        "line of 4 bits, 8 channels, PE 2": (8, 2, ("INT4", "INT4", "INT8", "INT3")),
        "line of 11 bits, 32 channels, PE 8": (32, 8, ("UINT11", "INT12", "INT20", "INT5")),
    }
    tables = {
        "table of 5 bits, 8 channels, PE 4": (8, 4, "INT5"),
        "table of 10 bits, 4 channels, PE 2": (4, 2, "INT10"),
    }

    def table(rng: np.random.Generator, count: int, pe: int, dt: str) -> Node:
        end = 1 << int(dt[3:])
        own = {"outputDataType": "INT6", "lowest": -end // 2, "shared": 0}
        return channels("Lookup_sf", count, pe, dt, [numbers(rng, "INT6", count, end)], **own)

    found = {name: lambda rng, s=s: chain(thresholds(rng, *s)) for name, s in steps.items()}
    found |= {name: lambda rng, s=s: chain(requantise(rng, *s)) for name, s in lines.items()}
    return found | {name: lambda rng, s=s: chain(table(rng, *s)) for name, s in tables.items()}


def _branches() -> dict[str, Build]:
    """A fork and a join."""
    sums = {(32, 8, "INT5", (0, 0)): "INT6", (64, 16, "INT8", (3, 0)): "INT12"}
    found = {}
    for (count, pe, dt, shifts), out in sums.items():
        own = {"inputDataType1": dt, "outputDataType": out, "shift0": shifts[0], "shift1": shifts[1]}
        fork, join = channels("Duplicate_sf", count, pe, dt), channels("Add_sf", count, pe, dt, **own)
        found[f"sum of {count} channels of {dt}, shifts {shifts}, PE {pe}"] = lambda rng, n=(fork, join): chain(*n)
    for count, pe in ((16, 4), (96, 32)):
        own = {"NumChannels1": count, "inputDataType1": "INT5", "outputDataType": "INT5"}
        fork, join = channels("Duplicate_sf", count, pe, "INT5"), channels("Concat_sf", count, pe, "INT5", **own)
        found[f"{count} + {count} channels of 5 bits, PE {pe}"] = lambda rng, n=(fork, join): chain(*n)
    return found


CONFIGURATIONS: dict[str, Build] = {
    **_mvaus(), **_padded(), **_windows(), **_streams(), **_integers(), **_branches(),
}  # fmt: skip
