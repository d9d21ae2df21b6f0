"""What a candidate misses is judged on labels that nobody was fitted on, as the declared rule resolves them."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.conftest import CUT_US
from tests.score.rivals import good
from weighbridge.declare.labels import PRIORITY, Source
from weighbridge.kernel.calibrate import Calibration
from weighbridge.loop.messages import messages
from weighbridge.loop.rollouts.guard import recall, replay
from weighbridge.ports import LAST
from weighbridge.serve.wiring import open_desk


@pytest.fixture
def missed(small_case, home, clock, world):
    """A case, a home, its champion, a candidate that flags nothing, and how many mature positives only one flags by its latest record."""
    case = small_case
    desk, flagged = open_desk(case, home, clock), []
    champion = good(case, home)
    for message in [m for m in messages(case, world, CUT_US) if m.path == "/predict"][:600]:
        clock.set(message.arrived_us)
        decided = desk.decide(message.body, "t").decision
        if champion.thresholds.review_at <= decided.probability < champion.thresholds.decline_at:
            flagged.append(decided.event_id)
    for event_id in flagged:
        desk.feedback({"event_id": event_id, "label": 1, "source": "chargeback"})
    for event_id in flagged[:3]:
        desk.feedback({"event_id": event_id, "label": 0, "source": "guess"})  # later, and less believed
    clock.advance(case.label.matures_us)
    newest = next(m for m in messages(case, world, clock.now_us()) if m.path == "/predict")
    clock.set(newest.arrived_us)
    desk.decide(newest.body, "t")
    desk.close()
    scorer = replace(champion.scorer, calibration=Calibration.sigmoid(1.0, -30.0))
    return case, home, champion, replace(champion, id="c" * 64, scorer=scorer), len(flagged) - 3


def until(bundle, moment_us):
    lineage = {**bundle.facts["lineage"], "trained_until_us": moment_us}
    return replace(bundle, facts={**bundle.facts, "lineage": lineage})


def judged(case, home, candidate, champion):
    return next(v for v in replay(case, home, candidate, champion) if v["guard"] == "recall")


def test_the_declared_rule_says_which_record_counts(missed):
    case, home, champion, candidate, flagged = missed
    found, apart = recall(case, home.log, candidate, champion, 0)
    assert (found.tolist(), apart) == ([1.0] * flagged, 0)
    sources = [Source("chargeback", priority=2), Source("guess", priority=1)]
    believed = SimpleNamespace(label=replace(case.label, resolve=PRIORITY, sources=sources))  # without label features
    assert len(recall(believed, home.log, candidate, champion, 0)[0]) == flagged + 3 > 8


def test_what_a_bundle_was_fitted_on_is_counted_apart(missed):
    case, home, champion, candidate, flagged = missed
    whole = judged(case, home, candidate, champion)
    assert (whole["figure"], whole["count"], whole["apart"]) == (1.0, flagged, 0)
    for pair in ((until(candidate, LAST), champion), (candidate, until(champion, LAST))):
        nothing = judged(case, home, *pair)
        assert (nothing["verdict"], nothing["count"], nothing["apart"]) == ("immature", 0, flagged)
        assert f"nothing to judge by; {flagged} positives that a bundle was fitted on" in nothing["why"]
    events = home.log.events(home.log.decisions()["seq"][0].as_py() - 1)["event_us"].to_pylist()
    middle = judged(case, home, until(candidate, events[len(events) // 2]), champion)
    assert middle["count"] + middle["apart"] == flagged
    assert min(middle["count"], middle["apart"]) > 0
