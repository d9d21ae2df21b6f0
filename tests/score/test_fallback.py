"""What decides when state, model or time is missing: flagged every time, and the histories come back whole."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from tests.score.held import outcome, probes
from weighbridge.declare import Fallback, ListOf, Rule
from weighbridge.errors import DeclarationError, InputError, StoreFailure
from weighbridge.kernel import step
from weighbridge.loop.explain import explain
from weighbridge.loop.replays.past import find_decision
from weighbridge.loop.replays.reproduce import reproduce
from weighbridge.loop.verify import verify
from weighbridge.score import histories
from weighbridge.score.route import PRODUCTION
from weighbridge.serve.wiring import open_desk

RULES = [
    Rule("cheap", "amount < 5", action="approve"),
    Rule("watched", "card_id in watched_cards", at_least="decline"),
    Rule("likely", "probability > 0 and card_count_1h >= 0", action="decline"),  # unknown is never above anything
]


@pytest.fixture
def case(small_case):
    policy = replace(small_case.policy, rules=RULES, lists=[ListOf("watched_cards", "card_id")],
                     fallback=Fallback(deadline="10s"))  # fmt: skip
    return replace(small_case, policy=policy)


@pytest.fixture
def plain(small_case):
    return replace(small_case, policy=replace(small_case.policy, fallback=Fallback(deadline="10s")))


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(histories, "RETRY_SECONDS", 0.01)


def broken(*_):
    raise StoreFailure("the disk is full")


def lose(desk, monkeypatch, step):
    """Let the state fail at its next step, and what would make it anew fail until the patch is undone."""
    monkeypatch.setattr(desk.histories.state, step, broken)
    monkeypatch.setattr(desk.histories, "_rebuild", broken)


def wait_until_back(desk):
    for _ in range(3_000):
        if desk.histories.state is not None:
            return
        time.sleep(0.01)
    raise AssertionError("the histories did not come back")


def facts(desk, body):
    d = desk.decide(body, "t").decision
    return d.route, d.degraded, d.action


@pytest.mark.parametrize("step", ["vector", "append"])
def test_without_histories_the_event_only_model_answers_and_says_so(
    plain, home, events, clock, monkeypatch, quick, step
):
    desk = open_desk(plain, home, clock)
    rebuild = desk.histories._rebuild
    for body in events[:5]:
        assert desk.decide(body, "t").decision.degraded == ()
    lose(desk, monkeypatch, step)
    found = [desk.decide(body, "t").decision for body in events[5:15]]
    missed = found if step == "vector" else found[1:]
    assert step == "vector" or found[0].degraded == ()  # decided before the state failed
    assert {(d.route, d.degraded) for d in missed} == {("event_only", ("state",))}
    vectors = np.array([np.frombuffer(d.vector, dtype="<f4") for d in missed])
    stateless = list(plain.stateless)
    others = np.setdiff1d(np.arange(vectors.shape[1]), stateless)
    assert np.isnan(vectors[:, others]).all()
    assert (vectors[:, others].view(np.uint32) == 0x7FC00000).all()
    whole = np.array([np.frombuffer(v, dtype="<f4") for v in probes(open_desk(plain, home, clock), events[5:15])])
    assert np.array_equal(vectors[:, stateless], whole[-len(missed) :, stateless], equal_nan=True)
    bundle = desk.router.champion
    assert [d.probability for d in missed] == bundle.event_only.probability(vectors).tolist()
    monkeypatch.setattr(desk.histories, "_rebuild", rebuild)
    wait_until_back(desk)
    after = [desk.decide(body, "t").decision for body in events[15:40]]
    assert {d.degraded for d in after} == {()}
    assert probes(desk, events[40:60]) == probes(open_desk(plain, home, clock), events[40:60])
    figures = verify(plain, home, clock).figures
    assert (figures["mismatches"], figures["differing"], figures["masked"]) == (0, 0, len(missed))
    assert len(home.log.notes("restored")) == 1


def test_labels_and_events_of_an_outage_are_there_when_it_ends(plain, home, events, clock, monkeypatch, quick):
    desk = open_desk(plain, home, clock)
    rebuild = desk.histories._rebuild
    desk.decide(events[0], "t")
    lose(desk, monkeypatch, "label")
    assert desk.feedback({"event_id": events[0]["event_id"], "label": 1}) is True
    same_card = [{**body, "card_id": events[0]["card_id"]} for body in events[1:20]]
    assert {facts(desk, body)[1] for body in same_card[:10]} == {("state",)}
    assert desk.feedback({"event_id": same_card[3]["event_id"], "label": 1}) is True
    again = desk.decide(same_card[3], "again")
    assert (again.repeated, again.decision.degraded) == (True, ("state",))
    monkeypatch.setattr(desk.histories, "_rebuild", rebuild)
    wait_until_back(desk)
    assert {facts(desk, body)[1] for body in same_card[10:]} == {()}
    assert verify(plain, home, clock).figures["mismatches"] == 0
    desk.close()


def test_a_group_that_fails_during_an_outage_is_refused_and_nothing_is_lost(
    plain, home, events, clock, monkeypatch, quick
):
    desk = open_desk(plain, home, clock)
    rebuild, append = desk.histories._rebuild, home.log.append
    lose(desk, monkeypatch, "vector")
    desk.decide(events[0], "t")
    monkeypatch.setattr(home.log, "append", broken)
    assert isinstance(outcome(desk.submit(events[1], "t")), StoreFailure)
    monkeypatch.setattr(desk.histories, "_rebuild", rebuild)  # its note cannot be stored: it is made anew until it can
    time.sleep(0.1)
    assert desk.histories.state is None
    monkeypatch.setattr(home.log, "append", append)
    wait_until_back(desk)
    assert facts(desk, events[1])[1] == ()
    assert verify(plain, home, clock).figures["mismatches"] == 0


def test_without_a_model_rules_decide_and_then_what_is_declared(case, home, events, clock):
    desk = open_desk(case, home, clock)
    desk.submit_edit({"list": "watched_cards", "value": "c9", "action": "add", "why": "test"}).result()
    production = home.registry.alias(PRODUCTION)
    home.bundles._bundles[production] = {}  # it cannot be read any more
    desk = open_desk(case, home, clock)
    assert desk.router.champion is None
    assert facts(desk, {**events[0], "amount": 1}) == ("rules", ("model",), "approve")
    assert facts(desk, {**events[1], "card_id": "c9", "amount": 50}) == ("rules", ("model",), "decline")
    found = desk.decide({**events[2], "amount": 50}, "t")
    assert (found.decision.route, found.decision.action) == ("otherwise", "review")
    told = found.body()
    assert (told["probability"], told["model_version"], told["risk_level"]) == (None, None, "unknown")
    stored = find_decision(home.log, found.decision.decision_id)
    assert stored == found.decision
    for look in (explain, reproduce):
        with pytest.raises(InputError, match="no model decided"):
            look(case, home, stored)
    assert home.log.broken_link() is None


def test_a_home_that_never_had_a_model_refuses(case, home, events, clock):
    home.registry._aliases.clear()
    desk = open_desk(case, home, clock)
    with pytest.raises(StoreFailure, match="no bundle is in production"):
        desk.decide(events[0], "t")
    assert len(home.log.decisions()) == 0


def test_an_event_that_waited_too_long_is_decided_without_the_model(held, events):
    desk, log, _ = held
    desk._decider._deadline_ns = 1_000_000
    label = desk.submit_label({"event_id": "x", "label": 1})
    log.reached()
    waiting = desk.submit(events[0], "t")
    time.sleep(0.005)
    log.let_go(100)
    assert outcome(label) is False
    late = outcome(waiting).decision
    assert (late.route, late.degraded, late.action) == ("otherwise", ("deadline",), "review")
    assert np.isfinite(np.frombuffer(late.vector, dtype="<f4")).any()  # its histories were there
    desk._decider._deadline_ns = 10_000_000_000
    assert outcome(desk.submit(events[1], "t")).decision.degraded == ()


@pytest.mark.parametrize("asked", ["approve", "review", "decline", "degraded"])
def test_a_forced_outcome_says_that_it_is_one(plain, home, events, clock, asked):
    desk = open_desk(plain, home, clock)
    desk.decide(events[0], "t")
    found = desk.submit(events[1], "t", asked).result().decision
    assert found.degraded[-1] == "test"
    assert (found.route, found.action) == ("test", asked) if asked != "degraded" else found.route == "event_only"
    assert desk.decide(events[2], "t").decision.degraded == ()
    figures = verify(plain, home, clock).figures
    assert (figures["mismatches"], figures["masked"]) == (0, 1)


@pytest.mark.parametrize("wrong", [{"deadline": "0s"}, {"deadline": "soon"}, {"otherwise": "maybe"}])
def test_a_fallback_that_means_nothing_is_refused(wrong):
    with pytest.raises(DeclarationError, match="Fallback"):
        Fallback(**wrong)


def test_the_first_event_waits_for_no_kernel(small_case, home, events, clock, monkeypatch):
    calls = []

    def counted(name):
        real = getattr(step, name)
        return lambda *given: calls.append(name) or real(*given)

    for name in ("read", "write"):
        monkeypatch.setattr(step, name, counted(name))
    desk = open_desk(small_case, home, clock)
    assert set(calls) == {"read", "write"}  # before any event has come
    assert desk.decide(events[0], "t").decision.degraded == ()
