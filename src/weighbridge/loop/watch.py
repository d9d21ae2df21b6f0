"""Looks at what was decided lately: have scores or features moved, and does the champion still catch what it should?"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from weighbridge.clock import Clock, duration_us, us_to_iso
from weighbridge.declare.case import UseCase
from weighbridge.declare.watch import NONE
from weighbridge.loop.labels.ledger import coverage
from weighbridge.loop.report import Report, Run, write_report
from weighbridge.loop.training.validated import validation_name
from weighbridge.loop.watching.alert import send
from weighbridge.loop.watching.drift import TOO_FEW, Moved, check_counted, distribution, judge, overall, sampled
from weighbridge.loop.watching.lately import Lately, lately
from weighbridge.loop.watching.page import page
from weighbridge.loop.watching.performance import (
    by_day,
    calibration_curve,
    concept,
    estimated,
    realised,
)
from weighbridge.loop.watching.recall import BELOW, recall
from weighbridge.ports import Stores
from weighbridge.score.bundle import Bundle, load
from weighbridge.stores.files import write_atomically

SCORE = "score"  # what the score is called among the features


def watch(
    case: UseCase, stores: Stores, clock: Clock, *, last: str | None = None, as_of_us: int | None = None
) -> Report:
    """Compare the champion's decisions of the `last` days (default: as declared) with its reference.

    Drift of the score and of every feature is judged once decisions fill the window, as `Watch` declares. Performance
    is estimated from the probabilities, realised on mature labels, and recall on the positives known so far is held
    against recall on validation (one-sided exact binomial test). What is worth an alert is sent. With `as_of_us`
    everything is as it was known then, the report has a name of its own, and nothing is sent.
    Figures hold `severity`, `losing`, `concept` and what they rest on. Freshness is how long after it
    happened an event counted for the next decision. Raises InputError when nothing is in production.
    """
    run = Run("watch" if as_of_us is None else "watch as of", stores, clock)  # the past asks for no retrain
    span = last or case.watch.last
    seen = lately(case, stores, span, as_of_us)
    champion = load(seen.bundle, case, stores.bundles, stores.signer)
    moved, drawn, why = _moved(case, champion, seen)
    now_us = clock.now_us() if as_of_us is None else as_of_us
    mature_until_us = now_us - case.label.matures_us
    mature = seen.said.of(seen.mature(now_us, case.label.matures_us, duration_us(span)))
    shown = seen.said.of(seen.last)
    meant = champion.facts["lineage"]["calibration"] != "none"  # its scores, as probabilities
    figures = {
        "bundle": seen.bundle,
        "as_of": us_to_iso(now_us),
        "last": span,
        "until": us_to_iso(seen.until_us) if seen.until_us else None,
        "rows": int(seen.last.sum()),
        **_drift(moved, why),
        **recall(champion, shown, stores.tables.get(validation_name(seen.bundle))),
        "estimated": estimated(shown, champion.thresholds, calibrated=meant),
        "estimated_of_mature": estimated(mature.spoken(), champion.thresholds, calibrated=meant),
        "realised": realised(mature, champion.thresholds),
        "concept": concept(case.watch, mature, calibrated=meant),
        **_freshness(seen),
        "labels": coverage(case, stores, now_us),
    }
    details = {
        **figures,
        "run": run.id,
        "features": [asdict(m) | drawn[m.feature] for m in moved],
        "days": by_day(seen.said, champion.thresholds, mature_until_us, calibrated=meant),
        "calibration": calibration_curve(mature.y, mature.probability),
    }
    name = "drift_report" if as_of_us is None else f"drift_report-{us_to_iso(now_us)[:19].replace(':', '')}"
    if as_of_us is None:
        figures["alerts"] = details["alerts"] = send(case, stores, run.id, now_us, figures)
        write_report(stores.reports, "drift_detection_summary", {**figures, "run": run.id})
    write_report(stores.reports, name, details)
    sentence = _sentence(figures)
    html = stores.reports / f"{name}.html"
    write_atomically(html, page(details, case.watch, case.name, sentence).encode())
    return run.finish(sentence, {**figures, "html": str(html)})


def _moved(case: UseCase, champion: Bundle, seen: Lately) -> tuple[list[Moved], dict[str, Any], str]:
    """Return how far score and features have moved, the worst first, and their distributions; or none, and why."""
    rows = int(seen.last.sum())
    if rows < case.watch.at_least:
        return [], {}, f"{rows} decisions are fewer than {case.watch.at_least}"
    if not seen.fills:
        return [], {}, "decisions do not fill the window yet"
    reference = champion.facts["reference"]
    check_counted(champion.version, {SCORE: reference["scores"]})
    groups, scores = seen.groups, {SCORE: reference["scores"]}
    features = {name: reference["features"][name] for name in case.feature_names}  # in the order of the vector
    window = sampled(features, seen.vectors, groups) | sampled(scores, seen.probability.reshape(-1, 1), groups)
    profiles = features | scores
    drawn = {name: distribution(profiles[name], sample) for name, sample in window.items()}
    return judge(case.watch, profiles, window), drawn, ""


def _drift(moved: list[Moved], why: str) -> dict[str, Any]:
    """Return the figures of drift; those of the worst feature are of the first by severity, then by effect."""
    features = [m for m in moved if m.feature != SCORE]
    score = next((m for m in moved if m.feature == SCORE), None)
    return {
        "severity": overall(moved),
        "why": why,
        "worst_feature": features[0].feature if features else None,
        "worst_psi": features[0].psi if features else None,
        "worst_effect": max((m.effect for m in moved if m.severity not in (NONE, TOO_FEW)), default=0.0),
        "score_psi": score.psi if score else None,
        "score_severity": score.severity if score else TOO_FEW,
        "psi": {m.feature: m.psi for m in features},
        "drifted": {m.feature: m.severity for m in moved if m.severity not in (NONE, TOO_FEW)},
        "too_few": sorted(m.feature for m in moved if m.severity == TOO_FEW),
    }


def _freshness(seen: Lately) -> dict[str, float | None]:
    names = [("freshness_s_p50", 0.5), ("freshness_s_p99", 0.99), ("freshness_s_max", 1.0)]
    seconds = seen.seconds
    return {name: float(np.quantile(seconds, level)) if len(seconds) else None for name, level in names}


def _sentence(figures: dict[str, Any]) -> str:
    drift = f"drift {figures['severity']}"
    if figures["why"]:
        drift += f" ({figures['why']})"
    elif figures["worst_feature"]:
        drift += f", most on {figures['worst_feature']} (PSI {figures['worst_psi']:.2f})"
    told = "recall unknown" if figures["recall"] is None else f"recall {figures['recall']:.2f}"
    usual = f" against {figures['recall_reference']:.2f}" if figures["recall_reference"] is not None else ""
    part = " below the decline threshold, where labels come" if figures["recall_of"] == BELOW else ""
    meaning, late = figures["concept"], figures["freshness_s_p99"]
    error = ""
    if meaning["severity"] != TOO_FEW:
        error = f"; error {meaning['excess']:+.0%} on {meaning['rows']:,} mature labels, {meaning['positives']:,} "
        error += f"positives against {meaning['positives_expected']:,.1f} expected ({meaning['severity']})"
    fresh = f"; 99 % of events counted {late:,.1f} s after they happened" if late is not None else ""
    failed = [a for a in figures.get("alerts", ()) if a["outcome"] == "failed"]
    away = "".join(f"; {a['sink']} did not take the alert: {a['why']}" for a in failed)
    return f"{drift}; {told}{usual} on {figures['positives']} known positives{part}{error}{fresh}{away}"
