"""Fits the encoder between vectors and a model's inputs, on training rows only."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from weighbridge.declare.case import UseCase
from weighbridge.declare.features import RowFeature
from weighbridge.declare.fields import Category
from weighbridge.kernel.arrays import Ints, Vectors
from weighbridge.kernel.encoder import Encoder, Kind

SMOOTHING = 20.0  # pseudo-observations of the overall rate in a target encoding (Micci-Barreca 2001)
QUANTILES = 128


def fit_encoder(case: UseCase, vectors: Vectors, y: Ints, selected: list[int], *, normal: bool) -> Encoder:
    """Fit how each selected feature enters a model; for linear models (`normal`), a number enters twice: as
    its normal score, which tames skew, and standardised within its training range, which keeps the tail."""
    parts = _Parts()
    for source in selected:
        feature, column = case.vector[source], vectors[:, source]
        how = feature.encoding if isinstance(feature, RowFeature) else ""
        if how == "one_hot" or (how and normal):
            for code in range(len(_categories(case, feature))):
                parts.add(source, Kind.IS_CODE, [float(code)], [0.0])
        elif how == "target":
            rates = _target_rates(column, y, len(_categories(case, feature)))
            parts.add(source, Kind.LOOK_UP, [0.0] * len(rates), rates)
        elif normal:
            _add_numeric(parts, source, column)
        else:
            parts.add(source, Kind.COPY, [], [])
    return parts.encoder()


class _Parts:
    def __init__(self) -> None:
        self.rows: list[tuple[int, int, int, int]] = []
        self.knots: list[float] = []
        self.levels: list[float] = []

    def add(self, source: int, kind: Kind, knots: list[float], levels: list[float]) -> None:
        self.rows.append((source, int(kind), len(self.knots), len(knots)))
        self.knots += knots
        self.levels += levels

    def encoder(self) -> Encoder:
        source, kind, start, count = np.array(self.rows, dtype=np.int64).reshape(-1, 4).T.copy()
        knots, levels = np.array(self.knots or [0.0]), np.array(self.levels or [0.0])
        return Encoder(source, kind, start, count, knots, levels)


def _categories(case: UseCase, feature: object) -> tuple[str, ...]:
    assert isinstance(feature, RowFeature)
    assert isinstance(feature.operands[0], str)
    field = case.events.field(feature.operands[0], feature.name)
    assert isinstance(field, Category)
    return tuple(field.one_of)


def _target_rates(column: Vectors, y: Ints, categories: int) -> list[float]:
    overall = float(y.mean())
    known = [y[column == code] for code in range(categories)]
    return [*(float((labels.sum() + SMOOTHING * overall) / (len(labels) + SMOOTHING)) for labels in known), overall]


def _add_numeric(parts: _Parts, source: int, column: Vectors) -> None:
    present = column[np.isfinite(column)].astype(np.float64)
    if np.isnan(column).any():
        parts.add(source, Kind.IS_MISSING, [], [])
    knots = np.unique(np.quantile(present, np.linspace(0, 1, QUANTILES))) if len(present) else np.zeros(0)
    if len(knots) < 2:
        return
    ordered = np.sort(present)
    rank = (np.searchsorted(ordered, knots, "left") + np.searchsorted(ordered, knots, "right")) / (2 * len(ordered))
    parts.add(source, Kind.INTERPOLATE, knots.tolist(), ndtri(np.clip(rank, 1e-3, 1 - 1e-3)).tolist())
    ends = np.array([ordered[0], ordered[-1]])
    parts.add(source, Kind.INTERPOLATE, ends.tolist(), ((ends - present.mean()) / present.std()).tolist())
