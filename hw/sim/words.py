"""Elements to stream words and back: element 0 in the lowest bits, zero padded to whole bytes; images to batches."""

import numpy as np


def filled(images: np.ndarray, batch: int) -> np.ndarray:
    """Images [N, ...] and, where ``batch`` does not divide N, the last one again until it does."""
    return np.concatenate([images, np.repeat(images[-1:], -len(images) % batch, axis=0)])


def pack(elements: np.ndarray, bits: int, word_bits: int | None = None) -> np.ndarray:
    """Integers [words, elements] (or [words], one each) to uint8 [words, ceil(word_bits / 8)], two's complement.

    Raises ValueError if an element does not fit into `bits` bits or the elements do not fit into `word_bits`.
    """
    table = np.asarray(elements)
    table = table.reshape(len(table), -1)
    used = table.shape[1] * bits
    word_bits = used if word_bits is None else word_bits
    if used > word_bits:
        raise ValueError(f"{table.shape[1]} elements of {bits} bits do not fit into a word of {word_bits} bits")
    if table.size and (table.min() < -(1 << bits - 1) or table.max() >= 1 << bits):
        raise ValueError(f"elements {table.min()}..{table.max()} do not fit into {bits} bits")
    size = (word_bits + 7) // 8
    if bits == 8:
        narrow = table.astype(np.uint8)
    elif bits == 1:
        narrow = np.packbits(table.astype(np.uint8) & 1, axis=1, bitorder="little")
    else:
        planes = table.astype(np.int64)[:, :, None] >> np.arange(bits) & 1
        narrow = np.packbits(planes.reshape(len(table), -1).astype(np.uint8), axis=1, bitorder="little")
    return np.ascontiguousarray(np.pad(narrow, ((0, 0), (0, size - narrow.shape[1]))))


def unpack(words: np.ndarray, bits: int, count: int, signed: bool = False) -> np.ndarray:
    """uint8 [words, bytes] to int64 [words, count]: the lowest `count` elements of `bits` bits each."""
    flat = np.unpackbits(words, axis=1, bitorder="little", count=bits * count)
    planes = flat.reshape(len(words), count, bits).astype(np.int64)
    if signed:
        planes[:, :, -1] *= -1
    return planes @ (np.int64(1) << np.arange(bits, dtype=np.int64))
