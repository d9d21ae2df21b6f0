"""Rollups by DuckDB over the whole table, by the kernel for one event, and by nested loops: the same bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import SOAK, START_US, memory_stores
from tests.lending import CASE, CHILDREN, LOANS, ROWS, child_rows, people, stored, table_of_rows
from weighbridge.clock import ManualClock
from weighbridge.errors import Rejected
from weighbridge.kernel.columns import to_columns
from weighbridge.kernel.plan import compile_plan
from weighbridge.kernel.replay import replay
from weighbridge.kernel.validate import parse_event
from weighbridge.loop.children import ingest_rows
from weighbridge.score.rollups import exceeding, rollups_of, with_rollups
from weighbridge.stores.state import MemoryState
from weighbridge.testing import rolled
from weighbridge.testing.oracle import Event, Oracle

PLAN = compile_plan(CASE)
TABLES = {child.name: child for child in CHILDREN}


@st.composite
def sent_rows(draw):
    """Child rows of an event's body; one of a table with a unique key has no key twice."""
    found = {}
    for name in draw(st.lists(st.sampled_from(sorted(TABLES)), unique=True, max_size=3)):
        child = TABLES[name]
        keys = (*child.key, *([child.by] if child.of else [])) if child.key else None
        apart = keys and (lambda row, keys=keys: tuple(row[key] for key in keys))
        found[name] = draw(st.lists(ROWS[name], max_size=4, unique_by=apart))
    return found


steps = st.one_of(
    *[st.tuples(st.just(name), st.lists(ROWS[name], min_size=1, max_size=12)) for name in sorted(TABLES)],
    st.tuples(st.just("event"), st.tuples(st.one_of(st.none(), people), st.one_of(st.just({}), sent_rows()))),
)


def lived(folder, history):
    """Live a history: return the stores, the raw bodies, and the naive oracle of all of it."""
    stores, clock = memory_stores(CASE, folder), ManualClock(START_US + 12 * 3_600_000_000)
    online, rows, events = [], [], []
    for number, (what, told) in enumerate(history):
        clock.advance(60_000_000)
        if what != "event":
            report = ingest_rows(CASE, stores, clock, what, [table_of_rows(TABLES[what], told)])
            if not report.figures["already_stored"]:
                rows += child_rows(TABLES[what], report.figures["head_seq"], told)
            continue
        person, sent = told
        event_id = f"e{number % 4}-{number}" if number % 2 else f"e{number}"
        body = {"number": event_id, "person": person, "asked": float(number), **as_sent(event_id, person, sent)}
        event = parse_event(CASE.events, body, clock.now_us(), stores.pseudonyms)
        ready = rollups_of(PLAN, stores).of(event)
        state = MemoryState(PLAN)
        online.append(np.frombuffer(state.vector(ready), dtype="<f4"))
        (seq,) = stores.log.commit([(ready, None)])
        values = {"number": event_id, "person": person, "asked": number * 100}
        of_event = {name: [stored(TABLES[name], row) for row in body[name]] for name in sent}
        events.append(Event(seq, event.event_us, event_id, values, of_event))
    return stores, np.array(online), Oracle(CASE, events, [], rows)


def as_sent(event_id, person, sent):
    """Rows that name the event they come with."""
    own = {"loans": ("applicant", person), "payments": ("number", event_id), "calls": ("person", person),
           "cards": ("person", person)}  # fmt: skip
    found = {}
    for name, rows in sent.items():
        field, owner = own.get(name, (None, None))
        found[name] = [row if field is None else {**row, field: owner} for row in rows]
    return {name: [] if name in own and own[name][1] is None else rows for name, rows in found.items()}


def by_query(stores):
    """The vectors of the whole log, none of its events worked out one by one unless rows came with it."""
    rolled_up = with_rollups(PLAN, stores, stores.log.events(), few=0)
    return replay(PLAN, to_columns(PLAN, rolled_up, stores.log.labels()))


@settings(max_examples=1_000 if SOAK else 30)
@given(history=st.lists(steps, max_size=14))
def test_query_kernel_and_nested_loops_agree_bit_for_bit(tmp_path_factory, history):
    stores, online, oracle = lived(tmp_path_factory.getbasetemp(), [*history, ("event", ("ann", {}))])
    expected = oracle.vectors()
    assert online.view(np.uint32).tolist() == expected.view(np.uint32).tolist()
    assert by_query(stores).view(np.uint32).tolist() == expected.view(np.uint32).tolist()


HISTORY = [
    ("loans", [
        {"applicant": "ann", "loan": "l1", "day": -365, "owed": 10.0, "state": "open"},
        {"applicant": "ann", "loan": "l2", "day": -5, "owed": 12.5, "state": "closed"},
        {"applicant": "bob", "loan": "l3", "day": -5, "owed": None, "state": None}]),
    ("months", [{"loan": "l1", "month": -1, "status": "C"}, {"loan": "l3", "month": -30, "status": "0"}]),
    ("event", ("ann", {})),
    ("loans", [{"applicant": "ann", "loan": "l1", "day": -364, "owed": 11.0, "state": "sold"}]),
    ("calls", [{"person": "ann", "at": "2026-01-05T12:00:00Z", "seconds": 5},
               {"person": "ann", "at": "2026-01-05T21:00:00Z", "seconds": 7}]),
    ("event", ("ann", {})),
    ("event", ("ann", {"loans": [{"applicant": "ann", "loan": "l3", "day": -1, "owed": 1.0, "state": "open"}]})),
    ("event", ("cy", {})),
]  # fmt: skip


def test_a_decision_sees_the_rows_that_had_come_and_the_newest_of_each_key(tmp_path):
    stores, online, oracle = lived(tmp_path, HISTORY)
    place = {name: number for number, name in enumerate(CASE.feature_names)}
    seen = {name: online[:, place[name]].tolist() for name in
            ("loans_count", "loans_owed_sum", "months_count", "calls_count", "loans_count_365d")}  # fmt: skip
    assert seen["loans_count"] == [2, 2, 1, 0]
    assert seen["loans_owed_sum"] == [22.5, 23.5, 1.0, 0.0]  # l1 was replaced between the first two
    assert seen["months_count"] == [1, 1, 1, 0]  # the third sees the months of the loan it sent
    assert seen["calls_count"] == [0, 1, 1, 0]  # a call of nine in the evening has not happened at noon
    assert seen["loans_count_365d"] == [1, 2, 1, 0]
    assert np.isnan(online[3, place["loans_owed_mean"]])
    assert by_query(stores).tobytes() == online.tobytes() == oracle.vectors().tobytes()


def test_a_row_whose_parent_stands_under_two_of_an_event_counts_once(tmp_path):
    loans = [{**HISTORY[0][1][0], "loan": loan} for loan in ("l1", "l2")]
    slips = [{"loan": loan, "slip": "s1", "paid": 1} for loan in ("l1", "l2")]
    history = [("loans", loans), ("slips", slips), ("lines", [{"slip": "s1", "n": 7}]), ("event", ("ann", {}))]
    stores, online, oracle = lived(tmp_path, history)
    place = CASE.feature_names.index
    assert by_query(stores)[0, [place("slips_count"), place("lines_count"), place("lines_n_sum")]].tolist() == [2, 1, 7]
    assert by_query(stores).tobytes() == online.tobytes() == oracle.vectors().tobytes()


def test_what_is_ingested_later_changes_no_earlier_vector(tmp_path):
    stores, online, _ = lived(tmp_path, HISTORY)
    late = [{"applicant": "ann", "loan": f"n{n}", "day": -1, "owed": 1e6, "state": "open"} for n in range(5)]
    ingest_rows(CASE, stores, ManualClock(START_US), "loans", [table_of_rows(LOANS, late)])
    assert by_query(stores).tobytes() == online.tobytes()


MUTANTS = {
    "_replaces": lambda child, newer, older: False,
    "_inside": lambda rollup, owner, row: True,
    "_holds": lambda child, condition, row: True,
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_wrong_oracle_is_found_out(name, tmp_path, monkeypatch):
    _, online, oracle = lived(tmp_path, HISTORY)
    monkeypatch.setattr(rolled, name, MUTANTS[name])
    assert oracle.vectors().tobytes() != online.tobytes()


def test_more_rows_than_declared_are_refused_but_stored_events_that_have_them_stop_nothing(tmp_path):
    many = [{"applicant": "ann", "loan": f"l{n}", "day": -1, "owed": 1.0, "state": "open"} for n in range(41)]
    stores, _, _ = lived(tmp_path, [("loans", many), ("event", ("bob", {})), ("event", ("bob", {}))])
    event = replace(stores.log.find("e1-1")[1], values=("ann", 100))
    features = [feature for feature in CASE.vector if feature.name in ("asked", "months_count")]
    for case in (CASE, replace(CASE, features=features)):  # loans are counted when only their months are asked for
        plan = compile_plan(case)
        with pytest.raises(Rejected, match="more than 40 rows"):
            rollups_of(plan, stores).of(event)
        found = exceeding(plan, stores, stores.log.events().drop_columns(["seq"]))
        assert not any(over.any() for _, over in found)
    stores.log.commit([(replace(event, event_id="x"), None)])
    found = exceeding(PLAN, stores, stores.log.events().drop_columns(["seq"]))
    assert [(fault.field, fault.rule, over.tolist()) for fault, over in found if over.any()] == [
        ("loans", "most_rows", [False, False, True])]  # fmt: skip
    vectors = by_query(stores)
    one_by_one = replay(PLAN, to_columns(PLAN, with_rollups(PLAN, stores, stores.log.events()), stores.log.labels()))
    assert vectors.tobytes() == one_by_one.tobytes()
    assert vectors[2, 1:].tobytes() == vectors[1, 1:].tobytes()  # as bob, who has no row
