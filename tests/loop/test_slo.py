"""Objectives: each share by hand, a window that rolls to the piece, and a gate that asks only what was answered."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import CUT_US, memory_stores
from weighbridge.clock import ManualClock
from weighbridge.declare import Gate, Objectives
from weighbridge.loop.gate import gate
from weighbridge.loop.slo import TABLE, Counts, judged, piece_us, record, recorded, slo, total, within

PROMISED = Objectives(latency="200ms", availability=0.995, feature_lag="2min", last="1d")
PIECE_US = piece_us(PROMISED)


def verdicts(counts, objectives=PROMISED):
    return {one["objective"]: one["verdict"] for one in judged(objectives, counts)}


def test_each_objective_is_a_share_of_good_ones_held_against_its_bound():
    good = Counts(answered=1_990, unanswered=10, timed=1_000, slow=50, new=400, stale=20)
    assert verdicts(good) == {"latency": "met", "availability": "met", "feature_lag": "met"}
    for worse, name in ((good._replace(unanswered=11), "availability"), (good._replace(slow=51), "latency"),
                        (good._replace(stale=21), "feature_lag")):  # fmt: skip
        assert verdicts(worse) == {**verdicts(good), name: "missed"}
    found = judged(PROMISED, good._replace(unanswered=5, answered=1_995))
    assert [one["figure"] for one in found] == [0.95, 0.9975, 0.95]
    assert [one["budget_left"] for one in found] == pytest.approx([0, 0.5, 0])


def test_few_are_not_judged_and_none_have_no_share():
    few = Counts(answered=98, unanswered=1, timed=98, slow=98, new=99, stale=99)
    assert set(verdicts(few).values()) == {"immature"}
    assert verdicts(few._replace(unanswered=2))["availability"] == "missed"
    assert all(one["figure"] is None and one["verdict"] == "immature" for one in judged(PROMISED, Counts()))
    assert judged(Objectives(), few) == []
    assert list(verdicts(few, Objectives(availability=0.9))) == ["availability"]


@given(
    st.dictionaries(st.integers(0, 3_000), st.integers(0, 1_000).map(lambda n: Counts(answered=n)), max_size=12),
    st.integers(0, 3_000 * PIECE_US),
)
def test_the_window_holds_the_pieces_of_its_time(counted, now_us):
    pieces = {place * PIECE_US: counts for place, counts in counted.items()}
    expected = 0
    for begun_us, counts in pieces.items():
        if begun_us <= now_us and begun_us + PROMISED.last_us > now_us:
            expected += counts.answered
    assert total(within(PROMISED, pieces, now_us)).answered == expected
    assert len(within(PROMISED, pieces, now_us)) <= 1_441


def test_what_is_recorded_is_read_back_in_pieces_of_whatever_window(small_case, tmp_path):
    stores = memory_stores(small_case, tmp_path)
    assert recorded(PROMISED, stores) == {}
    pieces = {n * PIECE_US: Counts(answered=n, slow=1) for n in range(1, 30)}
    record(stores, pieces)
    assert recorded(PROMISED, stores) == pieces
    longer = replace(PROMISED, last="10d")
    assert total(recorded(longer, stores)) == total(pieces)
    assert sorted(recorded(longer, stores)) == [0, 10 * PIECE_US, 20 * PIECE_US]
    assert len(stores.tables.get(TABLE)) == 29


def test_the_report_says_what_is_met_and_missed(small_case, tmp_path):
    case, stores, clock = replace(small_case, objectives=PROMISED), memory_stores(small_case, tmp_path), ManualClock(0)
    assert slo(case, stores, clock).sentence == (
        "0 of 3 objectives met over the last 1d; immature: latency, availability, feature_lag"
    )
    clock.set(CUT_US // PIECE_US * PIECE_US)
    record(stores, {clock.now_us(): Counts(900, 100, 900, 0, 900, 0)})
    report = slo(case, stores, clock)
    assert report.sentence == "2 of 3 objectives met over the last 1d; missed: availability"
    assert json.loads((tmp_path / "slo.json").read_text())["missed"] == ["availability"]
    clock.advance(PROMISED.last_us)
    assert slo(case, stores, clock).figures["missed"] == []
    assert "no objectives are declared" in slo(small_case, stores, clock).sentence


def test_a_gate_closes_while_an_objective_is_missed(small_case, home):
    case = replace(small_case, objectives=PROMISED, gates=[Gate("objectives_missed", at_most=0)])
    bundle, now_us = home.registry.bundles()[0][0], CUT_US // PIECE_US * PIECE_US

    def verdict(counts=None):
        if counts is not None:
            record(home, {now_us: counts})
        return gate(case, home, ManualClock(now_us), bundle).figures["gates"][0]

    assert (verdict()["verdict"], verdict()["passed"]) == ("not applicable", True)
    assert verdict(Counts(50, 49))["verdict"] == "not applicable"
    assert "of 99 only" in verdict()["why"]
    assert verdict(Counts(996, 4, 996, 0, 996, 0))["verdict"] == "passed"
    closed = verdict(Counts(990, 10, 990, 0, 990, 0))
    assert (closed["verdict"], closed["figure"]) == ("closed", 1.0)
    assert "availability missed: 0.99 of at least 0.995" in closed["why"]
    home.registry._aliases.clear()  # without anything in production all fails, and a bundle is the cure
    assert verdict()["verdict"] == "not applicable"
