"""Gates: each figure by a second reckoning, what is immature neither passes nor fails, and nothing is promoted for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.conftest import CUT_US, memory_stores
from weighbridge.clock import DAY_US, ManualClock, us_to_iso
from weighbridge.declare import Gate, logistic
from weighbridge.errors import DeclarationError, GateClosed
from weighbridge.kernel.metrics import average_precision
from weighbridge.loop import gate as module
from weighbridge.loop import measure
from weighbridge.loop.gate import gate
from weighbridge.loop.labels.ledger import ledger
from weighbridge.loop.measure import Evidence, wilson
from weighbridge.loop.promote import promote
from weighbridge.loop.rollouts.matured import matured
from weighbridge.loop.train import train
from weighbridge.loop.training.training_set import training_set
from weighbridge.loop.training.validated import validation_name
from weighbridge.records import PRODUCTION, STAGING, DecisionRecord, EventRecord, LabelRecord, Move, Note
from weighbridge.score.bundle import load
from weighbridge.score.route import ROUTE, Arms
from weighbridge.stores.memory import MemoryTracker
from weighbridge.testing.log_contract import sample_decision

NOW = ManualClock(CUT_US)


def held(case, stores, *gates, as_of_us=None, bundle=None):
    """The verdicts of gates on the bundle in production, or another one, and the report."""
    judged = replace(case, gates=gates)
    report = gate(judged, stores, NOW, bundle or stores.registry.bundles()[0][0], as_of_us)
    return report.figures["gates"], report


def verdict(case, stores, *given, **options):
    return held(case, stores, Gate(*given, **options))[0][0]


@pytest.fixture(scope="module")
def two(small_case, trained):
    """Stores in which a second bundle, of a model that is worse, stands beside production; it is registered only here."""
    stores = memory_stores(small_case, trained.reports)
    stores = replace(stores, log=trained.log, tables=trained.tables, bundles=trained.bundles)
    stores.registry.add(*trained.registry.bundles()[0][:1], {}, CUT_US)
    train(replace(small_case, models=[logistic(C=1e-6)]), stores, ManualClock(CUT_US))
    good, bad = (bundle for bundle, _, _ in stores.registry.bundles())
    return stores, good, bad


def alias(stores, name, bundle):
    before = stores.registry.aliases().get(name)
    stores.registry.move(Move(name, bundle, before and before.bundle, "test", "test", CUT_US))


def test_a_recall_gap_is_that_of_the_worst_slice(small_case, trained, monkeypatch):
    assert verdict(small_case, trained, "recall_gap", at_most=0.01, by="country")["verdict"] == "immature"  # too few
    monkeypatch.setattr(measure, "ENOUGH_POSITIVES", 3)
    found = verdict(small_case, trained, "recall_gap", at_most=0.01, by="device")
    data, bundle = training_set(small_case, trained), trained.registry.bundles()[0][0]
    review_at = load(bundle, small_case, trained.bundles, trained.signer).thresholds.review_at
    said, names = trained.tables.get(validation_name(bundle)), [f.name for f in small_case.events.payload]
    caught, all_of = {}, {}
    for seq, y, p in zip(*(said[c].to_pylist() for c in ("seq", "y", "probability")), strict=True):
        if y == 1:
            code = int(data.columns.values[np.searchsorted(data.columns.seq, seq), names.index("device")])
            all_of[code] = all_of.get(code, 0) + 1
            caught[code] = caught.get(code, 0) + (p >= review_at)
    judged = {code: caught[code] / n for code, n in all_of.items() if n >= 3}
    assert len(judged) >= 2
    assert found["figure"] == pytest.approx(sum(caught.values()) / sum(all_of.values()) - min(judged.values()))
    assert found["interval"][0] <= found["figure"] <= found["interval"][1]
    assert found["verdict"] == ("passed" if found["interval"][0] <= 0.01 else "closed")


def test_a_recall_gap_counts_explored_rows_for_what_they_speak_for(small_case, trained, monkeypatch):
    monkeypatch.setattr(measure, "ENOUGH_POSITIVES", 3)
    data, bundle = training_set(small_case, trained), trained.registry.bundles()[0][0]
    candidate = load(bundle, small_case, trained.bundles, trained.signer)
    weight = np.where(np.arange(len(data.labels)) % 3 == 0, 20.0, 1.0)
    evidence = Evidence(small_case, trained, candidate, CUT_US, lambda: replace(data, weight=weight))
    found = measure.recall_gap(evidence, Gate("recall_gap", at_most=0.1, by="device"))
    said, place = trained.tables.get(validation_name(bundle)), [f.name for f in small_case.events.payload]
    hit, all_of, squares, rows = {}, {}, {}, {}
    for seq, y, p in zip(*(said[c].to_pylist() for c in ("seq", "y", "probability")), strict=True):
        if y == 1:
            row = int(np.searchsorted(data.columns.seq, seq))
            code, w = int(data.columns.values[row, place.index("device")]), float(weight[row])
            all_of[code] = all_of.get(code, 0) + w
            squares[code] = squares.get(code, 0) + w * w
            rows[code] = rows.get(code, 0) + 1
            hit[code] = hit.get(code, 0) + w * (p >= candidate.thresholds.review_at)
    judged = {code: hit[code] / all_of[code] for code in all_of if rows[code] >= 3}
    worst, overall = min(judged, key=judged.get), sum(hit.values()) / sum(all_of.values())
    assert found.figure == pytest.approx(overall - judged[worst])
    n = all_of[worst] ** 2 / squares[worst]
    low, high = wilson(judged[worst] * n, n)
    assert found.interval == pytest.approx((overall - high, overall - low))


def test_drift_is_against_its_own_reference(small_case, trained):
    """The index of each feature by hand, less what chance gives; only what `watch` calls drift counts."""
    data, bundle = training_set(small_case, trained), trained.registry.bundles()[0][0]
    candidate = load(bundle, small_case, trained.bundles, trained.signer)
    newest = data.columns.event_us > min(CUT_US, data.columns.event_us.max()) - 7 * DAY_US
    profiles = candidate.facts["reference"]["features"]
    found = verdict(small_case, trained, "feature_psi", at_most=0.3)
    name = found["why"].split(",")[0]
    assert name in candidate.facts["selected_features"]
    values, profile = data.vectors[newest, small_case.feature_names.index(name)], profiles[name]
    edges = np.array(profile["edges"])[profile["bins"]]
    counts = np.r_[np.bincount(np.searchsorted(edges, values[np.isfinite(values)], side="right"), minlength=len(edges) + 1),
                   np.isnan(values).sum()]  # fmt: skip
    fine = np.searchsorted(profile["bins"], np.arange(len(profile["counts"]) - 1))
    before = np.bincount(np.r_[fine, len(edges) + 1], profile["counts"])
    e, a = (np.maximum(c / c.sum(), 1e-4) for c in (before, counts))
    assert 0 <= found["figure"] < float(((a - e) * np.log(a / e)).sum()) + 1e-9
    assert found["verdict"] == ("passed" if found["figure"] <= 0.3 else "closed")
    score = verdict(small_case, trained, "score_psi", at_most=0.3)
    assert (score["figure"], score["verdict"]) == (0.0, "passed")  # made from those very rows
    assert verdict(small_case, trained, "score_psi", at_most=0.3, last="1h")["verdict"] == "immature"
    moved = data.vectors.copy()
    moved[newest] += 5
    held_back = Evidence(small_case, trained, candidate, CUT_US, lambda: replace(data, vectors=moved))
    assert measure.feature_psi(held_back, Gate("feature_psi", at_most=0.3)).figure > 0.3


def decided(case, stores, bundle, count, *, route="champion", wrong=0, flagged=None):
    """The same stores over a log of decisions that a bundle made on the newest vectors, or could not make as a canary."""
    data, at = training_set(case, stores), CUT_US - DAY_US
    candidate, log = load(bundle, case, stores.bundles, stores.signer), memory_stores(case, None).log
    values = tuple(f.one_of[0] if hasattr(f, "one_of") else 100 if f.numeric else "x" for f in case.events.payload)
    log.commit([], [Note(ROUTE, Arms("champion", bundle, 1.0).body(), at)])
    for number, vector in enumerate(data.vectors[len(data.vectors) - count :]):
        whole = {"route": route, "bundle": bundle, "degraded": ()}
        failed = {"route": "champion", "bundle": "champion", "degraded": ("canary",)}
        p = float(candidate.scorer.probability(vector[np.newaxis])[0]) if flagged is None else flagged
        decision = replace(sample_decision(number), event_id=f"n{number}", vector=vector.tobytes(),
                           probability=p, decided_us=at)  # fmt: skip
        decision = replace(decision, **(failed if number < wrong else whole))
        assert isinstance(decision, DecisionRecord)
        log.commit([(EventRecord(f"n{number}", at, at, values), decision)])
    return replace(stores, log=log)


def test_errors_of_a_canary_are_counted(small_case, two):
    stores, _, bad = two
    for count, wrong, expected in (
        (200, 2, "passed"),
        (200, 3, "closed"),
        (60, 0, "immature"),
        (0, 0, "not applicable"),
    ):
        canary = decided(small_case, stores, bad, count, route="canary", wrong=wrong)
        found = verdict_of(small_case, canary, bad, Gate("canary_errors", at_most=0.01))
        assert found["verdict"] == expected
        assert found["figure"] == (wrong / count if count >= 100 else None)
        assert found["passed"] == (expected in ("passed", "not applicable"))


def verdict_of(case, stores, bundle, g):
    return held(case, stores, g, bundle=bundle)[0][0]


def test_a_candidate_is_asked_about_what_production_decided(small_case, two):
    stores, good, bad = two
    alias(stores, PRODUCTION, good)
    lived, g = decided(small_case, stores, good, 300), Gate("flagged_shift", at_most=0.02)
    vectors = training_set(small_case, stores).vectors[-300:]
    ours, theirs = (load(b, small_case, stores.bundles, stores.signer) for b in (bad, good))
    shift = abs(np.mean(ours.scorer.probability(vectors) >= ours.thresholds.review_at)
                - np.mean(theirs.scorer.probability(vectors) >= theirs.thresholds.review_at))  # fmt: skip
    assert verdict_of(small_case, lived, bad, g)["figure"] == pytest.approx(shift)
    everything = decided(small_case, stores, good, 300, flagged=1.0)
    assert verdict_of(small_case, everything, bad, g)["verdict"] == "closed"
    assert verdict_of(small_case, lived, good, g)["verdict"] == "not applicable"
    assert verdict_of(small_case, decided(small_case, stores, good, 50), bad, g)["verdict"] == "immature"


def test_data_quality(small_case, trained):
    stores = replace(trained, tracker=MemoryTracker())
    g = {"at_most": 0.05}
    assert verdict(small_case, stores, "rejected_share", **g)["verdict"] == "not applicable"
    for number, (days, rejected) in enumerate(((1, 10), (2, 0), (9, 90))):
        facts = {"rows": 100, "rejected": rejected}
        stores.tracker.record(f"i{number}", "ingest", CUT_US - days * DAY_US, facts)
    assert verdict(small_case, stores, "rejected_share", **g)["figure"] == 0.05
    assert verdict(small_case, stores, "rejected_share", at_most=0.05, last="10d")["verdict"] == "closed"
    found = verdict(small_case, trained, "label_coverage", at_least=0.5)
    assert found["figure"] == ledger(small_case, trained, CUT_US)["coverage"]
    assert verdict(small_case, trained, "latency_us_p99", at_most=60_000_000)["figure"] > 0


def unseen(case, stores, good, bad):
    """Rivals are compared on what they were not trained on: the fixture's pretend to have been trained before that."""
    production = load(good, case, stores.bundles, stores.signer)
    production.facts["lineage"]["trained_until_us"] = 0
    return production


@pytest.mark.parametrize("rival", [PRODUCTION, STAGING])
def test_a_rival_is_compared_in_pairs(small_case, two, monkeypatch, rival):
    stores, good, bad = two
    if stores.registry.alias(rival) != good:
        alias(stores, rival, good)
    strict = Gate("average_precision", no_worse_by=0.0, against=rival)
    trained_on_it = verdict_of(small_case, stores, bad, strict)
    assert (trained_on_it["verdict"], trained_on_it["passed"]) == ("immature", False)
    production = unseen(small_case, stores, good, bad)
    monkeypatch.setattr(module, "load", lambda bundle, *rest: production if bundle == good else load(bundle, *rest))
    found = verdict_of(small_case, stores, bad, strict)
    data, said = training_set(small_case, stores), stores.tables.get(validation_name(bad))
    rows = np.isin(data.columns.seq, said["seq"].to_numpy())
    y = data.labels[rows]
    worse = average_precision(y, said["probability"].to_numpy()) - average_precision(
        y, production.scorer.probability(data.vectors[rows]))  # fmt: skip
    assert found["figure"] == pytest.approx(worse)
    assert worse < 0
    low, high = found["interval"]
    assert low <= worse <= high
    assert "paired bootstrap over" in found["why"]
    between = -(low + high) / 2  # the interval holds this bound: it is worse by that for all we know, but not for sure
    loose = replace(strict, no_worse_by=between)
    assert verdict_of(small_case, stores, bad, loose)["verdict"] == "passed"
    assert verdict_of(small_case, stores, bad, replace(loose, sure=True))["verdict"] == "closed"
    assert verdict_of(small_case, stores, bad, replace(loose, no_worse_by=1.0, sure=True))["verdict"] == "passed"


def since(case, trained, stores, y, vectors, propensity=None, action="approve"):
    """The same stores after a week of decisions on these vectors, with their labels."""
    log = memory_stores(case, None).log
    log.import_history(trained.log.events(), trained.log.labels())
    values = tuple(f.one_of[0] if hasattr(f, "one_of") else 100 if f.numeric else "x" for f in case.events.payload)
    begun, last_us = log.head().seq, trained.log.head().arrived_us
    for number, vector in enumerate(vectors):
        at = last_us + number * DAY_US // 100
        decision = replace(sample_decision(number), event_id=f"s{number}", vector=vector.tobytes(), decided_us=at,
                           propensity=propensity, action=action, degraded=())  # fmt: skip
        log.commit([(EventRecord(f"s{number}", at, at, values), decision)])
    done_us = log.head().arrived_us
    for number, value in enumerate(y.tolist()):
        log.commit([], [LabelRecord(f"s{number}", value, done_us, "t")])
    assert log.head().seq == begun + 2 * len(y)
    return replace(stores, log=log), done_us


def test_what_has_matured_since_is_judged_too(small_case, trained, two, monkeypatch):
    stores, good, bad = two
    alias(stores, PRODUCTION, good)
    g, data = Gate("average_precision", no_worse_by=0.02), training_set(small_case, stores)
    chosen = np.flatnonzero(data.labels >= 0)[-700:]
    y, vectors = data.labels[chosen], data.vectors[chosen]
    ours, theirs = (load(b, small_case, stores.bundles, stores.signer).scorer.probability(vectors) for b in (bad, good))
    lived, done_us = since(small_case, trained, stores, y, vectors)
    assert verdict_of(small_case, lived, bad, g)["verdict"] == "immature"  # by now none of it is mature
    later_us = done_us + small_case.label.matures_us
    (found,), _ = held(small_case, lived, g, as_of_us=later_us, bundle=bad)
    assert found["figure"] == pytest.approx(average_precision(y, ours) - average_precision(y, theirs))
    assert "days that matured since" in found["why"]
    assert found["verdict"] == "closed"
    (before,), _ = held(small_case, lived, g, as_of_us=done_us - 1, bundle=bad)
    assert before["verdict"] == "immature"
    production = unseen(small_case, stores, good, bad)  # on validation it is comparable now, and the worse counts
    monkeypatch.setattr(module, "load", lambda bundle, *rest: production if bundle == good else load(bundle, *rest))
    (both,), _ = held(small_case, lived, g, as_of_us=later_us, bundle=bad)
    (validation,), _ = held(small_case, stores, g, as_of_us=CUT_US, bundle=bad)
    assert both["interval"][1] == min(found["interval"][1], validation["interval"][1])


def test_what_matured_counts_for_what_it_speaks_for(small_case, trained, two):
    stores, _, _ = two
    data = training_set(small_case, stores)
    chosen = np.flatnonzero(data.labels >= 0)[-200:]
    y, vectors = data.labels[chosen], data.vectors[chosen]
    lived, done_us = since(small_case, trained, stores, y, vectors, propensity=0.25)
    rows = matured(small_case, lived.log, trained.log.head().arrived_us - 1, done_us + small_case.label.matures_us)
    assert (len(rows), rows.y.sum()) == (800, 4 * y.sum())
    declined, done_us = since(small_case, trained, stores, y, vectors, propensity=0.25, action="decline")
    later_us = done_us + small_case.label.matures_us
    assert matured(small_case, declined.log, trained.log.head().arrived_us - 1, later_us) is None
    assert matured(small_case, lived.log, done_us + 1, done_us) is None


def test_what_is_immature_neither_passes_nor_fails_and_promotes_nothing(small_case, two, monkeypatch):
    stores, good, _ = two
    lineage = load(good, small_case, stores.bundles, stores.signer).facts["lineage"]
    settled_us = lineage["trained_until_us"] + small_case.label.matures_us
    g = Gate("ece", at_most=0.5)
    (late,), report = held(small_case, stores, g, as_of_us=settled_us - 1, bundle=good)
    assert (late["verdict"], late["passed"], late["figure"]) == ("immature", False, None)
    assert (report.figures["verdict"], report.figures["passed"]) == ("immature", False)
    assert report.figures["as_of"] == us_to_iso(settled_us - 1)
    assert "0 of 1 gates passed; immature: ece <= 0.5" in report.sentence
    (now,), report = held(small_case, stores, g, as_of_us=settled_us, bundle=good)
    assert (now["verdict"], report.figures["passed"]) == ("passed", True)
    waits, before = replace(small_case, gates=[Gate("score_psi", at_most=9, last="1h")]), stores.registry.moves()
    with pytest.raises(GateClosed, match="immature: score_psi"):
        promote(waits, stores, NOW, stores.registry.bundles()[1][0])
    assert stores.registry.moves() == before
    few = load(good, small_case, stores.bundles, stores.signer)
    few.facts["lineage"]["positives"]["validation"] = 9
    monkeypatch.setattr(module, "load", lambda *given: few)
    (scant,), _ = held(small_case, stores, g, bundle=good)
    assert (scant["verdict"], scant["why"][:11]) == ("immature", "9 positives")
    monkeypatch.undo()
    both = held(small_case, stores, Gate("score_psi", at_most=9, last="1h"), Gate("brier", at_most=0.0), bundle=good)
    assert both[1].figures["verdict"] == "closed"


@pytest.mark.parametrize("wrong", [
    {"figure": "luck", "at_most": 1}, {"figure": "ece"}, {"figure": "ece", "at_most": float("nan")},
    {"figure": "score_psi", "no_worse_by": 0.1}, {"figure": "ece", "no_worse_by": 0.1, "against": "canary"},
    {"figure": "recall_gap", "at_most": 0.1}, {"figure": "ece", "at_most": 0.1, "by": "device"},
    {"figure": "score_psi", "at_most": 0.3, "last": "0d"}, {"figure": "score_psi", "at_most": 0.3, "last": "soon"},
])  # fmt: skip
def test_a_wrong_gate_is_refused(wrong):
    with pytest.raises(DeclarationError, match="gate"):
        Gate(**wrong)


def test_slices_are_of_a_category(small_case):
    with pytest.raises(DeclarationError, match="by='amount' is no Category"):
        replace(small_case, gates=[Gate("recall_gap", at_most=0.1, by="amount")])


def test_wilson_by_hand():
    assert wilson(0, 10)[0] == pytest.approx(0.0)
    assert wilson(10, 10)[1] == pytest.approx(1.0)
    assert wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
