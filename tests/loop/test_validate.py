"""Validation of data: what is sound passes at every stage, and for every check there is a table that must fail it."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from tests.conftest import START_US, memory_stores
from weighbridge.clock import DAY_US, ManualClock, us_to_iso
from weighbridge.declare import Child, Expect, Integer, Key, Money, Validation
from weighbridge.errors import GateClosed, InputError
from weighbridge.loop.run import run
from weighbridge.loop.simulate import simulate
from weighbridge.loop.training.training_set import training_set
from weighbridge.loop.validate import splits_of, validate, validated

NOW_US = START_US + 100 * DAY_US
SOUND = Validation(repeats="fail", missing="fail", outliers="fail", outliers_at_most=0.1)


@pytest.fixture(scope="module")
def case(small_case):
    rules = [
        Expect("fraud rate", "0.005 <= positive_share <= 0.2"),
        Expect("in order", "ordered_share >= 0.9"),
        Expect("an amount", "amount >= 0 and country in ('US', 'CA', 'GB', 'DE', 'FR', 'IN', 'BR')"),
        Expect("hours", "hour_of_day <= 23"),
    ]
    return replace(small_case, validation=replace(SOUND, expect=rules))


@pytest.fixture(scope="module")
def small_world(case):
    made = simulate(case, seed=5, start_us=START_US, events=1_500)
    return made.events, made.labels


@pytest.fixture
def empty(case, tmp_path):
    return memory_stores(case, tmp_path / "reports")


def raw(case, stores, events, labels=None, **changes):
    case = replace(case, validation=replace(case.validation, **changes))
    tables = {"events": events} | ({} if labels is None else {"labels": labels})
    mapping = {"arrived": "arrived"}
    return validate(case, stores, ManualClock(NOW_US), ("raw",), tables=tables, mapping=mapping).figures


def failures(figures):
    return {(each["check"], each["column"]) for each in figures["findings"] if each["outcome"] == "failed"}


def column(table, name, change):
    values = change(table[name].to_pylist())
    return table.set_column(table.column_names.index(name), name, pa.array(values, table[name].type))


def put(at, value):
    return lambda values: [value if row in at else old for row, old in enumerate(values)]


def test_what_is_sound_passes_at_every_stage(case, trained):
    figures = validate(case, trained, ManualClock(NOW_US)).figures
    assert failures(figures) == set()
    assert set(figures["stages"]) == {"raw", "engineered", "splits"}
    told = json.loads((trained.reports / "quality.json").read_text())
    assert {each["check"] for each in told["findings"]} >= {
        "columns", "unique", "binary", "finite", "overlap", "repeats", "missing", "outliers", "expect"
    }  # fmt: skip


def test_sound_files_pass(case, empty, small_world):
    assert failures(raw(case, empty, *small_world)) == set()


# every check of raw rows, and what must break it: the change of the events, of the labels, and who is told
BROKEN = {
    "a missing column": (lambda e: e.drop_columns(["amount"]), None, ("columns", "amount")),
    "a range": (lambda e: column(e, "amount", put([3, 9], 5_000.01)), None, ("contract", "amount")),
    "no number": (lambda e: column(e, "amount", put([3], float("nan"))), None, ("contract", "amount")),
    "infinite": (lambda e: column(e, "amount", put([3], float("inf"))), None, ("contract", "amount")),
    "nothing where it is required": (lambda e: column(e, "country", put([0], None)), None, ("contract", "country")),
    "no category": (lambda e: column(e, "device", put([1], "fridge")), None, ("contract", "device")),
    "an id twice": (lambda e: column(e, "event_id", lambda v: [v[1], *v[1:]]), None, ("unique", "event_id")),
    "no ULID": (lambda e: column(e, "event_id", put([7], "x")), None, ("contract", "event_id")),
    "labels of one class": (None, lambda t: column(t, "label", lambda v: [0] * len(v)), ("binary", "is_fraud")),
    "a label that is none": (None, lambda t: column(t, "label", put([2], 3)), ("contract", "label")),
    "too many positives": (
        None,
        lambda t: column(t, "label", lambda v: [1] * (len(v) - 1) + [0]),
        ("expect", "fraud rate"),
    ),
    "out of order": (lambda e: e.take(np.arange(len(e))[::-1]), None, ("expect", "in order")),
    "outliers": (lambda e: column(e, "amount", put(range(300), 4_999.0)), None, ("outliers", "amount")),
}


@pytest.mark.parametrize("name", BROKEN)
def test_every_check_of_raw_rows_can_fail(case, empty, small_world, name):
    of_events, of_labels, told = BROKEN[name]
    events, labels = small_world
    figures = raw(case, empty, of_events(events) if of_events else events, of_labels(labels) if of_labels else labels)
    assert told in failures(figures)
    assert not figures["passed"]


def test_rows_are_named_and_values_never_are(case, empty, small_world):
    figures = raw(case, empty, column(small_world[0], "amount", put([3, 9], 4_711_471_147.0)), small_world[1])
    told = next(each for each in figures["findings"] if each["check"] == "contract")
    assert (told["examples"], told["rows"]) == ([3, 9], 2)
    written = (empty.reports / "quality-raw.json").read_text() + (empty.reports / "quality-raw.html").read_text()
    card = small_world[0]["card_id"][3].as_py()
    assert "4711471147" not in written
    assert card not in written


def test_a_share_of_rejects_may_be_declared(case, empty, small_world):
    events = column(small_world[0], "amount", put([3, 9], -1.0))
    assert raw(case, empty, events, rejected_at_most=0.01)["passed"]
    assert not raw(case, empty, events, rejected_at_most=0.001)["passed"]


@pytest.mark.parametrize(("severity", "outcome"), [("fail", "failed"), ("warn", "warned"), ("off", None)])
def test_a_check_can_be_toggled(case, empty, small_world, severity, outcome):
    figures = raw(case, empty, BROKEN["an id twice"][0](small_world[0]), unique=severity)
    found = [each["outcome"] for each in figures["findings"] if each["check"] == "unique"]
    assert found == ([outcome] if outcome else [])
    assert figures["passed"] == (severity != "fail")


def test_what_is_missing_is_bounded_by_column(small_case, empty, small_world):
    contract = small_case.events
    fields = [replace(f, optional=True) if f.name == "merchant_category" else f for f in contract.fields]
    case = replace(small_case, events=replace(contract, fields=fields), validation=Validation(missing="fail"))
    events = column(small_world[0], "merchant_category", put(range(200), None))
    assert raw(case, empty, events)["passed"]
    assert failures(raw(case, empty, events, missing_of={"merchant_category": 0.1})) == {
        ("missing", "merchant_category")
    }


def vectors(case, stores):
    from weighbridge.loop.build import table_name

    return stores.tables.get(table_name(case))


VECTORS = {
    "a feature is missing": (lambda t: t.drop_columns(["amount_log"]), ("columns", "amount_log")),
    "an infinite value": (lambda t: column(t, "amount_log", put([4], np.inf)), ("finite", "amount_log")),
    "undefined where it never is": (lambda t: column(t, "card_count_1h", put([4], None)), ("finite", "card_count_1h")),
    "NaN where it never is": (lambda t: column(t, "hour_of_day", put([4], np.nan)), ("finite", "hour_of_day")),
    "an id twice": (lambda t: column(t, "event_id", lambda v: [v[1], *v[1:]]), ("unique", "event_id")),
    "mostly missing": (lambda t: column(t, "card_amount_std_30d", lambda v: [None] * len(v)), ("missing", "card_amount_std_30d")),
    "outliers": (lambda t: column(t, "amount_log", put(range(1_500), 1e6)), ("outliers", "amount_log")),
    "a business rule": (lambda t: column(t, "hour_of_day", put([4], 24.0)), ("expect", "hours")),
}  # fmt: skip


@pytest.mark.parametrize("name", VECTORS)
def test_every_check_of_vectors_can_fail(case, trained, tmp_path, name):
    change, told = VECTORS[name]
    table = change(vectors(case, trained))
    stores = replace(trained, reports=tmp_path)
    figures = validate(case, stores, ManualClock(NOW_US), ("engineered",), tables={"vectors": table}).figures
    assert told in failures(figures)


@pytest.fixture(scope="module")
def splits(case, trained):
    return splits_of(case, trained, training_set(case, trained))


def of_splits(case, stores, tables, tmp_path):
    stores = replace(stores, reports=tmp_path)
    return failures(validate(case, stores, ManualClock(NOW_US), ("splits",), tables=tables).figures)


def test_every_check_of_splits_can_fail(case, trained, splits, tmp_path):
    train, later = splits["train"], splits["validation"]
    assert of_splits(case, trained, splits, tmp_path) == set()
    leaked = pa.concat_tables([later, train.slice(0, 1)])
    assert ("overlap", "event_id") in of_splits(case, trained, {"train": train, "validation": leaked}, tmp_path)
    copied = train.slice(0, 300)
    copied = copied.set_column(0, "event_id", pa.array([f"other{n}" for n in range(len(copied))]))
    found = of_splits(case, trained, {"train": train, "test": pa.concat_tables([later, copied])}, tmp_path)
    assert found == {("repeats", "")}
    found = of_splits(case, trained, {"train": train, "test": later.slice(0, 0)}, tmp_path)
    assert found == {("binary", "label")}
    twice = pa.concat_tables([later, later.slice(0, 1)])
    assert ("unique", "event_id") in of_splits(case, trained, {"train": train, "test": twice}, tmp_path)
    with pytest.raises(InputError, match="has no column"):
        of_splits(case, trained, {"train": train, "test": later.drop_columns(["event_id"])}, tmp_path)


def test_bodies_are_held_against_the_same_contract(case, empty, small_world):
    row = small_world[0].slice(0, 1).to_pylist()[0]
    body = {f.name: row[f.source] for f in case.events.fields} | {"event_ts": us_to_iso(NOW_US)}

    def bodies(*given):
        return failures(validate(case, empty, ManualClock(NOW_US), ("request",), bodies=given).figures)

    assert bodies(body) == set()
    assert bodies({**body, "amount": "12"}) == {("contract", "amount")}
    assert bodies({**body, "colour": 1}) == {("contract", "colour")}
    assert bodies("the body is not JSON") == {("contract", "")}
    assert bodies(body, body) == {("unique", "event_id")}
    strict = replace(case, validation=Validation(expect=[Expect("large", "amount > 4_999")]))
    figures = validate(strict, empty, ManualClock(NOW_US), ("request",), bodies=[body]).figures
    assert failures(figures) == {("expect", "large")}


def test_the_first_failure_is_the_last_thing_looked_at(case, empty, small_world):
    events = column(BROKEN["an id twice"][0](small_world[0]), "amount", put(range(300), 4_999.0))
    assert len(failures(raw(case, empty, events))) == 2
    figures = raw(case, empty, events, fail_fast=True)
    assert failures(figures) == {("unique", "event_id")}
    assert figures["findings"][0]["outcome"] == "failed"


def test_a_stage_that_fails_stops_the_run(case, home, tmp_path):
    wrong = replace(case, validation=Validation(expect=[Expect("much", "rows > 1_000_000")]))
    assert "not looked at" in validate(case, home, ManualClock(NOW_US)).figures["stages"]["engineered"]
    reports = run(case, home, ManualClock(NOW_US), {}, only="build")
    with pytest.raises(GateClosed, match=r"expect of raw events much: rows > 1_000_000: rows is"):
        validated(wrong, home, ManualClock(NOW_US))
    with pytest.raises(GateClosed):
        run(wrong, home, ManualClock(NOW_US), {}, only="validate")
    first = run(case, home, ManualClock(NOW_US), {}, only="validate")
    assert [r.skipped for r in (*reports, *first)] == [False, False]
    assert run(case, home, ManualClock(NOW_US), {}, only="validate")[0].skipped


def test_the_page_draws_every_column_and_runs_nothing(case, trained, tmp_path):
    stores = replace(trained, reports=tmp_path)
    validate(case, stores, ManualClock(NOW_US))
    page, told = (tmp_path / "quality.html").read_text(), json.loads((tmp_path / "quality.json").read_text())
    assert "<script" not in page
    assert not re.search(r"(src|href)=", page)
    assert page.count("<svg") >= len([each for each in told["columns"] if each.get("counts")]) > 30
    assert told["use_case"] == case.name
    assert json.dumps(told, allow_nan=False)


def test_no_rows_are_judged_by_what_can_be_judged(case, empty, small_world):
    figures = raw(case, empty, small_world[0].slice(0, 0), small_world[1].slice(0, 0))
    outcomes = {each["column"]: each["outcome"] for each in figures["findings"] if each["check"] == "expect"}
    assert outcomes["fraud rate"] == outcomes["an amount"] == "not judged"


CHILDREN = {
    "a missing column": (lambda t: t.drop_columns(["loan_id"]), ("columns", "loan_id")),
    "a range": (lambda t: column(t, "owed", put([2], -1.0)), ("contract", "owed")),
    "a key twice": (lambda t: column(t, "loan_id", put([1], "l0")), ("unique", "loan_id")),
    "mostly missing": (lambda t: column(t, "days", lambda v: [None] * len(v)), ("missing", "days")),
    "outliers": (lambda t: column(t, "owed", put(range(40), 9_999.0)), ("outliers", "owed")),
}


@pytest.mark.parametrize("name", [None, *CHILDREN])
def test_every_check_of_child_rows_can_fail(case, empty, name):
    fields = [
        Key("card_id", pii="pseudonymised"),
        Key("loan_id"),
        Money("owed", at_least=0, at_most=10_000),
        Integer("days", optional=True),
    ]
    related = replace(case, children=[Child("loans", fields, by="card_id", unique="loan_id")])
    rows = {"card_id": ["c1"] * 200, "loan_id": [f"l{n}" for n in range(200)], "owed": [float(n) for n in range(200)],
            "days": list(range(200))}  # fmt: skip
    change, told = CHILDREN[name] if name else (lambda t: t, None)
    tables = {"loans": change(pa.table(rows))}
    found = failures(validate(related, empty, ManualClock(NOW_US), ("raw",), tables=tables).figures)
    assert found == ({told} if told else set())


def test_vectors_that_are_no_numbers_are_refused_in_a_sentence(case, trained, tmp_path):
    table = vectors(case, trained)
    place = table.column_names.index("amount_log")
    table = table.set_column(place, "amount_log", pa.array(["many"] * len(table)))
    with pytest.raises(InputError, match="'amount_log' holds what is no number"):
        validate(
            case, replace(trained, reports=tmp_path), ManualClock(NOW_US), ("engineered",), tables={"vectors": table}
        )
