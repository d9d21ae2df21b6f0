"""A walk of many trees at once ends where a plain walk ends, and arrays that are no forest are refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from weighbridge.kernel.forest import Forest, sound
from weighbridge.kernel.walk import TOGETHER


def grown(rng, trees, leaves, inputs=4, lean=0.0):
    """A random forest: each split is of a random leaf, or with `lean` of the newest one, which makes deep trees."""
    nodes, roots = [], []
    for _ in range(trees):
        roots.append(len(nodes))
        nodes.append([-1, 0.0, 0, 0, False, rng.normal()])
        open_leaves = [len(nodes) - 1]
        for _ in range(leaves - 1):
            place = open_leaves.pop(-1 if rng.random() < lean else rng.integers(len(open_leaves)))
            threshold = rng.choice([rng.normal(), 0.0, -0.0, np.inf, -np.inf], p=[0.8, 0.05, 0.05, 0.05, 0.05])
            nodes[place] = [rng.integers(inputs), threshold, len(nodes), len(nodes) + 1, rng.random() < 0.5, 0.0]
            open_leaves += [len(nodes), len(nodes) + 1]
            nodes += [[-1, 0.0, 0, 0, False, rng.normal()] for _ in range(2)]
    feature, threshold, left, right, nan_left, value = (np.array(of) for of in zip(*nodes, strict=True))
    return Forest(
        feature=feature.astype(np.int32), threshold=threshold.astype(np.float32), left=left.astype(np.int32),
        right=right.astype(np.int32), nan_left=nan_left, value=value, roots=np.array(roots, dtype=np.int32),
        bias=np.array(0.25), divisor=np.array(3.0), logistic=np.array(True),
    )  # fmt: skip


def rows(rng, count, inputs=4):
    X = rng.normal(size=(count, inputs)).astype(np.float32)
    for odd in (np.nan, np.inf, -np.inf, 0.0, -0.0):
        X[rng.random(X.shape) < 0.08] = odd
    return X


def plainly(forest, X):
    """The score of each row by its definition, one comparison after the other."""
    found = []
    for row in X:
        total = 0.0
        for node in forest.roots:
            while forest.feature[node] >= 0:
                x = row[forest.feature[node]]
                left = forest.nan_left[node] if np.isnan(x) else x <= forest.threshold[node]
                node = forest.left[node] if left else forest.right[node]
            total += forest.value[node]
        found.append(0.25 + total / 3.0)
    return np.array(found)


@pytest.mark.parametrize("trees", [1, TOGETHER - 1, TOGETHER, TOGETHER + 1, 37])
@pytest.mark.parametrize(("leaves", "lean"), [(1, 0), (2, 0), (31, 0), (90, 0.98)])
def test_a_walk_ends_where_a_plain_walk_ends(trees, leaves, lean):
    rng = np.random.default_rng([trees, leaves])
    forest, X = grown(rng, trees, leaves, lean=lean), rows(rng, 100)
    assert sound(forest, 4)
    scores = forest.raw(X)
    assert scores.tobytes() == plainly(forest, X).tobytes()
    assert np.concatenate([forest.raw(X[row : row + 1]) for row in range(100)]).tobytes() == scores.tobytes()
    assert forest.raw(X[:0]).shape == (0,)


def test_trees_of_one_leaf_read_nothing():
    forest = grown(np.random.default_rng(0), 3, 1)
    assert forest.width == 0
    assert sound(forest, 0)
    assert forest.raw(np.empty((2, 0), np.float32)).tobytes() == plainly(forest, np.empty((2, 0))).tobytes()


def changed(name, place, value):
    def change(forest):
        array = getattr(forest, name).copy()
        array[place] = value
        return replace(forest, **{name: array})

    return change


@pytest.mark.parametrize(
    "change",
    [
        changed("left", 0, 0),  # a circle
        changed("left", 0, 10_000),  # out of the arrays
        changed("left", 0, -1),
        changed("right", 0, 1),  # two parents, and a node without one
        changed("roots", 1, 0),
        changed("roots", 1, 62),  # a tree begins within another
        changed("feature", 0, 4),  # wider than the rows
        changed("feature", 0, -1),  # a leaf leaves its children alone
        changed("threshold", 0, np.nan),
        changed("value", 5, np.inf),
        lambda forest: replace(forest, value=forest.value[:-1]),
        lambda forest: replace(forest, left=forest.left.astype(np.int64)),
        lambda forest: replace(forest, nan_left=forest.nan_left.reshape(-1, 1)),
        lambda forest: replace(forest, roots=forest.roots[::-1]),
        lambda forest: replace(forest, roots=forest.roots[:-1]),
        lambda forest: replace(forest, bias=np.array(np.nan)),
        lambda forest: replace(forest, divisor=np.zeros(())),
        lambda forest: replace(forest, divisor=np.ones(2)),
    ],
)
def test_arrays_that_are_no_forest_are_refused(change):
    forest = grown(np.random.default_rng(1), 3, 31)
    assert sound(forest, 4)
    assert not sound(change(forest), 4)


def test_a_tree_whose_nodes_belong_to_another_is_refused():
    forest = grown(np.random.default_rng(2), 2, 2)
    crossed = replace(
        forest, feature=np.array([0, 0, -1, -1, -1, -1], np.int32),
        left=np.array([1, 4, 0, 0, 0, 0], np.int32), right=np.array([2, 5, 0, 0, 0, 0], np.int32),
    )  # fmt: skip
    assert sound(forest, 4)
    assert not sound(crossed, 4)
