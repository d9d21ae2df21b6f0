"""What the HTTP door does stands in the audit, by the key that did it."""

from __future__ import annotations

import json
import time

from starlette.testclient import TestClient

from tests.serve.test_http import GOOD
from weighbridge.loop.audit import audit
from weighbridge.records import PRODUCTION, Move
from weighbridge.serve.http import following
from weighbridge.serve.http.app import make_app
from weighbridge.serve.keys import make_key


def told(desk, what):
    return [(e.who, e.subject, json.loads(e.detail)) for e in desk.stores.audit.entries() if e.what == what]


def test_labels_and_edits_are_by_the_key_that_brought_them(client, desk):
    label, edit = (
        {"event_id": "later", "label": 1},
        {"list": "blocked_cards", "value": "c1", "action": "add", "why": "test"},
    )
    for path, body in (("/feedback", label), ("/lists", edit), ("/lists", {**edit, "by": "ana"})):
        assert client.post(path, json=body).status_code == 200
    key, shown = make_key("shop", ["label", "review"], desk.clock.now_us(), "test")
    desk.stores.keys.add(key)
    with TestClient(make_app(desk)) as guarded:
        for path, body in (("/feedback", {**label, "source": "bank"}), ("/lists", {**edit, "by": "ana"})):
            assert guarded.post(path, json=body, headers={"x-api-key": shown}).status_code == 200
        assert guarded.post("/feedback", json=label).status_code == 401
    assert [(who, subject, detail["source"]) for who, subject, detail in told(desk, "labels")] == [
        ("unnamed", "later", "feedback"), ("shop", "later", "bank"),
    ]  # fmt: skip
    assert [who for who, _, _ in told(desk, "lists")] == ["unnamed", "ana", "shop"]
    assert all(detail["value"] == desk.stores.pseudonyms.of("c1") for _, _, detail in told(desk, "lists"))
    assert [(who, detail["act"]) for who, _, detail in told(desk, "keys")] == [("test", "added")]
    assert told(desk, "policy")


def test_a_refused_bundle_stands_in_the_audit_once(desk, monkeypatch):
    monkeypatch.setattr(following, "FOLLOW_EVERY_SECONDS", 0.02)
    good = desk.stores.registry.alias(PRODUCTION)
    files = desk.stores.bundles.files(good)
    desk.stores.bundles.put("torn", {name: content[:-1] for name, content in files.items()})
    desk.stores.registry.add("torn", {}, 1)
    with TestClient(make_app(desk)) as client:
        desk.stores.registry.move(Move(PRODUCTION, "torn", good, "ana", "try", 5))
        end = time.monotonic() + 20
        while not (refused := told(desk, "refused")):
            assert time.monotonic() < end
            time.sleep(0.02)
        time.sleep(0.2)
        assert client.post("/predict", json=GOOD).status_code == 200
    ((_, alias, detail),) = refused
    assert (alias, detail["bundle"]) == (PRODUCTION, "torn")
    assert detail["reason"]
    assert told(desk, "refused") == refused
    assert [(who, alias) for who, alias, _ in told(desk, "move")] == [("ana", PRODUCTION)]


def test_a_served_home_is_whole(client, desk):
    client.post("/predict", json=GOOD)
    client.post("/feedback", json={"event_id": GOOD["event_id"], "label": 0})
    entries = list(desk.stores.audit.entries())
    assert desk.stores.audit.broken_entry() is None
    assert [e.what for e in entries][-1] == "labels"
    # the fixture points the alias without a move, behind the registry's back
    assert "alias production" in audit(desk.stores).fault
