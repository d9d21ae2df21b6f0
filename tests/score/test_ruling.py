"""Rules over arrays say what rules event by event say: every condition, every verdict, every list at every place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.declare import (
    Category,
    Contract,
    Id,
    Integer,
    Key,
    Label,
    ListOf,
    Money,
    Policy,
    Rule,
    Time,
    UseCase,
    hour_of_day,
    logistic,
)  # fmt: skip
from weighbridge.declare.policy import ACTIONS
from weighbridge.kernel import conditions
from weighbridge.records import ListEdit
from weighbridge.score import masks
from weighbridge.score.masks import Asked, Entries
from weighbridge.score.rulebook import Rulebook
from weighbridge.score.ruling import Ruling, by_thresholds
from weighbridge.score.scorer import Thresholds
from weighbridge.stores.tables import event_schema

CONTRACT = Contract(
    "payment",
    [Id("id"), Time("at"), Key("card", optional=True), Key("shop", optional=True), Money("amount", optional=True),
     Integer("tries", optional=True), Category("land", one_of=["US", "FR"], optional=True)],
)  # fmt: skip
CARD = CONTRACT.by("card")
CASE = UseCase(
    "ruled", events=CONTRACT, features=[CARD.count(last="1h"), hour_of_day()], label=Label("bad", matures="7d"),
    models=[logistic()], policy=Policy(lists=[ListOf("blocked", "card"), ListOf("trusted", "shop")]),
)  # fmt: skip
NUMBER = st.sampled_from(["amount", "tries", "probability", "card_count_1h", "hour_of_day"])
CONSTANT = st.sampled_from(["0", "1", "2.5", "100", "-3", "0.5"])
SUM = st.builds("({} {} {})".format, NUMBER, st.sampled_from("+-*/"), st.one_of(NUMBER, CONSTANT.filter(float)))
SIDE = st.one_of(NUMBER, SUM)
COMPARED = st.builds("{} {} {}".format, SIDE, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
                     st.one_of(SIDE, CONSTANT))  # fmt: skip
TEXTS = st.sampled_from(
    ["card in blocked", "card not in blocked", "shop in trusted", "shop not in trusted", "card == shop", "card != shop",
     "land == 'US'", "land != 'FR'", "land in ('US', 'FR')", "land not in ('US',)", "card in ('a', 'b')",
     "tries in (1, 2)", "tries not in (1, 2)", "amount not in (1, 2.5)"]
)  # fmt: skip
CONDITION = st.recursive(
    st.one_of(COMPARED, TEXTS),
    lambda part: st.one_of(
        st.builds("({} and {})".format, part, part), st.builds("({} or {})".format, part, part),
        st.builds("(not {})".format, part),
    ),
    max_leaves=5,
)  # fmt: skip
TEXT = st.sampled_from(["a", "b", "c", None])
ROW = st.tuples(
    TEXT, TEXT, st.one_of(st.none(), st.integers(-500, 500), st.integers(2**60, 2**62)),
    st.one_of(st.none(), st.integers(-3, 3)), st.sampled_from(["US", "FR", None]),
)  # fmt: skip
FLOAT = st.one_of(st.floats(-5, 5, width=32), st.just(float("nan")))
EVENTS = st.lists(st.tuples(ROW, st.tuples(FLOAT, FLOAT), st.floats(0, 1)), min_size=1, max_size=12)
EDITS = st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from(["blocked", "trusted"]), st.sampled_from("abc"), st.booleans(),
              st.one_of(st.none(), st.integers(0, 70))),
    max_size=12,
)  # fmt: skip
ACTION = st.one_of(
    st.builds(lambda a: {"action": a}, st.sampled_from(ACTIONS)),
    st.builds(lambda a: {"at_least": a}, st.sampled_from(ACTIONS[1:])),
)


def asked(events):
    columns = [list(range(1, 2 * len(events), 2)), [f"e{n}" for n in range(len(events))]]
    columns += [list(range(len(events)))] * 2 + [list(column) for column in zip(*(e[0] for e in events), strict=True)]
    schema = event_schema(CONTRACT)
    table = pa.table([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)
    return Asked(table, np.array([e[1] for e in events], dtype=np.float32), np.array([e[2] for e in events]))


def compare(events, edits, rules):
    """Return pairs of verdicts: over arrays, and event by event with each list as it was then."""
    case = replace(CASE, policy=replace(CASE.policy, rules=rules))
    told = sorted(
        ((2 * at, ListEdit(name, value, on, until, "me", "why", at)) for at, name, value, on, until in edits),
        key=lambda pair: pair[0],
    )
    rows, limits = asked(events), Thresholds(0.3, 0.7, ())
    base = by_thresholds(rows.probability, np.full(len(rows), 0.3), np.full(len(rows), 0.7))
    ruled = Ruling(case, Entries(told)).decide(rows, base)
    for place, (values, features, probability) in enumerate(events):
        book = Rulebook(case)
        for seq, edit in told:
            if seq < 2 * place + 1:
                book.apply(edit)
        vector = np.array(features, dtype="<f4").tobytes()
        verdict = book.verdict(limits, values, vector, probability, place)
        held = tuple(rule.name for rule, on in zip(rules, ruled.held[place], strict=True) if on)
        forced = [r for r in rules if r.name in held and (r.action or r.at_least == "decline")]
        yield (ACTIONS[ruled.action[place]], held, bool(ruled.free[place])), (*verdict[:2], not forced)


@given(EVENTS, EDITS, st.lists(st.tuples(CONDITION, ACTION), max_size=4))
def test_over_arrays_and_event_by_event_the_same(events, edits, asked_for):
    rules = [Rule(f"r{n}", when, **action) for n, (when, action) in enumerate(asked_for)]
    for ours, theirs in compare(events, edits, rules):
        assert ours == theirs


@pytest.mark.parametrize("fault", ["an order", "a sum", "the units"])
def test_the_comparison_can_fail(fault, monkeypatch):
    match fault:
        case "an order":
            monkeypatch.setitem(conditions.ORDERS, "<", np.less_equal)
        case "a sum":
            monkeypatch.setitem(conditions.SUMS, "/", np.multiply)
        case _:
            right = masks._units
            monkeypatch.setattr(masks, "_units", lambda column, scale: right(column, 1))
    row = ("a", "b", 100, 2, "US")
    rules = [Rule("one", "amount < 1", "review"), Rule("two", "amount / tries == 0.5", "decline")]
    assert any(ours != theirs for ours, theirs in compare([(row, (1.0, 2.0), 0.1)], [], rules))


def test_a_list_that_is_tried_counts_everywhere():
    case = replace(CASE, policy=replace(CASE.policy, rules=[Rule("r", "card in blocked", "decline")]))
    rows = asked([(("a", None, 1, 1, None), (0.0, 0.0), 0.0), ((None, None, 1, 1, None), (0.0, 0.0), 0.0)])
    ruled = Ruling(case, Entries([], {"blocked": ["a"]})).decide(rows, np.zeros(2, dtype=np.int64))
    assert [ACTIONS[a] for a in ruled.action] == ["decline", "approve"]
