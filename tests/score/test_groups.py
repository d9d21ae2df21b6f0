"""The desk under load: groups, what is in flight, labels between events, and commits that fail."""

from __future__ import annotations

import random
import threading
from dataclasses import replace

import pytest

from weighbridge.clock import iso_to_us, us_to_iso
from weighbridge.errors import Conflict, Rejected, StoreFailure
from weighbridge.kernel.validate import parse_event
from weighbridge.loop.verify import verify
from weighbridge.score import decide
from weighbridge.serve.wiring import open_desk

PATIENCE_SECONDS = 30


class HeldLog:
    """A log whose commits wait until they are let go, and fail when told to."""

    def __init__(self, log):
        self._log, self._gate, self._entered = log, threading.Semaphore(0), threading.Semaphore(0)
        self.groups, self.failing = [], []

    def __getattr__(self, name):
        return getattr(self._log, name)

    def commit(self, group, labels=()):
        self._entered.release()
        assert self._gate.acquire(timeout=PATIENCE_SECONDS)
        self.groups.append((len(group), len(labels)))
        if self.failing and self.failing.pop(0):
            raise StoreFailure("disk is full")
        return self._log.commit(group, labels)

    def reached(self):
        assert self._entered.acquire(timeout=PATIENCE_SECONDS)

    def let_go(self, commits):
        self._gate.release(commits)


@pytest.fixture
def held(small_case, home, clock):
    log = HeldLog(home.log)
    stores = replace(home, log=log)
    desk = open_desk(small_case, stores, clock)
    yield desk, log, stores
    log.let_go(10_000)
    desk.close()


@pytest.fixture
def events(stream, clock):
    """Bodies that all happen, and arrive, at one time."""
    found = [m for m in stream if m.path == "/predict"][:300]
    clock.set(found[0].arrived_us + 1_000_000)
    return [{**m.body, "event_ts": found[0].body["event_ts"]} for m in found]


def outcome(future):
    """What a future gives or raises."""
    return future.exception(PATIENCE_SECONDS) or future.result()


def probes(desk, events):
    read = [parse_event(desk.case.events, b, iso_to_us(b["event_ts"]), desk.stores.pseudonyms) for b in events]
    return [desk._state.vector(event) for event in read]


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
    assert desk._pending == 0
    assert verify(small_case, stores, clock).figures["mismatches"] == 0


@pytest.mark.parametrize("failing", [[True], [False, True], [False, False, True]])
def test_a_group_that_fails_takes_everything_behind_it_back(small_case, held, events, clock, failing):
    desk, log, stores = held
    log.failing = list(failing)
    futures = [desk.submit(events[0], "t")]
    log.reached()
    before = probes(desk, events[150:200])
    futures += [desk.submit(body, "t") for body in events[1:150]]
    futures += [desk.submit(body, "t") for body in events[140:150]]
    log.let_go(len(failing))
    outcomes = [outcome(f) for f in futures]
    stored = {1: 0, 2: 1, 3: 65}[len(failing)]
    assert all(isinstance(o, StoreFailure) for o in outcomes[stored:])
    assert [o.decision.event_id for o in outcomes[:stored]] == [b["event_id"] for b in events[:stored]]
    assert stores.log.decisions()["event_id"].to_pylist() == [b["event_id"] for b in events[:stored]]
    if stored == 1:
        assert probes(desk, events[150:200]) == before
    fresh = open_desk(small_case, stores, clock)
    assert probes(desk, events) == probes(fresh, events)
    log.let_go(1_000)
    answers = [outcome(f) for f in [desk.submit(body, "again") for body in events[:150]]]
    assert [a.repeated for a in answers] == [n < stored for n in range(150)]
    report = verify(small_case, stores, clock).figures
    assert (report["vectors"], report["mismatches"], report["broken_chain"]) == (150, 0, None)


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


def test_labels_fail_with_their_group_and_never_count(small_case, held, events, clock):
    desk, log, stores = held
    log.failing = [False, True]
    futures = [desk.submit(events[0], "t")]
    log.reached()
    label = desk.submit_label({"event_id": events[0]["event_id"], "label": 1})
    log.let_go(1)
    log.reached()
    futures += [desk.submit(events[1], "t")]
    log.let_go(2)
    assert isinstance(outcome(label), StoreFailure)
    assert [outcome(f).repeated for f in futures] == [False, False]
    assert verify(small_case, stores, clock).figures["mismatches"] == 0
    assert probes(desk, events) == probes(open_desk(small_case, stores, clock), events)


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
        assert isinstance(outcome(refused), StoreFailure)
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


@pytest.mark.parametrize("step", ["retract", "label"])
def test_a_state_that_cannot_follow_the_log_stops_the_desk_and_leaves_nobody_waiting(
    small_case, held, events, clock, monkeypatch, step
):
    desk, log, stores = held

    def broken(*_):
        raise KeyError("e")

    monkeypatch.setattr(desk._state, step, broken)
    log.failing = [False, step == "retract"]
    label = desk.submit_label({"event_id": "x", "label": 1})
    log.reached()
    refused = [desk.submit(body, "t") for body in events[:5]] + [desk.submit_label({"event_id": "y", "label": 1})]
    log.let_go(100)
    assert all(isinstance(outcome(f), StoreFailure) for f in refused)
    assert isinstance(outcome(label), StoreFailure if step == "label" else bool)
    assert "closed" in str(outcome(desk.submit(events[9], "t")))
    desk.close()
    fresh = open_desk(small_case, stores, clock)
    log.failing = []
    assert outcome(fresh.submit(events[0], "t")).decision.event_id == events[0]["event_id"]
    assert verify(small_case, stores, clock).figures["mismatches"] == 0


def test_a_callback_may_call_the_desk(held, events):
    desk, log, _ = held
    log.let_go(100)
    chained = []
    for body, following in zip(events[:50:2], events[1:50:2], strict=True):
        future = desk.submit(body, "t")
        future.add_done_callback(lambda _, b=following: chained.append(desk.submit(b, "t")))
        assert outcome(future)
    assert all(outcome(f) for f in chained)


@pytest.mark.parametrize("seed", range(3))
def test_threads_duplicates_labels_promotions_and_failures_leave_log_state_and_answers_in_step(
    small_case, home, stream, clock, seed
):
    """What was answered is stored once, what was refused is not, and every vector is recomputed from the log."""
    rng = random.Random(seed)
    lock = threading.Lock()

    class Failing(HeldLog):
        def commit(self, group, labels=()):
            with lock:
                if rng.random() < 0.15:
                    raise StoreFailure("disk is full")
            return self._log.commit(group, labels)

    stores = replace(home, log=Failing(home.log))
    desk = open_desk(small_case, stores, clock)
    clock.set(stream[-1].arrived_us)
    times = [us_to_iso(clock.now_us() - rng.randrange(500) * 1_000_000) for _ in range(900)]  # in no order
    sent = [replace(m, body={**m.body, "event_ts": t} if m.path == "/predict" else m.body)
            for m, t in zip(stream[:900], times, strict=True)]  # fmt: skip
    answered, failed = [], []

    def caller(number):
        mine = [m for place, m in enumerate(sent) if place % 3 == number or place % 20 == 0]  # 5 % go to all three
        for start in range(0, len(mine), 25):
            futures = []
            for m in mine[start : start + 25]:
                futures.append((m, desk.submit(m.body, "t") if m.path == "/predict" else desk.submit_label(m.body)))
                if number == 0 and len(futures) % 10 == 0:
                    home.log.note("promotion", {"n": start}, 0)
            for m, future in futures:
                fault = future.exception(PATIENCE_SECONDS)
                assert fault is None or isinstance(fault, StoreFailure)
                if m.path == "/predict":
                    (failed if fault else answered).append(m.body["event_id"])

    threads = [threading.Thread(target=caller, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    desk.close()
    stored = stores.log.decisions()["event_id"].to_pylist()
    assert len(failed) > 20
    assert len(answered) > 200
    assert len(stored) == len(set(stored))
    assert set(stored) == set(answered)
    events = stores.log.events()
    assert events["arrived_us"].to_pylist() == sorted(events["arrived_us"].to_pylist())
    report = verify(small_case, stores, clock).figures
    assert (report["mismatches"], report["broken_chain"]) == (0, None)
    again = open_desk(small_case, stores, clock)
    bodies = [m.body for m in sent if m.path == "/predict"][:200]
    assert probes(desk, bodies) == probes(again, bodies)
