"""Everything that a function of (use case, stores, clock) is given as its stores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from weighbridge.identity import Draws, Pseudonyms
from weighbridge.ports.alerts import Sinks, no_sinks
from weighbridge.ports.audit import Audit
from weighbridge.ports.keys import Keys
from weighbridge.ports.locks import Locks
from weighbridge.ports.log import Log
from weighbridge.ports.models import BundleStore, Registry, Signer, TableStore, Tracker
from weighbridge.ports.rows import RowStore
from weighbridge.ports.shadows import Shadows


@dataclass(frozen=True)
class Budget:
    """What long work may take of this machine: memory beyond its input, cores, and a folder for what does not fit.

    `folder` None is the system's folder for temporary files.
    """

    memory_bytes: int = 2 << 30
    cores: int = 1
    folder: Path | None = None


@dataclass(frozen=True)
class Stores:
    """Everything that runs is a function of (use case, stores, clock): these are the stores.

    `reports` is the folder for what people read; `pseudonyms` replaces personal values; `draws` is chance, by a
    key of the home; `budget` bounds long work; `sinks` are where alerts go, by name.
    """

    log: Log
    tables: TableStore
    registry: Registry
    tracker: Tracker
    bundles: BundleStore
    signer: Signer
    pseudonyms: Pseudonyms
    draws: Draws
    keys: Keys
    audit: Audit
    shadows: Shadows
    locks: Locks
    rows: RowStore
    reports: Path
    budget: Budget = Budget()
    sinks: Sinks = no_sinks
