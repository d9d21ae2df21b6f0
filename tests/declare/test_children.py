"""Child tables and rollups: what is refused when it is declared, what a name and a sentence say, what digests cover."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.lending import APPLICATION, CALLS, CASE, CHILDREN, LOANS, MONTHS, OPEN, PAYMENTS
from weighbridge.declare import (
    Child,
    Contract,
    Id,
    Integer,
    Key,
    Money,
    Number,
    Text,
    Time,
    above,
    at_least,
    equal,
    minus,
    ratio,
)
from weighbridge.declare.sentences import sentence
from weighbridge.errors import DeclarationError


def child(*fields, **options):
    return Child("c", [Key("k"), *fields], **{"by": "k", **options})


BOUND = Integer("x", at_least=0, at_most=1)
HUGE = child(Money("m", at_least=0, at_most=9e15), most_rows=100_000)
REFUSED = {
    "name": (lambda: Child("a b", [Key("k")], by="k"), "is no identifier"),
    "field twice": (lambda: child(Key("k")), "k stands twice"),
    "derived twice": (lambda: child(Integer("x", at_least=0, at_most=1), derived=[minus("x", "x", name="x")]), "stands twice"),
    "id": (lambda: child(Id("i")), "which only events have"),
    "two times": (lambda: child(Time("t"), Time("u")), "several Time"),
    "reserved": (lambda: child(Integer("row")), "name of the store's"),
    "reserved, other case": (lambda: child(Integer("KEY")), "name of the store's"),
    "reserved until": (lambda: child(Integer("until")), "name of the store's"),
    "reserved put, derived": (lambda: child(Integer("x", at_least=0, at_most=1), derived=[minus("x", "x", name="put")]), "name of the store's"),
    "twice but for case": (lambda: child(Integer("day"), Integer("Day")), "stands twice, but for"),
    "reserved child": (lambda: Child("seq", [Key("k")], by="k"), "one of the store's"),
    "reserved child, other case": (lambda: Child("Place", [Key("k")], by="k"), "one of the store's"),
    "children but for case": (lambda: replace(CASE, children=[*CHILDREN, replace(CALLS, name="Calls")]), "is taken"),
    "most rows": (lambda: child(most_rows=0), "out of range"),
    "by unknown": (lambda: Child("c", [Key("k")], by="j"), "has no field 'j'"),
    "by optional": (lambda: Child("c", [Key("k", optional=True)], by="k"), "no Key that every row has"),
    "unique optional": (lambda: child(Integer("x", optional=True), unique=["k", "x"]), "'x' is no field that every row has"),
    "unique derived": (lambda: child(BOUND, derived=[minus("x", "x", name="d")], unique="d"), "'d' is no field that every"),
    "unique unknown": (lambda: child(unique=["k", "y"]), "has no field 'y'"),
    "unique twice": (lambda: child(unique=["k", "k"]), "or one twice"),
    "unique of nothing": (lambda: child(unique=[]), "names no field"),
    "parent without a key": (lambda: child(of=PAYMENTS), "no Key names a row of payments"),
    "parent with two": (lambda: child(of=MONTHS), "no Key names a row of months"),
    "other key of the parent": (lambda: child(of=LOANS, to="applicant"), "does not name a row"),
    "minus text": (lambda: child(derived=[minus("k", "k", name="d")]), "is no number of its rows"),
    "minus unbound": (lambda: child(Integer("x"), derived=[minus("x", "x", name="d")]), "has no bounds"),
    "minus overflow": (lambda: child(Money("m", at_least=-9e16, at_most=9e16), derived=[minus("m", "m", name="d")]), "overflow 64 bits"),
    "no such field": (lambda: LOANS.sum("asked"), "has no field 'asked'"),
    "sum of text": (lambda: LOANS.sum("state"), "is a Category"),
    "sum unbound": (lambda: child(Number("x")).mean("x"), "has no bounds"),
    "sum overflow": (lambda: HUGE.sum("m"), "sum can overflow"),
    "squares overflow": (lambda: child(Money("m", at_least=0, at_most=9e13), most_rows=200_000).std("m"), "sum can overflow"),
    "latest of text": (lambda: child(Text("t"), Integer("x")).latest("t", order="x"), "is a Text"),
    "order by text": (lambda: LOANS.latest("owed", order="state"), "is no number"),
    "condition on text": (lambda: LOANS.count(where=above("state", 1)), "compares state"),
    "unknown category": (lambda: LOANS.count(where=equal("state", "lost")), "not a state"),
    "half a cent": (lambda: LOANS.count(where=at_least("owed", 0.005)), "more decimals than the field"),
    "half a day": (lambda: LOANS.count(where=equal("day", 1.5)), "more decimals than the field"),
    "not finite": (lambda: LOANS.count(where=above("day", float("inf"))), "a finite number"),
    "no number": (lambda: LOANS.count(where=above("day", float("nan"))), "a finite number"),
    "beyond 64 bits": (lambda: LOANS.count(where=above("owed", 1e300)), "fits 64 bits"),
    "pseudonymised": (lambda: child(Key("bank", pii="pseudonymised")).count(where=equal("bank", "b1")), "only its pseudonyms"),
    "condition on time": (lambda: CALLS.count(where=equal("at", "2026-01-05T12:00:00Z")), "the time of the rows"),
    "long window": (lambda: CALLS.count(last="9000000000000d"), "is too long"),
    "long until": (lambda: CALLS.count(until="9000000000000d"), "is too long"),
    "share of all": (lambda: LOANS.share(where=[]), "it is always 1"),
    "window of nothing": (lambda: LOANS.count(last="7d"), "when a row happened"),
    "window by money": (lambda: LOANS.count(last="7d", on="owed"), "is a Money"),
    "window of hours": (lambda: LOANS.count(last="7h", on="day"), "holds whole days"),
    "empty window": (lambda: LOANS.count(last="7d", until="7d", on="day"), "is empty"),
    "one name": (lambda: LOANS.count(last=["7d", "8d"], on="day", name="n"), "one name= for several"),
    "windows as an operand": (lambda: ratio("asked", LOANS.count(last=["7d", "8d"], on="day")), "a list of windows"),
    "not listed": (lambda: replace(CASE, children=[LOANS]), "months is not declared"),
    "parent behind": (lambda: replace(CASE, children=[MONTHS, LOANS, *CHILDREN[2:]]), "not listed before it"),
    "name of a field": (lambda: replace(CASE, children=[*CHILDREN, Child("asked", [Key("person")], by="person")]), "is taken"),
    "no owner": (lambda: replace(CASE, children=[*CHILDREN, child()]), "has no field 'k'"),
    "owner no key": (lambda: replace(CASE, children=[*CHILDREN, child(to="asked")]), "is a Money"),
    "pii": (lambda: replace(CASE, children=[*CHILDREN, Child("c", [Key("person", pii="pseudonymised")], by="person")]), "differ in pii"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_table_or_rollup_is_refused_in_one_sentence(name):
    make, says = REFUSED[name]
    with pytest.raises(DeclarationError, match=says) as refused:
        make()
    assert ": " in str(refused.value)
    assert "; " in str(refused.value)
    assert "\n" not in str(refused.value)


def test_one_name_in_a_list_is_that_name():
    assert child(unique=["k"]) == child(unique="k")
    assert (child(unique=("k",)).row_key, child(BOUND, unique="x").row_key, MONTHS.row_key) == ("k", None, None)
    assert (child().key, MONTHS.key) == ((), ("loan", "month"))


def test_names_say_what_is_asked():
    assert LOANS.mean("owed", last="365d", until="30d", on="day", where=OPEN).name == (
        "loans_owed_mean_365d_until_30d_where_state_is_open")  # fmt: skip
    assert LOANS.count(where=above("day", -5)).name == "loans_count_where_day_above_minus_5"
    assert PAYMENTS.known["short"].scale == 1_000  # the finer of cents and mills
    assert PAYMENTS.known["late"].magnitude == 5_000


SAYS = {
    "loans_count": [(0.0, "no loans row of this application"), (2.0, "2 loans rows of this application")],
    "loans_owed_sum": [(1234.5, "the total owed of this application's loans rows is 1,234.50")],
    "loans_owed_std": [(None, "the standard deviation of owed of this application's loans rows is unknown: there are fewer than two")],
    "loans_state_latest": [(1.0, "the latest state of this application's loans rows is closed"),
                           (None, "the latest state of this application's loans rows is unknown: there is none with a value")],
    "loans_share_365d_where_state_is_open": [(0.25, "25% of this application's loans rows in the last 365 days have state open")],
    "loans_old": [(1.0, "1 loans row of this application more than 365 days before")],
    "calls_seconds_sum_1d_until_1h": [(7.0, "the total seconds of this application's calls rows between 24 hours and 1 hour before is 7")],
    "loans_state_distinct": [(3.0, "3 different states among this application's loans rows")],
    "asked_over_loans_owed_sum": [(2.0, "asked is 2 times the total owed of this application's loans rows")],
}  # fmt: skip


@pytest.mark.parametrize("name", SAYS)
def test_a_rollup_reads_as_a_sentence(name):
    feature = next(f for f in CASE.vector if f.name == name)
    for number, expected in SAYS[name]:
        assert sentence(CASE, feature, number) == expected


def test_digests_cover_the_tables_where_there_are_any():
    bare = replace(CASE, children=[], features=[f for f in CASE.vector if f.name == "asked"])
    assert bare.rows_digest == replace(bare, name="other").rows_digest
    assert CASE.state_digest == bare.state_digest  # histories know nothing of child rows
    wider = replace(LOANS, most_rows=41)
    other = replace(CASE, children=[wider, replace(MONTHS, of=wider), *CHILDREN[2:4]],
                    features=[f for f in CASE.vector if f.name.startswith(("asked", "pay", "calls"))][:1])  # fmt: skip
    assert len({case.rows_digest for case in (bare, other, CASE)}) == 3
    roomier = replace(
        other, children=[replace(LOANS, most_rows=99), replace(MONTHS, of=replace(LOANS, most_rows=99)), *CHILDREN[2:4]]
    )
    assert roomier.rows_digest == other.rows_digest  # a bound may grow in a home that has rows
    assert len({case.vector_digest for case in (CASE, bare, other)}) == 3


def test_a_contract_without_children_is_what_it_was():
    assert Contract("application", APPLICATION.fields) == APPLICATION
    assert CASE.events.members == {"number", "person", "asked", *(c.name for c in CHILDREN)}
    assert CASE.stateless == tuple(range(len(CASE.vector)))  # rollups need no history of events
