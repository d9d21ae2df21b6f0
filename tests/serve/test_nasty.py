"""Nothing that anybody can send is answered 5xx, stores anything when it is refused, or comes back with a personal value."""

from __future__ import annotations

import re

import jsonschema
import pytest

from tests.serve.nasty import CANARY, corpus
from tests.serve.test_http import GOOD
from weighbridge.errors import Rejected
from weighbridge.serve.schema import problem_schema


def operations(client):
    """(method, path, schema of the body) of everything that takes one, as the API describes itself."""
    paths = client.get("/openapi.json").json()["paths"]
    for path, methods in paths.items():
        for method, told in methods.items():
            if method in ("post", "put", "patch"):
                body = told.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
                yield method.upper(), re.sub(r"\{\w+\}", "x", path), body


def valid(schema):
    """A body that the schema allows, with a canary for text: events have what an event takes."""
    found = {}
    for name, told in schema.get("properties", {}).items():
        kind = told.get("type", "string")
        kind = kind[0] if isinstance(kind, list) else kind
        plain = {"string": CANARY, "integer": 1, "number": 1.0, "boolean": True, "array": [], "object": {}}[kind]
        found[name] = told["enum"][0] if "enum" in told else told.get("const", plain)
    known = {**GOOD, "card_id": CANARY}
    return found | {name: known[name] for name in found if name in known}


def faults(client, desk):
    """Every answer that breaks the promise, and how many bodies each operation was sent."""
    found, sent = [], {}
    for method, path, schema in operations(client):
        base = valid(schema)
        bodies = corpus(base, list(base), {"card_id", "value"})
        sent[method, path] = len(bodies)
        for name, content in bodies.items():
            before = desk.stores.log.head()
            answer = client.request(method, path, content=content, headers={"content-type": "application/json"})
            wrong = answer.status_code >= 500 or (CANARY in answer.text.replace(path, "") and answer.status_code != 200)
            if answer.status_code >= 400:
                problem = answer.json() if answer.headers["content-type"] == "application/problem+json" else {}
                wrong |= not jsonschema.Draft202012Validator(problem_schema()).is_valid(problem)
                wrong |= problem.get("trace_id") != answer.headers["traceparent"].split("-")[1]
                wrong |= desk.stores.log.head() != before
            if wrong:
                found.append((method, path, name, answer.status_code, answer.text[:200]))
    return found, sent


@pytest.mark.slow
def test_200_nasty_bodies_for_every_endpoint(client, desk):
    found, sent = faults(client, desk)
    assert not found
    assert len(sent) >= 5
    assert min(sent.values()) >= 200, sent


def test_an_endpoint_that_tells_a_value_is_found(client, desk, monkeypatch):
    def told(self, body, *_):
        raise Rejected("value", "known", f"there is no {body.get('value')}")

    monkeypatch.setattr(type(desk), "submit_label", told)
    monkeypatch.setattr(
        "tests.serve.test_nasty.operations",
        lambda _: iter([("POST", "/v1/feedback", {"properties": {"value": {}}})]),
    )
    found, _ = faults(client, desk)
    assert len(found) > 20
    assert {(status, CANARY in text) for *_, status, text in found} == {(422, True)}
