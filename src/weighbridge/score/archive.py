"""Named arrays as bytes, read only when they are as large as they are said to be."""

from __future__ import annotations

import io
import math
import threading
import zipfile

import numpy as np
from numpy.lib import format as npy

from weighbridge.kernel.arrays import Arrays

# numpy reads headers with Python's parser, and that of Python 3.11 counts its depth for all threads together:
# two that read at once may be told "AST constructor recursion depth mismatch" (CPython issue 106905)
_READING = threading.Lock()
HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def to_bytes(arrays: Arrays) -> bytes:
    """Return arrays as an uncompressed npz file."""
    sink = io.BytesIO()
    np.savez(sink, allow_pickle=False, **arrays)
    return sink.getvalue()


def from_bytes(content: bytes) -> Arrays:
    """Return the arrays of an npz file. Raises ValueError for one that would take more memory than it has bytes."""
    with _READING:
        return _read(content)


def _read(content: bytes) -> Arrays:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for member in archive.infolist():
            if member.compress_type != zipfile.ZIP_STORED or member.file_size > len(content):
                raise ValueError(f"{member.filename} is compressed, or larger than the file that holds it")
            with archive.open(member) as part:
                shape, _, dtype = HEADERS[npy.read_magic(part)](part)
                if dtype.hasobject or math.prod(shape) * dtype.itemsize != member.file_size - part.tell():
                    raise ValueError(f"{member.filename} does not hold the numbers that its header promises")
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}
