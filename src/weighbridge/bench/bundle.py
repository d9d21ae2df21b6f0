"""A bundle to measure with: thirty features, a boosted forest, no encoding."""

from __future__ import annotations

import numpy as np

from weighbridge.bench.workload import CASE, START_US, sample
from weighbridge.declare.case import UseCase
from weighbridge.kernel.calibrate import Calibration
from weighbridge.kernel.encoder import Encoder, Kind
from weighbridge.kernel.forest import Forest
from weighbridge.kernel.plan import compile_plan
from weighbridge.kernel.replay import replay
from weighbridge.ports import Signer
from weighbridge.score.bundle import pack
from weighbridge.score.scorer import Scorer, Thresholds

ROWS, PROBES = 5_000, 64
FLAGGED = 0.05  # the share to review or decline, whose reasons are worked out at once


def copying(forest: Forest) -> Scorer:
    """Return a forest over the case's features as they are, its calibration changing nothing."""
    features = len(CASE.feature_names)
    none = np.zeros(features, dtype=np.int64)
    copied = Encoder(np.arange(features), np.full(features, Kind.COPY), none, none, np.zeros(1), np.zeros(1))
    return Scorer(copied, forest, Calibration.sigmoid())


def bench_bundle(signer: Signer, trees: int, case: UseCase = CASE) -> tuple[str, dict[str, bytes]]:
    """Return a bundle's id and files for thirty features; drawn labels make trees as large as they may be."""
    from weighbridge.learners.lightgbm import fit_lightgbm

    vectors = replay(compile_plan(case), sample(ROWS))
    drawn = np.random.default_rng(11).integers(0, 2, ROWS)
    forest = fit_lightgbm(vectors, drawn, np.ones(ROWS), {"n_estimators": trees, "num_leaves": 31})
    scorer = copying(forest)
    review_at, decline_at = np.quantile(scorer.probability(vectors), [1 - FLAGGED, 1 - FLAGGED / 5]).tolist()
    thresholds = Thresholds(review_at, decline_at, (("low", 0.0), ("high", review_at)))
    lineage = {"trained_until_us": START_US - 1}  # its rows are of a sample, none is of what is decided
    facts = {"model": "lightgbm", "selected_features": list(case.feature_names), "validation": {}, "lineage": lineage}
    return pack(case, (scorer, None), thresholds, vectors[:PROBES], facts, "to measure", signer)
