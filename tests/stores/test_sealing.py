"""The cold part of the embedded log: crashes between file and manifest, damaged files, look-ups, forgetting."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import replace

import pytest

from weighbridge.errors import StoreFailure
from weighbridge.records import LabelRecord
from weighbridge.stores import cold, segments
from weighbridge.stores.database import Database
from weighbridge.stores.sqlite_log import SqliteLog
from weighbridge.testing.log_contract import sample_decision, sample_event
from weighbridge.testing.samples import sample_contract


def open_log(folder):
    return SqliteLog(Database(folder / "hot.sqlite", "written"), sample_contract(), folder / "log")


def fill(log, first, last):
    for number in range(first, last + 1):
        log.commit([(sample_event(number), sample_decision(number))], [LabelRecord(f"e{number}", 1, 0, "x")])


def everything(log):
    tables = [table.to_pylist() for table in (log.events(), log.labels(), log.decisions())]
    return tables, log.head(), [log.find(f"e{n}") for n in range(20)], [log.decision(f"e{n}") for n in range(20)]


def count(folder, table):
    with sqlite3.connect(folder / "hot.sqlite") as other:
        return other.execute(f"select count(*) from {table}").fetchone()[0]


@pytest.fixture
def full(tmp_path):
    log = open_log(tmp_path)
    fill(log, 1, 12)
    return log


def test_what_is_sealed_leaves_the_database(full, tmp_path):
    assert full.seal(6) == 18
    assert (count(tmp_path, "log"), count(tmp_path, "decisions"), count(tmp_path, "segments")) == (6, 3, 3)
    assert full.seal(6) == 0
    assert len(list((tmp_path / "log").iterdir())) == 3


def test_a_crash_between_file_and_manifest_loses_nothing(full, tmp_path, monkeypatch):
    """The transaction that names the files fails; the files are removed by the next sealing, not before."""
    before = everything(full)
    with sqlite3.connect(tmp_path / "hot.sqlite") as other:
        other.execute("create trigger full before delete on log begin select raise(fail, 'disk is full'); end")
    with pytest.raises(StoreFailure, match="nothing of it was stored"):
        full.seal(4)
    (tmp_path / "log" / "event-000000000001-dead.parquet.1234.part").write_bytes(b"half a file")
    again = open_log(tmp_path)
    assert everything(again) == everything(full) == before
    assert count(tmp_path, "segments") == 0
    assert len(list((tmp_path / "log").iterdir())) == 4
    with sqlite3.connect(tmp_path / "hot.sqlite") as other:
        other.execute("drop trigger full")
    fill(again, 13, 14)
    assert again.seal(4) == 24
    assert len(list((tmp_path / "log").iterdir())) == 3
    assert again.broken_link() is None
    assert len(again.events()) == 14


def test_decisions_go_with_the_segment_of_their_events(tmp_path, monkeypatch):
    """A segment ends after so many rows; decisions about events of one that stays, stay."""
    monkeypatch.setattr(segments, "SEGMENT_ROWS", 4)
    log = open_log(tmp_path)
    for number in range(1, 13):
        log.commit([(sample_event(number), sample_decision(number) if number % 3 else None)])
    log.seal(0)
    assert log.forget(8_500) == 8
    assert log.decisions()["event_id"].to_pylist() == ["e10", "e11"]
    assert log.broken_link() is None


@pytest.mark.parametrize("damage", ["flip", "cut", "delete"])
@pytest.mark.parametrize("warm", [False, True])
def test_a_damaged_segment_is_said_and_never_read(full, tmp_path, damage, warm):
    full.seal(0)
    if warm:
        everything(full)
    for path in (tmp_path / "log").iterdir():
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content if damage == "flip" else content[:-50])
        if damage == "delete":
            path.unlink()
    reads = (
        full.events,
        full.labels,
        full.decisions,
        full.broken_link,
        lambda: full.find("e3"),
        lambda: full.decision("e3"),
    )
    for read in reads:
        with pytest.raises(StoreFailure, match=r"segment \w+-0000.* restore it from a copy"):
            read()
    assert full.holds("e3")


def test_a_file_that_only_was_touched_is_verified_again_and_read(full, tmp_path):
    full.seal(0)
    before = everything(full)
    for path in (tmp_path / "log").iterdir():
        os.utime(path)
    assert everything(full) == before


def test_pieces_and_row_groups_join(tmp_path, monkeypatch):
    monkeypatch.setattr(cold, "PIECE", 7)
    monkeypatch.setattr(segments, "GROUP_ROWS", 2)
    monkeypatch.setattr(segments, "MOST_OPEN", 2)
    log = open_log(tmp_path)
    fill(log, 1, 19)
    before = everything(log)
    assert log.seal(1) == 37
    assert everything(log) == before
    assert log.broken_link() is None
    assert count(tmp_path, "segments") > 12
    assert log.forget(10_000) in (7, 8, 9)  # whole segments only
    assert log.broken_link() is None
    assert not log.holds("e7")
    assert log.find("e10") == before[2][10]


def test_segments_before_a_place_are_not_opened(full, tmp_path):
    full.seal(12)
    fill(full, 13, 15)
    full.seal(4)
    first = sorted((tmp_path / "log").glob("event-*"))[0]
    first.write_bytes(b"not Parquet")
    assert full.events(12)["event_id"].to_pylist() == [f"e{n}" for n in range(7, 16)]
    with pytest.raises(StoreFailure):
        full.events(10)


@pytest.mark.parametrize("sealed", [0, 12, 24])
def test_a_removed_last_decision_is_noticed(full, tmp_path, sealed):
    full.seal(24 - sealed)
    with sqlite3.connect(tmp_path / "hot.sqlite") as other:
        if sealed == 24:
            other.execute("delete from segments where kind = 'decision'")
        else:
            other.execute("delete from decisions where event_id = 'e12'")
    assert full.broken_link() == (0 if sealed == 24 else 21)


def test_a_tampered_sealed_decision_breaks_the_chain(tmp_path):
    """Even where somebody also writes a new manifest."""
    log = open_log(tmp_path)
    fill(log, 1, 5)
    rows = log.decisions().to_pylist()
    log.seal(0)
    rows[2]["probability"] = 0.26
    (made,) = segments.SegmentFiles(tmp_path / "log").write(
        "decision", type(log.decisions()).from_pylist(rows, log.decisions().schema), "decided_us"
    )
    with sqlite3.connect(tmp_path / "hot.sqlite") as other:
        other.execute("update segments set file = ?, sha256 = ? where kind = 'decision'", (made.file, made.sha256))
    assert log.broken_link() == 5


def test_forgetting_survives_a_crash_and_a_restart(full, tmp_path):
    full.seal(4)
    fill(full, 13, 14)
    with sqlite3.connect(tmp_path / "hot.sqlite") as other:
        other.execute("create trigger full before delete on ids begin select raise(fail, 'disk is full'); end")
    before = everything(full)
    with pytest.raises(StoreFailure):
        full.forget(99_000_000)
    assert everything(open_log(tmp_path)) == before
    with sqlite3.connect(tmp_path / "hot.sqlite") as other:
        other.execute("drop trigger full")
    assert full.forget(9_999) == 0  # the segment holds e10 too: it does not lie wholly before
    assert full.forget(10_000) == 0
    assert full.forget(10_001) == 10
    again = open_log(tmp_path)
    assert again.events()["event_id"].to_pylist() == ["e11", "e12", "e13", "e14"]
    assert again.labels()["event_id"].to_pylist() == ["e11", "e12", "e13", "e14"]
    assert again.forgotten_us() == 10_000
    assert again.broken_link() is None
    assert again.forget(99_000_000) == 0  # what is hot stays
    assert not list((tmp_path / "log").glob("*.parquet"))


def test_a_reader_of_another_process_sees_a_whole_log_while_it_is_sealed(full, tmp_path, monkeypatch):
    """Between its look at the manifest and its look at the hot rows, the rows move."""
    other, before = open_log(tmp_path), full.events().to_pylist()
    real = SqliteLog._hot

    def sealing(self, *arguments):
        monkeypatch.setattr(SqliteLog, "_hot", real)
        other.seal(0)
        return real(self, *arguments)

    monkeypatch.setattr(SqliteLog, "_hot", sealing)
    assert full.events().to_pylist() == before
    assert full.events().to_pylist() == before


def test_a_decision_with_every_kind_of_number_keeps_its_bits(tmp_path):
    log = open_log(tmp_path)
    odd = [replace(sample_decision(n), probability=p) for n, p in enumerate([0.1 + 0.2, 5e-324, 1 / 3, 1.0, 0.0])]
    log.commit([(sample_event(n), decision) for n, decision in enumerate(odd)])
    assert [log.decision(f"e{n}") for n in range(5)] == odd
    log.seal(0)
    assert [log.decision(f"e{n}") for n in range(5)] == odd
    assert log.broken_link() is None
