"""What the door counts for its objectives: by whose fault an event had no answer, how long, from how old a state."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from tests.conftest import CUT_US
from tests.fixtures.small_stream import case as small_stream
from tests.serve.test_http import GOOD
from weighbridge.clock import SECOND_US, SystemClock
from weighbridge.declare import Objectives
from weighbridge.errors import Overloaded, StoreFailure
from weighbridge.loop.slo import Counts, record, recorded, slo, total
from weighbridge.serve.cli import app
from weighbridge.serve.http.app import documented, make_app
from weighbridge.serve.http.door import Door
from weighbridge.serve.http.following import settle
from weighbridge.serve.http.levels import Levels
from weighbridge.serve.http.raw import InFront
from weighbridge.serve.schema import health_schema
from weighbridge.serve.wiring import open_home

SMALL = str(Path(__file__).parents[1] / "fixtures" / "small_stream.py")
PROMISED = Objectives(latency="1s", availability=0.995, feature_lag="2min", last="1d")


@pytest.fixture
def door(desk):
    desk.case = replace(desk.case, objectives=PROMISED)
    return Door(desk)


@pytest.fixture
def caller(door):
    return TestClient(InFront(door, documented(door)), raise_server_exceptions=False)


def event(n, **changes):
    return {**GOOD, "event_id": f"{GOOD['event_id'][:-3]}{n:03d}", "card_id": f"c{n}", **changes}


def counted(door):
    settle(door)
    return total(door.levels._pieces)


def test_only_what_the_service_owes_counts_as_unanswered(caller, door, desk, monkeypatch):
    assert caller.post("/predict", json=GOOD).status_code == 200
    assert caller.post("/v1/predict", json=GOOD).status_code == 200  # again: answered, and no new decision
    for bad, status in (({**GOOD, "amount": -1}, 422), ({**GOOD, "amount": 1}, 409), ([], 400)):
        assert caller.post("/predict", json=bad).status_code == status
    caller.post("/feedback", json={"event_id": "x", "label": 3})
    assert counted(door) == Counts(answered=2, timed=2, new=1)

    def raises(fault):
        def fails(*_):
            raise fault

        return fails

    monkeypatch.setattr(desk.stores.log, "append", raises(StoreFailure("the disk is full")))
    assert caller.post("/predict", json=event(1)).status_code == 503
    assert caller.post("/feedback", json={"event_id": "x", "label": 1}).status_code == 503  # asks for no decision
    monkeypatch.setattr(desk.stores.log, "append", raises(RuntimeError("unforeseen")))
    assert caller.post("/predict", json=event(2)).status_code == 500
    assert caller.post("/predict/batch", json={"events": [event(3), event(4)]}).status_code == 500
    monkeypatch.undo()
    monkeypatch.setattr(desk, "check_room", raises(Overloaded()))
    assert caller.post("/predict", json=event(5)).status_code == 429
    monkeypatch.undo()
    assert counted(door) == Counts(answered=2, unanswered=5, timed=2, new=1)


def test_each_event_of_a_batch_counts(caller, door, desk, monkeypatch):
    sent = {"events": [event(1), event(2), event(1), event(3, amount=-1)]}
    assert caller.post("/predict/batch", json=sent).status_code == 200
    assert counted(door) == Counts(answered=3, new=2)

    def full(*_):
        raise StoreFailure("the disk is full")

    monkeypatch.setattr(desk.stores.log, "append", full)
    answer = caller.post("/predict/batch", json={"events": [event(4), event(5), event(1)]}).json()
    assert [one["status"] for one in answer["results"]] == [503, 503, 200]
    assert counted(door) == Counts(answered=4, unanswered=2, new=2)


def test_the_lag_is_the_time_since_the_state_was_lost(caller, door, desk, clock):
    state = desk.histories.state
    caller.post("/predict", json=event(1))
    assert (door.levels.lag_us, counted(door).stale) == (0, 0)
    desk.histories.state = None
    settle(door)
    for seconds, stale in ((120, 0), (121, 1)):
        clock.set(CUT_US + seconds * SECOND_US)
        settle(door)
        late = event(seconds, event_ts=GOOD["event_ts"])
        assert caller.post("/predict", json=late).json()["degraded"] == ["state"]
        assert counted(door).stale == stale
    assert caller.get("/health").json()["feature_lag_seconds"] == 121
    assert "weigh_feature_lag_seconds 121.0" in caller.get("/metrics").text
    desk.histories.state = state
    settle(door)
    assert caller.get("/health").json()["feature_lag_seconds"] == 0


def test_slow_answers_are_counted(caller, door, monkeypatch):
    door.levels._slow_us = 0
    caller.post("/predict", json=event(1))
    assert counted(door)[2:4] == (1, 1)
    assert (
        Levels(replace(door.desk.case, objectives=Objectives()), door.desk.stores, door.desk.clock)._slow_us > 1 << 60
    )


def test_health_and_metrics_tell_each_objective(caller, door):
    for n in range(3):
        caller.post("/predict", json=event(n))
    door.levels.unanswered(1)
    for part in (0, 97):  # before and after `settle`, and beyond what is too few
        for n in range(part):
            door.levels.answered(repeated=False, away=False)
            door.levels.timed(n)
        told = caller.get("/health").json()
        jsonschema.validate(told, health_schema())
        assert (told["status"], told["last"]) == ("ok", "1d")
        shares = {one["objective"]: (one["figure"], one["bound"], one["verdict"]) for one in told["objectives"]}
        assert shares["availability"] == ((0.75, 0.995, "immature") if not part else (100 / 101, 0.995, "missed"))
        assert shares["feature_lag"] == (1.0, 0.95, "met" if part else "immature")
        settle(door)
    text = caller.get("/metrics").text
    assert 'weigh_asked_total{outcome="answered"} 100.0' in text
    assert 'weigh_asked_total{outcome="unanswered"} 1.0' in text
    assert f'weigh_slo_share{{objective="availability"}} {100 / 101}' in text
    assert 'weigh_slo_bound{objective="latency"} 0.95' in text


def test_what_was_counted_outlives_the_process_and_the_command_tells_it(door, desk, clock):
    with TestClient(make_app(desk)) as caller:
        caller.post("/predict", json=event(1))
    again = Door(desk)
    assert total(again.levels._pieces) == Counts(answered=1, timed=1, new=1) == total(recorded(PROMISED, desk.stores))
    clock.advance(SECOND_US)
    again.levels.answered(repeated=False, away=False)
    settle(again)
    again.levels.save()
    assert total(recorded(PROMISED, desk.stores)).answered == 1  # not yet
    clock.advance(5 * SECOND_US)
    again.levels.save()
    found = slo(desk.case, desk.stores, clock).figures["objectives"]
    assert {one["objective"]: one["of"] for one in found} == {"latency": 1, "availability": 2, "feature_lag": 2}
    clock.advance(PROMISED.last_us)
    again.levels.answered(repeated=False, away=False)
    settle(again)
    again.levels.save()
    assert [counts.answered for counts in recorded(PROMISED, desk.stores).values()] == [1]  # the rest has gone


def test_a_record_that_cannot_be_written_is_tried_again(door, desk, clock, monkeypatch):
    def full(*_):
        raise StoreFailure("the disk is full")

    door.levels.answered(repeated=False, away=False)
    settle(door)
    clock.advance(6 * SECOND_US)
    monkeypatch.setattr(desk.stores.tables, "put", full)
    with pytest.raises(StoreFailure):
        door.levels.save()
    monkeypatch.undo()
    clock.advance(6 * SECOND_US)
    door.levels.save()
    assert total(recorded(PROMISED, desk.stores)).answered == 1


def test_the_command_fails_on_request_when_an_objective_is_missed(tmp_path):
    stores = open_home(small_stream, tmp_path, create=True).stores
    now_us = SystemClock().now_us()
    record(stores, {now_us - SECOND_US: Counts(answered=98, unanswered=2, timed=98)})

    def weigh(*words):
        done = CliRunner().invoke(app, ["slo", SMALL, "--home", str(tmp_path), *words])
        return done.exit_code, done.output

    code, said = weigh()
    assert code == 0
    assert "0 of 3 objectives met over the last 28d; missed: availability; immature: latency, feature_lag" in said
    assert ["availability", "missed", "98.000%", "99.500%", "2", "100", "-300.000%"] in [
        line.split() for line in said.splitlines()
    ]
    assert weigh("--fail-on-missed")[0] == 1
    assert weigh("--fail-on-missed", "--as-of", "2020-01-01T00:00:00Z")[0] == 0
    assert json.loads(weigh("--json")[1])["missed"] == ["availability"]


def test_nothing_is_told_or_kept_where_nothing_is_promised(client, desk):
    client.post("/predict", json=GOOD)
    assert client.get("/health").json() == {"status": "ok"}
    assert "weigh_slo_share{" not in client.get("/metrics").text
    assert json.dumps(recorded(PROMISED, desk.stores)) == "{}"
