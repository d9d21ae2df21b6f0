"""Rows and columns are judged by the same rules, and come out the same."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.clock import iso_to_us, us_to_iso
from weighbridge.declare import Category, Contract, Id, Integer, Key, Money, Number, Time
from weighbridge.errors import InputError, Rejected
from weighbridge.identity import Pseudonyms
from weighbridge.kernel import table_check
from weighbridge.kernel.table_check import TableCheck
from weighbridge.kernel.validate import parse_event, parse_table
from weighbridge.testing.samples import sample_contract

CONTRACT = sample_contract()
NAMES = Pseudonyms(b"k" * 32)
NOW = iso_to_us("2026-03-01T12:00:00Z")
GOOD = {"event_id": "e1", "at": "2026-03-01T12:00:00Z", "card": "c", "shop_id": "s", "amount": 12.34, "score": 0.5,
        "items": 3, "device": "web"}  # fmt: skip


def parse(**changes):
    body = {k: v for k, v in {**GOOD, **changes}.items() if v is not ...}
    return parse_event(CONTRACT, body, NOW, NAMES)


def test_a_good_event_is_stored_in_integers_with_a_pseudonym():
    event = parse()
    assert event.event_id == "e1"
    assert event.event_us == NOW
    assert event.values == ("c", NAMES.of("s"), 1234, 500, 3, "web")
    assert NAMES.of("s").startswith(NAMES.key_id + ".")
    assert parse(score=None, device=...).values[3:] == (None, 3, None)


@pytest.mark.parametrize(
    ("changes", "field", "rule"),
    [
        ({"extra": 1}, "extra", "known"),
        ({"amount": ...}, "amount", "required"),
        ({"amount": None}, "amount", "required"),
        ({"amount": "12"}, "amount", "type"),
        ({"amount": True}, "amount", "type"),
        ({"amount": [1]}, "amount", "type"),
        ({"amount": math.nan}, "amount", "finite"),
        ({"amount": math.inf}, "amount", "finite"),
        ({"amount": -0.01}, "amount", "at_least"),
        ({"amount": 5000.01}, "amount", "at_most"),
        ({"amount": 1.234}, "amount", "decimals"),
        ({"amount": 10**400}, "amount", "fits"),
        ({"amount": 1.7e308}, "amount", "fits"),
        ({"items": 1.5}, "items", "type"),
        ({"card": 7}, "card", "type"),
        ({"card": ""}, "card", "not_empty"),
        ({"card": "x" * 257}, "card", "longest"),
        ({"device": "fridge"}, "device", "one_of"),
        ({"event_id": ...}, "event_id", "required"),
        ({"at": 5}, "at", "type"),
        ({"at": "yesterday"}, "at", "time"),
        ({"at": "2026-03-01T12:00:00"}, "at", "time"),
        ({"at": "2026-03-01T14:00:00.000001Z"}, "at", "future"),
        ({"at": "2026-02-26T11:59:59Z"}, "at", "late"),
        ({"at": "0001-01-01T00:00:00+23:59"}, "at", "time"),
    ],
)
def test_a_broken_rule_names_field_rule_and_type_but_no_value(changes, field, rule):
    with pytest.raises(Rejected) as rejected:
        parse(**changes)
    assert (rejected.value.field, rejected.value.rule) == (field, rule)
    assert "fridge" not in str(rejected.value)


def test_the_edges_of_lateness_are_inside():
    assert parse(at="2026-03-01T14:00:00Z").event_us == NOW + 2 * 3_600_000_000
    assert parse(at="2026-02-26T12:00:00Z").event_us == NOW - 3 * 86_400_000_000


amounts = st.one_of(st.floats(-10, 6_000), st.integers(-5, 6_000), st.sampled_from([0.1 + 0.2, 4999.999, 1e-9]),
                    st.none(), st.decimals(0, 5_000, places=2).map(float))  # fmt: skip
SMALL = Contract("small", [Id("id"), Time("at"), Key("k", pattern="k[0-9]+"), Money("m", at_least=0, at_most=5_000),
                           Integer("i", at_least=0, at_most=9, optional=True)])  # fmt: skip


@given(
    st.lists(
        st.tuples(st.sampled_from(["k1", "k22", "x", ""]), amounts, st.sampled_from([None, 0, 9, 10, -1])), max_size=12
    )
)
def test_rows_and_columns_agree(rows):
    bodies = [{"id": f"e{n}", "at": us_to_iso(NOW), "k": k, "m": m, "i": i} for n, (k, m, i) in enumerate(rows)]
    expected, refused = {}, {}
    for n, body in enumerate(bodies):
        try:
            expected[n] = parse_event(SMALL, body, NOW, NAMES).values
        except Rejected as rejected:
            refused[n] = (rejected.field, rejected.rule)
    table = pa.table({
        "id": pa.array([b["id"] for b in bodies], pa.string()),
        "at": pa.array([NOW] * len(rows), pa.timestamp("us", "UTC")),
        "k": pa.array([b["k"] for b in bodies], pa.string()),
        "m": pa.array([None if b["m"] is None else float(b["m"]) for b in bodies], pa.float64()),
        "i": pa.array([b["i"] for b in bodies], pa.int64()),
    })  # fmt: skip
    accepted, check = parse_table(SMALL, table, {}, NAMES)
    found = {r["row"]: (r["k"], r["m"], r["i"]) for r in accepted.to_pylist()}
    assert found == expected
    assert {r["row"]: (r["field"], r["rule"]) for r in check.rejects.table().to_pylist()} == refused


def test_text_columns_are_read_as_numbers_and_times():
    table = pa.table({"id": ["a", "b", "c"], "at": ["2026-03-01 12:00:00", "2026-03-01T12:00:00+01:00", "soon"],
                      "k": ["k1", "k2", "k3"], "m": ["12.5", "x", "3"], "i": [None, "4", "5"]})  # fmt: skip
    accepted, check = parse_table(SMALL, table, {}, NAMES)
    assert accepted.select(["event_us", "m"]).to_pylist() == [{"event_us": NOW, "m": 1250}]
    assert [(r["row"], r["rule"]) for r in check.rejects.table().to_pylist()] == [(1, "type"), (2, "time")]


def test_an_absent_column_is_named_with_the_fix():
    with pytest.raises(InputError, match=r"column 'AMOUNT' for field m is missing; the file has id.*--map m=COLUMN"):
        parse_table(SMALL, pa.table({"id": ["a"], "at": ["x"], "k": ["k1"]}), {"m": "AMOUNT"}, NAMES)


def test_capped_numbers_are_kept():
    capped = Contract("c", [Id("id"), Time("at"), Money("m", at_least=0, at_most=10, cap=True)])
    assert parse_event(capped, {"id": "a", "at": us_to_iso(NOW), "m": 99}, NOW, NAMES).values == (1000,)
    table = pa.table({"id": ["a"], "at": pa.array([NOW], pa.timestamp("us")), "m": [-4.0]})
    assert parse_table(capped, table, {}, NAMES)[0]["m"].to_pylist() == [0]


def small(**columns):
    given = {"id": ["a"], "at": pa.array([NOW], pa.timestamp("us")), "k": ["k1"], "m": [1.0], "i": [1]}
    return parse_table(SMALL, pa.table({**given, **columns}), {}, NAMES)


@pytest.mark.parametrize(
    ("column", "stored"),
    [
        (pa.array([12.34], pa.float32()), 1234),
        (pa.array([1234], pa.int64()).cast(pa.decimal128(20)).cast(pa.decimal128(20, 2)), 123400),
        (pa.array(["12.34"]).dictionary_encode(), 1234),
        (pa.array(["12.34"], pa.large_string()), 1234),
        (pa.array([12], pa.uint8()), 1200),
    ],
    ids=lambda v: str(getattr(v, "type", v)),
)
def test_columns_of_every_type_are_read(column, stored):
    assert small(m=column)[0]["m"].to_pylist() == [stored]


@pytest.mark.parametrize("number", [-(2**63), 2**63 - 1])
def test_the_ends_of_64_bits_are_refused_and_not_wrapped(number):
    accepted, check = small(m=pa.array([number], pa.int64()))
    assert len(accepted) == 0
    assert check.rejects.rules == ["fits"]


@pytest.mark.parametrize("text", ["1_000", "१२", "0x10", "nan", "inf", " 1"])
def test_text_that_only_python_reads_as_a_number_is_refused(text):
    assert small(m=[text])[1].rejects.rules == ["type"]


@pytest.mark.parametrize("column", [pa.array([[1]]), pa.array([{"a": 1}])], ids=["list", "struct"])
@pytest.mark.parametrize("name", ["k", "m"])
def test_nested_columns_are_refused_in_one_sentence(name, column):
    with pytest.raises(InputError, match="cannot be read as"):
        small(**{name: column})


def test_times_beyond_two_centuries_are_refused():
    for far in (9 * 10**18, -(2**62)):
        assert small(at=pa.array([far], pa.timestamp("us")))[1].rejects.rules == ["time"]


def test_an_arrival_column_is_read_when_it_is_mapped():
    table = pa.table({"id": ["a"], "at": pa.array([NOW], pa.timestamp("us")), "k": ["k1"], "m": [1.0], "i": [1],
                      "seen": pa.array([NOW + 2_000_000], pa.timestamp("us"))})  # fmt: skip
    assert parse_table(SMALL, table, {"arrived": "seen"}, NAMES)[0]["arrived_us"].to_pylist() == [NOW + 2_000_000]
    late = table.set_column(5, "seen", pa.array([NOW + 601_000_000], pa.timestamp("us")))
    assert parse_table(SMALL, late, {"arrived": "seen"}, NAMES)[1].rejects.rules == ["late"]


LENIENT = Contract("lenient", [
    Id("loan", whole=True), Time("at"), Integer("days", at_most=0, optional=True, means_missing=[365243]),
    Number("share", at_least=0, at_most=1, decimals=3, optional=True, means_missing=[9.99]),
    Integer("year", at_least=0, at_most=9, cap=True, optional=True, means_missing=[-1]),
    Category("sex", one_of=["F", "M"], optional=True, means_missing=["XNA"]),
    Category("work", one_of=["cook", "other"], other="other", optional=True, means_missing=["XNA", "XAP"]),
])  # fmt: skip
texts = st.sampled_from([None, "F", "M", "XNA", "XAP", "cook", "other", "smith", " "])
days = st.sampled_from([None, -3648.0, -3648.5, 0.0, 1.0, 365243.0, 365243.0001, -365243.0, 1e300])
shares = st.sampled_from([None, 0.5, 9.99, 9.9904, 9.98, 1.0004, 1.0006, -0.0001])
years = st.sampled_from([None, -1, -2, 0, 9, 12])
lenient_rows = st.lists(st.tuples(days, shares, years, texts, texts), max_size=10)


def written(value):
    return None if value is None else str(value)


@pytest.mark.parametrize("as_text", [True, False], ids=["csv", "parquet"])
@given(lenient_rows)
def test_rows_and_columns_agree_on_what_means_missing_and_what_is_another(as_text, rows):
    names = ("days", "share", "year", "sex", "work")
    bodies = [
        {"loan": 100_000 + n, "at": us_to_iso(NOW), **dict(zip(names, row, strict=True))} for n, row in enumerate(rows)
    ]
    expected, refused = {}, {}
    for n, body in enumerate(bodies):
        try:
            expected[n] = parse_event(LENIENT, body, NOW, NAMES).values
        except Rejected as rejected:
            refused[n] = (rejected.field, rejected.rule)
    columns = {name: [body[name] for body in bodies] for name in names}
    kinds = dict.fromkeys(names, pa.string()) | {} if as_text else {
        "days": pa.float64(), "share": pa.float64(), "year": pa.int64(), "sex": pa.string(), "work": pa.string()}  # fmt: skip
    table = {name: pa.array([written(v) if as_text else v for v in columns[name]], kinds[name]) for name in names}
    table["loan"] = pa.array([b["loan"] for b in bodies], pa.int64() if not as_text else None).cast(
        pa.string() if as_text else pa.float64()
    )
    table["at"] = pa.array([NOW] * len(rows), pa.timestamp("us", "UTC"))
    accepted, check = parse_table(LENIENT, pa.table(table), {}, NAMES)
    assert {r["row"]: tuple(r[name] for name in names) for r in accepted.to_pylist()} == expected
    assert {r["row"]: (r["field"], r["rule"]) for r in check.rejects.table().to_pylist()} == refused
    assert sum(check.others.values()) == sum(row[4] in ("F", "M", "smith", " ") for row in rows)
    assert accepted["event_id"].to_pylist() == [str(100_000 + n) for n in expected]


def test_what_means_missing_is_missing_and_what_is_not_listed_is_another():
    body = {"loan": 7, "at": us_to_iso(NOW), "days": 365243, "share": 9.99, "sex": "XNA", "work": "smith"}
    assert parse_event(LENIENT, body, NOW, NAMES).values == (None, None, None, None, "other")
    assert parse_event(LENIENT, {**body, "days": -3648.0, "loan": "8"}, NOW, NAMES).values[0] == -3648
    for loan in (True, 7.0, "07", "7.0", "x", "7\n"):
        with pytest.raises(Rejected):
            parse_event(LENIENT, {**body, "loan": loan}, NOW, NAMES)


def test_an_optional_column_may_be_absent_and_is_told():
    table = pa.table({"loan": ["1", "02"], "at": pa.array([NOW] * 2, pa.timestamp("us")), "sex": ["F", None]})
    accepted, check = parse_table(LENIENT, table, {}, NAMES)
    assert accepted.select(["event_id", "days", "work", "sex"]).to_pylist() == [
        {"event_id": "1", "days": None, "work": None, "sex": "F"}
    ]
    assert check.without == ["days", "share", "year", "work"]
    assert check.rejects.table()["rule"].to_pylist() == ["whole"]
    with pytest.raises(InputError, match="column 'DAYS' for field days is missing"):
        parse_table(LENIENT, table, {"days": "DAYS"}, NAMES)


WRITTEN = st.one_of(
    st.sampled_from(["", "+1", "1.", ".5", "1e3", "-0", "007", "1e400", "nan", "inf", "0x10", " 1", "1_0", "9007199254740993",
                     "123456789012345678", "1234567890123456789", "1.005", "2.5", "0.1", "4999.999", "-5", "99999"]),
    st.integers(-10**4, 10**4).map(str), st.floats(-10**4, 10**4).map(str), st.integers(0, 500_000).map(lambda c: f"{c / 100:.2f}"),
)  # fmt: skip


@given(texts=st.lists(WRITTEN, max_size=6), field=st.sampled_from([
    Money("m", at_least=0, at_most=5_000), Integer("m", optional=True), Number("m", optional=True, decimals=1, means_missing=[2.5]),
    Number("m", at_least=-100, at_most=100, cap=True)]))  # fmt: skip
def test_a_column_of_texts_is_read_as_its_texts_one_by_one(texts, field):
    table = pa.table({"m": pa.array([text or None for text in texts], pa.string())})
    at_once, alone = TableCheck(table, {}), TableCheck(table, {})
    found = at_once.read(field, NAMES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_check, "numbers_of", lambda column, scale: None)
        expected = alone.read(field, NAMES)
    good = pa.array(at_once.good)
    assert at_once.good.tolist() == alone.good.tolist()
    assert found.filter(good).to_pylist() == expected.filter(good).to_pylist()
    assert at_once.rejects.table().to_pylist() == alone.rejects.table().to_pylist()
