"""Rows of integers spread over files on disk, to be read back one bucket at a time."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

from weighbridge.errors import StoreFailure
from weighbridge.kernel.arrays import Ints


class Buckets:
    """int64 rows of one width in `count` files; a bucket's rows come back in the order in which they were added."""

    def __init__(self, folder: Path, name: str, width: int) -> None:
        self._folder, self._name, self._width = folder, name, width

    def add(self, buckets: Ints, rows: Ints) -> None:
        """Append rows (int64[n, width]) to their buckets (int64[n]). Raises StoreFailure when the disk is full."""
        order = np.argsort(buckets, kind="stable")
        ranked = buckets[order]
        changes = np.flatnonzero(ranked[1:] != ranked[:-1]) + 1
        for first, last in pairwise([0, *changes.tolist(), len(ranked)] if len(ranked) else []):
            try:
                with self._path(int(ranked[first])).open("ab") as file:
                    file.write(np.ascontiguousarray(rows[order[first:last]], dtype=np.int64).data)
            except OSError as fault:
                raise StoreFailure(f"{self._folder} has no room for a build in parts ({fault.strerror})") from fault

    def rows(self, bucket: int) -> Ints:
        """Return a bucket's rows, int64[n, width], and delete its file."""
        path = self._path(bucket)
        if not path.exists():
            return np.zeros((0, self._width), dtype=np.int64)
        found = np.fromfile(path, dtype=np.int64).reshape(-1, self._width)
        path.unlink()
        return found

    def _path(self, bucket: int) -> Path:
        return self._folder / f"{self._name}-{bucket}"
