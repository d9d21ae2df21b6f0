"""One event's way: decided once, stored with its decision, and never half."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from tests.conftest import CUT_US
from weighbridge.clock import ManualClock
from weighbridge.declare import Policy, Reasons
from weighbridge.errors import Conflict, Rejected, StoreFailure
from weighbridge.kernel.validate import parse_table
from weighbridge.loop.messages import arrived_before, messages
from weighbridge.loop.verify import verify
from weighbridge.score.batch import score_table
from weighbridge.score.bundle import load
from weighbridge.score.route import PRODUCTION
from weighbridge.serve.wiring import open_desk


def drive(desk, clock, stream):
    answers = {}
    for message in stream:
        clock.set(message.arrived_us)
        if message.path == "/predict":
            answers[message.body["event_id"]] = desk.decide(message.body, "t").body()
        else:
            desk.feedback(message.body)
    return answers


def test_every_served_vector_is_recomputed_from_the_log(small_case, home, stream, clock):
    desk = open_desk(small_case, home, clock)
    answers = drive(desk, clock, stream[:1_500])
    report = verify(small_case, home, clock)
    assert report.figures["vectors"] == len(answers) > 500
    assert report.figures["values"] == len(answers) * 30
    assert report.figures["mismatches"] == 0
    assert report.figures["broken_chain"] is None


def test_a_tampered_vector_is_found(small_case, home, stream, clock):
    desk = open_desk(small_case, home, clock)
    drive(desk, clock, stream[:200])
    event_id, (seq, decision, chained) = list(home.log._decisions.items())[3]
    vector = decision.vector[:8] + bytes([decision.vector[8] ^ 1]) + decision.vector[9:]
    home.log._decisions[event_id] = (seq, replace(decision, vector=vector), chained)
    report = verify(small_case, home, clock)
    assert report.figures["mismatches"] == 1
    assert report.figures["broken_chain"] == seq


def test_a_restart_in_mid_stream_changes_nothing(small_case, home, stream, clock):
    desk = open_desk(small_case, home, clock)
    drive(desk, clock, stream[:300])
    again = open_desk(small_case, home, clock)
    drive(again, clock, stream[300:600])
    assert verify(small_case, home, clock).figures["mismatches"] == 0


def test_batch_decides_as_online_did(small_case, home, stream, clock, world):
    bundle = load(home.registry.alias(PRODUCTION), small_case, home.bundles, home.signer)
    desk = open_desk(small_case, home, clock)
    answers = drive(desk, clock, stream[:600])
    accepted, _ = parse_table(small_case.events, world.events, {"arrived": "arrived"}, home.pseudonyms)
    decided = {r["event_id"]: r for r in score_table(small_case, home, bundle, accepted).to_pylist()}
    for event_id, answer in answers.items():
        assert decided[event_id]["probability"] == answer["probability"]
        assert decided[event_id]["action"] == answer["action"]


def test_batch_sees_the_rows_before_it_as_online_would(small_case, home, clock, world):
    """New rows of a file, scored without storing, equal deciding them one by one without labels between."""
    bundle = load(home.registry.alias(PRODUCTION), small_case, home.bundles, home.signer)
    fresh = world.events.slice(len(arrived_before(world.events, CUT_US)), 150)
    accepted, _ = parse_table(small_case.events, fresh, {"arrived": "arrived"}, home.pseudonyms)
    batch = score_table(small_case, home, bundle, accepted)["probability"].to_numpy()
    desk = open_desk(small_case, home, clock)
    events = [m for m in messages(small_case, world, CUT_US) if m.path == "/predict"][:150]
    online = np.array([a["probability"] for a in drive(desk, clock, events).values()])
    assert batch.tobytes() == online.tobytes()


def test_the_same_event_gets_the_same_answer_and_another_body_is_refused(small_case, home, stream, clock):
    desk = open_desk(small_case, home, clock)
    message = next(m for m in stream if m.path == "/predict")
    clock.set(message.arrived_us)
    body = message.body
    first = desk.decide(body, "t1")
    second = desk.decide(dict(reversed(list(body.items()))), "t2")
    assert (first.repeated, second.repeated) == (False, True)
    assert first.body() == second.body()
    clock.advance(3_600_000_000)  # a retry that comes too late for a new event still gets its answer
    assert desk.decide(body, "t3").body() == first.body()
    before = home.log.head()
    with pytest.raises(Conflict, match="other content"):
        desk.decide({**body, "amount": body["amount"] + 1}, "t4")
    assert home.log.head() == before


def test_history_has_no_decision_to_repeat(small_case, home, world, clock):
    desk = open_desk(small_case, home, clock)
    row = messages(small_case, world, 0)[0].body
    clock.set(0)
    desk._latest_us = 0
    clock.set(home.log.find(row["event_id"])[1].arrived_us)
    with pytest.raises(Conflict, match="as history"):
        desk.decide(row, "t")


def test_a_failed_write_leaves_log_and_state_alone(small_case, home, stream, clock, monkeypatch):
    desk = open_desk(small_case, home, clock)
    events = [m for m in stream if m.path == "/predict"]
    drive(desk, clock, events[:20])

    def full(*_):
        raise StoreFailure("disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(home.log, "append", full)
        clock.set(events[20].arrived_us)
        with pytest.raises(StoreFailure):
            desk.decide(events[20].body, "t")
    drive(desk, clock, events[20:60])
    assert verify(small_case, home, clock).figures["mismatches"] == 0


def test_nothing_in_production_is_said(small_case, stores, stream, clock):
    desk = open_desk(small_case, stores, clock)
    message = next(m for m in stream if m.path == "/predict")
    clock.set(message.arrived_us)
    with pytest.raises(StoreFailure, match="no bundle is in production"):
        desk.decide(message.body, "t")
    assert stores.log.head().data_seq == 0


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "event_id"), ({"event_id": 5, "label": 1}, "event_id"), ({"event_id": "", "label": 1}, "event_id"),
        ({"event_id": "e"}, "label"), ({"event_id": "e", "label": True}, "label"),
        ({"event_id": "e", "label": 2}, "label"),
        ({"event_id": "e", "label": "1"}, "label"), ({"event_id": "e", "label": 1.0}, "label"),
        ({"event_id": "e", "label": 1, "source": ""}, "source"), ({"event_id": "e", "label": 1, "x": 1}, "x"),
    ],
)  # fmt: skip
def test_wrong_labels_are_refused(small_case, home, clock, body, field):
    desk, before = open_desk(small_case, home, clock), home.log.head()
    with pytest.raises(Rejected) as rejected:
        desk.feedback(body)
    assert rejected.value.field == field
    assert home.log.head() == before


def test_a_label_may_come_before_its_event(small_case, home, stream):
    clock = ManualClock(CUT_US)
    desk = open_desk(small_case, home, clock)
    events = [m for m in stream if m.path == "/predict"][:80]
    rng = random.Random(1)
    for number, message in enumerate(events):
        clock.set(message.arrived_us)
        about = events[min(len(events) - 1, number + rng.randrange(-5, 6))].body["event_id"]
        desk.feedback({"event_id": about, "label": rng.randrange(2)})
        desk.decide(message.body, "t")
    assert verify(small_case, home, clock).figures["mismatches"] == 0


def test_an_early_label_is_never_forgotten_and_their_number_is_bounded(small_case, home, stream, clock, monkeypatch):
    desk = open_desk(small_case, home, clock)
    events = [m for m in stream if m.path == "/predict"]
    desk.feedback({"event_id": events[30].body["event_id"], "label": 1})
    desk.histories.state.sweep()
    drive(desk, clock, events[:60])
    assert verify(small_case, home, clock).figures["mismatches"] == 0
    monkeypatch.setattr("weighbridge.score.followers.MOST_WAITING", 2)
    desk.feedback({"event_id": "x1", "label": 1})
    desk.feedback({"event_id": "x2", "label": 1})
    before = home.log.head()
    with pytest.raises(StoreFailure, match="wait for events"):
        desk.feedback({"event_id": "x3", "label": 1})
    assert home.log.head() == before


def test_eviction_is_never_seen(small_case, home, stream, clock):
    """Sweeping after every event changes no vector."""
    desk = open_desk(small_case, home, clock)
    for message in stream[:400]:
        clock.set(message.arrived_us)
        if message.path == "/predict":
            desk.decide(message.body, "t")
            desk.histories.state.sweep()
        else:
            desk.feedback(message.body)
    assert verify(small_case, home, clock).figures["mismatches"] == 0


def test_the_bound_of_events_per_key_counts_what_is_retained(small_case, tmp_path):
    from weighbridge.kernel.plan import compile_plan
    from weighbridge.records import EventRecord
    from weighbridge.stores.state import MemoryState

    contract = replace(small_case.events, events_per_key=3)
    case = replace(small_case, events=contract, features=[contract.by("card_id").count(last="1h")], simulate=None,
                   reasons=Reasons(), policy=Policy())  # fmt: skip
    state = MemoryState(compile_plan(case))

    def event(number, at_us):
        return EventRecord(f"e{number}", at_us, at_us, ("c", "m", 1, "US", "ios", "fuel"))

    for number in range(8):  # a day apart: never more than one retained
        state.vector(event(number, number * 86_400_000_000))
        state.append(event(number, number * 86_400_000_000))
    for number in range(8, 10):
        state.append(event(number, 7 * 86_400_000_000))
    with pytest.raises(Rejected) as rejected:
        state.vector(event(11, 7 * 86_400_000_000))
    assert rejected.value.rule == "events_per_key"
