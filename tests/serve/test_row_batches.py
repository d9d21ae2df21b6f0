"""Child rows that come by HTTP: seen by the next decision and by none before, once, and the same bits ever after."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
from starlette.testclient import TestClient

from tests.lending import CASE
from weighbridge.errors import StoreFailure
from weighbridge.loop.build import build, table_name
from weighbridge.loop.replays.reproduce import reproduce
from weighbridge.loop.verify import verify
from weighbridge.ports.rows import ROWS
from weighbridge.serve.http.app import make_app
from weighbridge.serve.keys import make_key
from weighbridge.serve.strict import MOST_ROWS
from weighbridge.serve.wiring import open_desk
from weighbridge.stores.memory import MemoryKeys

PLACE = {name: place for place, name in enumerate(CASE.feature_names)}
LOAN = {"applicant": "p2", "loan": "h1", "day": -3, "owed": 5.25, "state": "closed"}
PAID = {"number": "e1", "paid": 1.5, "due": 2, "paid_on": -1, "due_on": -3}


@pytest.fixture
def home(lent):
    """Opens the desk of the lender's home, as often as it is asked to."""

    @contextmanager
    def opened():
        desk = open_desk(CASE, *lent)
        with TestClient(make_app(desk)) as client:
            yield client
        desk.close()

    return opened


@pytest.fixture
def client(home):
    with home() as opened:
        yield opened


def served(client, stores, number, person, *names):
    """Values of the vector that a decision about a person's application is made by."""
    answer = client.post("/predict", json={"number": number, "person": person, "asked": 100.5})
    assert answer.status_code == 200, answer.text
    vector = np.frombuffer(stores.log.decision(number).vector, dtype="<f4")
    return [float(vector[PLACE[name]]) for name in names]


def taken(client, table, batch, *rows):
    answer = client.post(f"/rows/{table}", json={"batch": batch, "rows": list(rows)})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_next_decision_sees_the_rows_and_everything_agrees_with_it(home, lent, monkeypatch):
    stores, clock = lent
    names = ("loans_count", "loans_owed_sum", "months_count")
    with home() as client:
        many, owed, months = served(client, stores, "r1", "p2", *names)
        told = taken(client, "loans", "b1", LOAN, {**LOAN, "loan": "h2", "owed": None})
        assert told == {"table": "loans", "batch": "b1", "rows": 2, "accepted": 2, "repeated": False, "rejected": []}
        assert served(client, stores, "r2", "p2", *names) == [many + 2, np.float32(owed + 5.25), months]
        taken(client, "months", "b1", {"loan": "h1", "month": -1, "status": "C"})
        taken(client, "loans", "b2", {**LOAN, "owed": 1.25})  # the newest row of a key counts
        assert served(client, stores, "r3", "p2", *names) == [many + 2, np.float32(owed + 1.25), months + 1]
    with home() as client:  # started again: from the log
        assert served(client, stores, "r4", "p2", *names) == [many + 2, np.float32(owed + 1.25), months + 1]
    figures = verify(CASE, stores, clock).figures
    assert (figures["mismatches"], figures["differing"]) == (0, 0)
    with monkeypatch.context() as blind:  # the negative control: without the segments that the log names
        blind.setattr("weighbridge.score.rollups.segments", lambda log, rows: {})
        assert verify(CASE, stores, clock).figures["mismatches"] > 0
    build(CASE, stores, clock)
    table = stores.tables.get(table_name(CASE))
    for row in table.select(["event_id", "loans_count"]).to_pylist()[-4:]:
        decision = stores.log.decision(row["event_id"])
        assert np.frombuffer(decision.vector, dtype="<f4")[PLACE["loans_count"]] == row["loans_count"]
        assert all(check.same is not False for check in reproduce(CASE, stores, decision).checks)


def test_decisions_and_batches_at_once_are_replayed_bit_for_bit(client, lent):
    def one(number):
        if number % 4:
            return client.post("/predict", json={"number": f"m{number}", "person": "p9", "asked": 1}).status_code
        row = {**LOAN, "applicant": "p9", "loan": f"m{number}"}
        return client.post("/rows/loans", json={"batch": f"m{number}", "rows": [row]}).status_code

    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(one, range(48)))
    assert set(statuses) <= {200, 429}
    assert statuses[0] == 200
    assert verify(CASE, *lent).figures["mismatches"] == 0


def test_a_retry_does_nothing_again_and_other_rows_under_the_same_id_are_a_conflict(home, lent):
    stores, _ = lent
    for _ in range(2):  # and after a start
        with home() as client:
            first = taken(client, "payments", "d1", PAID, PAID)
            notes = len(stores.log.notes(ROWS))
            again = taken(client, "payments", "d1", PAID, PAID)
            assert {**first, "repeated": True} == again
            other = client.post("/rows/payments", json={"batch": "d1", "rows": [PAID]})
            assert other.status_code == 409
            assert "batch d1 of payments is stored already with other rows" in other.json()["detail"]
            assert len(stores.log.notes(ROWS)) == notes
    assert first["repeated"] is True
    with home() as client:  # nothing names a payment: another delivery of the same adds to them
        assert taken(client, "payments", "d2", PAID, PAID)["repeated"] is False
        assert len(stores.log.notes(ROWS)) == notes + 1


BROKEN = [
    ({**LOAN, "loan": "k1", "day": -9_000}, "day", "at_least"),
    ({**LOAN, "loan": "k2", "owed": "5"}, "owed", "type"),
    ({**LOAN, "loan": "k3", "owed": 1.001}, "owed", "decimals"),
    ({**LOAN, "loan": "k4", "state": "lost"}, "state", "one_of"),
    ({"loan": "k5"}, "applicant", "required"),
    ({**LOAN, "loan": "k6", "rate": 1}, "rate", "known"),
    ([1], "", "type"),
    ({**LOAN, "applicant": "p4", "loan": "good"}, "loan", "unique_row"),
]


def test_bad_rows_are_told_with_place_field_and_rule_and_good_ones_count(client, lent):
    stores, _ = lent
    (many,) = served(client, stores, "k1", "p4", "loans_count")
    good = {**LOAN, "applicant": "p4", "loan": "good", "owed": 7}
    told = taken(client, "loans", "bad", *(row for row, _, _ in BROKEN), good)
    assert (told["rows"], told["accepted"]) == (len(BROKEN) + 1, 1)
    assert [(r["row"], r["field"], r["rule"]) for r in told["rejected"]] == [
        (place, field, rule) for place, (_, field, rule) in enumerate(BROKEN)
    ]
    assert served(client, stores, "k2", "p4", "loans_count") == [many + 1]
    notes = len(stores.log.notes(ROWS))
    assert taken(client, "loans", "none", BROKEN[0][0])["accepted"] == 0
    assert len(stores.log.notes(ROWS)) == notes
    assert taken(client, "loans", "none", {**good, "loan": "k9"})["accepted"] == 1  # the id was never used


def test_batches_are_bounded_and_what_came_before_may_still_be_sent_again(client, lent, monkeypatch):
    row = {"person": "p1", "at": "2026-01-05T00:00:00Z", "seconds": 3}
    assert taken(client, "calls", "c1", row)["accepted"] == 1
    monkeypatch.setattr("weighbridge.serve.http.row_batches.MOST_BATCHES", 1)
    answer = client.post("/rows/calls", json={"batch": "c2", "rows": [row]})
    assert answer.status_code == 409
    assert "calls has 1 batches, the bound; take further rows in with `weigh ingest --table`" in answer.json()["detail"]
    assert taken(client, "calls", "c1", row)["repeated"] is True


BODIES = {
    "no batch": ({"rows": [LOAN]}, 422, "batch"),
    "no text": ({"batch": 1, "rows": [LOAN]}, 422, "batch"),
    "too long": ({"batch": "x" * 129, "rows": [LOAN]}, 422, "batch"),
    "no list": ({"batch": "x", "rows": LOAN}, 422, "rows"),
    "no rows": ({"batch": "x", "rows": []}, 422, "rows"),
    "more": ({"batch": "x", "rows": [LOAN], "table": "loans"}, 422, "table"),
    "too many": ({"batch": "x", "rows": [1] * (MOST_ROWS + 1)}, 413, "rows"),
    "too large": ({"batch": "x", "rows": ["x" * (1 << 20)]}, 413, None),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_a_body_of_another_form_is_refused_whole(client, lent, name):
    body, status, field = BODIES[name]
    notes = len(lent[0].log.notes(ROWS))
    answer = client.post("/rows/loans", json=body)
    assert (answer.status_code, answer.json().get("field")) == (status, field)
    assert len(lent[0].log.notes(ROWS)) == notes


def test_a_batch_that_cannot_be_stored_counts_for_nothing_and_may_be_sent_again(client, lent, monkeypatch):
    stores, _ = lent
    (many,) = served(client, stores, "f1", "p6", "loans_count")
    row = {**LOAN, "applicant": "p6", "loan": "late"}

    def full(*_):
        raise StoreFailure("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(stores.log, "append", full)
        assert client.post("/rows/loans", json={"batch": "f", "rows": [row]}).status_code == 503
    assert served(client, stores, "f2", "p6", "loans_count") == [many]
    assert taken(client, "loans", "f", row)["repeated"] is False
    assert served(client, stores, "f3", "p6", "loans_count") == [many + 1]


def test_the_api_tells_of_each_table(client):
    paths = client.get("/openapi.json").json()["paths"]
    assert {path.removeprefix("/v1/rows/") for path in paths if "/rows/" in path} == {c.name for c in CASE.children}
    body = paths["/v1/rows/loans"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    jsonschema.validate({"batch": "b", "rows": [LOAN]}, body)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"batch": "b", "rows": []}, body)
    assert client.post("/rows/nothing", json={}).status_code == 404


def test_a_key_needs_the_scope(lent):
    stores, clock = lent
    stores, shown = replace(stores, keys=MemoryKeys(stores.audit)), {}
    for scope in ("ingest", "score"):
        key, shown[scope] = make_key(scope, (scope,), clock.now_us(), "test")
        stores.keys.add(key)
    body = {"batch": "s", "rows": [{**LOAN, "applicant": "p8", "loan": "s1"}]}
    desk = open_desk(CASE, stores, clock)
    with TestClient(make_app(desk)) as client:
        asked = {scope: client.post("/v1/rows/loans", json=body, headers={"X-API-Key": key}).status_code
                 for scope, key in shown.items()}  # fmt: skip
    desk.close()
    assert asked == {"ingest": 200, "score": 403}
