"""A shadow scores what others decide, exactly as it would have decided, and changes nothing."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, replace

import numpy as np
import pytest

from tests.score.rivals import point, rival
from weighbridge.declare import Fallback
from weighbridge.errors import StoreFailure
from weighbridge.loop.compare import compare
from weighbridge.records import CANARY, SHADOW
from weighbridge.score import shadow as shadows
from weighbridge.score.bundle import load
from weighbridge.score.route import PRODUCTION
from weighbridge.score.rulebook import Decidable, verdicts
from weighbridge.serve.wiring import open_desk

IN_FLIGHT = 50  # fewer than a desk lets wait


@pytest.fixture
def case(small_case):
    """Without a deadline that a busy machine can break."""
    return replace(small_case, policy=replace(small_case.policy, fallback=Fallback(deadline="1h")))


def bits(decision):
    """A decision without what the clock of the machine says."""
    return {**asdict(decision), "latency_us": 0}


def follow(desk):
    return desk.router.refresh(desk.submit_note)


def lived(case, home, clock, bodies, shadowed, edits=()):
    """What a desk decides on bodies, with a shadow or without; edits of lists come in between."""
    if shadowed:
        point(home, SHADOW, rival(case, home, -2.0))
    desk = open_desk(case, home, clock)
    told = []
    for number, body in enumerate(bodies):
        told.append(desk.submit(body, "t"))
        told[max(0, number - IN_FLIGHT)].result(60)
        for place, edit in edits:
            if place == number:
                desk.submit_edit(edit)
    told = [future.result(60).decision for future in told]
    desk.close()
    return desk, told


def test_a_shadow_changes_no_bit_of_a_decision(case, home, clock, events):
    other = replace(home, log=type(home.log)(case.events))
    other.log.import_history(home.log.events(), home.log.labels())
    _, plain = lived(case, other, clock, events[:150], shadowed=False)
    desk, beside = lived(case, home, clock, events[:150], shadowed=True)
    assert [bits(d) for d in beside] == [bits(d) for d in plain]
    assert (desk.router.shadow.scored, desk.router.shadow.dropped) == (150, 0)
    assert home.shadows.table()["event_id"].to_pylist() == [d.event_id for d in plain]


def test_it_says_what_it_would_have_decided_with_the_lists_at_the_events_place(case, home, clock, events):
    """Blocked and freed again in between: the same verdicts as those made from the log."""
    blocked = {"list": "blocked_cards", "why": "test"}
    cards = sorted({body["card_id"] for body in events[:150]})[:60]
    edits = [(n, {**blocked, "value": card, "action": "add"}) for n, card in enumerate(cards)]
    edits += [(n + 70, {**blocked, "value": card, "action": "remove"}) for n, card in enumerate(cards)]
    _, told = lived(case, home, clock, events[:150], shadowed=True, edits=edits)
    bundle = load(home.registry.aliases()[SHADOW].bundle, case, home.bundles, home.signer)
    found = home.shadows.table().to_pylist()
    assert len(found) == len(told) == 150
    vectors = np.frombuffer(b"".join(d.vector for d in told), dtype="<f4").reshape(150, -1)
    assert [row["probability"] for row in found] == bundle.scorer.probability(vectors).tolist()
    asked = []
    for decision, row in zip(told, found, strict=True):
        seq, event = home.log.find(decision.event_id)
        asked.append(
            Decidable(
                seq,
                event.event_id,
                event.arrived_us,
                event.values,
                decision.vector,
                row["probability"],
                bundle.thresholds,
            )
        )
    said = verdicts(case, home, asked, as_noted=True)
    assert [row["action"] for row in found] == [verdict.action for verdict in said]
    assert any("blocked_card" in verdict.rules for verdict in said)
    assert {row["bundle"] for row in found} == {bundle.id}


def test_a_full_queue_drops_and_counts_and_delays_nobody(case, home, clock, events, monkeypatch):
    monkeypatch.setattr(shadows, "MOST_WAITING", 20)
    gate = threading.Event()
    put = home.shadows.put
    monkeypatch.setattr(home.shadows, "put", lambda rows: (gate.wait(60), put(rows)))
    point(home, SHADOW, rival(case, home, -2.0))
    desk = open_desk(case, home, clock)
    for body in events[:200]:
        desk.decide(body, "t")
    assert desk.router.shadow.dropped >= 200 - 20 - shadows.BATCH - 1
    gate.set()
    desk.close()
    shadow = desk.router.shadow
    assert shadow.scored + shadow.dropped == 200
    assert len(home.shadows.table()) == shadow.scored > 0
    assert len(home.log.decisions()) == 200


@pytest.mark.parametrize("fault", [StoreFailure("disk is full"), ValueError("nobody foresaw it")])
def test_what_cannot_be_stored_is_counted_as_dropped(case, home, clock, events, monkeypatch, fault):
    def full(_):
        raise fault

    monkeypatch.setattr(home.shadows, "put", full)
    desk, told = lived(case, home, clock, events[:30], shadowed=True)
    assert (len(told), desk.router.shadow.scored, desk.router.shadow.dropped) == (30, 0, 30)
    assert desk.router.shadow.fault is fault


def test_without_a_shadow_no_thread_runs(case, home, clock, events):
    desk, _ = lived(case, home, clock, events[:5], shadowed=False)
    assert desk.router.shadow._thread is None
    assert len(home.shadows.table()) == 0


def test_shadow_and_canary_are_compared_with_the_champion(case, home, clock, events):
    assert compare(case, home, clock).figures == {"shadow": None, "canary": None}
    champion, other = home.registry.alias(PRODUCTION), rival(case, home, -1.0)
    desk = open_desk(case, home, clock)
    for body in events[:40]:
        desk.decide(body, "t")
    point(home, SHADOW, other)
    point(home, CANARY, rival(case, home, -2.0), 0.4)
    follow(desk)
    told = [desk.decide(body, "t").decision for body in events[40:200]]
    desk.close()
    figures = compare(case, home, clock).figures
    shadow, canary = figures["shadow"], figures["canary"]
    said = home.shadows.table()
    assert (shadow["bundle"], shadow["pairs"]) == (other, 160)
    assert shadow["agree"] == sum(d.action == a for d, a in zip(told, said["action"].to_pylist(), strict=True)) < 160
    assert sum(shadow["actions"].values()) == 160
    moved = said["probability"].to_numpy() - np.array([d.probability for d in told])
    assert shadow["difference"]["p50"] == np.quantile(moved, 0.5)
    assert canary["champion"]["decisions"] + canary["canary"]["decisions"] == 160
    assert canary["canary"]["decisions"] == sum(d.route == CANARY for d in told) > 0
    assert {d.bundle for d in told if d.route != CANARY} == {champion}
    assert sum(canary["canary"]["actions"].values()) == canary["canary"]["decisions"]
    assert canary["champion"]["degraded"] == 0


@pytest.mark.parametrize("changes", [3])
def test_a_shadow_that_comes_and_goes_has_the_lists_of_the_time(case, home, clock, events, changes):
    """Edits that came while there was no shadow are in the rules of the next one."""
    one, block = rival(case, home, -2.0), {"list": "blocked_cards", "why": "test", "action": "add"}
    desk = open_desk(case, home, clock)
    for number in range(changes):
        point(home, SHADOW, None)
        follow(desk)
        body = events[number * 10]
        desk.submit_edit({**block, "value": body["card_id"]}).result(60)
        point(home, SHADOW, one)
        follow(desk)
        desk.decide(body, "t")
    end = time.monotonic() + 60
    while desk.router.shadow.scored < changes:
        assert time.monotonic() < end
        time.sleep(0.01)
    desk.close()
    assert home.shadows.table()["action"].to_pylist() == ["decline"] * changes
