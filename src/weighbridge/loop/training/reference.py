"""What a bundle remembers of the rows it was made from, so that later ones can be compared with them."""

from __future__ import annotations

from typing import Any

import numpy as np

from weighbridge.declare.aggregates import Aggregate
from weighbridge.declare.case import UseCase
from weighbridge.declare.features import Feature, RowFeature, parts
from weighbridge.kernel.arrays import Floats, Ints
from weighbridge.kernel.drift import profile
from weighbridge.loop.training.training_set import TrainingSet
from weighbridge.loop.watching.drift import clusters, sampled
from weighbridge.score.scorer import Scorer


def reference(case: UseCase, data: TrainingSet, scorer: Scorer) -> dict[str, Any]:
    """Return the profiles of all features and of the score, as JSON values.

    `features` are counted on the newest mature rows, as much as `Watch` declares, from when a feature's window was
    full: before that its values grow with the log, and everything later would look like drift. `scores` are those of
    the finished scorer on the rows whose labels were not mature yet: they are the newest, and it was not fitted on them
    (on rows it was fitted on, or by a candidate fitted on fewer, scores are others).
    """
    columns = data.columns
    groups = clusters(case, columns.values)
    profiles = {}
    for place, feature in enumerate(case.vector):
        rows = np.flatnonzero(data.mature & (columns.event_us > _begins(case, feature, data)))
        encoded = isinstance(feature, RowFeature) and bool(feature.encoding)
        profiles[feature.name] = _profiled(data.vectors[rows, place], [g[rows] for g in groups], categorical=encoded)
    unseen = np.flatnonzero(columns.event_us > data.until_us)
    scores = scorer.probability(data.vectors[unseen]) if len(unseen) else np.zeros(0)
    return {"scores": _profiled(scores, [g[unseen] for g in groups]), "features": profiles}


def _profiled(values: Floats | Any, groups: list[Ints], *, categorical: bool = False) -> dict[str, Any]:  # noqa: ANN401
    made = profile(values, categorical=categorical)
    return {**made, "spreads": [list(s) for s in sampled({"": made}, values.reshape(-1, 1), groups)[""].spreads]}


def _begins(case: UseCase, feature: Feature, data: TrainingSet) -> int:
    """Return the time after which a feature's rows count, microseconds: whole lengths of `last` where there is room."""
    if data.drawn is not None:  # time says nothing: all rows count
        return int(data.columns.event_us.min()) - 1
    windows = [
        p.last_us + (case.label.matures_us if p.of_labels else 0) for p in parts(feature) if isinstance(p, Aggregate)
    ]
    full_us = int(data.columns.event_us.min()) + max(windows, default=0)
    span_us, last_us = min(case.watch.reference_us, data.until_us - full_us), case.watch.last_us
    return data.until_us - (span_us // last_us * last_us if span_us > last_us else span_us)
