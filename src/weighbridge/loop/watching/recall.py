"""Whether a champion still flags the positives it should, where declined ones may never become known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from weighbridge.loop.trials.outcome import at_most
from weighbridge.loop.watching.performance import ENOUGH_POSITIVES, SURE, Said
from weighbridge.score.bundle import Bundle
from weighbridge.score.ruling import DECLINE

ALL, WEIGHTED, BELOW = "all", "weighted", "below decline"
LIKE_THE_REST = 0.5  # of the share of labels that others have: declines with less are taken for unlabelled


def basis(said: Said) -> str:
    """Return which positives can tell recall.

    WEIGHTED where chance let enough positives through to speak for those declined; ALL where declines get their labels
    like the rest; else BELOW the decline threshold, where labels come whatever the score.
    """
    asked, declined, labelled = said.propensity > 0, said.action == DECLINE, said.y >= 0
    if int((asked & ~declined & (said.y == 1)).sum()) >= ENOUGH_POSITIVES:
        return WEIGHTED
    if not declined.any():
        return BELOW if asked.any() else ALL
    rest = labelled[~declined].mean() if (~declined).any() else 0.0
    return ALL if not asked.any() and labelled[declined].mean() > LIKE_THE_REST * rest else BELOW


def recall(champion: Bundle, said: Said, validation: pa.Table | None) -> dict[str, Any]:
    """Return how many known positives the model itself flagged, as on validation: rules have no part in it.

    validation: what the bundle's winner said, see `validated`; without it nothing is held against BELOW. `p_value` is
    that of the one-sided exact binomial test; with weights the count is Kish's effective one.
    """
    of, limits, reference = basis(said), champion.thresholds, champion.facts["reference"]
    known, weight = said.y == 1, said.weight if of == WEIGHTED else np.ones(len(said.y))
    caught, positives = reference["caught"], reference["positives"]
    if of == BELOW:
        known &= said.probability < limits.decline_at
        caught, positives = _below(champion, validation)
    flagged, w = said.probability[known] >= limits.review_at, weight[known]
    count = float(w.sum()) ** 2 / float((w**2).sum()) if w.any() else 0.0
    share = float(w[flagged].sum() / w.sum()) if w.any() else None
    usual = caught / positives if positives else None
    p_value = None
    if usual is not None and share is not None and count > ENOUGH_POSITIVES - 0.5:
        p_value = at_most(share, count, usual)
    return {
        "positives": int((w > 0).sum()),
        "recall": share,
        "recall_of": of,
        "recall_reference": usual,
        "recall_p_value": p_value,
        "losing": p_value is not None and p_value < SURE,
    }


def _below(champion: Bundle, validation: pa.Table | None) -> tuple[int, int]:
    if validation is None:
        return 0, 0
    p, limits = validation["probability"].to_numpy(), champion.thresholds
    known = p[(validation["y"].to_numpy() == 1) & (p < limits.decline_at)]
    return int((known >= limits.review_at).sum()), len(known)
