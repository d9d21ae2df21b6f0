"""A checkpoint: arrays and facts in one file that is whole and unchanged, or refused."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from weighbridge.errors import StoreFailure
from weighbridge.kernel.arrays import Arrays
from weighbridge.stores.files import replacing

_MAGIC = b"WEIGHCP1"
_SIZES = struct.Struct("<8sQ")
_PIECE = 1 << 22  # bytes hashed at a time


def write_checkpoint(path: Path, facts: Mapping[str, Any], arrays: Arrays) -> None:
    """Write a checkpoint: magic, length of the head, head (JSON: facts, shapes, sha256 of the rest), array bytes.

    Readers see the old file or the new one. Raises StoreFailure when it could not be written.
    """
    contents = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    hashed = hashlib.sha256()
    for array in contents.values():
        hashed.update(array.data.cast("B") if array.size else b"")
    shapes = {name: [array.dtype.str, list(array.shape)] for name, array in contents.items()}
    head = json.dumps({"facts": dict(facts), "arrays": shapes, "sha256": hashed.hexdigest()}).encode()
    with replacing(path) as file:
        file.write(_SIZES.pack(_MAGIC, len(head)) + head + hashlib.sha256(head).digest())
        for array in contents.values():
            file.write(array.data.cast("B") if array.size else b"")


def read_checkpoint(path: Path) -> tuple[dict[str, Any], Arrays]:
    """Return a checkpoint's facts and arrays. Raises StoreFailure when it is missing, torn or changed."""
    try:
        with path.open("rb") as file:
            magic, size = _SIZES.unpack(file.read(_SIZES.size))
            head = file.read(size) if magic == _MAGIC and size < 1 << 30 else b""
            if not head or hashlib.sha256(head).digest() != file.read(32):
                raise StoreFailure(f"the checkpoint {path} is torn or changed")
            told = json.loads(head)
            hashed, arrays = hashlib.sha256(), {}
            for name, (dtype, shape) in told["arrays"].items():
                array = np.empty(shape, dtype=np.dtype(dtype))
                _read_into(file, array, hashed)
                arrays[name] = array
            if hashed.hexdigest() != told["sha256"] or file.read(1):
                raise StoreFailure(f"the checkpoint {path} is torn or changed")
    except (OSError, struct.error) as fault:
        raise StoreFailure(f"the checkpoint {path} cannot be read ({fault})") from fault
    return told["facts"], arrays


def _read_into(file: BinaryIO, array: npt.NDArray[Any], hashed: hashlib._Hash) -> None:
    """Fill an array from a file, hashing it on the way."""
    view = array.data.cast("B") if array.size else memoryview(bytearray())
    place = 0
    while place < len(view):
        got = file.readinto(view[place : place + _PIECE])  # type: ignore[attr-defined]
        if not got:
            raise StoreFailure("the checkpoint is torn: it ends too early")
        hashed.update(view[place : place + got])
        place += got
