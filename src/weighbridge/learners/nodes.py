"""Collects the nodes of boosted trees into a flat-array forest."""

from __future__ import annotations

import numpy as np

from weighbridge.kernel.forest import Forest, round_down


class Nodes:
    """Node by node, parents before children."""

    def __init__(self) -> None:
        self._feature: list[int] = []
        self._threshold: list[float] = []
        self._children: list[tuple[int, int]] = []
        self._nan_left: list[bool] = []
        self._value: list[float] = []
        self._cover: list[float] = []
        self._roots: list[int] = []

    def begin_tree(self) -> None:
        """Make the next node a root."""
        self._roots.append(len(self._feature))

    def split(self, feature: int, threshold: float, cover: float, *, nan_left: bool) -> int:
        """Add an inner node (left when x <= threshold); return its place."""
        return self._add(feature, threshold, 0.0, cover, nan_left=nan_left)

    def leaf(self, value: float, cover: float) -> int:
        """Add a leaf; return its place."""
        return self._add(-1, 0.0, value, cover, nan_left=False)

    def join(self, place: int, left: int, right: int) -> None:
        """Set the children of an inner node."""
        self._children[place] = (left, right)

    def _add(self, feature: int, threshold: float, value: float, cover: float, *, nan_left: bool) -> int:
        self._feature.append(feature)
        self._threshold.append(threshold)
        self._children.append((0, 0))
        self._nan_left.append(nan_left)
        self._value.append(value)
        self._cover.append(cover)
        return len(self._feature) - 1

    def forest(self, bias: float) -> Forest:
        """Return the forest of log-odds."""
        children = np.array(self._children, dtype=np.int32).reshape(-1, 2)
        return Forest(
            feature=np.array(self._feature, dtype=np.int32), threshold=round_down(np.array(self._threshold)),
            left=np.ascontiguousarray(children[:, 0]), right=np.ascontiguousarray(children[:, 1]),
            nan_left=np.array(self._nan_left, dtype=np.bool_), value=np.array(self._value),
            cover=np.array(self._cover), roots=np.array(self._roots, dtype=np.int32),
            bias=np.array(bias), divisor=np.array(1.0), logistic=np.array(True),
        )  # fmt: skip
