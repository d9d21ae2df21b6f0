"""Looks at what was decided lately: have scores or features moved, and does the champion still catch what it should?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow.compute as pc
from scipy.stats import binomtest

from weighbridge.clock import DAY_US, Clock, duration_us, us_to_iso
from weighbridge.declare.case import UseCase
from weighbridge.errors import InputError
from weighbridge.kernel.drift import psi
from weighbridge.loop.report import Report, Run, write_report
from weighbridge.ports import Stores
from weighbridge.score.bundle import Bundle, load
from weighbridge.score.route import PRODUCTION

SEVERITY = (("critical", 0.30), ("severe", 0.20), ("warn", 0.15), ("moderate", 0.10))  # PSI from which on
ENOUGH_ROWS, ENOUGH_POSITIVES = 500, 20
SURE = 0.001  # one-sided p-value below which a loss of recall counts
ALERTS = "drift_alerts"


def watch(case: UseCase, stores: Stores, clock: Clock, *, last: str = "7d") -> Report:
    """Compare the champion's decisions of the `last` days with its reference.

    Drift is judged once decisions fill the window, so that days of the week weigh alike. PSI of the
    score and of every feature on bins fixed at training, and recall on the positives known so far against
    recall on validation (one-sided exact binomial test). Figures hold `severity`, `losing` and what they rest on;
    a severity above none writes an alert. Freshness is how long after it
    happened an event counted for the next decision. Raises InputError when nothing is in production.
    """
    run = Run("watch", stores, clock)
    current = stores.registry.alias(PRODUCTION)
    if current is None:
        raise InputError("no bundle is in production; run `weigh run` first")
    champion = load(current, case, stores.bundles, stores.signer)
    decisions = stores.log.decisions()
    whole = pc.equal(decisions["degraded"], "[]")  # the others were made without what is watched
    decisions = decisions.filter(pc.and_(pc.equal(decisions["bundle"], current), whole))
    if len(decisions):
        newest = pc.max(decisions["decided_us"]).as_py()
        decisions = decisions.filter(pc.greater(decisions["decided_us"], newest - duration_us(last)))
    figures = {
        "bundle": current,
        "rows": len(decisions),
        **_drift(case, champion.facts["reference"], decisions, duration_us(last)),
    }
    figures |= _recall(stores, champion, decisions) | _freshness(stores, decisions)
    summary = {**figures, "run": run.id, "at": us_to_iso(clock.now_us())}
    write_report(stores.reports, "drift_detection_summary", summary)
    if figures["severity"] not in ("none", "not enough data") or figures["losing"]:
        write_report(stores.reports / ALERTS, f"{run.id}-{current[:12]}", summary)
    worst = f", most on {figures['worst_feature']} (PSI {figures['worst_psi']:.2f})" if figures["worst_feature"] else ""
    recall = "recall unknown" if figures["recall"] is None else f"recall {figures['recall']:.2f}"
    usual = f" against {figures['recall_reference']:.2f}" if figures["recall_reference"] is not None else ""
    late = figures["freshness_s_p99"]
    fresh = f"; 99 % of events counted {late:,.1f} s after they happened" if late is not None else ""
    return run.finish(
        f"drift {figures['severity']}{worst}; {recall}{usual} on {figures['positives']} known positives{fresh}", figures
    )


def _drift(case: UseCase, reference: dict[str, Any], decisions: Any, span_us: int) -> dict[str, Any]:  # noqa: ANN401 - a pyarrow table
    moments = decisions["decided_us"].to_numpy()
    if len(decisions) < ENOUGH_ROWS or moments[-1] - moments[0] < span_us - DAY_US:
        return {"severity": "not enough data", "worst_feature": None, "worst_psi": None, "score_psi": None}
    vectors = np.frombuffer(b"".join(decisions["vector"].to_pylist()), dtype="<f4").reshape(len(decisions), -1)
    moved = {name: psi(reference["features"][name], vectors[:, c]) for c, name in enumerate(case.feature_names)}
    score = psi(reference["scores"], decisions["probability"].to_numpy())
    worst = max(moved, key=lambda name: moved[name])
    severity = next((name for name, bound in SEVERITY if moved[worst] >= bound), "none")
    return {"severity": severity, "worst_feature": worst, "worst_psi": moved[worst], "score_psi": score, "psi": moved}


def _freshness(stores: Stores, decisions: Any) -> dict[str, float | None]:  # noqa: ANN401
    """Return how long after they happened events counted for the next decision: seconds from event time to scored.

    Delay on the way to the door is in it: it is measured from the event's own time, not from its arrival.
    """
    names = [("freshness_s_p50", 0.5), ("freshness_s_p99", 0.99), ("freshness_s_max", 1.0)]
    if not len(decisions):
        return {name: None for name, _ in names}
    first, last = pc.min(decisions["seq"]).as_py(), pc.max(decisions["seq"]).as_py()
    events = stores.log.events(after=first - 1, until=last)
    rows = pc.index_in(decisions["seq"], value_set=events["seq"].combine_chunks())
    happened_us = events["event_us"].take(rows).drop_null().to_numpy()
    counted_us = pc.add(decisions["decided_us"], decisions["latency_us"]).filter(rows.is_valid()).to_numpy()
    seconds = (counted_us - happened_us) / 1e6
    return {name: float(np.quantile(seconds, level)) if len(seconds) else None for name, level in names}


def _recall(stores: Stores, champion: Bundle, decisions: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return how many known positives the model itself flagged, as on validation: rules have no part in it."""
    reference, review_at = champion.facts["reference"], champion.thresholds.review_at
    labels = stores.log.labels()
    newest = dict(zip(labels["event_id"].to_pylist(), labels["value"].to_pylist(), strict=True))
    said = zip(*(decisions[c].to_pylist() for c in ("event_id", "probability")), strict=True)
    flagged = [probability >= review_at for event_id, probability in said if newest.get(event_id) == 1]
    known, caught = len(flagged), sum(flagged)
    usual = reference["caught"] / reference["positives"] if reference["positives"] else None
    sure = usual is not None and known >= ENOUGH_POSITIVES
    p_value = binomtest(caught, known, usual, alternative="less").pvalue if sure else None
    return {
        "positives": known,
        "recall": caught / known if known else None,
        "recall_reference": usual,
        "recall_p_value": p_value,
        "losing": bool(p_value is not None and p_value < SURE),
    }
