"""The desk under load: groups, what is in flight, labels between events."""

from __future__ import annotations

from tests.score.held import outcome
from weighbridge.errors import Conflict, Overloaded, Rejected
from weighbridge.loop.verify import verify
from weighbridge.score import decide


def test_groups_gather_while_one_is_committed(small_case, held, events, clock):
    desk, log, stores = held
    futures = [desk.submit(events[0], "t")]
    log.reached()
    futures += [desk.submit(body, "t") for body in events[1:141]]
    assert not any(f.done() for f in futures)
    assert not futures[3].cancel()
    log.let_go(4)
    answers = [outcome(f) for f in futures]
    assert log.groups == [(1, 0), (64, 0), (64, 0), (12, 0)]
    assert not any(a.repeated for a in answers)
    assert stores.log.decisions()["event_id"].to_pylist() == [b["event_id"] for b in events[:141]]
    report = verify(small_case, stores, clock).figures
    assert (report["vectors"], report["mismatches"], report["broken_chain"]) == (141, 0, None)


def test_what_is_in_flight_is_repeated_or_refused(small_case, held, events, clock):
    desk, log, stores = held
    first = desk.submit(events[0], "t0")
    log.reached()
    second = desk.submit(events[1], "t1")
    again = [desk.submit(events[1], f"again {n}") for n in range(3)]
    clock.advance(3_600_000_000)  # too late for a new event by now
    late = desk.submit(dict(reversed(list(events[1].items()))), "late")
    other = desk.submit({**events[1], "amount": events[1]["amount"] + 1}, "other")
    assert isinstance(outcome(other), Conflict)
    wrong = desk.submit({**events[1], "amount": "1"}, "wrong")
    assert isinstance(outcome(wrong), Rejected)
    assert not any(f.done() for f in (first, second, *again, late))
    log.let_go(2)
    answers = [outcome(f) for f in (second, *again, late)]
    assert [a.repeated for a in answers] == [False, True, True, True, True]
    assert {a.decision.trace_id for a in answers} == {"t1"}
    assert outcome(first).decision.event_id == events[0]["event_id"]
    assert len(stores.log.decisions()) == 2
    assert desk.pending == 0
    assert verify(small_case, stores, clock).figures["mismatches"] == 0


def test_a_label_ends_its_group_and_what_comes_meanwhile_is_scored_after_it(small_case, held, events, clock):
    desk, log, stores = held
    ids = [body["event_id"] for body in events]
    futures = [desk.submit(events[0], "t")]
    log.reached()
    futures += [desk.submit(body, "t") for body in events[1:4]]
    labels = [desk.submit_label({"event_id": i, "label": 1}) for i in (ids[2], ids[5], ids[0])]
    log.let_go(1)
    log.reached()  # events 1 to 3 and the labels are being committed
    clock.advance(5_000)
    futures += [desk.submit(body, "t") for body in events[4:8]]
    again = desk.submit(events[2], "again")
    labels.append(desk.submit_label({"event_id": ids[5], "label": 0}))
    log.let_go(100)
    assert [outcome(f) for f in labels] == [True, False, True, True]
    assert [outcome(f).decision.event_id for f in futures] == ids[:8]
    assert outcome(again).repeated
    assert log.groups == [(1, 0), (3, 3), (4, 1)]
    seqs = [*stores.log.events().slice(len(stores.log.events()) - 8)["seq"].to_pylist()]
    assert [s - seqs[0] for s in seqs] == [0, 1, 2, 3, 7, 8, 9, 10]
    assert verify(small_case, stores, clock).figures["mismatches"] == 0


def test_labels_are_not_kept_waiting_by_a_flood_of_events(held, events):
    desk, log, _ = held
    futures = [desk.submit(events[0], "t")]
    log.reached()
    futures += [desk.submit(body, "t") for body in events[1:150]]
    label = desk.submit_label({"event_id": "x", "label": 1})
    log.let_go(1)
    log.reached()  # the second group: from now on events wait for the label
    futures += [desk.submit(body, "t") for body in events[150:300]]
    log.let_go(100)
    assert outcome(label) is False
    assert all(outcome(f) for f in futures)
    assert [labels for _, labels in log.groups].index(1) == 3


def test_what_waits_is_bounded(held, events, monkeypatch):
    desk, log, _ = held
    monkeypatch.setattr(decide, "MOST_PENDING", 5)
    futures = [desk.submit(body, "t") for body in events[:5]]
    labels = [desk.submit_label({"event_id": "x", "label": 1}) for _ in range(5)]
    for refused in (desk.submit(events[5], "t"), desk.submit_label({"event_id": "x", "label": 1})):
        assert isinstance(outcome(refused), Overloaded)
    log.let_go(100)
    assert all(outcome(f) for f in futures)
    assert [outcome(f) for f in labels] == [False] * 5
    assert outcome(desk.submit(events[5], "t")).repeated is False


def test_closing_commits_what_is_pending(small_case, held, events, clock):
    desk, log, stores = held
    futures = [desk.submit(body, "t") for body in events[:100]]
    label = desk.submit_label({"event_id": events[3]["event_id"], "label": 1})
    log.let_go(100)
    desk.close()
    assert all(f.done() for f in (*futures, label))
    assert len(stores.log.decisions()) == 100
    for refused in (desk.submit(events[100], "t"), desk.submit_label({"event_id": "x", "label": 1})):
        assert "closed" in str(outcome(refused))
    desk.close()


def test_a_callback_may_call_the_desk(held, events):
    desk, log, _ = held
    log.let_go(100)
    chained = []
    for body, following in zip(events[:50:2], events[1:50:2], strict=True):
        future = desk.submit(body, "t")
        future.add_done_callback(lambda _, b=following: chained.append(desk.submit(b, "t")))
        assert outcome(future)
    assert all(outcome(f) for f in chained)
