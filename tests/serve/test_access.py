"""Who may do what: keys, scopes and rates, on every route there is; a route without a scope is no route."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from tests.serve.test_http import GOOD
from weighbridge.clock import DAY_US, SECOND_US
from weighbridge.errors import DeclarationError, HomeError, InputError
from weighbridge.serve.http import following, scopes
from weighbridge.serve.http.app import documented, make_app
from weighbridge.serve.http.door import Door
from weighbridge.serve.http.raw import InFront
from weighbridge.serve.keys import SCOPES, make_key, read_key
from weighbridge.serve.schema import problem_schema
from weighbridge.serve.server import bind


@pytest.fixture
def cut(desk):
    """Make a key: `cut("name", "scope", ...)` stores it and returns it as its owner has it."""

    def make(name, *wanted, made_us=None, **limits):
        key, shown = make_key(name, wanted, made_us or desk.clock.now_us(), "test", **limits)
        desk.stores.keys.add(key)
        return shown

    return make


@pytest.fixture
def callers(desk, cut):
    """A key for each way of not being let in, and one that may do everything."""
    found = {scope: cut(scope, scope) for scope in SCOPES}
    found["revoked"] = cut("revoked", "admin")
    desk.stores.keys.revoke("revoked", "test", desk.clock.now_us())
    found["expired"] = cut("expired", "admin", lasts="1h", made_us=desk.clock.now_us() - 3_600 * SECOND_US)
    return found


def ask(client, method, path, key=None, header="authorization"):
    value = {} if key is None else {header: f"Bearer {key}" if header == "authorization" else key}
    body = {"content": b"{}"} if method in ("POST", "PUT") else {}
    return client.request(method, path, headers={"content-type": "application/json", **value}, **body)


def operations(client, key):
    schema = ask(client, "GET", "/openapi.json", key).json()
    return [
        (method.upper(), path, told["security"])
        for path, methods in schema["paths"].items()
        for method, told in methods.items()
    ]


def faults(client, callers):
    """Every way in which a route of the schema lets somebody in whom it should not, or keeps out whom it should not."""
    found = []
    for method, path, security in operations(client, callers["admin"]):
        needed = {name for scheme in security for names in scheme.values() for name in names}
        wrong = [name for name in SCOPES if needed and name not in {*needed, "admin"}]
        expected = {"nobody": 401, "revoked": 401, "expired": 401} | dict.fromkeys(wrong, 403) if security else {}
        for plain in (path, path.removeprefix("/v1")):
            address = re.sub(r"\{\w+\}", GOOD["event_id"], plain)
            for name, status in expected.items():
                for header in ("authorization", "x-api-key"):
                    answer = ask(client, method, address, callers.get(name), header)
                    if answer.status_code != status or answer.headers["content-type"] != "application/problem+json":
                        found.append((method, plain, name, answer.status_code))
            for name in [*needed, "admin"] if security else [None]:
                if ask(client, method, address, callers.get(name)).status_code in (401, 403):
                    found.append((method, plain, name, "kept out"))
    return found


def test_every_route_of_the_schema_keeps_out_whom_it_should(desk, callers):
    with TestClient(make_app(desk)) as client:
        assert len(operations(client, callers["admin"])) >= 12
        assert faults(client, callers) == []


@pytest.mark.parametrize("ending", ["%0A", "%0D", "%00", "%7F", "%E2%80%A8"])
def test_a_path_that_ends_in_what_cannot_be_seen_leads_nowhere(desk, callers, ending):
    """A router's `$` matches before a newline, where a table of paths does not."""
    with TestClient(make_app(desk)) as client:
        for method, path, _ in operations(client, callers["admin"]):
            for plain in (path, path.removeprefix("/v1")):
                address = re.sub(r"\{\w+\}", GOOD["event_id"], plain) + ending
                assert ask(client, method, address, callers["label"]).status_code == 404, address


def test_the_check_of_every_route_can_fail(desk, callers):
    leaky = Door(desk)
    admit = leaky.guard.admit
    leaky.guard.admit = lambda headers, scope: admit(headers, scopes.ANY_KEY if scope == "label" else scope)
    with TestClient(InFront(leaky, documented(leaky))) as client:
        found = {(path, name) for _, path, name, _ in faults(client, callers)}
    assert found == {(p, n) for p in ("/feedback", "/v1/feedback") for n in ("score", "ingest", "review", "promote")}


def test_the_table_of_scopes_in_the_docs_is_the_one_that_is_kept():
    page = (Path(__file__).parents[2] / "docs" / "http.md").read_text()
    told = {}
    for scope, routes in re.findall(r"^\| (none, no key|any valid key|`\w+`) \| (.*) \|$", page, re.M):
        named = {"none, no key": scopes.OPEN, "any valid key": scopes.ANY_KEY}.get(scope, scope.strip("`"))
        told |= dict.fromkeys(re.findall(r"`([A-Z]+ /[^`]*)`", routes), named)
    plain = [
        {re.sub(r"\{\w+\}", "{}", route): scope for route, scope in each.items()} for each in (told, scopes.SCOPE_OF)
    ]
    assert plain[0] == plain[1]


def test_a_route_without_a_scope_cannot_be_served(desk, monkeypatch):
    monkeypatch.delitem(scopes.SCOPE_OF, "GET /stats")
    with pytest.raises(DeclarationError, match="route GET /stats declares no scope"):
        make_app(desk)
    monkeypatch.undo()
    plain = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    scopes.check(plain.routes)
    plain.mount("/files", lambda: None)
    with pytest.raises(DeclarationError, match="declares no scope"):
        scopes.check(plain.routes)
    monkeypatch.setitem(scopes.SCOPE_OF, "GET /decisions/newest", "review")
    with pytest.raises(DeclarationError, match="can mean the same path"):
        make_app(desk)


def test_without_keys_the_door_is_open_and_the_first_one_closes_it(desk, cut, monkeypatch):
    monkeypatch.setattr(following, "FOLLOW_EVERY_SECONDS", 0.05)
    with TestClient(make_app(desk)) as client:
        assert ask(client, "GET", "/stats").status_code == 200
        key = cut("first", "score")
        assert until(lambda: ask(client, "GET", "/stats").status_code == 401)
        assert client.get("/health").status_code == client.get("/ready").status_code == 200
        assert ask(client, "GET", "/nowhere").status_code == 401
        assert ask(client, "GET", "/stats", key).status_code == 200
        assert ask(client, "GET", "/nowhere", key).status_code == 404
        assert ask(client, "GET", "/predict", key).status_code == 405
        desk.stores.keys.revoke("first", "test", 0)
        assert until(lambda: ask(client, "GET", "/stats", key).status_code == 401)


def until(holds, seconds=20):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def test_a_key_expires_without_anybody_looking(desk, cut, clock):
    key = cut("short", "score", lasts="1h")
    with TestClient(make_app(desk)) as client:
        assert ask(client, "GET", "/stats", key).status_code == 200
        clock.advance(3_600 * SECOND_US - 1)
        assert ask(client, "GET", "/stats", key).status_code == 200
        clock.advance(1)
        assert ask(client, "GET", "/stats", key).status_code == 401


def test_a_key_that_does_not_hold_is_refused_in_the_same_words(desk, callers):
    good = callers["admin"]
    unknown = make_key("x", ["admin"], 0, "test")[1]
    other_secret = good[:-1] + ("a" if good[-1] != "a" else "b")
    shown = [
        callers["revoked"],
        callers["expired"],
        unknown,
        other_secret,
        good.upper(),
        good + "a",
        "wb_",
        "x" * 9_000,
    ]
    with TestClient(make_app(desk)) as client:
        answers = [ask(client, "GET", "/stats", key) for key in shown]
        assert {a.status_code for a in answers} == {401}
        assert len({a.json()["detail"] for a in answers}) == 1
        assert {a.headers["www-authenticate"] for a in answers} == {'Bearer realm="weighbridge", error="invalid_token"'}
        for answer in answers:
            jsonschema.validate(answer.json(), problem_schema())
            assert good[15:30] not in answer.text
        nobody = ask(client, "GET", "/stats")
        assert nobody.headers["www-authenticate"] == 'Bearer realm="weighbridge"'
        wrong = ask(client, "POST", "/feedback", callers["score"])
        assert 'error="insufficient_scope", scope="label"' in wrong.headers["www-authenticate"]
        for value in (f"Basic {good}", good, f"bearer  {good} "):
            answer = client.get("/stats", headers={"authorization": value})
            assert answer.status_code == (200 if value.startswith("bearer") else 401)
        two = {"authorization": f"Bearer {good}", "x-api-key": callers["score"]}
        assert client.get("/stats", headers=two).status_code == 401


def test_a_rate_is_kept_with_its_burst(desk, cut, clock):
    slow, free = cut("slow", "score", rate=0.5, burst=3), cut("free", "score")
    with TestClient(make_app(desk)) as client:
        asked = [ask(client, "GET", "/stats", slow) for _ in range(5)]
        assert [a.status_code for a in asked] == [200, 200, 200, 429, 429]
        assert (asked[-1].headers["retry-after"], asked[-1].json()["title"]) == ("2", "Too many requests")
        assert ask(client, "GET", "/stats", free).status_code == 200
        clock.advance(2 * SECOND_US)
        assert [ask(client, "GET", "/stats", slow).status_code for _ in range(2)] == [200, 429]
        cut("another", "score")  # following the keys gives nobody new tokens
        client.app._door.guard.refresh()
        assert ask(client, "GET", "/stats", slow).status_code == 429
        clock.advance(DAY_US)
        assert [ask(client, "GET", "/stats", slow).status_code for _ in range(4)] == [200, 200, 200, 429]


def test_an_edit_is_by_the_key_that_made_it(desk, cut):
    told = {"list": "blocked_cards", "value": "c1", "action": "add", "why": "test", "by": "somebody else"}
    key = cut("ana", "review")
    with TestClient(make_app(desk)) as client:
        answer = client.post("/lists", json=told, headers={"x-api-key": key})
        assert answer.status_code == 200
    assert [edit.by for _, edit in desk.stores.log.edits()] == ["ana"]


def test_the_line_of_a_request_tells_who_what_and_how_long(desk, cut, tmp_path, capsys):
    import structlog

    from weighbridge.serve.logs import log_to

    key = cut("shop", "score", "label")
    log_to(tmp_path, "info", to_stdout=True)
    try:
        with TestClient(make_app(desk)) as client:
            headers = {"x-api-key": key, "x-request-id": "order-17"}
            client.post("/predict", json=GOOD, headers=headers)
            client.post("/predict/batch", json={"events": [{**GOOD, "event_id": "x"}, GOOD, {}]}, headers=headers)
            client.post("/feedback", json={"event_id": "later", "label": 0}, headers=headers)
            client.get(f"/decisions/{GOOD['event_id']}", headers=headers)
            client.get("/stats")
        text = (tmp_path / "weigh.jsonl").read_text()
    finally:
        structlog.reset_defaults()
    lines = [json.loads(line) for line in text.splitlines()]
    assert capsys.readouterr().out == text
    version = desk.router.champion.version
    told = [(line["path"], line["status"], line["entities"], line["bundle"]) for line in lines]
    assert told == [
        ("/predict", 200, 1, version), ("/predict/batch", 200, 3, version), ("/feedback", 200, 1, ""),
        ("/decisions/{name}", 200, 0, ""), ("/stats", 401, 0, ""),
    ]  # fmt: skip
    assert [line["key"] for line in lines] == [read_key(key.encode()).id] * 4 + [""]
    for line in lines:
        assert set(line) == {"event", "level", "time", "method", "path", "status", "trace_id", "request_id", "key",
                             "entities", "bundle", "duration_us"}  # fmt: skip
        assert line["duration_us"] > 0
    assert {line["request_id"] for line in lines[:4]} == {"order-17"}
    assert key.rpartition("_")[2] not in text
    assert GOOD["card_id"] not in text


def test_no_address_beyond_loopback_without_a_key():
    for host in ("0.0.0.0", "::"):
        with pytest.raises(HomeError, match="`weigh keys CASE add NAME --scope score`"):
            bind(host, 0)
        bind(host, 0, guarded=True).close()
    for host in ("127.0.0.1", "localhost", "::1", "127.9.9.9"):
        bind(host, 0).close()


def test_keys_are_made_as_meant():
    key, shown = make_key("a.b-c", ["label", "score", "score"], 5, "me", lasts="2d", rate=3.5)
    assert (key.scopes, key.until_us, key.burst) == (("score", "label"), 5 + 2 * DAY_US, 3)
    presented = read_key(shown.encode())
    assert presented.id == key.id
    assert len(presented.secret) >= 32
    assert presented.secret.decode() not in str(key)
    assert key.secret_sha256 != replace(make_key("b", ["score"], 5, "me")[0]).secret_sha256
    for name, wanted, limits in (
        ("", ["score"], {}), ("a b", ["score"], {}), ("x" * 65, ["score"], {}), ("a", [], {}), ("a", ["root"], {}),
        ("a", ["score"], {"rate": 0}), ("a", ["score"], {"rate": float("nan")}), ("a", ["score"], {"rate": float("inf")}),
        ("a", ["score"], {"burst": 3}), ("a", ["score"], {"rate": 1, "burst": 0}), ("a", ["score"], {"lasts": "soon"}),
        ("a", ["score"], {"lasts": "0d"}), ("a", ["score"], {"lasts": "99999999d"}), ("a\n", ["score"], {}),
    ):  # fmt: skip
        with pytest.raises(InputError):
            make_key(name, wanted, 5, "me", **limits)
