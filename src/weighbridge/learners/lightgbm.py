"""Gradient boosting by LightGBM."""

from __future__ import annotations

from typing import Any

from lightgbm import LGBMClassifier
from lightgbm.basic import LightGBMError

from weighbridge.kernel.arrays import Floats, Ints, Vectors
from weighbridge.kernel.forest import Forest
from weighbridge.learners.nodes import Nodes

DETERMINISTIC = {"deterministic": True, "force_row_wise": True, "n_jobs": 1, "verbosity": -1}


def fit_lightgbm(X: Vectors, y: Ints, weight: Floats, options: dict[str, Any]) -> Forest:
    """Fit LightGBM; raw scores of the forest are bit-equal to the booster's own.

    Raises ValueError for options that it refuses.
    """
    try:
        model = LGBMClassifier(**{**DETERMINISTIC, **options}).fit(X, y, sample_weight=weight)
    except LightGBMError as fault:
        raise ValueError(str(fault)) from fault
    nodes = Nodes()
    for tree in model.booster_.dump_model()["tree_info"]:
        nodes.begin_tree()
        _add(nodes, tree["tree_structure"])
    return nodes.forest(bias=0.0)


def _add(nodes: Nodes, node: dict[str, Any]) -> int:
    if "split_feature" not in node:
        # a tree of one leaf has no count
        return nodes.leaf(float(node["leaf_value"]), float(node.get("leaf_count", 1)))
    threshold = float(node["threshold"])
    # without missing values in training LightGBM reads NaN as 0, else NaN takes the default side
    nan_left = node["default_left"] if node["missing_type"] == "NaN" else threshold >= 0.0
    place = nodes.split(int(node["split_feature"]), threshold, float(node["internal_count"]), nan_left=bool(nan_left))
    nodes.join(place, _add(nodes, node["left_child"]), _add(nodes, node["right_child"]))
    return place
