"""Sealing and retention under a desk: answers, vectors, verification and training go on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.conftest import START_US, memory_stores
from tests.fixtures.tiny_fraud import case
from weighbridge.clock import DAY_US, ManualClock, us_to_iso
from weighbridge.kernel.validate import parse_event
from weighbridge.loop.ingest import ingest
from weighbridge.loop.messages import arrived_before, messages
from weighbridge.loop.retrain import retrain
from weighbridge.loop.seal import seal
from weighbridge.loop.simulate import simulate
from weighbridge.loop.verify import verify
from weighbridge.score.route import PRODUCTION
from weighbridge.serve.wiring import open_desk
from weighbridge.stores import segments
from weighbridge.stores.database import Database
from weighbridge.stores.sqlite_log import SqliteLog

LIVE_US = START_US + 22 * DAY_US


@pytest.fixture(scope="module")
def world():
    return simulate(case, seed=3, start_us=START_US)


@pytest.fixture
def home(world, tmp_path, monkeypatch):
    """Stores with an embedded log in small segments, 22 of 40 days of history, and a bundle in production."""
    monkeypatch.setattr(segments, "SEGMENT_ROWS", 250)
    log = SqliteLog(Database(tmp_path / "hot.sqlite", "written"), case.events, tmp_path / "log")
    stores, clock = replace(memory_stores(case, tmp_path), log=log), ManualClock(LIVE_US)
    history = (arrived_before(table, LIVE_US) for table in (world.events, world.labels))
    ingest(case, stores, clock, *history, {"arrived": "arrived"})
    retrain(case, stores, clock)
    return stores


def drive(desk, clock, sent):
    for message in sent:
        clock.set(message.arrived_us)
        if message.path == "/predict":
            desk.decide(message.body, "t")
        else:
            desk.feedback(message.body)


def vectors(desk, sent):
    """What the state knows about the events' keys at the log's head."""
    at_us = desk.stores.log.head().arrived_us
    events = [
        parse_event(case.events, {**m.body, "event_ts": us_to_iso(at_us)}, at_us, desk.stores.pseudonyms) for m in sent
    ]
    return [desk.histories.state.vector(event) for event in events]


def test_a_desk_goes_on_over_a_log_that_is_sealed(home, world):
    clock, sent = ManualClock(LIVE_US), messages(case, world, LIVE_US)
    desk = open_desk(case, home, clock)
    drive(desk, clock, sent[:600])
    first = next(m for m in sent if m.path == "/predict")
    answer = desk.stores.log.decision(first.body["event_id"])
    before = verify(case, home, clock).figures
    report = seal(case, home, clock, 50)
    assert report.figures["sealed"] == 550
    assert seal(case, home, clock, 50).figures == {"sealed": 0, "forgotten": 0, "forgotten_us": None}
    assert verify(case, home, clock).figures == before
    repeated = desk.decide(first.body, "again")
    assert (repeated.repeated, repeated.decision) == (True, answer)
    assert desk.feedback({"event_id": first.body["event_id"], "label": 1}) is True
    drive(desk, clock, sent[600:900])
    after = verify(case, home, clock).figures
    assert (after["mismatches"], after["broken_chain"], after["beyond_retention"]) == (0, None, 0)
    probes = [m for m in sent[900:] if m.path == "/predict"][:100]
    assert vectors(desk, probes) == vectors(open_desk(case, home, clock), probes)


def test_what_is_beyond_retention_is_forgotten_and_never_a_mismatch(home, world, monkeypatch):
    keeping = replace(case, keep="17d")
    clock = ManualClock(LIVE_US)
    desk = open_desk(keeping, home, clock)
    drive(desk, clock, messages(keeping, world, LIVE_US))
    events = len(home.log.events())
    whole = verify(keeping, home, clock).figures
    assert (whole["mismatches"], whole["beyond_retention"]) == (0, 0)
    report = seal(keeping, home, clock, 100)
    assert report.figures["forgotten"] > 1_000
    assert f"{report.figures['forgotten']:,} events beyond 17d forgotten" in report.sentence
    assert len(home.log.events()) == events - report.figures["forgotten"]
    kept_us = home.log.head().arrived_us - 17 * DAY_US
    assert report.figures["forgotten_us"] < kept_us
    assert home.log.events()["arrived_us"][0].as_py() > report.figures["forgotten_us"]
    found = verify(keeping, home, clock).figures
    assert (found["mismatches"], found["broken_chain"]) == (0, None)
    assert found["beyond_retention"] > 500
    assert found["vectors"] > 100
    assert found["vectors"] + found["beyond_retention"] == len(home.log.decisions()) < whole["vectors"]
    with monkeypatch.context() as patch:  # the mask is needed: without it there are differences
        patch.setattr(home.log, "forgotten_us", lambda: None)
        assert verify(keeping, home, clock).figures["mismatches"] > 0
    last = [m for m in messages(keeping, world, 0) if m.path == "/predict"][-100:]
    again = open_desk(keeping, home, clock)
    assert again.histories.state.waiting == desk.histories.state.waiting
    assert vectors(desk, last) == vectors(again, last)


def test_a_forgetting_log_can_be_trained_on(home, world):
    keeping = replace(case, keep="17d")
    clock = ManualClock(LIVE_US)
    drive(open_desk(keeping, home, clock), clock, messages(keeping, world, LIVE_US))
    assert seal(keeping, home, clock, 0).figures["forgotten"] > 0
    report = retrain(keeping, home, clock)
    assert home.registry.alias(PRODUCTION) == report.figures["bundle"]
