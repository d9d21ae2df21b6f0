"""Which bundle decides: sticky by entity, noted in the log, and never a bad one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.score.rivals import bad_bundles, point, put, rival
from weighbridge.clock import us_to_iso
from weighbridge.declare import Contract, Fallback, Id, Key, Money, Rollout, Time
from weighbridge.errors import DeclarationError, StoreFailure
from weighbridge.identity import Draws
from weighbridge.loop.replays.past import find_decision
from weighbridge.loop.replays.reproduce import reproduce
from weighbridge.loop.verify import verify
from weighbridge.records import CANARY, SHADOW
from weighbridge.score.route import CHAMPION, PRODUCTION, ROUTE, Arms
from weighbridge.score.router import REFUSED, RETRY_SECONDS, Router
from weighbridge.serve.wiring import open_desk

SHARES = st.floats(0, 1)
DRAWS = Draws(b"d" * 32)
KEYS = (None, DRAWS.key_id)
IN_FLIGHT = 50  # fewer than a desk lets wait


@given(st.text(min_size=1), st.sampled_from(["a" * 64, "b" * 64]), SHARES, SHARES, st.sampled_from(KEYS))
def test_an_arm_depends_on_card_and_canary_and_a_larger_share_only_adds(card, canary, one, other, key):
    low, high = (Arms("champion", canary, share, key=key) for share in sorted((one, other)))
    assert low.arm(card, DRAWS) == replace(low, champion="another", shadow="x", sticky="y").arm(card, DRAWS)
    met = low.arm(card, DRAWS), high.arm(card, DRAWS)
    assert met in ((CHAMPION, CHAMPION), (CHAMPION, CANARY), (CANARY, CANARY))
    assert replace(low, share=0.0).arm(card, DRAWS) == CHAMPION
    assert replace(low, share=1.0).arm(card, DRAWS) == CANARY
    assert replace(low, canary=None).arm(card, DRAWS) == low.arm(None, DRAWS) == CHAMPION


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("share", [0.05, 0.3, 0.8])
def test_the_share_is_a_share_and_another_canary_draws_anew(share, key):
    cards = [f"c{number}" for number in range(20_000)]
    met = [[Arms("champion", name, share, key=key).arm(card, DRAWS) for card in cards] for name in ("a" * 64, "b" * 64)]
    for arms in met:
        assert Counter(arms)[CANARY] == pytest.approx(share * len(cards), abs=400)
    both = sum(first == second == CANARY for first, second in zip(*met, strict=True))
    assert both == pytest.approx(share**2 * len(cards), abs=400)


def test_what_a_canary_goes_by_is_declared(small_case):
    assert small_case.rollout.sticks_to(small_case.events) == "card_id"
    with pytest.raises(DeclarationError, match="no field 'card'"):
        replace(small_case, rollout=Rollout(sticky="card"))
    with pytest.raises(DeclarationError, match="is a Money"):
        replace(small_case, rollout=Rollout(sticky="amount"))
    with pytest.raises(DeclarationError, match="not above 0"):
        Rollout(slowest_ms=0)
    keyless = Contract("login", [Id("id"), Time("at"), Money("amount", at_least=0, at_most=1)])
    assert Rollout().sticks_to(keyless) == "id"
    two = Contract("login", [Id("id"), Time("at"), Key("shop"), Key("card")])
    assert (Rollout().sticks_to(two), Rollout(sticky="card").sticks_to(two)) == ("shop", "card")


@pytest.fixture
def case(small_case):
    """Bounds that a test can break, and no deadline that a busy machine can."""
    policy = replace(small_case.policy, fallback=Fallback(deadline="1h"))
    return replace(small_case, policy=policy, rollout=Rollout(slowest_ms=0.4, largest_mb=8))


@pytest.fixture
def desk(case, home, clock):
    found = open_desk(case, home, clock)
    yield found
    found.close()


def follow(desk):
    return desk.router.refresh(desk.submit_note)


def test_a_card_meets_one_model_for_as_long_as_a_canary_lasts(desk, home, case, events):
    champion, other = home.registry.alias(PRODUCTION), rival(case, home, -3.0)
    met = {}
    for number, share in enumerate((0.0, 0.2, 0.6, 1.0)):
        point(home, CANARY, other, share)
        assert follow(desk)
        assert not follow(desk)
        for body in events[number * 60 : number * 60 + 60]:
            decision = desk.decide(body, "t").decision
            card = home.log.find(decision.event_id)[1].values[0]
            assert decision.bundle == {CHAMPION: champion, CANARY: other}[decision.route]
            met.setdefault(card, []).append(decision.route)
    assert {arm for arms in met.values() for arm in arms} == {CHAMPION, CANARY}
    assert any(len(arms) > 1 for arms in met.values())
    assert all(arms == sorted(arms, key=(CHAMPION, CANARY).index) for arms in met.values())
    assert home.log.broken_link() is None
    routes = [body for _, _, body in home.log.notes(ROUTE)]
    assert [body["share"] for body in routes] == [None, 0.0, 0.2, 0.6, 1.0]
    assert {body["sticky"] for body in routes} == {"card_id"}


def test_the_log_says_from_which_place_on_which_bundles_decide(desk, home, case, clock, events):
    champion, one, other = home.registry.alias(PRODUCTION), rival(case, home, -3.0), rival(case, home, -2.5)
    told = []
    changes = [
        lambda: None, lambda: point(home, CANARY, one, 0.5), lambda: point(home, PRODUCTION, other),
        lambda: point(home, CANARY, None), lambda: point(home, PRODUCTION, champion), lambda: point(home, CANARY, other, 1.0),
    ]  # fmt: skip
    for number, change in enumerate(changes):
        change()
        follow(desk)
        told += [desk.decide(body, "t").decision for body in events[number * 30 : number * 30 + 30]]
    assert {(d.bundle, d.route) for d in told} == {
        (champion, CHAMPION), (one, CANARY), (other, CHAMPION), (other, CANARY)
    }  # fmt: skip
    for decision in told[::17]:
        checks = {check.part: check for check in reproduce(case, home, decision).checks}
        assert checks["route"].same is True, checks["route"].says
    figures = verify(case, home, clock).figures
    assert (figures["decided"], figures["differing"], figures["misrouted"]) == (180, 0, 0)
    forged = replace(told[-1], route=CHAMPION)
    assert {c.part: c.same for c in reproduce(case, home, forged).checks}["route"] is False
    seq, decision, chained = home.log._decisions[told[40].event_id]
    home.log._decisions[told[40].event_id] = (seq, replace(decision, bundle=other), chained)
    assert verify(case, home, clock).figures["misrouted"] == 1
    assert find_decision(home.log, told[40].decision_id).bundle == other


def test_at_a_start_the_route_is_noted_only_when_it_differs(home, case, clock):
    for _ in range(3):
        open_desk(case, home, clock).close()
    assert len(home.log.notes(ROUTE)) == 1
    point(home, CANARY, rival(case, home, -3.0), 0.5)
    for _ in range(2):
        open_desk(case, home, clock).close()
    assert len(home.log.notes(ROUTE)) == 2


@pytest.mark.parametrize("alias", [PRODUCTION, CANARY, SHADOW])
def test_no_kind_of_bad_bundle_gets_in_and_each_refusal_is_noted_once(desk, home, case, events, alias, monkeypatch):
    champion, good = home.registry.alias(PRODUCTION), rival(case, home, -3.0)
    kinds = bad_bundles(case, home)
    assert len(kinds) == 8
    point(home, CANARY, good, 0.5)
    follow(desk)
    for number, (kind, (bundle, files, says)) in enumerate(kinds.items()):
        put(home, bundle, files)
        point(home, alias, bundle, 1.0 if alias == CANARY else None)
        for _ in range(3):
            follow(desk)
            monkeypatch.setattr("weighbridge.score.router.RETRY_SECONDS", 0.0)
        body = home.log.notes(REFUSED)[-1][2]
        assert (body["alias"], body["bundle"]) == (alias, bundle), kind
        assert says in body["reason"], kind
        assert len(home.log.notes(REFUSED)) == number + 1
        met = [desk.decide(event, "t").decision.bundle for event in events[number * 8 : number * 8 + 8]]
        assert set(met) <= ({champion} if alias == CANARY else {champion, good}), kind
    assert desk.router.refusal == (body["reason"] if alias == PRODUCTION else None)
    assert desk.router.route.arms == Arms(champion, None if alias == CANARY else good, None if alias == CANARY else 0.5,
                                          None, "card_id", None if alias == CANARY else DRAWS.key_id)  # fmt: skip
    monkeypatch.setattr("weighbridge.score.router.RETRY_SECONDS", RETRY_SECONDS)
    point(home, alias, good, 1.0 if alias == CANARY else None)
    assert follow(desk)
    assert good in (desk.router.route.arms.champion, desk.router.route.arms.canary, desk.router.route.arms.shadow)


def test_refusals_that_are_noted_are_not_noted_again_at_a_start(home, case, clock):
    for alias, (bundle, files, _) in zip((CANARY, SHADOW), bad_bundles(case, home).values(), strict=False):
        put(home, bundle, files)
        point(home, alias, bundle, 0.5 if alias == CANARY else None)
    for _ in range(3):
        open_desk(case, home, clock).close()
    assert sorted(body["alias"] for _, _, body in home.log.notes(REFUSED)) == [CANARY, SHADOW]


def test_a_bundle_that_was_restored_gets_in(desk, home, case, monkeypatch):
    bundle, files = rival(case, home, -3.0, add=False)
    put(home, bundle, {**files, "card.md": b"other"})
    point(home, PRODUCTION, bundle)
    follow(desk)
    assert "card.md is not what was signed" in desk.router.refusal
    home.bundles._bundles[bundle] = files
    assert not follow(desk)
    monkeypatch.setattr(
        desk.router, "_refusals", {k: replace(r, again_s=0.0) for k, r in desk.router._refusals.items()}
    )
    assert follow(desk)
    assert (desk.router.champion.id, desk.router.refusal) == (bundle, None)


def test_after_a_start_the_last_good_champion_decides_in_place_of_a_bad_one(desk, home, case, clock, events):
    champion = home.registry.alias(PRODUCTION)
    bundle, files = rival(case, home, -3.0, add=False)
    put(home, bundle, {**files, "card.md": b"other"})
    point(home, PRODUCTION, bundle)
    again = open_desk(case, home, clock)
    assert again.decide(events[0], "t").decision.bundle == champion
    assert "card.md" in again.router.refusal
    again.close()
    fresh = replace(home, log=type(home.log)(case.events))  # nothing noted which was the last good one
    router = Router(case, fresh)
    router.prepare()
    assert router.champion is None


def test_a_route_that_cannot_be_noted_does_not_decide(desk, home, case, events, monkeypatch):
    champion, other = home.registry.alias(PRODUCTION), rival(case, home, -3.0)
    point(home, PRODUCTION, other)
    append = home.log.append

    def full(*_):
        raise StoreFailure("disk is full")

    monkeypatch.setattr(home.log, "append", full)
    with pytest.raises(StoreFailure):
        follow(desk)
    assert desk.router.champion.id == champion
    monkeypatch.setattr(home.log, "append", append)
    assert follow(desk)
    assert desk.decide(events[0], "t").decision.bundle == other


def test_events_before_a_change_meet_the_old_route_and_events_behind_it_the_new(desk, home, case, stream, clock):
    """Submitted at once from one thread while the change is prepared by another: the log's places tell which is which."""
    import threading

    other = rival(case, home, -3.0)
    clock.set(stream[-1].arrived_us)
    bodies = [{**m.body, "event_ts": us_to_iso(clock.now_us())} for m in stream if m.path == "/predict"][:400]
    changer = threading.Thread(target=lambda: (point(home, PRODUCTION, other), follow(desk)))
    futures = []
    for number, body in enumerate(bodies):
        futures.append(desk.submit(body, "t"))
        futures[max(0, number - IN_FLIGHT)].result(60)
        if number == 150:
            changer.start()
    changer.join(60)
    futures += [desk.submit({**bodies[0], "event_id": "01KAJ0M3Q5X7Z9B1D3F5H7K9M2"}, "t")]
    answers = [future.result(60).decision for future in futures]
    (_, _, first), (place, _, second) = home.log.notes(ROUTE)
    assert (first["champion"], second["champion"]) == (answers[0].bundle, answers[-1].bundle)
    for decision in answers:
        seq = home.log.find(decision.event_id)[0]
        assert decision.bundle == (first if seq < place else second)["champion"]
