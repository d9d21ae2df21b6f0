"""Logistic regression and random forest by scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from weighbridge.kernel.arrays import Floats, Ints, Vectors
from weighbridge.kernel.forest import Forest, Linear, round_down


def fit_logistic(X: Vectors, y: Ints, weight: Floats, options: dict[str, Any]) -> Linear:
    """Fit a logistic regression on quantile-normalised inputs, float32[n, k]."""
    model = LogisticRegression(**{"max_iter": 2_000, **options}).fit(X.astype(np.float64), y, sample_weight=weight)
    reference = np.average(X.astype(np.float64), axis=0, weights=weight)
    return Linear(model.coef_[0].astype(np.float64), np.array(model.intercept_[0], dtype=np.float64), reference)


def fit_random_forest(X: Vectors, y: Ints, weight: Floats, options: dict[str, Any]) -> Forest:
    """Fit a random forest; its leaves hold the share of positives, the forest's score is their mean."""
    model = RandomForestClassifier(**{"n_jobs": 1, **options}).fit(X, y, sample_weight=weight)
    parts: dict[str, list[npt.NDArray[Any]]] = {
        name: [] for name in ("feature", "threshold", "left", "right", "nan", "value", "cover")
    }
    roots, offset = [], 0
    for estimator in model.estimators_:
        tree = estimator.tree_
        leaf = tree.children_left < 0
        share = tree.value[:, 0, :]
        positive = (
            share[:, list(model.classes_).index(1)] / share.sum(axis=1) if 1 in model.classes_ else np.zeros(len(leaf))
        )
        roots.append(offset)
        parts["feature"].append(np.where(leaf, -1, tree.feature))
        parts["threshold"].append(round_down(tree.threshold))
        parts["left"].append(np.where(leaf, 0, tree.children_left + offset))
        parts["right"].append(np.where(leaf, 0, tree.children_right + offset))
        parts["nan"].append(tree.missing_go_to_left.astype(bool))
        parts["value"].append(np.where(leaf, positive, 0.0))
        parts["cover"].append(tree.weighted_n_node_samples)
        offset += tree.node_count
    whole = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    return Forest(
        feature=whole["feature"].astype(np.int32), threshold=whole["threshold"].astype(np.float32),
        left=whole["left"].astype(np.int32), right=whole["right"].astype(np.int32),
        nan_left=whole["nan"].astype(np.bool_), value=whole["value"].astype(np.float64),
        cover=whole["cover"].astype(np.float64), roots=np.array(roots, dtype=np.int32),
        bias=np.array(0.0), divisor=np.array(float(len(roots))), logistic=np.array(False),
    )  # fmt: skip
