"""Changes of what TOML, JSON and .npz files hold: tables, lists, numbers, texts, arrays; and of any bytes."""

import copy
import datetime
import io
import json
import math
from random import Random

import numpy as np

ODD = (
    None, True, False, 0, 1, -1, 2, 3, 64, 1 << 31, 1 << 63, 1 << 64, -(1 << 63), 10**400, 0.5, -0.0, 1e308, 1e-320,
    math.inf, -math.inf, math.nan, "", "x", "0", "\n", "a\nb", "../../x", "/etc/passwd", "é\u2028\x00", "y" * 300,
    "uint8", "PE", [], {}, [[]], [1], [1, 1, 1, 1], ["x", "x"], {"x": 1}, {"": {}}, [{}], datetime.date(1, 1, 1),
)  # fmt: skip


def changed(tree: dict, rng: Random, keys: tuple[str, ...] = (), values: tuple = ()) -> dict:
    """A copy with one to three changes; ``keys`` and ``values`` are words that mean something there."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        _change(tree, rng, keys, (*ODD, *values, *values))
    return tree


def _holders(tree) -> list:
    """Every table and list."""
    inner = tree.values() if isinstance(tree, dict) else tree
    return [tree, *(found for part in inner if isinstance(part, dict | list) for found in _holders(part))]


def _change(tree: dict, rng: Random, keys: tuple[str, ...], values: tuple) -> None:
    holder = rng.choice(_holders(tree))
    at = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    known = [*keys, *(key for part in _holders(tree) if isinstance(part, dict) for key in part), "x", "", "a b", "é"]
    if not at or rng.random() < 0.15:
        value = _value(0, tree, rng, values)
        if isinstance(holder, dict):
            holder[rng.choice(known)] = value
        else:
            holder.insert(rng.randrange(len(holder) + 1), value)
        return
    key, way = rng.choice(at), rng.random()
    if way < 0.15:
        del holder[key]
    elif way < 0.25 and isinstance(holder, dict):
        holder[rng.choice(known)] = holder.pop(key)
    else:
        holder[key] = _value(holder[key], tree, rng, values)


def _value(old, tree: dict, rng: Random, values: tuple):
    way = rng.random()
    if way < 0.25 and isinstance(old, int | float) and -1e300 < old < 1e300:
        return rng.choice((old + 1, old - 1, -old, 2 * old, old / 2, float(old)))
    if way < 0.35:
        part = rng.choice(_holders(tree))
        return copy.deepcopy(rng.choice([part, *(part.values() if isinstance(part, dict) else part)]))
    if way < 0.4:
        return [old, copy.deepcopy(old)] if isinstance(old, int | float | str | None) else [old]
    return copy.deepcopy(rng.choice(values))


def jsoned(tree) -> bytes:
    """As JSON, with its extensions for numbers that are not finite."""
    return json.dumps(tree, default=str).encode()


def tomled(table: dict) -> bytes:
    """As TOML; None is left out."""
    return "\n".join(f"{_key(key)} = {_toml(value)}" for key, value in table.items() if value is not None).encode()


def _key(key: str) -> str:
    return json.dumps(key)


def _toml(value) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(k)} = {_toml(v)}" for k, v in value.items() if v is not None) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(part) for part in value if part is not None) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value.isoformat() if isinstance(value, datetime.date) else json.dumps(value)


def npz(**arrays) -> bytes:
    """A file of `numpy.savez`."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def arrays_changed(data: bytes, rng: Random) -> bytes:
    """One array is gone, doubled, of another type, shape or value; or one byte of its header or numbers is another."""
    try:
        with np.load(io.BytesIO(data)) as found:
            arrays = {name: array for name, array in found.items() if isinstance(array, np.ndarray)}
    except Exception:
        arrays = {}
    if not arrays or rng.random() < 0.3:
        return bytes_changed(data, rng)
    name = rng.choice(sorted(arrays))
    value = arrays[name]
    if rng.random() < 0.15:
        del arrays[name]
        return npz(**arrays)
    ways = (
        lambda: value.astype(rng.choice(("f4", "f8", "i1", "i8", "u8", "U3", "S2", "?", "c8", "f2"))),
        lambda: value.reshape(-1), lambda: value[None], lambda: value.reshape(-1)[:0], lambda: value.reshape(-1)[0],
        lambda: np.concatenate([value, value]), lambda: np.full_like(value, rng.choice((0, 1, -1, 127, 255))),
        lambda: np.full(value.shape, rng.choice((0, 1 << 40, -(1 << 63), np.nan, np.inf))),
        lambda: arrays[rng.choice(sorted(arrays))],
        lambda: np.zeros(value.shape, [("a", "i4"), ("b", "f4")]), lambda: np.array("x\n" * 3),
    )  # fmt: skip
    try:
        arrays[name] = rng.choice(ways)()
    except (ValueError, TypeError, IndexError, OverflowError):
        arrays["more"] = np.zeros(2)
    return npz(**arrays)


def bytes_changed(data: bytes, rng: Random) -> bytes:
    """Cut off, one byte changed, or other bytes put in."""
    at = rng.randrange(len(data) + 1)
    if rng.random() < 0.2:
        return data[:at]
    if rng.random() < 0.3:
        return data[:at] + rng.choice((b"\x00", b"\n", b"  ", b"../x", b"\xff\xfe", rng.randbytes(3))) + data[at:]
    return data[:at] + rng.randbytes(1) + data[at + 1 :]
