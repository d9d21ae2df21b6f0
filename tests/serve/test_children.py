"""An application over HTTP, with child rows of its own or with the stored ones: built, served, scored, verified alike."""

from __future__ import annotations

from dataclasses import replace

import jsonschema
import numpy as np
import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from tests.conftest import START_US
from tests.lending import CASE, LOANS, table_of_rows
from weighbridge.clock import DAY_US, us_to_iso
from weighbridge.kernel.validate import parse_table
from weighbridge.loop.build import build, table_name
from weighbridge.loop.children import ingest_rows
from weighbridge.loop.explain import explain
from weighbridge.loop.replays.reproduce import reproduce
from weighbridge.loop.score import score
from weighbridge.loop.verify import verify
from weighbridge.ports import Budget
from weighbridge.records import PRODUCTION
from weighbridge.score.batch import score_rows
from weighbridge.score.bundle import load
from weighbridge.serve.contract_schema import event_schema
from weighbridge.serve.http.app import make_app
from weighbridge.serve.wiring import open_desk


@pytest.fixture
def client(lent):
    stores, clock = lent
    desk = open_desk(CASE, stores, clock)
    with TestClient(make_app(desk)) as opened:
        yield opened
    desk.close()


SENT = {
    "number": "s1", "person": "p7", "asked": 100.5,
    "loans": [{"loan": "n1", "day": -3, "owed": 5.25, "state": "closed"}, {"loan": "n2", "day": None}],
    "months": [{"loan": "n1", "month": 0, "status": "1"}, {"loan": "unknown", "month": 0, "status": "1"}],
    "calls": [{"at": us_to_iso(START_US + 30 * DAY_US - 60_000_000), "seconds": 7}],
}  # fmt: skip


def test_built_served_scored_and_verified_are_the_same_bits(client, lent):
    stores, clock = lent
    jsonschema.validate(SENT, event_schema(CASE))
    bodies = [SENT, {"number": "s2", "person": "p7", "asked": 100.5}, {"number": "s3", "asked": 3, "loans": []},
              {"number": "s4", "person": "nobody", "asked": 3, "payments": []}]  # fmt: skip
    for body in bodies:
        answer = client.post("/predict", json=body)
        assert answer.status_code == 200, answer.text
        assert client.post("/predict", json=body).json() == answer.json()
    told = verify(CASE, stores, clock).figures
    assert (told["vectors"], told["mismatches"], told["differing"]) == (4, 0, 0)
    build(CASE, stores, clock)
    table = stores.tables.get(table_name(CASE))
    built = np.stack([table[name].to_numpy() for name in CASE.feature_names], axis=1)[-4:]
    decisions = [stores.log.decision(body["number"]) for body in bodies]
    assert [d.vector for d in decisions] == [row.tobytes() for row in built]
    names = list(CASE.feature_names)
    assert built[:2, names.index("loans_count")].tolist()[0] == 2
    assert built[0, names.index("months_count")] == 1  # months of loans that are not there do not count
    assert built[0, names.index("calls_count")] == 1
    assert built[2, names.index("loans_count")] == 0
    for decision in decisions:
        checks = {c.part: c.same for c in reproduce(CASE, stores, decision).checks}
        assert checks["vector"] is True
        assert all(same is not False for same in checks.values())
    assert explain(CASE, stores, decisions[0]).event["loans"][0] == {
        "applicant": "p7", "loan": "n1", "day": -3, "owed": 5.25, "state": "closed"}  # fmt: skip
    small = replace(stores, budget=Budget(memory_bytes=60_000))
    assert build(CASE, small, clock).figures["parts"] > 1
    again = stores.tables.get(table_name(CASE))
    assert all(again[n].combine_chunks().equals(table[n].combine_chunks()) or
               again[n].to_numpy().tobytes() == table[n].to_numpy().tobytes() for n in names)  # fmt: skip


def test_a_batch_decides_as_the_door_does(client, lent):
    stores, _ = lent
    client.post("/predict", json={"number": "b1", "person": "p3", "asked": 42})
    decision = stores.log.decision("b1")
    asked = pa.table({"number": ["b1", "b2", "e5"], "person": ["p3", "p3", "p5"], "asked": [42.0, 42.0, 0.0]})
    rows = parse_table(CASE.events, asked, {}, stores.pseudonyms, 0)[0]
    bundle = load(stores.registry.alias(PRODUCTION), CASE, stores.bundles, stores.signer)
    batch = score_rows(CASE, stores, bundle, rows, lambda done, of: None)
    assert batch.vectors[0].tobytes() == batch.vectors[1].tobytes() == decision.vector
    assert batch.probability[0] == decision.probability
    client.post("/predict", json={**SENT, "number": "b3"})  # a file says nothing of the rows that came with an event
    told = pa.table({"number": ["b3"], "person": ["p7"], "asked": [100.5]})
    scored = score(CASE, stores, bundle, [told], {}).batch
    assert scored.vectors[0].tobytes() == stores.log.decision("b3").vector


def test_a_row_with_too_many_child_rows_is_rejected_and_the_others_are_scored(lent):
    stores, clock = lent
    many = [{"applicant": "zed", "loan": f"z{n}", "day": -1, "state": "open", "owed": 1.0} for n in range(41)]
    ingest_rows(CASE, stores, clock, "loans", [table_of_rows(LOANS, many)])
    told = pa.table({"number": ["b8", "b9"], "person": ["zed", "p3"], "asked": [1.0, 1.0]})
    bundle = load(stores.registry.alias(PRODUCTION), CASE, stores.bundles, stores.signer)
    scored = score(CASE, stores, bundle, [told], {})
    assert scored.batch.event_ids.to_pylist() == ["b9"]
    assert [(r["row"], r["field"], r["rule"]) for r in scored.rejected.to_pylist()] == [(0, "loans", "most_rows")]


def changed(**change):
    return {**SENT, "number": "bad", **change}


LOAN = SENT["loans"][0]
CARD = {"card": "c1", "month": 0, "drawn": 1}
REFUSED = {
    "no list": (changed(loans={}), "loans", "type"),
    "no object": (changed(loans=[1]), "loans[0]", "type"),
    "another's": (changed(loans=[LOAN, {**LOAN, "loan": "x", "applicant": "p8"}]), "loans[1].applicant", "owner"),
    "nobody's": (changed(person=None), "loans[0].applicant", "owner"),
    "unknown field": (changed(loans=[{**LOAN, "rate": 1}]), "loans[0].rate", "known"),
    "bound": (changed(loans=[LOAN, {**LOAN, "loan": "x", "day": -9_000}]), "loans[1].day", "at_least"),
    "text for a number": (changed(loans=[{**LOAN, "owed": "5"}]), "loans[0].owed", "type"),
    "required": (changed(months=[{"month": 0, "status": "1"}]), "months[0].loan", "required"),
    "twice": (changed(loans=[LOAN, LOAN]), "loans[1].loan", "unique_row"),
    "time": (changed(calls=[{"at": "noon", "seconds": 1}]), "calls[0].at", "time"),
    "too many": (changed(loans=[{**LOAN, "loan": str(n)} for n in range(41)]), "loans", "most_rows"),
    "twice by two fields": (changed(cards=[CARD, {**CARD, "month": -1}, CARD]), "cards[2].card+month", "unique_row"),
    "unknown table": (changed(notes=[]), "notes", "known"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_the_first_broken_rule_is_told_with_its_row(client, lent, name):
    body, field, rule = REFUSED[name]
    answer = client.post("/predict", json=body)
    assert answer.status_code == 422
    told = answer.json()
    assert (told["field"], told["rule"]) == (field, rule), told
    assert lent[0].log.find("bad") is None


def test_other_rows_under_the_same_id_are_a_conflict(client):
    body = {"number": "c1", "person": "p1", "asked": 1, "loans": [LOAN]}
    assert client.post("/predict", json=body).status_code == 200
    other = {**body, "loans": [{**LOAN, "owed": 5.26}]}
    assert client.post("/predict", json=other).status_code == 409
    assert client.post("/predict", json={**body, "loans": None}).status_code == 409
    assert client.post("/predict", json={**body, "loans": [{**LOAN, "applicant": "p1"}]}).status_code == 200
