"""Decisions as Parquet for analysts: every one once, whatever happens in between, with its event and no personal value."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import CUT_US, memory_stores
from tests.score.test_decide import drive
from weighbridge.clock import ManualClock, us_to_iso
from weighbridge.declare import Reasons
from weighbridge.errors import StoreFailure
from weighbridge.loop import save_logs as module
from weighbridge.loop.messages import messages
from weighbridge.loop.save_logs import save_logs
from weighbridge.records import Alias
from weighbridge.score.route import PRODUCTION
from weighbridge.serve.wiring import open_desk
from weighbridge.stores.files import ParquetTables


@pytest.fixture
def lived(small_case, trained, world, tmp_path):
    """A case that tells many reasons, stores whose tables are files, a desk, and what else will arrive."""
    case = replace(small_case, reasons=Reasons(share=0.3))
    stores = replace(memory_stores(case, tmp_path), tables=ParquetTables(tmp_path / "tables"))
    stores.log.import_history(trained.log.events(), trained.log.labels())
    production = trained.registry.alias(PRODUCTION)
    stores.bundles.put(production, trained.bundles.files(production))
    stores.registry.add(production, trained.registry.bundles()[0][2], 0)
    stores.registry._aliases[PRODUCTION] = Alias(production)
    clock = ManualClock(CUT_US)
    return case, stores, open_desk(case, stores, clock), clock, messages(case, world, CUT_US)


def saved(folder):
    files = sorted((folder / "tables" / "decisions").glob("*.parquet"))
    return pa.concat_tables([pq.read_table(file) for file in files]) if files else None


def test_every_decision_is_saved_once_as_the_log_has_it(lived, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PART_PLACES", 64)
    case, stores, desk, clock, stream = lived
    drive(desk, clock, stream[:150])
    first = save_logs(case, stores, clock)
    assert save_logs(case, stores, clock).figures == {"rows": 0, "paths": []}
    drive(desk, clock, stream[150:300])
    second = save_logs(case, stores, clock)
    desk.close()
    assert len(first.figures["paths"]) > 1
    assert all((tmp_path / path).exists() for path in (*first.figures["paths"], *second.figures["paths"]))
    found, log = saved(tmp_path), stores.log.decisions()
    assert first.figures["rows"] + second.figures["rows"] == len(found) == len(log) > 100
    assert found["seq"].to_pylist() == log["seq"].to_pylist()
    for row in found.to_pylist():
        seq, event = stores.log.find(row["event_id"])
        decision = stores.log.decision(row["event_id"])
        assert row["seq"] == seq
        assert row["decided_ts"].isoformat() == us_to_iso(decision.decided_us).replace("Z", "+00:00")
        assert row["event_ts"].timestamp() * 1e6 == pytest.approx(event.event_us, abs=1)
        assert (row["action"], row["probability"], row["risk_level"]) == (
            decision.action,
            decision.probability,
            decision.level,
        )
        assert row["prediction"] == int(decision.action != "approve")
        assert np.array(row["vector"], dtype="<f4").tobytes() == decision.vector
        assert tuple(row["rules"]) == decision.rules
        assert row["degraded"] == []
        assert row["reasons"] == (None if decision.reasons is None else [vars(reason) for reason in decision.reasons])
        assert tuple(row["event"]) == tuple(f.name for f in case.events.payload)
        assert row["event"]["card_id"] == event.values[0]
        assert stores.pseudonyms.made(row["event"]["card_id"])
        assert row["event"]["amount"] == event.values[2] / 100
    assert 10 < found["reasons"].null_count < len(found) - 10


@pytest.mark.parametrize("failing", range(6))
def test_what_is_cut_short_is_taken_up_and_nothing_is_there_twice(lived, tmp_path, monkeypatch, failing):
    """A run that stops at any of its files, then more decisions, then a run that goes through."""
    monkeypatch.setattr(module, "PART_PLACES", 32)
    case, stores, desk, clock, stream = lived
    drive(desk, clock, stream[:120])
    real, puts = stores.tables.put, []

    def put(name, table):
        puts.append(name)
        if len(puts) == failing + 1:
            raise StoreFailure("disk is full")
        real(name, table)

    stores.tables.put = put
    try:
        save_logs(case, stores, clock)
        assert failing >= len(puts)
    except StoreFailure:
        assert len(puts) == failing + 1
    stores.tables.put = real
    drive(desk, clock, stream[120:200])
    save_logs(case, stores, clock)
    desk.close()
    assert saved(tmp_path)["seq"].to_pylist() == stores.log.decisions()["seq"].to_pylist()


def test_a_log_without_decisions_saves_nothing(lived, tmp_path):
    case, stores, _, clock, _ = lived
    assert save_logs(case, stores, clock).figures == {"rows": 0, "paths": []}
    assert saved(tmp_path) is None
