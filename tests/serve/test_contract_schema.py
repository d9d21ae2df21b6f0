"""What the schema of an event accepts is accepted at the door, and the other way, but for what docs/contracts.md names."""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import SOAK
from tests.fixtures.tiny_fraud import case as tiny
from weighbridge.clock import iso_to_us
from weighbridge.declare import Category, Contract, Id, Integer, Key, Money, Number, Policy, Text, Time
from weighbridge.errors import Rejected
from weighbridge.identity import Pseudonyms
from weighbridge.kernel.validate import parse_event
from weighbridge.serve.contract_schema import event_schema

FIELDS = [
    Id("id"), Time("at", late="200000d", future="200000d"), Key("who", pattern="[a-z]+"), Key("loan", whole=True, optional=True), Key("short", whole=True, longest=2),
    Text("note", optional=True, longest=3), Integer("open"), Integer("days", at_least=-5, at_most=10, optional=True, means_missing=[365]),
    Number("score", at_least=0, at_most=1, decimals=2), Number("odd", at_least=-0.03, at_most=0.05, decimals=2), Number("free"),
    Number("capped", at_least=0, at_most=1, cap=True, decimals=0), Number("coded", at_most=9, decimals=1, optional=True, means_missing=[99]),
    Money("amount", at_least=0, at_most=99.99), Money("owed", optional=True, at_most=5, means_missing=[999_999]), Money("fee", decimals=0),
    Category("code", one_of=["1", "2"]), Category("kind", one_of=["a", "rest"], other="rest"),
    Category("home", one_of=["own"], optional=True, means_missing=["XNA"]),
]  # fmt: skip
ALL = Contract("all", FIELDS)
CASE = replace(tiny, name="all", events=ALL, features=[ALL.by("who").count(last="1d")], simulate=None, policy=Policy())
BASE = {"id": "e", "at": "2026-11-22T00:59:00Z", "who": "a", "short": 1, "open": 1, "score": 0.5, "odd": 0, "free": 1, "capped": 1, "amount": 1.5,
        "fee": 2, "code": "1", "kind": "a"}  # fmt: skip
VALIDATOR = jsonschema.Draft202012Validator(event_schema(CASE), format_checker=jsonschema.FormatChecker())
EDGES = [2**63 - 1, 2**63, -(2**63), 1 - 2**63, 2**53, 1e19, 1e300, 12.0, 12.5, 1.004, 1.005, 1.006, -0.005, -0.0051, 0.055, -0.035, 9.05, 98.95, 99.05,
         99.051, 999_999, 9223372036854.775, 9223372036854.777, 92233720368547758, 92233720368547759, 92233720368547.75, 365, -9, -10, 99, 100]  # fmt: skip
WORDS = ["", "a", "abc", "abcd", "A", "1", "2", "007", "-0", "-12", "1.0", "own", "XNA", "x" * 256, "x" * 257, "é", "é" * 257,
         "2026-11-22T00:59:00+02:00", "2026-11-22T00:59:00.1234567-00:30", "1899-12-31T23:59:59Z", "2200-01-01T00:00:00Z",
         "1900-01-02T00:00:00Z", "2199-12-30T23:59:59Z", "2026-11-22T00:59:00", "2026-11-22", "2026-11-22T00:59:60Z", "2026-11-22t00:59:00z"]  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(EDGES), st.sampled_from(WORDS), st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.integers(-12, 110),
    st.floats(-12, 110), st.floats(allow_nan=False, allow_infinity=False), st.text("ab1-0.", max_size=4),
    st.datetimes().map(lambda at: at.isoformat(timespec="seconds") + "Z"), st.lists(st.none(), max_size=1),
)  # fmt: skip


def taken(body):
    try:
        parse_event(ALL, body, iso_to_us("2026-11-22T01:00:00Z"), Pseudonyms(b"k" * 32))
    except Rejected as fault:
        return fault.rule
    return "taken"


def excepted(field, value):
    """What JSON Schema cannot say of this value."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(field, Money) and number and abs(value) < 1e300:
        return value * field.scale != round(value * field.scale)
    return getattr(field, "whole", False) and isinstance(value, float)


@settings(max_examples=20_000 if SOAK else 400, deadline=None)
@given(field=st.sampled_from(FIELDS), value=VALUES)
def test_the_schema_and_the_door_agree(field, value):
    body = json.loads(json.dumps({**BASE, field.name: value}))
    if not excepted(field, value):
        assert VALIDATOR.is_valid(body) == (taken(body) == "taken")


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_the_schema_and_the_door_agree_at_every_edge(field):
    bodies = [{**BASE, field.name: value} for value in [*EDGES, *WORDS, None, True] if not excepted(field, value)]
    told = [VALIDATOR.is_valid(body) for body in bodies]
    assert [body[field.name] for body, ok in zip(bodies, told, strict=True) if ok != (taken(body) == "taken")] == []
    assert len(set(told)) == 2


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("at", "2026-02-30T00:00:00Z", "time"), ("at", "1900-01-01T00:00:00+02:00", "time"), ("amount", 1.234, "decimals"),
        ("loan", 12.0, "type"), ("at", "2026-11-22 00:59:00Z", "taken"), ("at", "2026-11-22T00:59Z", "taken"), ("amount", 99.990000001, "taken"),
        ("owed", 999_999.000000001, "taken"),
    ],
)  # fmt: skip
def test_the_exceptions_are_what_the_page_says(name, value, rule):
    body = {**BASE, name: value}
    assert taken(body) == rule
    assert jsonschema.Draft202012Validator(event_schema(CASE)).is_valid(body) == (rule != "taken")


def test_a_whole_number_is_stored_as_its_text():
    stored = [
        parse_event(ALL, {**BASE, "loan": value}, iso_to_us(BASE["at"]), Pseudonyms(b"k" * 32)) for value in (12, "12")
    ]
    place = [field.name for field in ALL.payload].index("loan")
    assert [event.values[place] for event in stored] == ["12", "12"]
    assert taken({**BASE, "loan": 2**63}) == "fits"
    assert taken({**BASE, "loan": str(2**63)}) == "taken"
