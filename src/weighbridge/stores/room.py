"""Room for an arena: memory up to a declared budget, a file beyond it. Nothing is ever dropped for want of memory."""

from __future__ import annotations

import mmap
import os
import tempfile
from pathlib import Path

import numpy as np

from weighbridge.errors import StoreFailure
from weighbridge.kernel.arena import LIVE, TOP, start_arena
from weighbridge.kernel.arrays import Ints

WORD = 8  # bytes


class Room:
    """The words of one arena.

    `budget_bytes` of address space are reserved at once and become memory only when they are used. An arena that
    outgrows them moves to a file without a name in `folder`: the operating system keeps its busy pages in memory and
    the rest on disk.
    """

    def __init__(self, budget_bytes: int, folder: Path | None = None) -> None:
        self._folder = folder
        self._file: mmap.mmap | None = None
        self._handle = -1
        self.words: Ints = start_arena(np.empty(max(budget_bytes // WORD, 4_096), dtype=np.int64))

    @property
    def used_bytes(self) -> int:
        """Bytes that blocks in use take."""
        return WORD * int(self.words[LIVE])

    @property
    def spilled(self) -> bool:
        """Whether the arena has outgrown its budget and lives in a file."""
        return self._file is not None

    def see_to(self, words: int) -> None:
        """Make sure that so many words are unused. Raises StoreFailure when there is no disk for them."""
        if len(self.words) - int(self.words[TOP]) >= words:
            return
        size = 2 * len(self.words) + words
        try:
            if self._handle < 0:
                with tempfile.TemporaryFile(dir=self._folder, prefix="state-") as file:
                    self._handle = os.dup(file.fileno())
            os.posix_fallocate(self._handle, 0, size * WORD)  # a full disk is an error here, and a crash later
            wider = mmap.mmap(self._handle, size * WORD)
        except OSError as fault:
            raise StoreFailure(
                f"the state has outgrown its {len(self.words) * WORD:,} bytes and {size * WORD:,} bytes of disk could "
                f"not be had ({fault.strerror}); raise the memory budget or free disk space"
            ) from fault
        old, self.words = self.words, np.frombuffer(wider, dtype=np.int64)
        if self._file is None:
            self.words[: old[TOP]] = old[: old[TOP]]
        self._file = wider

    def release(self) -> None:
        """Let go of the memory that an arena in a file takes; the pages come back when they are asked for."""
        if self._file is not None:
            self._file.madvise(mmap.MADV_DONTNEED)

    def __del__(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
