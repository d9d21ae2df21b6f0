"""Gradient boosting by XGBoost."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
from xgboost import XGBClassifier

from weighbridge.kernel.arrays import Floats, Ints, Vectors
from weighbridge.kernel.forest import Forest
from weighbridge.learners.nodes import Nodes


def fit_xgboost(X: Vectors, y: Ints, weight: Floats, options: dict[str, Any]) -> Forest:
    """Fit XGBoost (histogram trees, one thread)."""
    model = XGBClassifier(**{"tree_method": "hist", "n_jobs": 1, "verbosity": 0, **options}).fit(
        X, y, sample_weight=weight
    )
    learner = json.loads(bytes(model.get_booster().save_raw("json")))["learner"]
    base = float(str(learner["learner_model_param"]["base_score"]).strip("[]"))
    nodes = Nodes()
    for tree in learner["gradient_booster"]["model"]["trees"]:
        nodes.begin_tree()
        _add(nodes, tree, 0)
    return nodes.forest(bias=math.log(base / (1.0 - base)))


def _add(nodes: Nodes, tree: dict[str, Any], number: int) -> int:
    cover = float(tree["sum_hessian"][number])
    if tree["left_children"][number] < 0:
        return nodes.leaf(float(np.float32(tree["split_conditions"][number])), cover)
    # XGBoost sends x < t left: for float32 values that is x <= the float32 just below t
    threshold = float(np.nextafter(np.float32(tree["split_conditions"][number]), np.float32(-np.inf)))
    nan_left = bool(tree["default_left"][number])
    place = nodes.split(int(tree["split_indices"][number]), threshold, cover, nan_left=nan_left)
    left = _add(nodes, tree, tree["left_children"][number])
    nodes.join(place, left, _add(nodes, tree, tree["right_children"][number]))
    return place
