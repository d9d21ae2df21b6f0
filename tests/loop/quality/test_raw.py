"""Raw tables: which rows a finding names, and what can be judged of nothing."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tests.conftest import memory_stores
from weighbridge.clock import ManualClock, iso_to_us
from weighbridge.declare import (
    Child,
    Contract,
    Expect,
    Id,
    Integer,
    Key,
    Label,
    Money,
    Time,
    UseCase,
    Validation,
    log,
    logistic,
)
from weighbridge.loop.ingest import ingest
from weighbridge.loop.ingested import ingested
from weighbridge.loop.run import inputs
from weighbridge.loop.validate import validate
from weighbridge.stores.memory import MemoryTracker

ROWS = 20
CLOCK = ManualClock(iso_to_us("2026-07-01T00:00:00Z"))
LOANS = Child("loans", [Key("who"), Money("owed", at_least=0), Integer("late", optional=True)], by="who")


def made(**validation):
    fields = [
        Id("id"), Time("at", late="3000d"), Key("who"), Money("amount", at_least=0), Integer("age", optional=True)
    ]  # fmt: skip
    return UseCase(
        name="small", events=Contract("small", fields), children=[LOANS], features=[log("amount")],
        label=Label("bad", matures="1d"), models=[logistic()],
        validation=Validation(missing="fail", missing_at_most=0.0, outliers="fail", outliers_at_most=0.0, **validation),
    )  # fmt: skip


def events(**columns):
    rows = {
        "id": [f"e{n}" for n in range(ROWS)],
        "at": [f"2026-06-{n + 1:02}T00:00:00Z" for n in range(ROWS)],
        "who": ["k"] * ROWS,
        "amount": [10.0 + n for n in range(ROWS)],
        "age": list(range(ROWS)),
        "bad": [n % 2 for n in range(ROWS)],
    }
    return pa.table(rows | columns)


@pytest.fixture
def look(tmp_path):
    """Validate tables of raw rows; returns the findings that did not pass, by check and column."""

    def of(case=None, **tables):
        case = case or made()
        found = validate(case, memory_stores(case, tmp_path), CLOCK, ("raw",), tables=tables).figures["findings"]
        return {(each["check"], each["column"]): each for each in found}

    return of


def spoiled(values, first):
    """Return values whose first ones break their contract, and of which row 15 lies far out."""
    return [-1.0] * first + [99_999.0 if n == 15 else value for n, value in enumerate(values) if n >= first]


@pytest.mark.parametrize("first", [0, 8])
def test_rows_are_named_by_their_place_in_the_file_whatever_was_refused_above_them(look, first):
    ages = [None if n == 16 else n for n in range(ROWS)]
    found = look(events=events(amount=spoiled(range(ROWS), first), age=ages))
    assert found["outliers", "amount"]["examples"] == [15]
    assert found["missing", "age"]["examples"] == [16]
    rows = {"who": ["k"] * ROWS, "owed": spoiled(range(ROWS), first), "late": ages}
    found = look(loans=pa.table(rows))
    assert found["outliers", "owed"]["examples"] == [15]
    assert found["missing", "late"]["examples"] == [16]


def test_nothing_can_be_judged_of_no_rows(look):
    found = look(case=made(expect=[Expect("in order", "ordered_share >= 0.9")]), events=events().slice(0, 0))
    outcomes = {check: each["outcome"] for (check, _), each in found.items() if check != "binary"}
    assert outcomes == dict.fromkeys(("contract", "unique", "missing", "outliers", "expect"), "not judged")
    assert found["contract", ""]["sentence"] == "there are no rows"
    rows = pa.table({"who": pa.array([], pa.string()), "owed": pa.array([], pa.float64())})
    assert {each["outcome"] for each in look(loans=rows).values()} == {"not judged"}


def test_labels_that_are_given_and_are_none_fail_and_none_that_are_given_are_not_judged(look):
    unlabelled = events(bad=[None] * ROWS)
    assert look(events=unlabelled)["binary", "bad"]["outcome"] == "failed"
    assert look(events=events().slice(0, 0))["binary", "bad"]["outcome"] == "failed"
    none = pa.table({name: pa.array([], pa.string()) for name in ("event_id", "label", "arrived")})
    assert look(events=unlabelled, labels=none)["binary", "bad"]["outcome"] == "failed"
    assert look(events=events().drop_columns(["bad"]))["binary", "bad"]["outcome"] == "not judged"
    assert ("binary", "bad") not in look(events=events())


@pytest.mark.parametrize(
    ("broken", "at_most", "contract", "rule"),
    [(0, 0.0, None, None), (5, 0.0, "not judged", "failed"), (5, 0.3, None, None), (5, 0.2, "failed", "failed")],
)
def test_a_home_is_judged_by_what_ingestion_rejected(tmp_path, broken, at_most, contract, rule):
    few = made(rejected_at_most=at_most, expect=[Expect("few rejected", f"rejected_share <= {at_most}")])
    stores = memory_stores(few, tmp_path)

    def outcomes():
        found = validate(few, stores, CLOCK, ("raw",)).figures["findings"]
        return [{each["check"]: each["outcome"] for each in found}.get(check) for check in ("contract", "expect")]

    assert outcomes() == ["not judged", "not judged"]
    before = inputs(few, stores, "validate")
    ingest(few, stores, CLOCK, events(amount=[-1.0] * broken + [10.0] * (ROWS - broken)))
    assert outcomes() == [contract, rule]
    assert inputs(few, stores, "validate") != before
    before = inputs(few, stores, "validate")
    ingest(few, stores, CLOCK, events(id=[f"x{n}" for n in range(ROWS)], amount=[-1.0] * ROWS))
    assert inputs(few, stores, "validate") != before
    assert outcomes()[1] == "failed"


def test_what_was_rejected_of_every_file_counts_and_only_in_the_time_asked_about():
    tracker = MemoryTracker()
    sources = {"events": {"rows": 8, "rejected": 1}, "labels": {"rows": 4, "rejected": 3}}
    tracker.record("a", "ingest", 10, {"rows": 8, "rejected": 4, "sources": sources})
    tracker.record("b", "ingest", 20, {"table": "loans", "rows": 5, "rejected": 2})
    assert ingested(tracker) == (17, 6, 2)
    assert ingested(tracker, 10) == (5, 2, 1)
    assert ingested(tracker, 0, 10) == (12, 4, 1)
