"""How rows walk a forest: many trees at a time, without a branch that a processor has to guess.

The children of a node are neighbours, so a step is `left + (goes right)`; a leaf is its own left child, so a walk
that has arrived stays. Ten walks are independent of each other: while one waits for memory, nine go on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from weighbridge.kernel.arrays import Arrays, Floats, Ints, Vectors

TOGETHER = 10  # trees walked at a time; 8 to 12 are alike, fewer leave the processor waiting
UNASKED = 2  # steps taken before asking whether any walk still moves
NODE = np.dtype([("threshold", np.float32), ("source", np.uint32), ("left", np.uint32)])


@dataclass(frozen=True)
class Layout:
    """The nodes of a forest as rows walk them, derived from its stored arrays.

    nodes: NODE[m + 1]; a tree is one run: its root, then pair after pair of children, parents first; the last node is
    a leaf of value 0. value: float64[m + 1]. roots: int64[t], the trees' roots, then the last node until t is a
    multiple of TOGETHER. place: int64[m], where a stored node is.
    """

    nodes: npt.NDArray[Any]
    value: Floats
    roots: Ints
    place: Ints


def lay_out(stored: Arrays) -> Layout:
    """Return the layout of the arrays of a sound forest."""
    feature, roots = stored["feature"], stored["roots"].astype(np.int64)
    m, inner = len(feature), np.flatnonzero(feature >= 0)
    tree = np.searchsorted(roots, inner, "right") - 1
    pair = roots[tree] + 1 + 2 * (np.arange(len(inner)) - np.searchsorted(inner, roots)[tree])
    place = np.arange(m)
    place[stored["left"][inner]], place[stored["right"][inner]] = pair, pair + 1
    nodes, value = np.zeros(m + 1, NODE), np.zeros(m + 1)
    nodes["left"] = np.arange(m + 1)
    nodes["left"][place[inner]] = pair
    nodes["threshold"][place[inner]] = stored["threshold"][inner]
    nodes["source"][place[inner]] = 1 + 2 * feature[inner] + stored["nan_left"][inner]
    value[place] = stored["value"]
    return Layout(nodes, value, np.r_[roots, np.full(-len(roots) % TOGETHER, m)], place)


@njit(cache=True, nogil=True)
def spread(row: Vectors, sources: Vectors) -> None:
    """Write what nodes compare, float32[2 * k + 1]: -inf for leaves, then each input as it is (NaN goes right) and
    with NaN as -inf (NaN goes left)."""
    sources[0] = -np.inf
    for column in range(len(row)):
        x = row[column]
        sources[1 + 2 * column] = x
        sources[2 + 2 * column] = -np.inf if np.isnan(x) else x


@njit(cache=True, nogil=True)
def step(nodes: npt.NDArray[Any], at: np.uint64, sources: Vectors) -> np.uint64:
    """Return the node after `at`. Unsigned, or numba would look for indices from the end."""
    node = nodes[at]
    return np.uint64(node.left) + np.uint64(not sources[node.source] <= node.threshold)


@njit(cache=True, nogil=True)
def walk(
    nodes: npt.NDArray[Any], value: Floats, roots: Ints, bias: float, divisor: float, inputs: Vectors, out: Floats
) -> None:
    """Write bias + sum / divisor of each row; leaves are added tree by tree."""
    sources = np.empty(2 * inputs.shape[1] + 1, dtype=np.float32)
    at = np.empty(TOGETHER, dtype=np.uint64)
    for row in range(len(inputs)):
        spread(inputs[row], sources)
        total = 0.0
        for first in range(0, len(roots), TOGETHER):
            for k in range(TOGETHER):
                at[k] = roots[first + k]
            moved = True
            while moved:
                for _ in range(UNASKED):
                    for k in range(TOGETHER):
                        at[k] = step(nodes, at[k], sources)
                change = np.uint64(0)
                for k in range(TOGETHER):
                    before = at[k]
                    at[k] = step(nodes, before, sources)
                    change |= at[k] ^ before
                moved = change != 0
            for k in range(TOGETHER):
                total += value[at[k]]
        out[row] = bias + total / divisor
