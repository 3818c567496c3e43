"""Files of `numpy.save` and `numpy.savez` from anywhere: read whole, or refused with a ValueError.

numpy and zipfile raise a dozen kinds of errors for damaged files, and believe what a header says of its size. Copied
into every package; needs numpy, Python 3.8 or later.
"""

import io
import math
import zipfile

import numpy as np

MOST = 1 << 30
"""Bytes of all arrays of a file, unpacked, at most; or four times those of the file, where that is more."""
LONGEST = 200
"""Characters of an array's name at most."""


def read_npy(body: bytes) -> np.ndarray:
    """The array of a file of `numpy.save`, which holds what it says and no objects; it cannot be written to.

    Raises ValueError.
    """
    file = io.BytesIO(body)
    try:
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, fortran, dtype = read(file)
    except Exception:  # of a damaged header: nearly any, from Python's own parser
        raise ValueError("this is no .npy file: write one with numpy.save") from None
    rest = len(body) - file.tell()
    if dtype.hasobject or not dtype.itemsize or min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != rest:
        raise ValueError(f"this .npy file says it holds {shape} of {dtype}, and {rest:,} bytes follow")
    array = np.frombuffer(body, dtype, offset=file.tell())
    return array.reshape(shape[::-1]).T if fortran else array.reshape(shape)


def read_npz(path) -> dict:
    """The arrays of a file of `numpy.savez` by name. Raises ValueError, and OSError for what cannot be opened."""
    arrays = {}
    with open(path, "rb") as file:
        try:
            most = max(MOST, 4 * file.seek(0, io.SEEK_END))
            with zipfile.ZipFile(file) as archive:
                if (size := sum(entry.file_size for entry in archive.infolist())) > most:
                    raise ValueError(f"its arrays have {size:,} bytes, {most:,} are read at most")
                bodies = {entry.filename: archive.read(entry) for entry in archive.infolist()}
        except Exception as error:
            raise ValueError(f"it is no file of numpy.savez: {error!s:.100}") from None
    for name, body in bodies.items():
        if not name.endswith(".npy") or not name.isprintable() or len(name) > LONGEST:
            raise ValueError(f"it holds {name!r:.60}, which is no array")
        arrays[name[:-4]] = read_npy(body)
    return arrays


__all__ = ["read_npy", "read_npz"]
