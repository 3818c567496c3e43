"""Thresholds and weights as the C++ side of `signflow.deploy.golden.intgraph` reads them (``intgraph.h``)."""

from dataclasses import replace

import numpy as np

from signflow.deploy.compile.dialect.program import WINDOW, Layer, Steps

LANES, FLOAT_LANES, WORD = 16, 16, 64
CACHE_LINE = 64


def _blocks(padded: np.ndarray, lanes: int) -> np.ndarray:
    """(positions, channels) -> contiguous [block][position][lane], at an address where vectors share no cache line."""
    blocks = padded.reshape(len(padded), -1, lanes).transpose(1, 0, 2)
    room = np.empty(blocks.nbytes + CACHE_LINE, dtype=np.uint8)
    aligned = room[-room.ctypes.data % CACHE_LINE :][: blocks.nbytes].view(padded.dtype).reshape(blocks.shape)
    aligned[...] = blocks
    return aligned


def _limits(steps: Steps, outputs: int, lanes: int, never, always) -> np.ndarray:
    """(2, outputs padded to whole blocks): first and second threshold; lanes without a channel give 0 in any form."""
    limits = np.full((2, -(-outputs // lanes) * lanes), never, dtype=np.asarray(never).dtype)
    limits[0, outputs:] = always if steps.form == WINDOW else never
    limits[: steps.thresholds.shape[1], :outputs] = steps.by_channel(outputs).T
    return limits


def pack_bits(weights: np.ndarray, steps: Steps, pixels: int, channels: int) -> dict:
    """Weights {0, 1} (pixels * channels, outputs) as words; popcount of equal bits >= T where differing <= K - T."""
    fan_in, outputs = weights.shape
    words, padded = -(-channels // WORD), -(-outputs // LANES) * LANES
    bits = np.zeros((pixels, words * WORD, padded), dtype=np.uint8)
    bits[:, :channels, :outputs] = weights.reshape(pixels, channels, outputs)
    packed = np.packbits(bits.reshape(pixels * words, WORD, padded), axis=1, bitorder="little")
    packed = np.ascontiguousarray(packed.transpose(0, 2, 1)).view("<u8")[:, :, 0]
    differing = replace(steps, thresholds=fan_in - np.clip(np.ceil(steps.thresholds), 0, fan_in + 1))
    return {"weights": _blocks(packed, LANES), "limits": _limits(differing, outputs, LANES, np.int64(-1), fan_in)}


def pack_floats(weights: np.ndarray, steps: Steps, pixels: int, channels: int) -> dict:
    """Integer weights (pixels * channels, outputs) as floats."""
    fan_in, outputs = weights.shape
    wide = np.zeros((fan_in, -(-outputs // FLOAT_LANES) * FLOAT_LANES), dtype=np.float32)
    wide[:, :outputs] = weights
    limits = _limits(steps, outputs, FLOAT_LANES, np.float32(np.inf), -np.inf)
    return {"weights": _blocks(wide, FLOAT_LANES), "limits": limits}


def pack_steps(steps: Steps, signs: np.ndarray | None, channels: int) -> dict:
    """Thresholds of a map of integers, (steps, channels)."""
    limits = np.ascontiguousarray(steps.by_channel(channels).T, dtype=np.float32)
    factors = np.ascontiguousarray(np.broadcast_to(1 if signs is None else signs, channels), dtype=np.float32)
    return {"limits": limits, "rows": len(limits), "signs": factors}


def pack_zeros(layer: Layer) -> dict:
    """What the places of a window add to the differing bits where the number 0 lies, not the bit 0: a pixel of C
    channels makes C/2 of them differ, and the bit 0 as many as its weights are 1. ``kinds`` int32 (places,): row of
    ``zeros`` int64 (rows, channels padded to whole blocks); -1 where no pixel of the window lies in the border.
    """
    top, left, bottom, right = layer.zeros
    entries, (height, width, outputs) = layer.entries, layer.shape
    rows = _inside(height, "h", entries, (top, bottom))
    columns = _inside(width, "w", entries, (left, right))
    taps = layer.weights.reshape(rows.shape[1] * columns.shape[1], entries["in_c"], outputs)
    added = np.zeros((len(taps), -(-outputs // LANES) * LANES), dtype=np.int64)
    added[:, :outputs] = entries["in_c"] // 2 - taps.sum(axis=1).astype(np.int64)
    missing = ~(rows[:, None, :, None] & columns[None, :, None, :]).reshape(height * width, len(taps))
    patterns, kinds = np.unique(missing, axis=0, return_inverse=True)
    kinds = np.where(missing.any(axis=1), kinds.reshape(-1), -1).astype(np.int32)
    return {"zeros": np.ascontiguousarray(patterns.astype(np.int64) @ added), "kinds": kinds}


def _inside(places: int, axis: str, entries: dict, pads: tuple[int, int]) -> np.ndarray:
    """bool (places, kernel): the pixel of the window lies between the two borders of an axis, h or w."""
    kernel, stride, dilation, side = (entries[f"{name}_{axis}"] for name in ("kernel", "stride", "dilation", "in"))
    at = np.arange(places)[:, None] * stride + np.arange(kernel) * dilation
    return (at >= pads[0]) & (at < side - pads[1])
