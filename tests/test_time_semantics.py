"""The time-semantics suite on every store."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.conftest import SOAK
from weighbridge.stores.database import Database
from weighbridge.stores.memory import MemoryLog
from weighbridge.stores.sqlite_log import SqliteLog
from weighbridge.stores.state import MemoryState
from weighbridge.testing.time_semantics import TimeSemantics


class InMemory(TimeSemantics):
    hot_key_events, hot_key_sampled = (1_000_000, 8) if SOAK else (20_000, 2)

    def make_log(self, contract):
        return MemoryLog(contract)

    def make_state(self, plan):
        return MemoryState(plan)


class TestMemory(InMemory):
    pass


class TestSqlite(InMemory):
    def make_log(self, contract):
        folder = Path(tempfile.mkdtemp(prefix="weighbridge-test-"))
        log = SqliteLog(Database(folder / "hot.sqlite", "written"), contract, folder)
        self.places = {**getattr(self, "places", {}), log: (folder, contract)}
        return log

    def reopen(self, log):
        folder, contract = self.places[log]
        again = SqliteLog(Database(folder / "hot.sqlite", "written"), contract, folder)
        self.places[again] = folder, contract
        return again
