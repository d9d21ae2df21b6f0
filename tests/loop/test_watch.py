"""Watching what was decided: quiet days, moved days, the past as it was known, and who is told how often."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import beta, binomtest

from tests.conftest import CUT_US
from tests.declining import exploring, repack
from tests.declining import send as send_all
from weighbridge.clock import DAY_US, ManualClock
from weighbridge.declare import Explore, Watch
from weighbridge.errors import AlertFailure, InputError
from weighbridge.kernel.arrays import Floats, Ints
from weighbridge.kernel.estimate import calibration_z, in_the_large_z
from weighbridge.loop import watch as verb
from weighbridge.loop.due import due
from weighbridge.loop.messages import messages
from weighbridge.loop.training.validated import validation_name
from weighbridge.loop.watch import watch
from weighbridge.loop.watching.alert import FOLDER, SENT, send
from weighbridge.loop.watching.drift import TOO_FEW
from weighbridge.loop.watching.lately import lately
from weighbridge.loop.watching.performance import SURE, Said, by_day, calibration_curve, concept, estimated, realised
from weighbridge.loop.watching.recall import BELOW, WEIGHTED, recall
from weighbridge.records import PRODUCTION, Move
from weighbridge.score.bundle import load
from weighbridge.score.ruling import DECLINE
from weighbridge.score.scorer import Thresholds
from weighbridge.serve.wiring import open_desk
from weighbridge.stores.database import Database
from weighbridge.stores.memory import MemoryRegistry, MemoryTracker
from weighbridge.stores.memory_audit import MemoryAudit
from weighbridge.stores.memory_log import MemoryLog
from weighbridge.stores.sqlite_registry import SqliteTracker

LIVE_DAYS = 7.9  # of quiet traffic after the cut; then the world's late pattern begins
AT = Thresholds(0.2, 0.7, (("low", 0.0),))


class Sink:
    def __init__(self, *, fails=False):
        self.got, self.fails = [], fails

    def send(self, alert):
        if self.fails:
            raise AlertFailure("it answered 503")
        self.got.append(alert)


def copied(case, trained, folder, sinks):
    """Stores of their own with the trained history and bundle, without training again."""
    audit = MemoryAudit()
    log = MemoryLog(case.events, audit)
    log.import_history(trained.log.events(), trained.log.labels())
    registry = MemoryRegistry(log, audit)
    for bundle, at_us, facts in trained.registry.bundles():
        registry.add(bundle, facts, at_us)
    registry.move(Move(PRODUCTION, trained.registry.alias(PRODUCTION), None, "me", "test", CUT_US))
    return replace(trained, log=log, audit=audit, registry=registry, tracker=MemoryTracker(), reports=folder,
                   sinks=sinks.__getitem__)  # fmt: skip


def live(case, stores, world, clock, change=lambda body: body):
    desk = open_desk(case, stores, clock)
    for message in messages(case, world, CUT_US):
        if message.arrived_us > CUT_US + LIVE_DAYS * DAY_US:
            break
        clock.set(message.arrived_us)
        if message.path == "/predict":
            desk.decide(change(message.body), "t")
        else:
            desk.feedback(message.body)
    desk.close()


@pytest.fixture(scope="module")
def quiet(small_case, trained, world, tmp_path_factory):
    """A week of the same world as before; tests read from it, and give it folders and trackers of their own."""
    stores, clock = copied(small_case, trained, tmp_path_factory.mktemp("quiet"), {"log": Sink()}), ManualClock(CUT_US)
    live(small_case, stores, world, clock)
    return stores, clock.now_us()


@pytest.fixture(scope="module")
def moved(small_case, trained, world, tmp_path_factory):
    """A week in which amounts are four times what they were, and everything comes from one country."""

    def change(body):
        return {**body, "amount": round(min(body["amount"] * 4, 4_999), 2), "country": "BR"}

    stores, clock = copied(small_case, trained, tmp_path_factory.mktemp("moved"), {"log": Sink()}), ManualClock(CUT_US)
    live(small_case, stores, world, clock, change)
    return stores, clock.now_us()


def own(made, folder, sinks=None):
    stores, now_us = made
    known = {"log": Sink()} if sinks is None else sinks
    return replace(stores, reports=folder, tracker=MemoryTracker(), sinks=known.__getitem__), ManualClock(now_us)


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.opened, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag != "meta":
            self.opened.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.opened.pop() == tag


def test_a_quiet_week_is_quiet_and_reported(small_case, quiet, tmp_path):
    stores, clock = own(quiet, tmp_path)
    report = watch(small_case, stores, clock)
    found = report.figures
    assert (found["severity"], found["losing"], found["alerts"]) == ("none", False, [])
    assert found["rows"] > 1_000
    assert found["score_severity"] == "none"
    assert "merchant_label_rate_28d" in found["too_few"]  # its window was never full in what was trained on
    assert set(found["psi"]) == set(small_case.feature_names)
    details = json.loads((tmp_path / "drift_report.json").read_text())
    assert [len(f["shares"]) for f in details["features"]] == [len(f["bins"]) for f in details["features"]]
    assert sum(day["rows"] for day in details["days"]) == len(stores.log.decisions())
    assert json.loads((tmp_path / "drift_detection_summary.json").read_text())["severity"] == "none"
    assert not (tmp_path / FOLDER).exists()
    parsed = Page()
    parsed.feed((tmp_path / "drift_report.html").read_text())
    assert not parsed.opened
    tags = [tag for tag, _ in parsed.seen]
    assert (
        tags.count("svg") == 1 + 1 + (len(small_case.feature_names) + 1) + 4
    )  # bars, calibration, distributions, lines
    assert "script" not in tags
    assert not any({"src", "href"} & set(attrs) for _, attrs in parsed.seen)


def test_a_moved_week_is_named_and_told_once(small_case, moved, tmp_path):
    sinks = {"log": Sink(), "slack": Sink(fails=True)}
    case = replace(small_case, watch=Watch(sinks=["log", "slack", "pigeon"], cool_down="1d"))
    sinks["pigeon"] = Sink()
    stores, clock = own(moved, tmp_path, sinks)
    first = watch(case, stores, clock).figures
    assert first["severity"] == "critical"
    assert first["drifted"]["amount_log"] == first["drifted"]["country_code"] == "critical"
    assert first["drifted"].get("hour_of_day") is None
    outcomes = {a["sink"]: a["outcome"] for a in first["alerts"] if a["key"].split(":")[1] == "drift"}
    assert outcomes == {FOLDER: "sent", "log": "sent", "slack": "failed", "pigeon": "sent"}
    again = watch(case, stores, clock)
    outcomes = {a["sink"]: a["outcome"] for a in again.figures["alerts"] if a["key"].split(":")[1] == "drift"}
    assert outcomes == {FOLDER: "cooling down", "log": "cooling down", "slack": "failed", "pigeon": "cooling down"}
    assert "slack did not take the alert: it answered 503" in again.sentence
    sinks["slack"].fails = False
    clock.advance(DAY_US)
    watch(case, stores, clock)
    drift = [alert for alert in sinks["log"].got if alert.kind == "drift"]
    assert len(drift) == 2
    assert len([a for a in sinks["slack"].got if a.kind == "drift"]) == 1
    assert drift[0].key == drift[1].key
    assert "amount_log (PSI" in drift[0].sentence or "amount" in drift[0].sentence
    assert len(list((tmp_path / FOLDER).glob("*-drift-*.json"))) == 2
    triggered = due(case, stores, clock)
    assert triggered is not None
    assert triggered.trigger in ("drift", "loss")


def test_the_past_is_seen_as_it_was_known(small_case, moved, tmp_path):
    stores, clock = own(moved, tmp_path)
    then_us = CUT_US + 6 * DAY_US
    past = watch(small_case, stores, clock, as_of_us=then_us, last="3d")
    assert past.figures["rows"] < len(stores.log.decisions())
    assert "alerts" not in past.figures
    assert stores.tracker.runs("watch") == []  # what was long ago asks for no retrain
    assert not (tmp_path / "drift_detection_summary.json").exists()
    assert re.search(r"drift_report-2026-02-20T000000\.html", past.figures["html"])
    decided = [d for d in stores.log.decisions().to_pylist() if d["decided_us"] <= then_us]
    newest_us = max(d["decided_us"] for d in decided)
    window = {d["event_id"] for d in decided if d["decided_us"] > newest_us - 3 * DAY_US}
    labels = [r for r in stores.log.labels().to_pylist() if r["arrived_us"] <= then_us and r["event_id"] in window]
    values = {r["event_id"]: r["value"] for r in labels}
    assert (past.figures["rows"], past.figures["positives"]) == (len(window), sum(values.values()))
    with pytest.raises(InputError, match="no bundle was in production then"):
        watch(small_case, stores, clock, as_of_us=CUT_US - 1)


@pytest.mark.parametrize("share", [None, 1.0])
def test_declines_that_never_get_a_label_are_no_loss(small_case, trained, world, tmp_path, share):
    stores, clock = copied(small_case, trained, tmp_path, {"log": Sink()}), ManualClock(CUT_US)
    repack(small_case, stores, 0.0254, 0.06)  # declines much; review as it was
    bundle = stores.registry.alias(PRODUCTION)
    stores.registry.move(Move(PRODUCTION, bundle, bundle, "me", "t", CUT_US))
    own = trained.registry.alias(PRODUCTION)
    stores.tables.put(validation_name(bundle), trained.tables.get(validation_name(own)))
    case = small_case if share is None else exploring(small_case, Explore(share=share, spend_per_day=1e9))
    desk = open_desk(case, stores, clock)
    stream = [m for m in messages(case, world, CUT_US) if m.arrived_us < CUT_US + LIVE_DAYS * DAY_US]
    send_all(desk, clock, stream, selective=True)
    desk.close()
    seen = lately(case, stores, "7d", None).said
    flagged = seen.probability[seen.y == 1] >= 0.0254
    found = watch(case, stores, clock).figures
    assert (found["recall_of"], found["losing"]) == ("below decline" if share is None else "weighted", False)
    usual = load(bundle, case, stores.bundles, stores.signer).facts["reference"]
    naive = binomtest(int(flagged.sum()), len(flagged), usual["caught"] / usual["positives"], alternative="less").pvalue
    assert (naive < SURE) == (share is None)  # counted as they come, declines look like a loss


def test_too_short_a_time_is_not_judged(small_case, quiet, tmp_path):
    stores, clock = own(quiet, tmp_path)
    report = watch(small_case, stores, clock, as_of_us=CUT_US + 4 * DAY_US)
    assert report.figures["severity"] == TOO_FEW
    assert "decisions do not fill the window yet" in report.sentence
    early = watch(small_case, stores, clock, as_of_us=CUT_US + DAY_US // 2)
    assert "decisions are fewer than 500" in early.sentence
    none = watch(small_case, stores, clock, as_of_us=CUT_US)
    assert none.figures["rows"] == 0
    assert none.figures["severity"] == TOO_FEW


def test_a_bundle_without_counts_is_refused(small_case, quiet, tmp_path, monkeypatch):
    stores, clock = own(quiet, tmp_path)
    real = verb.load

    def older(*given):
        bundle = real(*given)
        scores = {"edges": [0.5], "shares": [0.9, 0.1, 0.0]}
        return replace(bundle, facts={**bundle.facts, "reference": {**bundle.facts["reference"], "scores": scores}})

    monkeypatch.setattr(verb, "load", older)
    with pytest.raises(InputError, match="before its reference was counted; run `weigh retrain`"):
        watch(small_case, stores, clock)


def figures(severity, effect=0.5, **more):
    quiet_concept = {"severity": "none"}
    return {"bundle": "c" * 64, "severity": severity, "drifted": {"amount": severity}, "psi": {"amount": effect},
            "score_psi": 0.0, "worst_effect": effect, "rows": 900, "losing": False, "concept": quiet_concept, **more}  # fmt: skip


def outcomes_of(case, stores, at_us, told):
    return {o["sink"]: o["outcome"] for o in send(case, stores, f"run{at_us}", at_us, told)}


def test_what_becomes_worse_is_told_at_once(small_case, quiet, tmp_path):
    sink = Sink()
    stores, _ = own(quiet, tmp_path, {"log": sink})
    hour_us = DAY_US // 24
    assert outcomes_of(small_case, stores, 0, figures("none")) == {}
    assert outcomes_of(small_case, stores, hour_us, figures("moderate", 0.12)) == {FOLDER: "sent"}  # below warn
    assert outcomes_of(small_case, stores, 2 * hour_us, figures("moderate", 0.16)) == {
        FOLDER: "cooling down",
        "log": "sent",
    }
    assert outcomes_of(small_case, stores, 3 * hour_us, figures("critical"))["log"] == "sent"
    assert outcomes_of(small_case, stores, 4 * hour_us, figures("severe"))["log"] == "cooling down"
    assert outcomes_of(small_case, stores, 28 * hour_us, figures("severe"))["log"] == "sent"
    assert [a.severity for a in sink.got] == ["moderate", "critical", "severe"]
    loss = figures("none", losing=True, recall=0.4, recall_reference=0.8, recall_p_value=1e-6, positives=50)
    assert outcomes_of(small_case, stores, 29 * hour_us, loss)["log"] == "sent"
    assert sink.got[-1].kind == "recall"


def test_a_restart_forgets_no_alert(small_case, quiet, tmp_path):
    sink = Sink()
    stores, _ = own(quiet, tmp_path, {"log": sink})
    for at_us in (10, 20, 30):
        tracker = SqliteTracker(Database(tmp_path / "hot.sqlite", "written"))
        outcomes_of(small_case, replace(stores, tracker=tracker), at_us, figures("severe"))
    assert len(sink.got) == 1
    assert len(tracker.runs(SENT)) == 2  # the folder's and the log's


def said(n, share_true, seed=1, groups=()) -> Said:
    rng = np.random.default_rng(seed)
    p: Floats = rng.beta(0.4, 8, n)
    y: Ints = (rng.random(n) < p * share_true).astype(np.int64)
    return Said(p, y, np.arange(n, dtype=np.int64) * (8 * DAY_US // max(n, 1)), groups,
                np.zeros(n, dtype=np.int64), np.full(n, np.nan))  # fmt: skip


def test_concept_drift_is_a_broken_promise():
    true = concept(Watch(), said(6_000, 1.0))
    assert true["severity"] == "none"
    assert abs(true["excess"]) < 0.15
    assert true["positives"] == pytest.approx(true["positives_expected"], rel=0.15)
    worse = said(6_000, 1.0)
    y = worse.y.copy()
    y[np.random.default_rng(5).choice(6_000, 300, replace=False)] = 1
    broken = concept(Watch(), replace(worse, y=y))
    assert broken["severity"] in ("severe", "critical")
    assert broken["excess"] > 0.5
    assert concept(Watch(), said(400, 1.0))["severity"] == TOO_FEW
    assert concept(Watch(), replace(worse, y=y, groups=[np.zeros(6_000, dtype=np.int64)]))["severity"] == "none"


def explored(n, share, seed=1, broken=1.0):
    """Would-be declines, the upper half of the scores, let through at a share; the rest of them has no label."""
    rows, rng = said(n, 1.0, seed), np.random.default_rng(seed + 50)
    asked = rows.probability > np.median(rows.probability)
    y = np.where(asked, rng.random(n) < np.minimum(rows.probability * broken, 1), rows.y).astype(np.int64)
    through = asked & (rng.random(n) < share)
    action = np.where(asked & ~through, DECLINE, 0).astype(np.int64)
    settled = replace(rows, y=np.where(action == DECLINE, -1, y), action=action,
                      propensity=np.where(asked, share, np.nan))  # fmt: skip
    return settled.of(settled.y >= 0), y


def test_concept_counts_explored_rows_for_what_they_speak_for():
    rows, y = explored(40_000, 0.25)
    found, p = concept(Watch(), rows), said(40_000, 1.0).probability
    assert found["severity"] == "none"
    assert found["rows"] == len(rows.y) < 40_000
    assert found["positives"] == pytest.approx(y.sum(), rel=0.1)
    assert found["positives_expected"] == pytest.approx(p.sum(), rel=0.05)
    w = rows.weight
    assert found["brier"] == pytest.approx(np.average((rows.y - rows.probability) ** 2, weights=w))
    assert found["ratio"] == pytest.approx((w * rows.y).sum() / (w * rows.probability).sum())
    alone = rows.propensity > 0  # a promise that is broken where only exploration looks
    broken, _ = explored(40_000, 0.25, broken=0.4)
    assert concept(Watch(), broken)["severity"] in ("severe", "critical")
    assert concept(Watch(), broken.of(~alone))["severity"] in ("none", TOO_FEW)


def test_weighted_z_are_those_of_a_loop():
    rows = said(900, 1.0)
    weight, cards = np.tile([1.0, 3.0], 450), np.arange(900) // 3
    y, p = rows.y, rows.probability
    by_card = [sum(weight[i] * (y[i] - p[i]) for i in range(3 * c, 3 * c + 3)) for c in range(300)]
    model = sum(w * w * q * (1 - q) for w, q in zip(weight, p, strict=True))
    deviation = max(model, sum(r * r for r in by_card)) ** 0.5
    assert in_the_large_z(y, p, [cards], weight) == pytest.approx(sum(by_card) / deviation)
    for z in (calibration_z, in_the_large_z):
        assert z(y, p, [cards], np.ones(900)) == z(y, p, [cards])
        assert z(y, p, [cards], 3 * weight) == pytest.approx(z(y, p, [cards], weight))


def test_a_loss_below_the_decline_threshold_is_judged(small_case, quiet):
    """Without exploration only what is not declined can tell recall: held against validation below the threshold."""
    stores, _ = quiet
    champion = load(stores.registry.alias(PRODUCTION), small_case, stores.bundles, stores.signer)
    limits, rng = champion.thresholds, np.random.default_rng(6)
    seen = rng.uniform(limits.review_at, limits.decline_at, 80)
    missed, above = rng.uniform(0, limits.review_at, 40), rng.uniform(limits.decline_at, 1, 500)
    validation = pa.table({"probability": np.r_[seen, missed[:10], above], "y": np.ones(590, dtype=np.int64)})

    def lately_said(caught, lost):
        p = np.r_[seen[:caught], missed[:lost], above]
        action = np.where(p >= limits.decline_at, DECLINE, 0).astype(np.int64)
        y = np.where(action == DECLINE, -1, 1)
        return Said(p, y, np.arange(len(p)), (), action, np.full(len(p), np.nan))

    same, losing = (recall(champion, lately_said(*counts), validation) for counts in ((72, 8), (40, 40)))
    assert (same["recall_of"], same["losing"], losing["losing"]) == (BELOW, False, True)
    assert same["recall_reference"] == losing["recall_reference"] == pytest.approx(80 / 90)
    assert losing["recall"] == 0.5
    exact = binomtest(40, 80, 80 / 90, alternative="less").pvalue
    assert losing["recall_p_value"] == pytest.approx(exact)
    assert recall(champion, lately_said(40, 40), None)["recall_p_value"] is None  # nothing to hold it against


def test_unequal_weights_count_by_kish(small_case, quiet):
    stores, _ = quiet
    champion = load(stores.registry.alias(PRODUCTION), small_case, stores.bundles, stores.signer)
    at = champion.thresholds.review_at
    p = np.r_[np.full(60, at + 1e-6), np.full(40, at / 2), np.full(30, at + 1e-6)]
    propensity = np.r_[np.full(100, np.nan), np.full(30, 0.1)]
    rows = Said(p, np.ones(130, dtype=np.int64), np.arange(130), (), np.zeros(130, dtype=np.int64), propensity)
    found = recall(champion, rows, None)
    assert found["recall_of"] == WEIGHTED
    assert found["recall"] == pytest.approx((60 + 300) / (100 + 300))
    count, usual = 400**2 / (100 + 30 * 100), found["recall_reference"]
    assert found["recall_p_value"] == pytest.approx(beta.sf(usual, 0.9 * count + 1, 0.1 * count))


@pytest.mark.parametrize("factor", [0.2, 0.5, 1.7])
def test_too_many_and_too_few_positives_are_concept_drift(factor):
    """Negative control: at 1.0 nothing is said. What was never calibrated cannot break a promise."""
    found = concept(Watch(), said(20_000, factor))
    assert found["severity"] in ("severe", "critical")
    assert found["ratio"] == pytest.approx(factor, rel=0.15)
    assert np.sign(found["ratio_z"]) == np.sign(factor - 1)
    assert concept(Watch(), said(20_000, 1.0))["severity"] == "none"
    one = [np.zeros(20_000, dtype=np.int64)]
    assert concept(Watch(), said(20_000, factor, groups=one))["severity"] == "none"
    if factor < 1:
        assert concept(Watch(), said(20_000, factor), calibrated=False)["severity"] == "none"


def test_what_is_not_calibrated_is_not_estimated():
    rows = said(2_000, 1.0)
    found = estimated(rows, AT, calibrated=False)
    assert 'calibration is "none"' in found.pop("why")
    assert found == {"rows": 2_000} | dict.fromkeys(set(estimated(rows, AT)) - {"rows"})
    assert {d["estimated_recall"] for d in by_day(rows, AT, 0, calibrated=False)} == {None}


def test_estimated_and_realised_agree_while_the_world_stays():
    rows = said(20_000, 1.0, seed=3)
    before, after = estimated(rows, AT), realised(rows, AT)
    for name in ("precision", "recall", "average_precision", "decline_recall"):
        assert after[name] == pytest.approx(before[name], abs=0.06), name
    low, high = after["recall_interval"]
    assert low < after["recall"] < high
    none = said(0, 1.0)
    assert estimated(none, AT)["precision"] is None
    assert realised(none, AT)["recall_interval"] is None


def test_days_are_cut_at_maturity():
    rows = said(8_000, 1.0, seed=4)
    days = by_day(replace(rows, y=np.where(np.arange(8_000) % 2, rows.y, -1)), AT, 4 * DAY_US)
    assert [d["rows"] for d in days] == [1_000] * 8
    assert [("brier" in d, d["labelled"]) for d in days] == [(True, 500)] * 4 + [(False, 0)] * 4 or days[4][
        "labelled"
    ] <= 1
    curve = calibration_curve(rows.y, rows.probability)
    assert sum(point["rows"] for point in curve) == 8_000
    assert [p["probability"] for p in curve] == sorted(p["probability"] for p in curve)
