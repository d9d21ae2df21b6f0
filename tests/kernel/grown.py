"""Random forests and rows that tests walk."""

from __future__ import annotations

import numpy as np

from weighbridge.kernel.forest import Forest


def grown(rng, trees, leaves, inputs=4, lean=0.0, in_turn=False):
    """A random forest: each split is of a random leaf, or with `lean` of the newest one, which makes deep trees;
    it asks a random input, or each in turn."""
    nodes, roots = [], []
    for first in range(trees):
        roots.append(len(nodes))
        nodes.append([-1, 0.0, 0, 0, False, rng.normal(), 1000.0])
        open_leaves = [len(nodes) - 1]
        for splits in range(leaves - 1):
            place = open_leaves.pop(-1 if rng.random() < lean else rng.integers(len(open_leaves)))
            threshold = rng.choice([rng.normal(), 0.0, -0.0, np.inf, -np.inf], p=[0.8, 0.05, 0.05, 0.05, 0.05])
            cover, part = nodes[place][6], rng.uniform(0.05, 0.6)
            asked = (first + splits) % inputs if in_turn else rng.integers(inputs)
            nodes[place] = [asked, threshold, len(nodes), len(nodes) + 1, rng.random() < 0.5, 0.0, cover]
            open_leaves += [len(nodes), len(nodes) + 1]
            nodes += [[-1, 0.0, 0, 0, False, rng.normal(), cover * share] for share in (part, 1 - part)]
    feature, threshold, left, right, nan_left, value, cover = (np.array(of) for of in zip(*nodes, strict=True))
    return Forest(
        feature=feature.astype(np.int32), threshold=threshold.astype(np.float32), left=left.astype(np.int32),
        right=right.astype(np.int32), nan_left=nan_left, value=value, cover=cover, roots=np.array(roots, dtype=np.int32),
        bias=np.array(0.25), divisor=np.array(3.0), logistic=np.array(True),
    )  # fmt: skip


def rows(rng, count, inputs=4):
    X = rng.normal(size=(count, inputs)).astype(np.float32)
    for odd in (np.nan, np.inf, -np.inf, 0.0, -0.0):
        X[rng.random(X.shape) < 0.08] = odd
    return X
