"""Exact Shapley values of a forest: what each input added to a row's raw score, beside the forest's expected score.

They are the path-dependent values of TreeSHAP (Lundberg et al. 2018, "Consistent Individualized Feature Attribution
for Tree Ensembles", algorithm 2). To a leaf of value v lead conditions on k different inputs. Of input i, a_i is 1 if
the row meets all of them, else 0; z_i is the share of training cover that does. The leaf gives input i

    v (a_i - z_i) * sum over subsets S of the others of |S|! (k - 1 - |S|)! / k! * prod_S a_j * prod_others z_j
        = v (a_i - z_i) * integral over t from 0 to 1 of prod_{j != i} f_j(t),    f_j(t) = z_j + (a_j - z_j) t

The integrand has degree k - 1, so k / 2 points of Gauss and Legendre give it exactly, and all leaves of a tree share
the work (the idea of Linear TreeShap, Yu et al. 2022): going down, the product of the factors above a split; going up,
the sum of the leaves below it. Factors are positive: nothing cancels, however deep a tree is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from weighbridge.kernel.arrays import Floats, Ints, Vectors
from weighbridge.kernel.forest import Forest
from weighbridge.kernel.walk import spread, step

POINTS = 5  # a panel of points is one pass over a tree, enough for ten different inputs on a way
SPLIT = np.dtype([(name, np.uint32) for name in ("node", "left", "parent", "same")])
Nodes = npt.NDArray[Any]


@dataclass(frozen=True)
class Paths:
    """What a forest's ways from root to leaf have in common for every row; nodes as in `Layout`.

    splits: SPLIT[s], nodes counted from their root: the split, its left child, the split above it, and the nearest
    node on the way that a split on the same input leads to (else the root). first: int64[trees + 1], a tree's run of
    splits. share: float64[m], z of the input that the split above a node asks, after that split. panels: int64[trees].
    points, weights: float64[_, POINTS], the rule of p panels from row p (p - 1) / 2. expected: sum over trees.
    """

    splits: Nodes
    first: Ints
    share: Floats
    panels: Ints
    points: Floats
    weights: Floats
    expected: float


@dataclass(frozen=True)
class Shapley:
    """Exact Shapley values of one forest, in the units of its raw score."""

    forest: Forest

    def values(self, inputs: Vectors) -> Floats:
        """Return what each input added: float32[n, k] to float64[n, k], k at least the forest's width.

        `expected` plus a row's values is its raw score, but for rounding; a row has the same bits alone as in a batch.
        """
        out = np.zeros(inputs.shape, dtype=np.float64)
        layout, paths, rows = self.forest.layout, self._paths, np.ascontiguousarray(inputs)
        _values(
            layout.nodes, layout.value, layout.roots, paths.splits, paths.first, paths.share, paths.panels,
            paths.points, paths.weights, float(self.forest.divisor), rows, out,
        )  # fmt: skip
        return out

    @cached_property
    def expected(self) -> float:
        """The mean raw score of training rows, by cover."""
        return float(self.forest.bias + self._paths.expected / self.forest.divisor)

    @cached_property
    def _paths(self) -> Paths:
        forest, layout = self.forest, self.forest.layout
        trees, m = len(forest.roots), len(forest.feature)
        cover, share = np.empty(m), np.ones(m)
        cover[layout.place] = forest.cover
        splits, first = np.empty(int((forest.feature >= 0).sum()), dtype=SPLIT), np.zeros(trees + 1, dtype=np.int64)
        asked = np.zeros(trees, dtype=np.int64)
        ends = np.r_[layout.roots[1:trees], m]
        expected = _prepare(layout.nodes, layout.value, layout.roots, ends, cover, splits, first, share, asked)
        panels = -(-asked // (2 * POINTS))
        points, weights = _rules(int(panels.max(initial=1)))
        return Paths(splits, first, share, panels, points, weights, expected)


def _rules(most: int) -> tuple[Floats, Floats]:
    """Return the points and weights of Gauss and Legendre on [0, 1] for 1 to `most` panels, one panel a row."""
    rules = [np.polynomial.legendre.leggauss(POINTS * panels) for panels in range(1, most + 1)]
    points, weights = (np.concatenate(of).reshape(-1, POINTS) for of in zip(*rules, strict=True))
    return (points + 1) / 2, weights / 2


@njit(cache=True, nogil=True)
def _prepare(
    nodes: Nodes, value: Floats, roots: Ints, ends: Ints, cover: Floats, splits: Nodes, first: Ints, share: Floats,
    asked: Ints,
) -> float:  # fmt: skip
    """Fill splits, first, share and the most inputs asked on a way of each tree; return the expected sum."""
    parent = np.arange(len(cover))
    inputs = np.zeros(len(cover), dtype=np.int64)
    reached = np.ones(len(cover))
    split, expected = 0, 0.0
    for tree in range(len(ends)):
        root = roots[tree]
        for node in range(root, ends[tree]):
            left = np.int64(nodes[node].left)
            if left == node:
                expected += reached[node] * value[node]
                asked[tree] = max(asked[tree], inputs[node])
                continue
            same = node
            while same != root and _input(nodes, parent[same]) != _input(nodes, node):
                same = parent[same]
            for child in (left, left + 1):
                part = cover[child] / cover[node]
                parent[child], reached[child], share[child] = node, reached[node] * part, share[same] * part
                inputs[child] = inputs[node] + (same == root)
            splits[split].node, splits[split].left = node - root, left - root
            splits[split].parent, splits[split].same = parent[node] - root, same - root
            split += 1
        first[tree + 1] = split
    return expected


@njit(cache=True, nogil=True)
def _input(nodes: Nodes, node: int) -> int:
    return (nodes[node].source - 1) // 2


@njit(cache=True, nogil=True)
def _values(
    nodes: Nodes, value: Floats, roots: Ints, splits: Nodes, first: Ints, share: Floats, panels: Ints,
    points: Floats, weights: Floats, divisor: float, inputs: Vectors, out: Floats,
) -> None:  # fmt: skip
    room = 1
    for tree in range(len(panels)):
        room = max(room, 2 * (first[tree + 1] - first[tree]) + 1)
    sources = np.empty(2 * inputs.shape[1] + 1, dtype=np.float32)
    met, above, below = np.ones(room), np.empty((room, POINTS)), np.empty((room, POINTS))
    for row in range(len(inputs)):
        spread(inputs[row], sources)
        for tree in range(len(panels)):
            root, run = np.uint64(roots[tree]), splits[first[tree] : first[tree + 1]]
            _meet(nodes, root, run, sources, met)
            rule = panels[tree] * (panels[tree] - 1) // 2
            for panel in range(rule, rule + panels[tree]):
                _down(value, root, run, share, met, points[panel], weights[panel], above, below)
                _up(nodes, root, run, share, met, points[panel], above, below, out[row])
        out[row] /= divisor


@njit(cache=True, nogil=True)
def _meet(nodes: Nodes, root: np.uint64, run: Nodes, sources: Vectors, met: Floats) -> None:
    """Write for each node whether the row meets all conditions on the input asked above it: 1.0 or 0.0."""
    for number in range(len(run)):
        split = run[np.uint64(number)]
        right = np.float64(step(nodes, root + split.node, sources) - root - split.left)
        so_far = met[split.same]
        met[split.left] = so_far * (1.0 - right)
        met[split.left + np.uint64(1)] = so_far * right


@njit(cache=True, nogil=True, error_model="numpy")
def _down(
    value: Floats, root: np.uint64, run: Nodes, share: Floats, met: Floats, points: Floats, weights: Floats,
    above: Floats, below: Floats,
) -> None:  # fmt: skip
    """Write weight * product of the factors of all other inputs on the way to each split; and the leaves' values."""
    for q in range(POINTS):
        above[0, q] = weights[q]
    for number in range(len(run)):
        split = run[np.uint64(number)]
        node, parent, same, left, right = split.node, split.parent, split.same, split.left, split.left + np.uint64(1)
        z, a = share[root + node], met[node]
        z_same, a_same = share[root + same], met[same]
        value_left, value_right = value[root + left], value[root + right]
        for q in range(POINTS):
            above[node, q] = above[parent, q] * (z + (a - z) * points[q])
            below[left, q] = value_left
            below[right, q] = value_right
        if same != 0:
            for q in range(POINTS):
                above[node, q] /= z_same + (a_same - z_same) * points[q]


@njit(cache=True, nogil=True, error_model="numpy")
def _up(
    nodes: Nodes, root: np.uint64, run: Nodes, share: Floats, met: Floats, points: Floats, above: Floats,
    below: Floats, out: Floats,
) -> None:  # fmt: skip
    """Sum, at each split, value * product of the factors below it over its leaves, and add what its input gives."""
    for number in range(len(run) - 1, -1, -1):
        split = run[np.uint64(number)]
        node, same, left, right = split.node, split.same, split.left, split.left + np.uint64(1)
        z_left, z_right, z_same = share[root + left], share[root + right], share[root + same]
        d_left, d_right, d_same = met[left] - z_left, met[right] - z_right, met[same] - z_same
        given = 0.0
        for q in range(POINTS):
            slope = d_left * below[left, q] + d_right * below[right, q]
            worth = z_left * below[left, q] + z_right * below[right, q] + slope * points[q]
            if same != 0:
                worth /= z_same + d_same * points[q]
                slope -= d_same * worth
            below[node, q] = worth
            given += above[node, q] * slope
        out[_input(nodes, root + node)] += given
