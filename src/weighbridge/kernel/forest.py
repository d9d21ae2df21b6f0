"""Tree models of every family as one flat-array forest; serving needs no training library.

A node sends a row left when its float32 value is <= the node's float32 threshold, or is NaN and `nan_left` holds.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
from numba import njit

from weighbridge.kernel.arrays import Arrays, Floats, Vectors


@dataclass(frozen=True)
class Forest:
    """Flat arrays over all nodes of all trees.

    feature: int32[m], -1 at a leaf; threshold: float32[m]; left, right: int32[m]; nan_left: bool[m];
    value: float64[m], what a leaf adds; roots: int32[trees]; bias, divisor: float64[], raw = bias + sum / divisor;
    logistic: bool[], whether raw is a log-odds (else a probability).
    """

    feature: npt.NDArray[np.int32]
    threshold: Vectors
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    nan_left: npt.NDArray[np.bool_]
    value: Floats
    roots: npt.NDArray[np.int32]
    bias: Floats
    divisor: Floats
    logistic: npt.NDArray[np.bool_]

    def raw(self, inputs: Vectors) -> Floats:
        """Return the raw scores of rows, float64[n]; leaves are added tree by tree in float64."""
        out = np.empty(len(inputs), dtype=np.float64)
        _raw(
            self.feature, self.threshold, self.left, self.right, self.nan_left, self.value, self.roots,
            float(self.bias), float(self.divisor), np.ascontiguousarray(inputs), out,
        )  # fmt: skip
        return out

    def log_odds(self, inputs: Vectors) -> Floats:
        """Return log-odds of rows, float64[n]; probabilities are clipped to [1e-6, 1 - 1e-6] first."""
        raw = self.raw(inputs)
        return raw if self.logistic else _logit(raw)

    def arrays(self) -> Arrays:
        """Return the arrays by name, to be stored."""
        return {f.name: np.asarray(getattr(self, f.name)) for f in fields(self)}

    @property
    def width(self) -> int:
        """The number of inputs the forest reads, at least."""
        return int(self.feature.max(initial=-1)) + 1


@dataclass(frozen=True)
class Linear:
    """A linear model: log-odds = bias + inputs @ weights; weights: float64[k], bias: float64[]."""

    weights: Floats
    bias: Floats

    def log_odds(self, inputs: Vectors) -> Floats:
        """Return log-odds of rows, float64[n]; each is one sum from left to right."""
        out = np.empty(len(inputs), dtype=np.float64)
        _dot(np.ascontiguousarray(inputs), self.weights, float(self.bias), out)
        return out

    def arrays(self) -> Arrays:
        """Return the arrays by name, to be stored."""
        return {"weights": self.weights, "bias": np.asarray(self.bias)}

    @property
    def width(self) -> int:
        """The number of inputs the model reads."""
        return len(self.weights)


Predictor = Forest | Linear


def round_down(thresholds: Floats) -> Vectors:
    """Return the largest float32 <= each threshold: `x <= t` is unchanged for every float32 x."""
    with np.errstate(over="ignore"):  # beyond float32 the largest float32 is next below
        nearest = thresholds.astype(np.float32)
    lower = np.nextafter(nearest, np.float32(-np.inf))
    return np.where(nearest.astype(np.float64) > thresholds, lower, nearest)


def sound(predictor: Predictor, width: int) -> bool:
    """Whether stored arrays make a model that reads `width` inputs and never walks out of its arrays or in a circle."""
    if isinstance(predictor, Linear):
        return predictor.weights.shape == (width,) and bool(np.isfinite(predictor.weights).all())
    nodes = np.arange(len(predictor.feature))
    inner = predictor.feature >= 0
    children = np.concatenate([predictor.left[inner], predictor.right[inner]])
    parents = np.concatenate([nodes[inner], nodes[inner]])
    return bool(
        predictor.width <= width
        and (children > parents).all()
        and (children < len(nodes)).all()
        and (predictor.roots >= 0).all()
        and (predictor.roots < len(nodes)).all()
        and np.isfinite(predictor.value).all()
        and float(predictor.divisor) > 0
    )


def _logit(probability: Floats) -> Floats:
    out = np.empty_like(probability)
    _logits(probability, out)
    return out


@njit(cache=True, nogil=True)
def _logits(probability: Floats, out: Floats) -> None:
    for row in range(len(probability)):
        p = min(max(probability[row], 1e-6), 1.0 - 1e-6)
        out[row] = np.log(p / (1.0 - p))


@njit(cache=True, nogil=True)
def _raw(
    feature: npt.NDArray[np.int32],
    threshold: Vectors,
    left: npt.NDArray[np.int32],
    right: npt.NDArray[np.int32],
    nan_left: npt.NDArray[np.bool_],
    value: Floats,
    roots: npt.NDArray[np.int32],
    bias: float,
    divisor: float,
    inputs: Vectors,
    out: Floats,
) -> None:
    for row in range(len(inputs)):
        total = 0.0
        for tree in range(len(roots)):
            node = roots[tree]
            while feature[node] >= 0:
                x = inputs[row, feature[node]]
                goes_left = x <= threshold[node] or (np.isnan(x) and nan_left[node])
                node = left[node] if goes_left else right[node]
            total += value[node]
        out[row] = bias + total / divisor


@njit(cache=True, nogil=True)
def _dot(inputs: Vectors, weights: Floats, bias: float, out: Floats) -> None:
    for row in range(len(inputs)):
        total = bias
        for column in range(len(weights)):
            total += inputs[row, column] * weights[column]
        out[row] = total
