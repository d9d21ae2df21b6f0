"""Tree models of every family as one flat-array forest; serving needs no training library.

A node sends a row left when its float32 value is <= the node's float32 threshold, or is NaN and `nan_left` holds.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
import numpy.typing as npt
from numba import njit

from weighbridge.kernel.arrays import Arrays, Floats, Vectors
from weighbridge.kernel.walk import Layout, lay_out, walk

PER_NODE = {"feature": "i4", "threshold": "f4", "left": "i4", "right": "i4", "nan_left": "?", "value": "f8",
            "cover": "f8"}  # fmt: skip
LEAST_SHARE = 1e-30  # of the largest cover
ALONE = {"bias": "f8", "divisor": "f8", "logistic": "?"}


@dataclass(frozen=True)
class Forest:
    """Flat arrays over all nodes of all trees; a tree is one run of nodes, its root first, parents before children.

    feature: int32[m], -1 at a leaf; threshold: float32[m]; left, right: int32[m]; nan_left: bool[m];
    value: float64[m], what a leaf adds; cover: float64[m], the weight of the training rows that came by;
    roots: int32[trees]; bias, divisor: float64[], raw = bias + sum / divisor;
    logistic: bool[], whether raw is a log-odds (else a probability).
    """

    feature: npt.NDArray[np.int32]
    threshold: Vectors
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    nan_left: npt.NDArray[np.bool_]
    value: Floats
    cover: Floats
    roots: npt.NDArray[np.int32]
    bias: Floats
    divisor: Floats
    logistic: npt.NDArray[np.bool_]

    def raw(self, inputs: Vectors) -> Floats:
        """Return the raw scores of rows, float64[n]; leaves are added tree by tree in float64."""
        out = np.empty(len(inputs), dtype=np.float64)
        layout = self.layout
        rows = np.ascontiguousarray(inputs)
        walk(layout.nodes, layout.value, layout.roots, float(self.bias), float(self.divisor), rows, out)
        return out

    @cached_property
    def layout(self) -> Layout:
        """The nodes as rows walk them."""
        return lay_out(self.arrays())

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
    """A linear model: log-odds = bias + inputs @ weights.

    weights: float64[k]; bias: float64[]; reference: float64[k], the weighted mean of the rows it was fitted on.
    """

    weights: Floats
    bias: Floats
    reference: Floats

    def log_odds(self, inputs: Vectors) -> Floats:
        """Return log-odds of rows, float64[n]; each is one sum from left to right."""
        out = np.empty(len(inputs), dtype=np.float64)
        _dot(np.ascontiguousarray(inputs), self.weights, float(self.bias), out)
        return out

    def arrays(self) -> Arrays:
        """Return the arrays by name, to be stored."""
        return {"weights": self.weights, "bias": np.asarray(self.bias), "reference": self.reference}

    def values(self, inputs: Vectors) -> Floats:
        """Return what each input added to `expected`: float32[n, k] to float64[n, k].

        They are the Shapley values where inputs are taken as independent (Lundberg and Lee 2017, corollary 1).
        """
        return (inputs.astype(np.float64) - self.reference) * self.weights

    @property
    def expected(self) -> float:
        """The log-odds of the reference."""
        return float(self.bias + np.sum(self.reference * self.weights))

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
        stored = predictor.arrays()
        shapes = {"weights": (width,), "bias": (), "reference": (width,)}
        return all(stored[n].shape == shape and bool(np.isfinite(stored[n]).all()) for n, shape in shapes.items())
    return _well_formed(predictor) and _trees(predictor) and _covered(predictor) and predictor.width <= width


def _well_formed(forest: Forest) -> bool:
    """Whether the arrays have their types, fit each other and hold numbers."""
    stored, nodes = forest.arrays(), len(forest.feature)
    return (
        all(stored[name].dtype == kind for name, kind in {**PER_NODE, **ALONE, "roots": "i4"}.items())
        and all(stored[name].shape == (nodes,) for name in PER_NODE)
        and all(stored[name].shape == () for name in ALONE)
        and forest.roots.ndim == 1
        and bool(np.isfinite(forest.value).all() and not np.isnan(forest.threshold).any())
        and bool(np.isfinite(forest.bias) and np.isfinite(forest.divisor) and forest.divisor > 0)
    )


def _trees(forest: Forest) -> bool:
    """Whether each tree is one run of nodes after its root, parents first, each node the child of one parent."""
    nodes, inner = len(forest.feature), np.flatnonzero(forest.feature >= 0)
    parents, children = np.r_[inner, inner], np.r_[forest.left[inner], forest.right[inner]]
    tree_of_parent, tree_of_child = (np.searchsorted(forest.roots, of, "right") for of in (parents, children))
    return bool(
        np.array_equal(np.sort(np.r_[forest.roots, children]), np.arange(nodes))
        and (np.diff(forest.roots, prepend=-1) > 0).all()
        and (children > parents).all()
        and (tree_of_parent == tree_of_child).all()
    )


def _covered(forest: Forest) -> bool:
    """Whether covers are positive, a node's is its children's, and no share of one is too small to divide by."""
    inner, cover = forest.feature >= 0, forest.cover
    children = cover[forest.left[inner]] + cover[forest.right[inner]]
    return bool(
        np.isfinite(cover).all()
        and (cover > LEAST_SHARE * cover.max(initial=0)).all()
        and np.allclose(children, cover[inner], rtol=1e-4, atol=0)  # XGBoost's are float32
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
def _dot(inputs: Vectors, weights: Floats, bias: float, out: Floats) -> None:
    for row in range(len(inputs)):
        total = bias
        for column in range(len(weights)):
            total += inputs[row, column] * weights[column]
        out[row] = total
