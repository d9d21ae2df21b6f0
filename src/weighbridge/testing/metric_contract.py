"""The contract suite of a metric of labels and scores: subclass it, give it `metric` and `naive`, and run pytest.

class TestMyMetric(MetricContract):
    def metric(self, y, score):
        return my_metric(y, score)

    def naive(self, y, score):
        return the_same_in_plain_loops(y, score)
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from weighbridge.kernel.arrays import Floats, Ints

CASES = 60


class MetricContract:
    """What a figure must be before a gate or a watch may go by it. y: int64[n] of 0 and 1; score: float64[n]."""

    of_rank = True  # only the order of scores counts
    larger_is_better = True
    least, most = 0.0, 1.0

    def metric(self, y: Ints, score: Floats) -> float:
        """Return the figure."""
        raise NotImplementedError

    def naive(self, y: Sequence[int], score: Sequence[float]) -> float:
        """Return it in plain loops, as its definition is written."""
        raise NotImplementedError

    def samples(self) -> list[tuple[Ints, Floats]]:
        """Return labels and scores of many sizes, with ties, each with both labels."""
        rng, found = np.random.default_rng(5), []
        for n in rng.integers(2, 40, CASES):
            y = rng.integers(0, 2, n)
            y[:2] = (0, 1)
            found.append((y.astype(np.int64), np.round(rng.random(n), int(rng.integers(1, 4)))))
        return found

    def test_it_is_what_its_definition_says(self) -> None:
        """Equal to the plain loops within rounding."""
        for y, score in self.samples():
            assert math.isclose(self.metric(y, score), self.naive(y.tolist(), score.tolist()), abs_tol=1e-9)

    def test_it_stays_within_its_bounds(self) -> None:
        """For any labels and scores."""
        for y, score in self.samples():
            assert self.least - 1e-12 <= self.metric(y, score) <= self.most + 1e-12

    def test_the_order_of_rows_does_not_matter(self) -> None:
        """Also among ties: a figure that ties can move could be had by sorting."""
        rng = np.random.default_rng(6)
        for y, score in self.samples():
            order = rng.permutation(len(y))
            assert math.isclose(self.metric(y, score), self.metric(y[order], score[order]), abs_tol=1e-12)

    def test_only_the_order_of_scores_counts(self) -> None:
        """Where it is a metric of ranks: scores may be squeezed."""
        for y, score in self.samples() if self.of_rank else []:
            assert math.isclose(self.metric(y, score), self.metric(y, score / 2 + 0.25), abs_tol=1e-12)

    def test_the_truth_scores_best(self) -> None:
        """No scores do better than the labels themselves."""
        for y, score in self.samples():
            best, found = self.metric(y, y.astype(np.float64)), self.metric(y, score)
            assert best >= found - 1e-12 if self.larger_is_better else best <= found + 1e-12

    def test_rows_are_left_as_they_were(self) -> None:
        """Neither array is changed."""
        y, score = self.samples()[0]
        before = y.tobytes(), score.tobytes()
        self.metric(y, score)
        assert before == (y.tobytes(), score.tobytes())
