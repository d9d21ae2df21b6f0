"""How well a bundle does: estimated from its probabilities at once, and as it turned out once labels are mature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest, norm

from weighbridge.clock import DAY_US, us_to_iso
from weighbridge.declare.watch import NONE, SEVERITIES, Watch
from weighbridge.kernel import metrics
from weighbridge.kernel.arrays import Bools, Floats, Ints
from weighbridge.kernel.estimate import calibration_z, expected_at, expected_average_precision, in_the_large_z
from weighbridge.loop.training.evaluate import summary
from weighbridge.loop.trials.outcome import observed_weights
from weighbridge.loop.watching.drift import TOO_FEW
from weighbridge.score.scorer import Thresholds

ENOUGH_POSITIVES = 20
SURE = 0.001  # one-sided p-value below which a loss counts
UNCALIBRATED = 'not estimated: the bundle\'s calibration is "none", its scores are not meant as probabilities'
LEAST = 1e-9  # what is divided by, so that no ratio is infinite
DAYS = 90  # the longest series that is drawn


@dataclass(frozen=True)
class Said:
    """What a bundle said and what is known of it.

    probability: float64[n]; y: int64[n], -1 where no label has come; event_us: int64[n], when the events happened;
    groups: int64[n] each, the number of each row's cluster by every key. action: int64[n], places in ACTIONS;
    propensity: float64[n] as recorded, NaN where chance had no say.
    """

    probability: Floats
    y: Ints
    event_us: Ints
    groups: Sequence[Ints]
    action: Ints
    propensity: Floats

    def of(self, chosen: Bools | Ints) -> Said:
        """Return the chosen rows."""
        groups = [np.unique(group[chosen], return_inverse=True)[1].astype(np.int64) for group in self.groups]
        p, y, event_us = self.probability[chosen], self.y[chosen], self.event_us[chosen]
        return Said(p, y, event_us, groups, self.action[chosen], self.propensity[chosen])

    @property
    def weight(self) -> Floats:
        """For how many events each row speaks once its label is known, float64[n]; see `observed_weights`."""
        return observed_weights(self.action, self.propensity)[0]

    def spoken(self) -> Said:
        """Return the rows as often as events they speak for, rounded."""
        return self.of(np.repeat(np.arange(len(self.y)), np.rint(self.weight).astype(np.int64)))


def estimated(said: Said, thresholds: Thresholds, *, calibrated: bool = True) -> dict[str, Any]:
    """Return the performance that the probabilities promise, as JSON values: no label is read.

    What is not calibrated promises nothing: its figures are None, and `why` says so.
    """
    p = said.probability
    if not calibrated:
        names = ("positives", "average_precision", "precision", "recall", "decline_precision", "decline_recall")
        return {"rows": len(p), **dict.fromkeys(names), "why": UNCALIBRATED}
    review, decline = expected_at(p, thresholds.review_at), expected_at(p, thresholds.decline_at)
    return summary({
        "rows": len(p), "positives": float(p.sum()), "average_precision": expected_average_precision(p),
        "precision": review[0], "recall": review[1], "decline_precision": decline[0], "decline_recall": decline[1],
    })  # fmt: skip


def realised(said: Said, thresholds: Thresholds) -> dict[str, Any]:
    """Return the performance on labelled rows, each as often as events it speaks for, in the terms of `estimated`.

    The 95 % interval of recall goes by Kish's effective number of positives.
    """
    weight, spoken = said.weight[said.y == 1], said.spoken()
    y, p = spoken.y, spoken.probability
    review, decline = _at(y, p, thresholds.review_at), _at(y, p, thresholds.decline_at)
    positives = int(y.sum())
    caught = int((y[p >= thresholds.review_at] == 1).sum())
    count = round(float(weight.sum()) ** 2 / float((weight**2).sum())) if positives else 0
    exact = binomtest(round(caught / positives * count), count).proportion_ci(0.95) if positives else None
    return summary({
        "rows": len(p), "positives": positives, "average_precision": metrics.average_precision(y, p),
        "precision": review[0], "recall": review[1], "decline_precision": decline[0], "decline_recall": decline[1],
        "recall_interval": [exact.low, exact.high] if exact else None,
    })  # fmt: skip


def _at(y: Ints, p: Floats, threshold: float) -> tuple[float, float]:
    flagged, nan = y[p >= threshold], float("nan")
    return (float(flagged.mean()) if len(flagged) else nan), (float(flagged.sum() / y.sum()) if y.sum() else nan)


def concept(watch: Watch, mature: Said, *, calibrated: bool = True) -> dict[str, Any]:
    """Return whether probabilities still mean what they say, on rows whose labels are mature.

    `excess` is by how much the Brier score exceeds the one promised, mean of p (1 - p): .25 is a quarter more. `ratio`
    is that of the positives to the expected ones, `apart` how far it is from 1 in either direction: .25 is a quarter
    more, or four fifths. What was explored counts as often as events it speaks for. Each counts where it is significant
    at half the rate (Bonferroni), the ratio only for what is calibrated; the severity is the graver's.
    """
    y, p, w = mature.y, mature.probability, mature.weight
    told, hits, awaited = w > 0, float((w * y).sum()), float((w * p).sum())
    found: dict[str, Any] = {"rows": int(told.sum()), "positives": round(hits), "severity": TOO_FEW}
    if told.sum() < watch.at_least or max(int(y[told].sum()), float(p[told].sum())) < ENOUGH_POSITIVES:
        return found
    promised, squares = (float((w * each).sum() / w.sum()) for each in (p * (1 - p), (y - p) ** 2))
    z = calibration_z(y, p, mature.groups, w)
    p_value = float(norm.sf(z)) if np.isfinite(z) else 1.0
    excess = squares / max(promised, LEAST) - 1
    large = in_the_large_z(y, p, mature.groups, w)
    large_p_value = float(2 * norm.sf(abs(large))) if np.isfinite(large) else 1.0
    ratio, sure = hits / max(awaited, LEAST), watch.false_discovery_rate / 2
    apart = max(ratio, 1 / max(ratio, LEAST)) - 1
    found_of = [watch.of_concept(excess) if p_value < sure else NONE]
    found_of += [watch.of_concept(apart)] if calibrated and large_p_value < sure else []
    severity, spoken = max(found_of, key=SEVERITIES.index), mature.spoken()
    measured = {
        "brier": squares, "brier_promised": promised, "excess": excess, "z": z, "p_value": p_value,
        "ratio": ratio, "apart": apart, "ratio_z": large, "ratio_p_value": large_p_value,
        "ece": metrics.ece(spoken.y, spoken.probability), "positives_expected": awaited,
    }  # fmt: skip
    return found | summary(measured) | {"severity": severity}


def calibration_curve(y: Ints, probability: Floats, bins: int = 10) -> list[dict[str, Any]]:
    """Return mean probability and share of positives of equal-count bins of labelled rows, by rising probability."""
    order = np.argsort(probability, kind="stable")
    return [
        {"probability": float(probability[part].mean()), "share": float(y[part].mean()), "rows": len(part)}
        for part in np.array_split(order, bins)
        if len(part)
    ]


def by_day(
    said: Said, thresholds: Thresholds, mature_until_us: int, *, calibrated: bool = True
) -> list[dict[str, Any]]:
    """Return what each of the newest days was like, as JSON values; error and realised figures where it is mature."""
    days = said.event_us // DAY_US
    series = []
    for day in np.unique(days)[-DAYS:].tolist():
        rows = said.of(days == day)
        known = rows.of((rows.y >= 0) & (rows.event_us <= mature_until_us))
        promise = expected_at(rows.probability, thresholds.review_at) if calibrated else (None, None)
        entry: dict[str, Any] = {
            "day": us_to_iso(day * DAY_US)[:10], "rows": len(rows.y), "score": float(rows.probability.mean()),
            "flagged": float((rows.probability >= thresholds.review_at).mean()), "estimated_recall": promise[1],
            "estimated_precision": promise[0], "labelled": len(known.y),
        }  # fmt: skip
        if len(known.y):
            spoken = known.spoken()
            precision, recall = _at(spoken.y, spoken.probability, thresholds.review_at)
            entry |= {
                "recall": recall, "precision": precision, "positives": int(spoken.y.sum()),
                "brier": metrics.brier(known.y, known.probability),
                "brier_promised": float(np.mean(known.probability * (1 - known.probability))) if calibrated else None,
            }  # fmt: skip
        series.append(summary(entry))
    return series
