"""Commits that fail: what was scored is taken back, and log, state and answers stay in step."""

from __future__ import annotations

import random
import threading
from dataclasses import replace

import pytest

from tests.score.held import PATIENCE_SECONDS, HeldLog, outcome, probes
from weighbridge.clock import us_to_iso
from weighbridge.errors import StoreFailure
from weighbridge.loop.verify import verify
from weighbridge.records import Note
from weighbridge.serve.wiring import open_desk


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


@pytest.mark.parametrize("step", ["retract", "label"])
def test_a_state_that_cannot_follow_the_log_stops_the_desk_and_leaves_nobody_waiting(
    small_case, held, events, clock, monkeypatch, step
):
    desk, log, stores = held

    def broken(*_):
        raise KeyError("e")

    monkeypatch.setattr(desk.histories.state, step, broken)
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


@pytest.mark.parametrize("seed", range(3))
def test_threads_duplicates_labels_promotions_and_failures_leave_log_state_and_answers_in_step(
    small_case, home, stream, clock, seed
):
    """What was answered is stored once, what was refused is not, and every vector is recomputed from the log."""
    rng = random.Random(seed)
    lock = threading.Lock()

    class Failing(HeldLog):
        def append(self, group, followers=()):
            with lock:
                if self.holding and rng.random() < 0.25:
                    raise StoreFailure("disk is full")
            return self._log.append(group, followers)

    stores = replace(home, log=Failing(home.log))
    desk = open_desk(small_case, stores, clock)
    stores.log.holding = True
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
                    home.log.commit([], [Note("promotion", {"n": start}, 0)])
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
