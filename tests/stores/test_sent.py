"""An event keeps the child rows that came with it: hot, sealed, and in memory."""

from __future__ import annotations

from tests.lending import CASE
from weighbridge.records import EventRecord
from weighbridge.stores.database import Database
from weighbridge.stores.memory_log import MemoryLog
from weighbridge.stores.sqlite_log import SqliteLog
from weighbridge.stores.tables import event_at

SENT = '{"loans":[["ann","l1",-3,525,null]]}'
EVENTS = [EventRecord("e1", 1, 1, ("ann", 100), SENT), EventRecord("e2", 2, 2, (None, 200))]


def test_child_rows_stay_with_their_event(tmp_path):
    sqlite = SqliteLog(Database(tmp_path / "hot.sqlite", "written"), CASE.events, tmp_path / "log")
    for log in (MemoryLog(CASE.events), sqlite):
        log.commit([(event, None) for event in EVENTS])
        for _ in range(2):
            assert [log.find(event.event_id)[1] for event in EVENTS] == EVENTS
            table = log.events()
            assert [event_at(CASE.events, table, row) for row in range(2)] == EVENTS
            assert not log.find("e1")[1].same_content(EventRecord("e1", 1, 1, ("ann", 100)))
            log.seal(0)
    assert sqlite.segments()
