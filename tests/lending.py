"""A small lender: an application, its loans elsewhere, their months, slips and lines, its payments and calls; all rollups."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import strategies as st

from weighbridge.declare import (
    Category,
    Child,
    Contract,
    Gate,
    Id,
    Integer,
    Key,
    Label,
    Money,
    Time,
    Training,
    UseCase,
    above,
    at_least,
    difference,
    differs,
    equal,
    logistic,
    minus,
    ratio,
    value,
)
from weighbridge.testing.rolled import ChildRow

APPLICATION = Contract(
    "application", [Id("number"), Key("person", optional=True), Money("asked", at_least=0, at_most=1e6)]
)
LOANS = Child(
    "loans",
    [
        Key("applicant"),
        Key("loan"),
        Integer("day", at_least=-4_000, at_most=10, optional=True),
        Money("owed", at_least=-1e9, at_most=1e9, optional=True),
        Category("state", one_of=["open", "closed", "sold"], optional=True),
    ],
    by="applicant",
    to="person",
    unique="loan",
    most_rows=40,
)
MONTHS = Child(
    "months",
    [Key("loan"), Integer("month", at_least=-100, at_most=0), Category("status", one_of=["0", "1", "C"])],
    by="loan",
    of=LOANS,
    unique=("loan", "month"),
    most_rows=200,
)
PAYMENTS = Child(
    "payments",
    [
        Key("number"),
        Money("paid", at_least=0, at_most=1e7, optional=True),
        Money("due", at_least=0, at_most=1e7, decimals=3),
        Integer("paid_on", at_least=-5_000, at_most=0, optional=True),
        Integer("due_on", at_least=-5_000, at_most=0),
    ],
    by="number",
    derived=[minus("paid", "due", name="short"), minus("paid_on", "due_on", name="late")],
)
CALLS = Child("calls", [Key("person"), Time("at"), Integer("seconds", at_least=0, at_most=3_600)], by="person")
SLIPS = Child(
    "slips", [Key("loan"), Key("slip"), Integer("paid", at_least=0, at_most=9)], by="loan", of=LOANS, unique="slip"
)
LINES = Child("lines", [Key("slip"), Integer("n", at_least=0, at_most=9)], by="slip", of=SLIPS)
CARDS = Child(
    "cards",
    [Key("person"), Key("card"), Integer("month", at_least=-100, at_most=0), Money("drawn", at_least=0, at_most=1e6)],
    by="person",
    unique=("card", "month"),
)
CHILDREN = [LOANS, MONTHS, PAYMENTS, CALLS, SLIPS, LINES, CARDS]
OPEN = equal("state", "open")

FEATURES = [
    value("asked"),
    LOANS.count(), LOANS.count(where=[OPEN, above("owed", 0)]), LOANS.sum("owed"), LOANS.mean("owed"), LOANS.std("owed"),
    LOANS.min("owed"), LOANS.max("owed", where=differs("state", "sold")), LOANS.distinct("state"), LOANS.distinct("loan"),
    LOANS.share(where=OPEN), LOANS.latest("owed", order="day"), LOANS.latest("state", order="day"),
    LOANS.count(last=["365d", "730d"], on="day"), LOANS.mean("owed", last="730d", until="30d", on="day"),
    LOANS.count(until="365d", on="day", name="loans_old"), LOANS.share(where=OPEN, last="365d", on="day"),
    MONTHS.count(), MONTHS.share(where=equal("status", "C")), MONTHS.count(where=at_least("month", -12)),
    MONTHS.min("month"),
    PAYMENTS.sum("short"), PAYMENTS.max("late"), PAYMENTS.count(where=above("late", 0)), PAYMENTS.std("due"),
    SLIPS.count(), SLIPS.sum("paid"), LINES.count(), LINES.sum("n"),
    CALLS.count(), CALLS.count(last="1h"), CALLS.sum("seconds", last="1d", until="1h"), CALLS.latest("seconds", order="seconds"),
    CARDS.count(), CARDS.sum("drawn"), CARDS.latest("drawn", order="month"),
    ratio("asked", LOANS.sum("owed")), difference(LOANS.mean("owed"), PAYMENTS.mean("paid")),
]  # fmt: skip

CASE = UseCase(
    name="lending",
    events=APPLICATION,
    children=CHILDREN,
    features=FEATURES,
    label=Label("bad", matures="0d"),
    models=[logistic()],
    training=Training(validation="1d"),
    gates=[Gate("parity_mismatches", at_most=0)],
)

people = st.sampled_from(["ann", "bob", "cy"])
loans = st.sampled_from(["l1", "l2", "l3", "l4"])
maybe = st.one_of
OWED = maybe(
    st.none(), st.integers(-(10**11), 10**11).map(lambda cents: cents / 100), st.sampled_from([0.0, 1e9, -1e9])
)
DAY = maybe(st.none(), st.sampled_from([1, 0, -1, -30, -31, -364, -365, -366, -729, -730, -3_000]))
ROWS = {
    "loans": st.fixed_dictionaries({
        "applicant": people, "loan": loans, "day": DAY, "owed": OWED,
        "state": st.sampled_from([None, "open", "closed", "sold"])}),
    "months": st.fixed_dictionaries({
        "loan": loans, "month": st.integers(-20, 0), "status": st.sampled_from(["0", "1", "C"])}),
    "payments": st.fixed_dictionaries({
        "number": st.sampled_from([f"e{n}" for n in range(4)]),
        "paid": maybe(st.none(), st.integers(0, 10**9).map(lambda cents: cents / 100)),
        "due": st.integers(0, 10**10).map(lambda mills: mills / 1_000),
        "paid_on": maybe(st.none(), st.integers(-5, 0)), "due_on": st.integers(-5, 0)}),
    "calls": st.fixed_dictionaries({
        "person": people, "at": st.sampled_from([f"2026-01-05T{h:02}:00:00Z" for h in range(0, 24, 3)]),
        "seconds": st.integers(0, 3_600)}),
    "slips": st.fixed_dictionaries({
        "loan": loans, "slip": st.sampled_from(["s1", "s2"]), "paid": st.integers(0, 9)}),  # one slip may pay two loans
    "lines": st.fixed_dictionaries({"slip": st.sampled_from(["s1", "s2"]), "n": st.integers(0, 9)}),
    "cards": st.fixed_dictionaries({
        "person": people, "card": st.sampled_from(["c1", "c2"]), "month": st.integers(-2, 0),
        "drawn": st.integers(0, 10**8).map(lambda cents: cents / 100)}),
}  # fmt: skip


def table_of_rows(child, rows):
    """Rows as a file has them: numbers as numbers, the rest as text."""
    columns = {
        f.name: pa.array([row.get(f.name) for row in rows], pa.float64() if f.numeric else pa.string())
        for f in child.fields
    }
    return pa.table(columns)


def stored(child, row):
    """A raw row as it is stored, worked out here and not by the platform."""
    from weighbridge.clock import iso_to_us

    found = {}
    for field in child.fields:
        raw = row.get(field.name)
        if isinstance(field, Time):
            raw = iso_to_us(raw)
        elif field.numeric and raw is not None:
            raw = round(raw * 10 ** getattr(field, "decimals", 0))
        found[field.name] = raw
    return found


def child_rows(child, seq, rows):
    """The rows of a segment for the oracle: of those with one owner and one key the last counts."""
    kept, seen = [], set()
    for row in reversed(rows):
        key = tuple(row[name] for name in (child.by, *child.key))
        if not child.key or key not in seen:
            kept.append(ChildRow(child.name, seq, stored(child, row)))
            seen.add(key)
    return kept
