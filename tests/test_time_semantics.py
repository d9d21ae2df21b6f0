"""The time-semantics suite on every store."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pyarrow.compute as pc

from tests.conftest import SOAK
from weighbridge.stores.database import Database
from weighbridge.stores.memory_log import MemoryLog
from weighbridge.stores.rows import FolderRows
from weighbridge.stores.sqlite_log import SqliteLog
from weighbridge.stores.state import MemoryState
from weighbridge.testing.semantics.door import Door
from weighbridge.testing.semantics.scene import PSEUDONYMS
from weighbridge.testing.time_semantics import TimeSemantics


class InMemory(TimeSemantics):
    hot_key_events, hot_key_sampled = (1_000_000, 8) if SOAK else (20_000, 2)

    def make_log(self, contract):
        return MemoryLog(contract)

    def make_state(self, plan):
        return MemoryState(plan)

    def make_state_within(self, plan, budget_bytes):
        return MemoryState(plan, budget_bytes)

    def has_spilled(self, state):
        return state.spilled


class TestMemory(InMemory):
    pass


class TestSqlite(InMemory):
    def make_rows(self):
        return FolderRows(Path(tempfile.mkdtemp()), 64 << 20)

    def make_log(self, contract):
        folder = Path(tempfile.mkdtemp())
        log = SqliteLog(Database(folder / "hot.sqlite", "written"), contract, folder)
        self.places = {**getattr(self, "places", {}), log: (folder, contract)}
        return log

    def reopen(self, log):
        folder, contract = self.places[log]
        again = SqliteLog(Database(folder / "hot.sqlite", "written"), contract, folder)
        self.places[again] = folder, contract
        return again


class FromCheckpoints(InMemory):
    """A restart reads the newest checkpoint, which is some records old, and the log behind it."""

    class Entrance(Door):
        records = 0

        def take(self, event):
            vector = super().take(event)
            self.save_sometimes()
            return vector

        def label(self, event_id, value, source="test"):
            super().label(event_id, value, source)
            self.save_sometimes()

        def save_sometimes(self):
            self.records += 1
            if self.records % (3 if self.records < 100 else 997) == 0:
                self.state.save(self.path, self.log.head().seq)

    def make_door(self, case, log, state, clock):
        door = self.Entrance(case, log, state, clock, PSEUDONYMS)
        door.path = self.path_of(log)
        return door

    def path_of(self, log):
        self.paths = getattr(self, "paths", {})
        return self.paths.setdefault(log, Path(tempfile.mkdtemp()) / "checkpoint")

    def restart(self, make, plan, log):
        if not self.path_of(log).exists():
            return super().restart(make, plan, log)
        state = make(plan)
        seq = state.restore(self.path_of(log), log.head().seq)
        events, labels = (table.filter(pc.greater(table["seq"], seq)) for table in (log.events(), log.labels()))
        state.load(events, labels, log.find)
        return state


class TestFromCheckpoints(FromCheckpoints):
    pass
