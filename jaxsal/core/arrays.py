"""Arrays of NumPy's files, whose headers are compared with the bytes that are there before anything is allocated."""

import io
import math
import zipfile
from pathlib import Path

import numpy as np

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def parse_npy(content: bytes) -> np.ndarray:
    """The array of a .npy file.

    Raises:
      ValueError: If its header does not fit its bytes, or is damaged.
    """
    file = io.BytesIO(content)
    shape, is_fortran, dtype = _HEADERS[np.lib.format.read_magic(file)](file)
    start = file.tell()
    if dtype.hasobject or min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != len(content) - start:
        raise ValueError(f"an array of shape {shape} and type {dtype} has {len(content) - start} bytes")
    flat = np.frombuffer(content, dtype, math.prod(shape), start)
    return flat.reshape(shape, order="F" if is_fortran else "C").copy()


def read_npz(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz file that is not compressed, as `numpy.savez` writes it; every byte is under its CRC.

    Raises:
      FileNotFoundError: If there is no such file.
      Exception: Of many kinds, if it is damaged or no such file.
    """
    with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        if any(e.compress_type != zipfile.ZIP_STORED or e.file_size != e.compress_size for e in entries):
            raise ValueError("it is compressed")
        return {entry.filename.removesuffix(".npy"): parse_npy(read_entry(archive, entry)) for entry in entries}


def read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """The content of an entry; of one that holds more than it announces, no more is unpacked than that.

    Raises:
      BadZipFile: If the content does not have its CRC.
    """
    with archive.open(entry) as file:
        return file.read(entry.file_size + 1)  # `archive.read` unpacks everything before it looks at the size
