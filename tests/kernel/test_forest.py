"""A walk of many trees at once ends where a plain walk ends, and arrays that are no forest are refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.kernel.grown import grown, rows
from weighbridge.kernel.forest import sound
from weighbridge.kernel.walk import TOGETHER


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
        changed("cover", -1, 0.0),  # nothing divides by it
        changed("cover", -1, -1.0),
        changed("cover", -1, np.nan),
        changed("cover", 0, np.inf),
        changed("cover", 0, 900.0),  # less than its children's
        changed("cover", 0, 1100.0),
        lambda forest: replace(forest, cover=np.where(forest.feature < 0, 1e-40, forest.cover)),
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
