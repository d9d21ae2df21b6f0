"""A share of would-be declines is let through: how many, which never, and the same whenever it is asked again."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.declining import exploring, repack, send
from tests.score.held import HeldLog, outcome
from tests.score.rivals import good, packed, point, rival
from weighbridge.clock import DAY_US
from weighbridge.declare import Costs, Explore, Rule
from weighbridge.errors import DeclarationError
from weighbridge.kernel.validate import parse_table
from weighbridge.loop.replays.reproduce import reproduce
from weighbridge.loop.traffic import Wish, direct
from weighbridge.loop.verify import verify
from weighbridge.score import explore as exploration
from weighbridge.score import fallback
from weighbridge.score.batch import score_table
from weighbridge.score.bundle import load
from weighbridge.score.draw import Draw
from weighbridge.score.explore import Explorer
from weighbridge.score.route import PRODUCTION
from weighbridge.score.rulebook import POLICY
from weighbridge.serve.wiring import open_desk

OPEN = Explore(share=0.3, spend_per_day=1e9)
TIGHT = Explore(share=0.5, spend_per_day=150, largest=100, seed=5)


@pytest.fixture
def declining(small_case, home):
    repack(small_case, home, 0.004, 0.01)
    return home


def served(case, stores, clock, stream):
    desk = open_desk(case, stores, clock)
    decisions = send(desk, clock, stream)
    desk.close()
    return decisions


def same_again(case, stores, clock):
    figures = verify(case, stores, clock).figures
    return [figures[name] for name in ("mismatches", "differing", "undecidable", "misrouted", "broken_chain")]


def test_a_share_of_what_the_thresholds_decline_is_let_through(small_case, declining, stream, clock):
    case = exploring(small_case, OPEN)
    decisions = served(case, declining, clock, stream[:3_000])
    asked = [d for d in decisions if d.propensity is not None]
    assert len(asked) > 100
    assert {d.propensity for d in asked} == {0.3}
    explored = [d for d in asked if d.explored]
    assert 0.2 < len(explored) / len(asked) < 0.4
    assert {d.action for d in explored} <= {"approve", "review"}
    assert all(("review" if d.rules else "approve") == d.action for d in explored)
    limit = load(declining.registry.alias(PRODUCTION), case, declining.bundles, declining.signer).thresholds.decline_at
    assert all((d.probability >= limit) == (d.propensity is not None) for d in decisions)
    assert same_again(case, declining, clock) == [0, 0, 0, 0, None]
    for decision in explored[:5]:
        found = reproduce(case, declining, decision)
        assert not found.differs
        assert "propensity" in {check.part for check in found.checks}
    forged = replace(explored[0], propensity=0.31)
    assert {c.part: c.same for c in reproduce(case, declining, forged).checks}["propensity"] is False


def test_a_day_spends_no_more_than_its_cap_also_across_a_restart(small_case, declining, stream, clock, monkeypatch):
    monkeypatch.setattr(exploration, "AT_ONCE", 50)
    case, spent, without_room = exploring(small_case, TIGHT), {}, 0
    amount = [field.name for field in case.events.payload].index("amount")
    for part in range(6):  # a restart in the middle of days
        for decision in served(case, declining, clock, stream[part * 500 : (part + 1) * 500]):
            without_room += decision.propensity == 0.0
            if decision.explored:
                cents = declining.log.find(decision.event_id)[1].values[amount]
                assert cents <= 100_00
                day = decision.decided_us // DAY_US
                spent[day] = spent.get(day, 0) + cents
    assert without_room > 20
    assert max(spent.values()) <= 150_00
    assert sum(spent.values()) > len(spent) * 40_00
    assert same_again(case, declining, clock) == [0, 0, 0, 0, None]
    assert len(declining.log.notes(POLICY)) == 1


def test_what_was_spent_is_an_input_of_replay(small_case, declining, stream, clock, monkeypatch):
    case = exploring(small_case, TIGHT)
    served(case, declining, clock, stream[:1_500])
    monkeypatch.setattr(Explorer, "spend", lambda self, amount, arrived_us: None)
    assert verify(case, declining, clock).figures["differing"] > 0


def test_another_exploration_counts_from_its_place_in_the_log(small_case, declining, stream, clock):
    served(exploring(small_case, OPEN), declining, clock, stream[:500])
    served(small_case, declining, clock, stream[500:1_000])
    last = served(exploring(small_case, TIGHT), declining, clock, stream[1_000:1_500])
    assert {d.propensity for d in last if d.propensity} == {0.5}
    assert len(declining.log.notes(POLICY)) == 3
    assert same_again(small_case, declining, clock) == [0, 0, 0, 0, None]


def test_what_rules_and_tests_decide_is_never_explored(small_case, declining, stream, clock):
    rules = [
        Rule("dear", "amount > 60", "decline"),
        Rule("abroad", "country == 'BR'", at_least="decline"),
        Rule("web", "device == 'web'", at_least="review"),
    ]
    case = exploring(small_case, Explore(share=1, spend_per_day=1e9), rules)
    desk = open_desk(case, declining, clock)
    decisions = send(desk, clock, stream[:1_500])
    forced = [m for m in stream[1_500:1_700] if m.path == "/predict"]
    tests = []
    for message in forced:
        clock.set(message.arrived_us)
        tests.append(desk.submit(message.body, "t", "decline").result().decision)
    desk.close()
    ruled = [d for d in decisions if {"dear", "abroad"} & set(d.rules)]
    assert len(ruled) > 50
    assert all((d.action, d.propensity) == ("decline", None) for d in ruled)
    assert {d.action for d in decisions if d.explored} == {"approve", "review"}
    assert all(d.action == "review" for d in decisions if d.explored and "web" in d.rules)
    assert not [d for d in decisions if d.action == "decline" and d not in ruled]
    assert {(d.action, d.propensity) for d in tests} == {("decline", None)}


def test_a_degraded_answer_is_never_explored(small_case, declining, events, clock):
    case = exploring(small_case, Explore(share=1, spend_per_day=1e9))
    desk = open_desk(case, declining, clock)
    found = [desk.submit(body, "t", "degraded").result().decision for body in events]
    desk.close()
    assert "decline" in {d.action for d in found}
    assert {d.propensity for d in found} == {None}


def test_a_champion_that_stands_in_for_a_canary_explores_nothing(small_case, declining, stream, clock, monkeypatch):
    case, real = exploring(small_case, Explore(share=1, spend_per_day=1e9)), fallback.decision_of
    canary = rival(case, declining, good(case, declining).scorer.calibration.intercept + 0.001)
    direct(case, declining, clock, Wish(canary, 0.5, None), by="t", reason="t")

    def fails(bundle, *rest, **more):
        if bundle.id == canary:
            raise RuntimeError("this canary fails")
        return real(bundle, *rest, **more)

    monkeypatch.setattr(fallback, "decision_of", fails)
    decisions = served(case, declining, clock, stream[:1_000])
    stood_in = [d for d in decisions if d.degraded]
    assert "decline" in {d.action for d in stood_in}
    assert {d.propensity for d in stood_in} == {None}
    assert any(d.explored for d in decisions)
    assert same_again(case, declining, clock) == [0, 0, 0, 0, None]


def test_what_could_not_be_stored_was_not_spent(small_case, declining, events, clock):
    case = exploring(small_case, Explore(share=1, spend_per_day=200))
    log = HeldLog(declining.log)
    desk = open_desk(case, replace(declining, log=log), clock)
    log.holding, log.failing = True, [True]
    futures = [desk.submit(body, "t") for body in events[:200]]
    log.let_go(1_000)
    assert all(outcome(future) for future in futures)
    log.holding = False
    again = [desk.decide(body, "t").decision for body in events[:200]]
    desk.close()
    fresh = [d for d in again if d.explored]
    amounts = [declining.log.find(d.event_id)[1].values[2] for d in fresh]
    assert sum(amounts) <= 200_00
    assert len(fresh) > 2
    assert same_again(case, declining, clock) == [0, 0, 0, 0, None]


def test_batch_says_what_was_said_online(small_case, declining, world, stream, clock):
    case = exploring(small_case, TIGHT)
    decisions = served(case, declining, clock, stream[:2_000])
    ids = [d.event_id for d in decisions]
    rows = world.events.filter(pa.compute.is_in(world.events["event_id"], pa.array(ids)))
    parsed, _ = parse_table(case.events, rows, {"arrived": "arrived"}, declining.pseudonyms)
    bundle = load(declining.registry.alias(PRODUCTION), case, declining.bundles, declining.signer)
    table = score_table(case, declining, bundle, parsed)
    said = dict(zip(table["event_id"].to_pylist(), table["action"].to_pylist(), strict=True))
    assert {d.event_id: d.action for d in decisions} == said
    assert any(d.explored for d in decisions)


def test_the_hot_path_without_exploration_keeps_no_account(small_case, home, clock):
    desk = open_desk(small_case, home, clock)
    assert desk.rulebook.explorer is None
    desk.close()


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 300_00)), max_size=60))
def test_no_day_ever_spends_more_than_its_cap(small_case, trained, steps):
    case = exploring(small_case, replace(TIGHT, largest=None))
    place = [field.name for field in case.events.payload].index("amount")
    explorer, spent, at_us = Explorer(case, Draw(trained)), {}, 0
    for ahead, cents in steps:
        at_us += ahead * DAY_US // 2
        values = [cents if number == place else 0 for number in range(len(case.events.payload))]
        if explorer.propensity(values, at_us):
            explorer.spend(explorer.amount_of(values), at_us)
            spent[at_us // DAY_US] = spent.get(at_us // DAY_US, 0) + cents
        else:
            assert spent.get(at_us // DAY_US, 0) + cents > 150_00
    assert all(cents <= 150_00 for cents in spent.values())


def test_an_event_without_an_amount_spends_nothing_and_is_declined(small_case, trained):
    explorer = Explorer(exploring(small_case, OPEN), Draw(trained))
    assert explorer.propensity([None] * len(small_case.events.payload), 0) == 0.0
    counting = exploring(small_case, Explore(share=1, spend_per_day=2))
    counting = replace(counting, policy=replace(counting.policy, costs=Costs()))
    counted = Explorer(counting, Draw(trained))
    for room in (1.0, 1.0, 0.0):
        assert counted.propensity([], 5) == room
        counted.spend(counted.amount_of([]), 5)
    assert counted.propensity([], 5 + DAY_US) == 1.0


def test_an_amount_that_was_missing_when_nobody_asked_for_it_spent_nothing(small_case, home, events, clock):
    repack(small_case, home, 0.0001, 0.0002)
    fields = [replace(each, optional=each.optional or each.name == "amount") for each in small_case.events.fields]
    case = exploring(replace(small_case, events=replace(small_case.events, fields=fields)), replace(OPEN, share=1))
    told = {"vector": case.vector_digest}  # the same bundle, packed for a contract that leaves amounts out
    made, files = packed(case, home, good(small_case, home), **told)
    home.bundles.put(made, files)
    home.registry.add(made, {**home.registry.bundles()[0][2], **told}, 0)
    point(home, PRODUCTION, made)
    desk = open_desk(replace(case, policy=replace(case.policy, rules=(), costs=Costs())), home, clock)
    decisions = [desk.decide({k: v for k, v in body.items() if k != "amount"}, "t").decision for body in events[:100]]
    desk.close()
    assert any(d.explored for d in decisions)
    desk = open_desk(case, home, clock)
    assert desk.rulebook.explorer._spent == {clock.now_us() // DAY_US: 0}
    desk.close()
    assert same_again(case, home, clock) == [0, 0, 0, 0, None]


@pytest.mark.parametrize(
    "wrong", [{"share": 0}, {"share": 1.1}, {"share": float("nan")}, {"spend_per_day": 0}, {"largest": -1},
              {"spend_per_day": float("inf")}]
)  # fmt: skip
def test_a_declaration_that_explores_nothing_is_refused(wrong):
    with pytest.raises(DeclarationError, match="Explore"):
        Explore(**{"share": 0.1, "spend_per_day": 10, **wrong})
