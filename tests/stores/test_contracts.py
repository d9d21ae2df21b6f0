from __future__ import annotations

import tempfile
from pathlib import Path

from weighbridge.stores.database import Database
from weighbridge.stores.files import FolderBundles, ParquetTables
from weighbridge.stores.locks import FolderLocks, MemoryLocks
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
from weighbridge.stores.rows import FolderRows, MemoryRows
from weighbridge.stores.sqlite_audit import SqliteAudit
from weighbridge.stores.sqlite_keys import SqliteKeys
from weighbridge.stores.sqlite_log import SqliteLog
from weighbridge.stores.sqlite_registry import SqliteRegistry, SqliteTracker
from weighbridge.stores.sqlite_shadows import TABLES, SqliteShadows
from weighbridge.testing.audit_contract import AuditContract
from weighbridge.testing.contracts import (
    BundleContract,
    KeyContract,
    LogContract,
    RegistryContract,
    ShadowContract,
    TableContract,
    TrackerContract,
)
from weighbridge.testing.locks_contract import LocksContract
from weighbridge.testing.rows_contract import RowsContract
from weighbridge.testing.samples import sample_contract


def folder() -> Path:
    return Path(tempfile.mkdtemp())


def database() -> Database:
    return Database(folder() / "hot.sqlite", "written")


class TestMemoryLog(LogContract):
    def make(self, contract):
        return MemoryLog(contract)


class TestSqliteLog(LogContract):
    def make(self, contract):
        return SqliteLog(database(), contract, folder() / "log")


class TestMemoryRegistry(RegistryContract):
    def make(self):
        log = MemoryLog(sample_contract())
        return MemoryRegistry(log), log


class TestSqliteRegistry(RegistryContract):
    def make(self):
        shared = database()
        return SqliteRegistry(shared), SqliteLog(shared, sample_contract(), folder() / "log")


class TestMemoryTracker(TrackerContract):
    def make(self):
        return MemoryTracker()


class TestSqliteTracker(TrackerContract):
    def make(self):
        return SqliteTracker(database())


class TestMemoryTables(TableContract):
    def make(self):
        return MemoryTables()


class TestParquetTables(TableContract):
    def make(self):
        return ParquetTables(folder())


class TestMemoryBundles(BundleContract):
    def make(self):
        return MemoryBundles()


class TestFolderBundles(BundleContract):
    def make(self):
        return FolderBundles(folder() / "bundles")


class TestMemoryKeys(KeyContract):
    def make(self):
        return MemoryKeys()


class TestSqliteKeys(KeyContract):
    def make(self):
        return SqliteKeys(database())


class TestMemoryAudit(AuditContract):
    def make(self):
        trail = MemoryAudit()
        log = MemoryLog(sample_contract(), trail)
        return trail, log, MemoryRegistry(log, trail), MemoryKeys(trail)


class TestSqliteAudit(AuditContract):
    def make(self):
        opened = database()
        log = SqliteLog(opened, sample_contract(), folder() / "log")
        return SqliteAudit(opened), log, SqliteRegistry(opened), SqliteKeys(opened)


class TestMemoryShadows(ShadowContract):
    def make(self):
        return MemoryShadows()


class TestSqliteShadows(ShadowContract):
    def make(self):
        return SqliteShadows(Database(folder() / "shadow.sqlite", "written", TABLES))


class TestMemoryRows(RowsContract):
    def make(self):
        return MemoryRows()


class TestFolderRows(RowsContract):
    def make(self):
        return FolderRows(folder() / "rows", 64 << 20)


class TestMemoryLocks(LocksContract):
    def make(self):
        return MemoryLocks()


class TestFolderLocks(LocksContract):
    def make(self):
        return FolderLocks(folder() / "locks")
