"""A history larger than its memory budget: built in parts, the same bits, whatever the parts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.conftest import memory_stores
from tests.kernel.test_history import CASE, split, stream
from tests.stores.test_contracts import database, folder
from weighbridge.clock import ManualClock
from weighbridge.errors import InputError, StoreFailure
from weighbridge.loop import parts as parts_module
from weighbridge.loop.build import build, table_name
from weighbridge.ports import Budget
from weighbridge.stores.buckets import Buckets
from weighbridge.stores.files import ParquetTables
from weighbridge.stores.sqlite_log import SqliteLog
from weighbridge.testing.samples import differing, label_table_of, replayed, table_of


@pytest.fixture(scope="module")
def records():
    """One card, many shops, late events, labels that change, and a label about an event that never came."""
    return stream(8, 3_000, 0.1, 200)


@pytest.fixture
def stores(records, tmp_path):
    events, labels = split(records)
    log = SqliteLog(database(), CASE.events, folder() / "log")
    log.import_history(table_of(CASE, events), label_table_of([*labels, replace(labels[-1], event_id="never")]))
    return replace(memory_stores(CASE, tmp_path), log=log, tables=ParquetTables(tmp_path / "tables"))


def built(stores, budget):
    report = build(CASE, replace(stores, budget=budget), ManualClock(1))
    table = stores.tables.get(table_name(CASE))
    return report, np.stack([table[name].to_numpy() for name in CASE.feature_names], axis=1), table


@pytest.mark.parametrize("cores", [1, 2])
@pytest.mark.parametrize("memory_bytes", [1 << 30, 1_000_000, 100_000])
def test_parts_change_no_bit(stores, records, memory_bytes, cores, tmp_path, monkeypatch):
    monkeypatch.setattr(parts_module, "RANGE", 700)
    report, vectors, table = built(stores, Budget(memory_bytes, cores, tmp_path))
    assert report.figures["parts"] == 1 + 3_000 * parts_module.row_bytes(parts_module_plan()) // memory_bytes
    assert differing(vectors, replayed(CASE, *split(records))) == 0
    assert table["event_id"].to_pylist() == [e.id for e in split(records)[0]]
    assert not list(tmp_path.glob("build-*"))


def parts_module_plan():
    from weighbridge.kernel.plan import compile_plan

    return compile_plan(CASE)


def test_a_label_dealt_to_the_wrong_key_is_noticed(stores, records, tmp_path, monkeypatch):
    join = parts_module._Dealt.join_labels

    def one_off(dealt):
        rows = dealt._label_ids.rows
        dealt._label_ids.rows = lambda part: rows(part) * np.array([1, 1, 0])  # all labels negative
        join(dealt)

    monkeypatch.setattr(parts_module._Dealt, "join_labels", one_off)
    assert differing(built(stores, Budget(100_000, 1, tmp_path))[1], replayed(CASE, *split(records))) > 0


def test_a_full_disk_is_a_clear_failure_and_the_old_table_stays(stores, tmp_path, monkeypatch):
    _, before, _ = built(stores, Budget())
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreFailure, match="no room"):
        Buckets(tmp_path / "file", "x", 2).add(np.zeros(1, dtype=np.int64), np.zeros((1, 2), dtype=np.int64))
    monkeypatch.setattr(Buckets, "add", _full)
    with pytest.raises(StoreFailure, match="no room"):
        built(stores, Budget(100_000, 1, tmp_path))
    table = stores.tables.get(table_name(CASE))
    assert differing(np.stack([table[n].to_numpy() for n in CASE.feature_names], axis=1), before) == 0
    assert [p.name for p in Path(tmp_path / "tables").iterdir()] == [f"{table_name(CASE)}.parquet"]


def _full(*_):
    raise StoreFailure("there is no room")


def test_an_empty_log_builds_nothing(tmp_path):
    with pytest.raises(InputError, match="no events"):
        build(CASE, memory_stores(CASE, tmp_path), ManualClock(1))


def test_a_table_in_batches_is_the_table(tmp_path):
    tables, table = ParquetTables(tmp_path), pa.table({"x": list(range(10))})
    tables.put("a", table.to_reader(3))
    assert tables.get("a") == table
