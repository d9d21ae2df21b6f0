"""The HTTP door: strict about what it takes, one answer for every outcome, nothing stored for what is refused."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx2 as httpx
import jsonschema
import pytest
from starlette.testclient import TestClient

from tests.conftest import CUT_US
from weighbridge.clock import us_to_iso
from weighbridge.declare import Reasons
from weighbridge.errors import StoreFailure
from weighbridge.score import decide
from weighbridge.score.route import Route
from weighbridge.serve.contract_schema import event_schema
from weighbridge.serve.http.app import documented, make_app
from weighbridge.serve.http.door import Door
from weighbridge.serve.http.raw import InFront
from weighbridge.serve.schema import (
    batch_answer_schema,
    decision_schema,
    edit_schema,
    explanation_schema,
    problem_schema,
    saved_schema,
    stored_decision_schema,
)
from weighbridge.serve.wiring import open_desk

GOOD = {
    "event_id": "01KAJ0M3Q5X7Z9B1D3F5H7K9M2", "event_ts": us_to_iso(CUT_US), "card_id": "c000001", "merchant_id": "m000001",
    "amount": 98.5, "country": "FR", "device": "web", "merchant_category": "gaming",
}  # fmt: skip


def test_a_raw_event_gets_a_decision_of_the_declared_shape(client, desk, small_case):
    jsonschema.validate(GOOD, event_schema(small_case))
    answer = client.post("/predict", json=GOOD)
    assert answer.status_code == 200
    jsonschema.validate(answer.json(), decision_schema())
    assert answer.json()["model_version"] == desk.router.champion.version
    again = client.post("/predict", json=GOOD)
    assert again.json() == answer.json()
    assert client.post("/predict", json={**GOOD, "amount": 1}).status_code == 409


def test_health_and_metadata(client, desk, small_case):
    assert client.get("/health").json() == {"status": "ok"}
    metadata = client.get("/metadata").json()
    assert metadata["bundle"] == desk.router.champion.id
    assert metadata["run_id"] == "r1"
    assert metadata["features"] == list(small_case.feature_names)
    assert metadata["digests"]["vector"] == small_case.vector_digest


def test_a_decision_is_looked_up_and_explained(client, desk):
    answer = client.post("/predict", json=GOOD).json()
    for name in (answer["decision_id"], GOOD["event_id"]):
        stored = client.get(f"/decisions/{name}").json()
        jsonschema.validate(stored, stored_decision_schema())
        assert {k: stored[k] for k in answer} == answer
        assert stored["bundle"] == desk.router.champion.id
        why = client.get(f"/decisions/{name}/explain")
        assert why.status_code == 200
        jsonschema.validate(why.json(), explanation_schema())
        assert (why.json()["inputs"], why.json()["note"]) == ("log", "")
        assert why.json()["probability"] == answer["probability"]
        assert why.json()["event"] == {**{k: v for k, v in GOOD.items() if k not in ("event_id", "event_ts")},
                                       "card_id": "<pseudonymised>"}  # fmt: skip
        assert len(why.json()["contributions"]) == 30
    history = desk.stores.log.events()["event_id"][0].as_py()
    for name in ("gone", history, "x" * 9_000, "%00", "..%2e"):
        for path in (f"/decisions/{name}", f"/decisions/{name}/explain"):
            problem = client.get(path)
            assert problem.status_code == 404
            jsonschema.validate(problem.json(), problem_schema())
    assert client.post(f"/decisions/{GOOD['event_id']}").status_code == 405


def test_reasons_come_with_the_answer_and_again_with_the_same(desk):
    desk.case = desk.router._case = replace(desk.case, reasons=Reasons(share=1.0))
    desk.router._ready, desk.router.route = {}, Route()
    desk.router.refresh(desk.submit_note)
    with TestClient(make_app(desk)) as client:
        answer = client.post("/predict", json=GOOD).json()
        jsonschema.validate(answer, decision_schema())
        assert 1 <= len(answer["reasons"]) <= 4
        assert [r["contribution"] for r in answer["reasons"]] == sorted(
            (r["contribution"] for r in answer["reasons"]), reverse=True
        )
        assert client.post("/predict", json=GOOD).json() == answer
        why = client.get(f"/decisions/{answer['decision_id']}/explain").json()
        assert why["reasons"] == answer["reasons"]


def test_a_label_is_taken(client, desk):
    client.post("/predict", json=GOOD)
    taken = client.post("/feedback", json={"event_id": GOOD["event_id"], "label": 1})
    assert taken.json() == {"event_id": GOOD["event_id"], "accepted": True, "event_known": True}
    assert client.post("/feedback", json={"event_id": "later", "label": 0}).json()["event_known"] is False
    assert desk.stores.log.labels().to_pylist()[-2]["value"] == 1


def body(**changes):
    return json.dumps({k: v for k, v in {**GOOD, **changes}.items() if v is not ...}).encode()


NASTY = {
    "empty": (b"", 400), "not json": (b"{", 400), "a list": (b"[]", 400), "null": (b"null", 400), "text": (b'"x"', 400),
    "twice": (b'{"amount": 1, "amount": 2}', 400), "nan": (body(amount=float("nan")), 400), "latin": (b'{"a": "\xff"}', 400),
    "infinity": (body(amount=float("inf")), 400), "half character": (b'{"event_id": "\\ud800"}', 400),
    "deep": (b'{"a":' + b"[" * 20_000 + b"]" * 20_000 + b"}", 400), "long number": (b'{"amount": ' + b"9" * 6_000 + b"}", 400),
    "large": (b'{"a": "' + b"x" * 70_000 + b'"}', 413), "nothing": (b"{}", 422), "unknown": (body(extra=1), 422),
    "text for a number": (body(amount="12"), 422), "true for a number": (body(amount=True), 422), "huge": (body(amount=1e308), 422),
    "below": (body(amount=-1), 422), "above": (body(amount=5000.01), 422), "decimals": (body(amount=1.001), 422),
    "country": (body(country="XX"), 422), "missing key": (body(card_id=...), 422), "null key": (body(card_id=None), 422),
    "empty key": (body(card_id=""), 422), "number key": (body(card_id=5), 422), "object key": (body(card_id={}), 422),
    "no ulid": (body(event_id="1"), 422), "small ulid": (body(event_id=GOOD["event_id"].lower()), 422),
    "future": (body(event_ts=us_to_iso(CUT_US + 61_000_000)), 422), "late": (body(event_ts=us_to_iso(CUT_US - 601_000_000)), 422),
    "no zone": (body(event_ts="2026-01-05T00:00:00"), 422), "no time": (body(event_ts="tomorrow"), 422),
    "number time": (body(event_ts=1), 422), "ancient": (body(event_ts="0001-01-01T00:00:00+14:00"), 422),
}  # fmt: skip


@pytest.mark.parametrize("name", NASTY)
@pytest.mark.parametrize("path", ["/predict", "/feedback"])
def test_nasty_bodies_get_a_problem_and_store_nothing(client, desk, name, path):
    content, status = NASTY[name]
    before = desk.stores.log.head()
    answer = client.post(path, content=content, headers={"content-type": "application/json"})
    assert answer.status_code == status if path == "/predict" else 400 <= answer.status_code < 500
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    jsonschema.validate(problem, problem_schema())
    assert problem["status"] == answer.status_code
    if status == 422 and path == "/predict":
        assert problem["field"]
        assert problem["rule"]
    assert desk.stores.log.head() == before


def test_no_value_of_a_personal_field_comes_back(client, desk):
    secret = "4111" * 80
    answer = client.post("/predict", json={**GOOD, "card_id": secret})
    assert answer.status_code == 422
    assert "4111" not in answer.text
    client.post("/predict", json={**GOOD, "card_id": "c-secret"})
    assert "c-secret" not in str(desk.stores.log.events().to_pylist()[-1])


def test_other_paths_methods_and_types_are_problems(client):
    assert client.get("/nowhere").json()["status"] == 404
    assert client.get("/predict").json()["status"] == 405
    assert client.post("/predict", content=b"a=1", headers={"content-type": "text/plain"}).json()["status"] == 415


def test_a_store_that_fails_is_503_and_an_unexpected_fault_a_generic_500(client, desk, monkeypatch):
    def full(*_):
        raise StoreFailure("the durable write failed; nothing of it was stored, try again")

    monkeypatch.setattr(desk.stores.log, "append", full)
    assert client.post("/predict", json=GOOD).status_code == 503

    def broken(*_):
        raise RuntimeError("secret detail")

    monkeypatch.setattr(desk.stores.log, "append", broken)
    answer = client.post("/predict", json=GOOD)
    assert answer.status_code == 500
    assert "secret detail" not in answer.text
    monkeypatch.undo()
    assert client.post("/predict", json=GOOD).status_code == 200


def test_requests_at_once_are_one_group_and_one_id_is_decided_once(desk):
    """While a commit lasts, others are scored; the same event sent by many gets one answer, another body a 409."""

    real, groups = desk.stores.log.append, []

    def slow(*records):
        groups.append(len(records[0]))
        time.sleep(0.2)
        return real(*records)

    desk.stores.log.append = slow
    others = [{**GOOD, "event_id": GOOD["event_id"][:-2] + f"{n:02d}", "card_id": f"c{n}"} for n in range(10, 30)]

    async def all_at_once():
        transport = httpx.ASGITransport(make_app(desk))
        async with httpx.AsyncClient(transport=transport, base_url="http://desk") as caller:
            bodies = [GOOD] * 5 + [{**GOOD, "amount": 1}] + others
            return await asyncio.gather(*(caller.post("/predict", json=b) for b in bodies))

    answers = asyncio.run(all_at_once())
    assert [a.status_code for a in answers] == [200] * 5 + [409] + [200] * 20
    assert len({a.text for a in answers[:5]}) == 1
    assert (sum(groups), len(groups) < 21) == (21, True)
    assert len(desk.stores.log.decisions()) == 21


def test_without_a_bundle_the_door_says_so(small_case, stores, clock):
    with TestClient(make_app(open_desk(small_case, stores, clock))) as client:
        for answer in (client.get("/health"), client.get("/metadata"), client.post("/predict", json=GOOD)):
            assert answer.status_code == 503
            assert "no bundle is in production" in answer.json()["detail"]


PATHS = [
    "/predict", "/predict/batch", "/feedback", "/lists", "/save-logs", "/health", "/ready", "/metadata", "/sample-transaction", "/metrics", "/stats",
    "/decisions/{name}", "/decisions/{name}/explain", "/models", "/models/{bundle}/promote", "/traffic", "/rollback",
]  # fmt: skip


def test_the_documented_api_is_the_one_that_answers(client):
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths) == {"/v1" + path for path in PATHS}
    schema = paths["/v1/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert schema["additionalProperties"] is False
    client.post("/predict", json=GOOD)
    for path, methods in paths.items():
        for name in (path, path.removeprefix("/v1")):
            name = name.replace("{name}", GOOD["event_id"])
            assert client.get(name).status_code == (200 if "get" in methods else 405)


def same_but_for_ids(answer):
    told = answer.json()
    for one in [told, *told.get("results", [])]:
        one.pop("trace_id", None)
    kept = {
        k: v
        for k, v in answer.headers.items()
        if k not in ("traceparent", "x-request-id", "content-length", "date", "server")
    }
    return answer.status_code, told, kept


@pytest.mark.parametrize("path", ["/predict", "/v1/predict", "/feedback", "/predict/batch"])
def test_the_raw_posts_answer_as_the_documented_ones(desk, path):
    door = Door(desk)
    raw, whole = TestClient(InFront(door, documented(door))), TestClient(documented(door))  # each on a loop of its own
    bodies = [content for content, _ in NASTY.values()] + [body(), json.dumps({"event_id": "x", "label": 1}).encode()]
    for content in [*bodies, json.dumps({"events": [GOOD, {}, {**GOOD, "amount": 1}]}).encode()]:
        answers = [c.post(path, content=content, headers={"content-type": "application/json"}) for c in (raw, whole)]
        assert same_but_for_ids(answers[0]) == same_but_for_ids(answers[1])


def test_a_batch_is_decided_in_order_and_each_event_has_its_own_outcome(client, desk):
    others = [{**GOOD, "event_id": GOOD["event_id"][:-2] + f"{n:02d}", "card_id": f"c{n}"} for n in range(10, 13)]
    answer = client.post(
        "/predict/batch", json={"events": [*others, {**GOOD, "amount": -1}, others[0], {**others[1], "amount": 2}]}
    )
    assert answer.status_code == 200
    jsonschema.validate(answer.json(), batch_answer_schema())
    results = answer.json()["results"]
    assert [r["status"] for r in results] == [200, 200, 200, 422, 200, 409]
    assert results[4]["decision_id"] == results[0]["decision_id"]
    assert (results[3]["field"], results[3]["rule"]) == ("amount", "at_least")
    assert desk.stores.log.decisions()["event_id"].to_pylist() == [o["event_id"] for o in others]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"events": [{}] * 257}, 413),
        ({"events": {}}, 422),
        ({"events": [1]}, 422),
        ({}, 422),
        ({"events": [], "x": 1}, 422),
        ({"events": []}, 200),
    ],
)
def test_batches_are_bounded_and_strict(client, sent, status):
    assert client.post("/predict/batch", json=sent).status_code == status


def test_ids_of_a_request_are_taken_over_or_made(client, desk):
    trace_id, sent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    headers = {"x-request-id": "order-17", "traceparent": f"00-{trace_id}-{sent}-01"}
    answer = client.post("/predict", json=GOOD, headers=headers)
    assert answer.headers["x-request-id"] == "order-17"
    version, trace, span, flags = answer.headers["traceparent"].split("-")
    assert (version, trace, flags) == ("00", trace_id, "01")
    assert span != sent
    assert answer.json()["trace_id"] == trace_id == desk.stores.log.decisions()["trace_id"][-1].as_py()
    for bad in (
        {"x-request-id": "a" * 65, "traceparent": "00-0"},
        {"x-request-id": "a b", "traceparent": f"00-{'0' * 32}-{sent}-01"},
    ):
        answer = client.get("/health", headers=bad)
        assert answer.headers["x-request-id"] == answer.headers["traceparent"].split("-")[1] != "0" * 32
    lost = client.get("/nowhere")
    assert lost.headers["traceparent"].split("-")[1] == lost.headers["x-request-id"] == lost.json()["trace_id"]


def test_figures_count_what_was_answered(client):
    client.post("/predict", json=GOOD)
    client.post("/v1/predict", json=GOOD)
    client.post("/predict", json={**GOOD, "amount": -1})
    told = client.get("/stats").json()
    assert told["/predict"]["statuses"] == {"200": 2, "422": 1}
    assert told["/predict"]["latency_us_p50"] > 0
    text = client.get("/metrics").text
    assert 'weigh_requests_total{path="/predict",status="200"} 2.0' in text
    assert 'weigh_refused_total{rule="at_least"} 1.0' in text
    assert sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith("weigh_decisions_total")) == 1
    assert GOOD["card_id"] not in text


def test_a_sample_can_be_sent_back(client):
    one, other = client.get("/sample-transaction").json(), client.get("/v1/sample-transaction").json()
    assert one["event_id"] != other["event_id"]
    assert client.post("/predict", json=one).status_code == client.post("/predict", json=other).status_code == 200


def test_a_door_with_too_much_to_store_is_not_ready(client, desk, monkeypatch):
    assert client.get("/ready").json() == {"status": "ready", "pending": 0}
    monkeypatch.setattr(desk, "pending", 3_000)
    assert client.get("/ready").status_code == 503
    assert client.get("/health").status_code == 200


def test_logs_hold_no_body(desk, client, tmp_path, monkeypatch):
    import structlog

    from weighbridge.serve.logs import log_to

    def broken(*_):
        raise RuntimeError("fault")

    log_to(tmp_path / "logs", "info")
    try:
        monkeypatch.setattr(desk.stores.log, "append", broken)
        with TestClient(make_app(desk), raise_server_exceptions=False) as logged:
            assert logged.post("/predict", json={**GOOD, "card_id": "c-secret"}).status_code == 500
        text = (tmp_path / "logs" / "weigh.jsonl").read_text()
    finally:
        structlog.reset_defaults()
    assert "RuntimeError" in text
    assert "c-secret" not in text
    assert "98.5" not in text


def test_a_list_is_edited_and_the_next_decision_sees_it(client, desk):
    told = {"list": "blocked_cards", "value": GOOD["card_id"], "action": "add", "why": "reported stolen", "for": "1d"}
    jsonschema.validate(told, edit_schema(desk.case))
    assert client.post("/lists", json=told).json() == {"list": "blocked_cards", "listed": True, "listed_before": False}
    answer = client.post("/predict", json=GOOD).json()
    jsonschema.validate(answer, decision_schema())
    assert (answer["action"], answer["prediction"]) == ("decline", 1)
    assert "blocked_card" in answer["rules"]
    assert client.get("/metadata").json()["rules"][0]["reason"] == "this card was blocked by hand"
    ((_, stored),) = desk.stores.log.edits()
    assert stored.value == desk.stores.pseudonyms.of(GOOD["card_id"])
    wrong = client.post("/lists", json={**told, "list": "no such"})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "list")
    assert client.post("/lists", json={"list": "blocked_cards"}).status_code == 422
    assert len(desk.stores.log.edits()) == 1


def test_a_full_list_is_a_conflict(client, desk):
    desk.rulebook._most["blocked_cards"] = 1
    told = {"list": "blocked_cards", "value": "c1", "action": "add", "why": "test"}
    assert client.post("/lists", json=told).status_code == 200
    full = client.post("/lists", json={**told, "value": "c2"})
    assert full.status_code == 409
    assert "remove some first" in full.json()["detail"]


def test_decisions_are_saved_beside_the_traffic_one_at_a_time(client, desk, monkeypatch):
    """While one call saves, events are decided and a second call is a conflict; then all of it is there."""
    real, entered, go_on = desk.stores.tables.put, threading.Event(), threading.Event()

    def slow(name, table):
        entered.set()
        assert go_on.wait(30)
        real(name, table)

    monkeypatch.setattr(desk.stores.tables, "put", slow)
    client.post("/predict", json=GOOD)
    with ThreadPoolExecutor(1) as pool:
        saving = pool.submit(client.post, "/save-logs")
        assert entered.wait(30)
        assert client.post("/predict", json={**GOOD, "event_id": GOOD["event_id"][:-1] + "3"}).status_code == 200
        assert client.get("/health").status_code == 200
        assert client.post("/v1/save-logs", json={}).status_code == 409
        go_on.set()
        first = saving.result(30)
    again = client.post("/save-logs", json={})
    nothing = client.post("/save-logs", content=b"")
    for answer, rows in ((first, 1), (again, 1), (nothing, 0)):
        assert answer.status_code == 200
        jsonschema.validate(answer.json(), saved_schema())
        assert (answer.json()["rows"], len(answer.json()["paths"])) == (rows, rows)
    refused = client.post("/save-logs", json={"folder": "/tmp"})
    assert (refused.status_code, refused.json()["field"]) == (422, "folder")


def test_a_sandbox_takes_forced_outcomes_and_production_refuses_them(desk):
    for number, forced in enumerate(("approve", "review", "decline", "degraded"), 10):
        event = {**GOOD, "event_id": GOOD["event_id"][:-2] + f"{number}"}
        sandbox, production = TestClient(make_app(desk, sandbox=True)), TestClient(make_app(desk))
        refused = production.post("/predict", json=event, headers={"X-Weigh-Test": forced})
        assert (refused.status_code, "sandbox" in refused.json()["detail"]) == (400, True)
        told = sandbox.post("/predict", json=event, headers={"X-Weigh-Test": forced}).json()
        jsonschema.validate(told, decision_schema())
        assert told["degraded"][-1] == "test"
        assert forced == "degraded" or told["action"] == forced
        assert production.post("/predict", json=event).json()["degraded"] == told["degraded"]  # the same answer again
    assert sandbox.post("/predict", json=GOOD, headers={"X-Weigh-Test": "maybe"}).status_code == 400
    assert "weigh_degraded_total" in sandbox.get("/metrics").text


def test_what_there_is_no_room_for_is_told_to_come_again(desk, monkeypatch):
    monkeypatch.setattr(decide, "MOST_PENDING", 2)
    events = [{**GOOD, "event_id": GOOD["event_id"][:-2] + f"{n:02d}"} for n in range(10, 15)]
    with TestClient(make_app(desk)) as client:  # on one loop: a batch comes in one turn
        results = client.post("/predict/batch", json={"events": events}).json()["results"]
        assert [r["status"] for r in results] == [200, 200, 429, 429, 429]
        monkeypatch.setattr(decide, "MOST_PENDING", 0)
        shed = client.post("/predict", json=GOOD)
        assert (shed.status_code, shed.headers["retry-after"]) == (429, "1")
        monkeypatch.undo()
        assert client.post("/predict", json=GOOD).status_code == 200
