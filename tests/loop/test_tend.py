"""Thirty days that nobody attends, with two kinds of fraud that are new."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from tests.conftest import SOAK, START_US, memory_stores
from weighbridge.clock import DAY_US, ManualClock
from weighbridge.declare import Label, Pattern, Retrain, Rollout, Stage, Step, choice, fresh, times
from weighbridge.declare.rollout import Guardrails
from weighbridge.errors import StoreFailure
from weighbridge.kernel.metrics import average_precision
from weighbridge.loop import tend as module
from weighbridge.loop.due import Due
from weighbridge.loop.history import history
from weighbridge.loop.ingest import ingest
from weighbridge.loop.messages import arrived_before, messages
from weighbridge.loop.report import Report
from weighbridge.loop.retrain import retrain
from weighbridge.loop.simulate import simulate
from weighbridge.loop.tend import tend
from weighbridge.loop.verify import verify
from weighbridge.score.bundle import load
from weighbridge.score.route import PRODUCTION
from weighbridge.serve.wiring import open_desk

LIVE_US = START_US + 30 * DAY_US
ROUND_US, EVENTS = (DAY_US // 2, 12_000) if SOAK else (DAY_US, 9_000)
NEW = [
    Pattern("gift cards", at="card_id", share=4.0, events=(1, 2), gap="2h", starts=0.55,
            changes=[choice("amount", [25, 50, 75, 100]), fresh("merchant_id")]),
    Pattern("drained", at="card_id", share=4.0, events=(2, 4), gap="3min", starts=0.75,
            changes=[times("amount", 0.2, 0.5), fresh("device")]),
]  # fmt: skip


@pytest.fixture(scope="module")
def case(small_case):
    steps = (Step(0.0, decisions=80, lasts="6h"), Step(0.5, decisions=40, lasts="6h"))
    wide = Guardrails(score=0.5, declines=0.5, flags=0.5, recall=0.5, slow="10s")
    old = [p for p in small_case.simulate.patterns if not p.starts]
    return replace(
        small_case,
        label=Label("is_fraud", matures="3d"),
        stages=(Stage("build"), Stage("train", ("build",)), Stage("rollout", ("train",)), Stage("watch")),
        rollout=Rollout(steps=steps, guardrails=wide),
        retrain=Retrain(every=None, severity="severe", cooldown="2d"),
        models=small_case.models[1:],
        simulate=replace(small_case.simulate, patterns=[*old, *NEW], delay="12h", days=60, events=EVENTS),
    )


@pytest.fixture(scope="module")
def lived(case, tmp_path_factory):
    """Stores after thirty live days that only `tend` looked after, their clock, and the truth."""
    world, stores = simulate(case, seed=3, start_us=START_US), memory_stores(case, tmp_path_factory.mktemp("reports"))
    clock = ManualClock(LIVE_US)
    past = (arrived_before(table, LIVE_US) for table in (world.events, world.labels))
    ingest(case, stores, clock, *past, {"arrived": "arrived"})
    retrain(case, stores, clock)
    desk, due_us = open_desk(case, stores, clock), LIVE_US + ROUND_US
    for message in messages(case, world, LIVE_US):
        while message.arrived_us >= due_us:
            clock.set(due_us)
            let_shadow(desk)
            tend(case, stores, clock)
            desk.router.refresh(desk.submit_note)
            due_us += ROUND_US
        clock.set(message.arrived_us)
        (desk.decide(message.body, "t") if message.path == "/predict" else desk.feedback(message.body))
    desk.close()
    return stores, clock, world


def let_shadow(desk):
    """Wait until the shadow has said all it will say."""
    desk.router.shadow.close()
    desk.router.shadow._thread = None
    desk.router.shadow._stop.clear()


def test_two_new_patterns_are_noticed_learned_and_better_known_after(case, lived):
    stores, _, world = lived
    promoted = [move for move in stores.registry.moves() if move.alias == PRODUCTION]
    begins_us = [START_US + pattern.starts * case.simulate.days * DAY_US for pattern in NEW]
    assert any(begins_us[0] < move.moved_us < begins_us[1] for move in promoted[1:])
    assert promoted[-1].moved_us > begins_us[1]
    truth = dict(zip(*(world.labels[c].to_pylist() for c in ("event_id", "label")), strict=True))
    decisions = stores.log.decisions().to_pylist()
    since = [d for d in decisions if d["decided_us"] > promoted[-1].moved_us and d["bundle"] == promoted[-1].bundle]
    y = np.array([truth[d["event_id"]] for d in since])
    vectors = np.frombuffer(b"".join(d["vector"] for d in since), dtype="<f4").reshape(len(since), -1)
    first = load(promoted[0].bundle, case, stores.bundles, stores.signer)
    before, after = first.scorer.probability(vectors), np.array([d["probability"] for d in since])
    assert y.sum() >= 50
    assert average_precision(y, after) > average_precision(y, before) + 0.2
    of_pattern = dict(zip(world.events["event_id"].to_pylist(), world.scenario, strict=True))
    for pattern in NEW:
        its = np.array([of_pattern[d["event_id"]] == pattern.name for d in since])
        flagged = [
            thresholds.review_at <= p[its]
            for thresholds, p in (
                (first.thresholds, before),
                (load(promoted[-1].bundle, case, stores.bundles, stores.signer).thresholds, after),
            )
        ]
        assert flagged[1].mean() > flagged[0].mean(), pattern.name


def test_the_history_says_why_at_each_step(lived):
    stores, _, _ = lived
    told = history(stores)
    assert [entry["at"] for entry in told] == sorted(entry["at"] for entry in told)
    moves = [n for n, entry in enumerate(told) if entry["what"] == "move"]
    productions = [n for n in moves if told[n]["sentence"].startswith("production")][1:]
    for place in productions:
        bundle = told[place]["sentence"].split()[2].rstrip(",")
        way = [entry for entry in told[:place] if bundle in entry["sentence"]]
        assert [entry["what"] for entry in way][:3] == ["train", "move", "retrain"]
        begun = [e for e in told[:place] if e["what"] == "retrain begun" and e["run"] == way[2]["run"]]
        assert begun[0]["sentence"].startswith(("loss: watch at", "drift: watch at"))
        assert "every guardrail holds" in told[place]["sentence"]
        assert all(verdict["passed"] for verdict in told[place]["gates"])
    refused = [entry for entry in told if entry["what"] == "retrain" and entry["decision"] == "refused"]
    assert all("closed" in entry["why"] for entry in refused)


def test_what_was_decided_meanwhile_follows_from_the_log(case, lived):
    stores, clock, _ = lived
    figures = verify(case, stores, clock).figures
    assert figures["vectors"] > 3_000
    assert [figures[name] for name in ("mismatches", "differing", "misrouted", "broken_chain")] == [0, 0, 0, None]


def test_a_round_with_nothing_to_do_does_nothing(case, lived):
    stores, clock, _ = lived
    quiet = replace(case, retrain=Retrain(every=None, severity="never"))
    moves = stores.registry.moves()
    report = tend(quiet, stores, clock)
    assert (report.figures["retrain"], report.figures["refused"]) == (None, None)
    assert report.figures["watch"]
    assert stores.registry.moves() == moves


def test_the_first_round_of_a_home_trains_and_promotes(case, world, tmp_path):
    stores, clock = memory_stores(case, tmp_path), ManualClock(LIVE_US)
    past = (arrived_before(table, LIVE_US) for table in (world.events, world.labels))
    ingest(case, stores, clock, *past, {"arrived": "arrived"})
    scheduled = replace(case, retrain=Retrain(every="7d"))
    assert "took over: scheduled every 7d; none was trained yet" in tend(scheduled, stores, clock).figures["retrain"]
    again = tend(scheduled, stores, clock).figures
    assert (again["watch"], again["retrain"]) == (None, None)


def test_a_watch_that_fails_keeps_nobody_from_the_guardrails(case, lived, monkeypatch):
    stores, clock, _ = lived
    looked = []
    monkeypatch.setattr(module, "watch", lambda *_: (_ for _ in ()).throw(StoreFailure("the disk is gone")))
    monkeypatch.setattr(module, "underway", lambda _: SimpleNamespace(candidate="c" * 64))
    monkeypatch.setattr(module, "rollout", lambda *_: looked.append(1) or Report("rollout", "looked", {}, 0.0, "r"))
    monkeypatch.setattr(module, "due", lambda *_: Due("schedule", "it is Sunday"))
    with pytest.raises(StoreFailure, match="the disk is gone"):
        tend(case, stores, clock)
    assert looked == [1]
    told = stores.tracker.runs("tend")[-1][3]
    assert told["rollout"] == "looked"
    assert told["retrain"] == f"a retrain is due and waits until {'c' * 12} is in production or out"
