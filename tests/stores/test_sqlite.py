"""What only a durable engine can get wrong: restarts, tampering, damage."""

from __future__ import annotations

import os
import sqlite3

import pyarrow as pa
import pytest

from weighbridge.errors import HomeError, InputError, StoreFailure
from weighbridge.records import LabelRecord
from weighbridge.stores import database
from weighbridge.stores.database import Database
from weighbridge.stores.files import ParquetTables, write_atomically
from weighbridge.stores.sources import read_file, write_file
from weighbridge.stores.sqlite_log import SqliteLog
from weighbridge.stores.tables import LABELS, event_table, in_order_of_arrival
from weighbridge.testing.log_contract import sample_decision, sample_event
from weighbridge.testing.samples import sample_contract


def open_log(folder):
    return SqliteLog(Database(folder / "hot.sqlite"), sample_contract(), folder / "log")


def import_two(log):
    events = event_table(sample_contract(), [(0, sample_event(n)) for n in (1, 2)]).drop_columns(["seq"])
    log.import_history(*in_order_of_arrival(log.head(), events, LABELS.empty_table().drop_columns(["seq"])))


def test_a_log_survives_a_restart(tmp_path):
    log = open_log(tmp_path)
    import_two(log)
    log.commit([(sample_event(3), sample_decision(3))])
    again = open_log(tmp_path)
    assert again.head() == log.head()
    assert again.events() == log.events()
    assert again.decision("e3") == sample_decision(3)


@pytest.mark.parametrize("ids", [[], ["e1", "e9"]])
def test_which_ids_are_known_is_a_column_of_booleans_also_of_none(tmp_path, ids):
    log = open_log(tmp_path)
    asked = pa.array(ids, pa.string())
    assert log.known(asked) == pa.array([False] * len(ids), pa.bool_())
    import_two(log)
    assert log.known(asked) == pa.array([True, False][: len(ids)], pa.bool_())


def test_a_tampered_decision_breaks_the_chain(tmp_path):
    log = open_log(tmp_path)
    for number in range(1, 5):
        log.commit([(sample_event(number), sample_decision(number))])
    with sqlite3.connect(tmp_path / "hot.sqlite") as other:
        other.execute("update decisions set probability = 0.26 where event_id = 'e2'")
    assert log.broken_link() == 2


def test_a_removed_decision_breaks_the_chain(tmp_path):
    log = open_log(tmp_path)
    for number in range(1, 5):
        log.commit([(sample_event(number), sample_decision(number))])
    with sqlite3.connect(tmp_path / "hot.sqlite") as other:
        other.execute("delete from decisions where event_id = 'e2'")
    assert log.broken_link() == 3


def test_a_changed_segment_is_refused(tmp_path):
    log = open_log(tmp_path)
    import_two(log)
    segment = next((tmp_path / "log").glob("event-*.parquet"))
    content = bytearray(segment.read_bytes())
    content[40] ^= 1
    segment.write_bytes(content)
    with pytest.raises(StoreFailure, match="changed after it was sealed"):
        log.events()
    segment.unlink()
    with pytest.raises(StoreFailure, match="cannot be read"):
        log.events()


def test_a_failed_write_stores_nothing(tmp_path):
    log = open_log(tmp_path)
    log.commit([(sample_event(1), None)])
    before = log.head()
    with sqlite3.connect(tmp_path / "hot.sqlite") as other:
        other.execute("create trigger full before insert on log begin select raise(fail, 'disk is full'); end")
    with pytest.raises(StoreFailure, match="nothing of it was stored"):
        log.commit([(sample_event(2), None)])
    assert log.head() == before
    assert not log.holds("e2")


def test_a_database_that_is_none_is_refused(tmp_path):
    (tmp_path / "hot.sqlite").write_bytes(b"this is no database, and long enough to be read as one" * 40)
    with pytest.raises(HomeError, match="restore it"):
        Database(tmp_path / "hot.sqlite")


def test_a_database_of_another_format_is_refused(tmp_path):
    with sqlite3.connect(tmp_path / "hot.sqlite") as other:
        other.execute("create table log (seq integer)")
    with pytest.raises(HomeError, match="has format 0, this program reads 4; choose another --home"):
        Database(tmp_path / "hot.sqlite")


def test_a_group_may_be_of_any_size(tmp_path):
    log = open_log(tmp_path)
    for size, first in ((1, 0), (63, 1), (64, 64), (65, 128), (3_000, 193)):
        group = [(sample_event(n), sample_decision(n)) for n in range(first, first + size)]
        assert log.commit(group, [LabelRecord("e0", 1, 0, "x")] * size) == sorted(
            range(2 * first + 1, 2 * (first + size) + 1)
        )
    assert log.broken_link() is None


def test_readers_do_not_wait_for_a_commit(tmp_path):
    log = open_log(tmp_path)
    log.commit([(sample_event(1), sample_decision(1))])
    with log._database.write() as connection:
        connection.execute("delete from ids")
        assert log.find("e1") == (1, sample_event(1))
        assert len(log.events()) == 1
        connection.execute("rollback")
        connection.execute("begin")


@pytest.mark.parametrize(("acknowledge", "syncs"), [("synced", 1), ("written", 0)])
def test_what_is_acknowledged_as_synced_is_synced(tmp_path, monkeypatch, acknowledge, syncs):
    path, synced = tmp_path / "hot.sqlite", []
    database = Database(path, acknowledge)
    monkeypatch.setattr(os, "fdatasync", lambda handle: synced.append(os.fstat(handle).st_ino))
    with database.write() as connection:
        assert connection.execute("pragma synchronous").fetchone()[0] == 1
        assert connection.execute("pragma journal_mode").fetchone()[0] == "wal"
    assert synced == [(tmp_path / "hot.sqlite-wal").stat().st_ino] * syncs
    with database.write(sync=False):
        pass
    assert len(synced) == syncs
    database.sync()
    assert len(synced) == 2 * syncs
    database.close()


def test_a_disk_that_does_not_confirm_is_told_of(tmp_path, monkeypatch):
    def broken(_):
        raise OSError(5, "Input/output error")

    database = Database(tmp_path / "hot.sqlite", "synced")
    monkeypatch.setattr(os, "fdatasync", broken)
    with pytest.raises(StoreFailure, match="confirmed no write"), database.write():
        pass
    database.close()


def test_files_are_replaced_atomically(tmp_path):
    path = tmp_path / "deep" / "file"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert [p.name for p in path.parent.iterdir()] == ["file"]
    with pytest.raises(StoreFailure, match="make room and try again"):
        write_atomically(path / "below a file", b"three")


def test_a_damaged_table_is_refused(tmp_path):
    tables = ParquetTables(tmp_path)
    tables.put("a", pa.table({"x": [1]}))
    (tmp_path / "a.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:-9])
    with pytest.raises(InputError, match="not a whole Parquet file"):
        tables.get("a")


@pytest.mark.parametrize("name", ["a.parquet", "a.csv"])
def test_files_go_out_and_come_in(tmp_path, name):
    table = pa.table({"x": ["1", "2"], "y": ["a", None]})
    write_file(tmp_path / name, table)
    assert read_file(tmp_path / name).to_pylist() == table.to_pylist()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("gone.csv", None, "is not there"),
        ("empty.csv", b"", "is empty"),
        ("empty.parquet", b"", "is empty"),
        ("cut.parquet", b"PAR1" + b"x" * 50, "cannot be read"),
        ("twice.csv", b"a,a\n1,2\n", "two columns called 'a'"),
        ("ragged.csv", b"a,b\n1,2\n3\n", "cannot be read"),
        ("bytes.csv", b"a\n\xff\xfe\xfa\n", "cannot be read"),
        ("what.txt", b"a\n1\n", "neither Parquet nor CSV"),
    ],
)
def test_unreadable_files_say_why(tmp_path, name, content, says):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=says):
        read_file(tmp_path / name)


@pytest.mark.parametrize(("every", "is_bounded"), [(50, True), (10**9, False)])
def test_the_write_ahead_file_is_emptied_beside_however_much_is_written(tmp_path, monkeypatch, every, is_bounded):
    monkeypatch.setattr(database, "CHECKPOINT_EVERY", every)
    opened, sizes = Database(tmp_path / "hot.sqlite", "written"), []
    log = SqliteLog(opened, sample_contract(), tmp_path / "log")
    for number in range(1_500):
        log.commit([(sample_event(number), sample_decision(number))])
        sizes.append((tmp_path / "hot.sqlite-wal").stat().st_size)
        if opened._checkpoint.is_alive():
            opened._checkpoint.join()
    assert (max(sizes) < 8 << 20) is is_bounded
    opened.close()
    assert len(open_log(tmp_path).decisions()) == 1_500
