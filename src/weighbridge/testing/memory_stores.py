"""All stores of a use case in memory, for tests that run the whole loop."""

from __future__ import annotations

from pathlib import Path

from weighbridge.declare import UseCase
from weighbridge.identity import Draws, Pseudonyms
from weighbridge.ports import Stores
from weighbridge.score.signing import HomeSigner
from weighbridge.stores.locks import MemoryLocks
from weighbridge.stores.memory import (
    MemoryBundles,
    MemoryKeys,
    MemoryRegistry,
    MemoryShadows,
    MemoryTables,
    MemoryTracker,
)
from weighbridge.stores.memory_audit import MemoryAudit
from weighbridge.stores.memory_log import MemoryLog
from weighbridge.stores.rows import MemoryRows


def memory_stores(case: UseCase, reports: Path) -> Stores:
    """Return empty stores; reports are files in the given folder. The keys are known, so nothing here is secret."""
    audit = MemoryAudit()
    log = MemoryLog(case.events, audit)
    return Stores(
        log, MemoryTables(), MemoryRegistry(log, audit), MemoryTracker(), MemoryBundles(),
        HomeSigner(b"s" * 32), Pseudonyms(b"p" * 32), Draws(b"d" * 32), MemoryKeys(audit), audit, MemoryShadows(),
        MemoryLocks(), MemoryRows(), reports,
    )  # fmt: skip
