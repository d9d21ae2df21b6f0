"""A forest of 500 trees on one row and on many and its Shapley values, beside LightGBM's own; what a start costs."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import cast

import numpy as np

from weighbridge.bench.bundle import copying
from weighbridge.bench.workload import CASE, Figure, best
from weighbridge.errors import InputError
from weighbridge.kernel.arrays import Floats, Vectors
from weighbridge.kernel.forest import Forest
from weighbridge.kernel.shapley import Shapley
from weighbridge.records import EventRecord
from weighbridge.score.answer import decision_of
from weighbridge.score.bundle import Bundle
from weighbridge.score.probe import record
from weighbridge.score.reasons import Reasoner
from weighbridge.score.rulebook import Rulebook
from weighbridge.score.scorer import Thresholds

TREES, INPUTS, ROWS, MANY = 500, 30, 2_000, 10_000
Score = Callable[[Vectors], Floats]
KERNELS = (
    "from weighbridge.bench.workload import CASE, sample; from weighbridge.kernel.plan import compile_plan; "
    "from weighbridge.kernel.replay import replay; replay(compile_plan(CASE), sample(1_000))"
)
HELP = "import sys; sys.argv = ['weigh', '--help']; from weighbridge.serve.cli import main; main()"


def models(trees: int = TREES) -> Iterator[Figure]:
    """Yield microseconds a row: raw scores and Shapley values of one row a call, each another, and raw scores of many.

    Raises InputError when a raw score differs from LightGBM's in a bit, or a Shapley value by more than 1e-9.
    """
    if not importlib.util.find_spec("lightgbm"):
        return
    from lightgbm import LGBMClassifier

    from weighbridge.learners.lightgbm import DETERMINISTIC, fit_lightgbm

    rng = np.random.default_rng(3)
    X = rng.normal(size=(ROWS, INPUTS)).astype(np.float32)
    y = (X[:, 0] + rng.normal(size=ROWS) > 1).astype(np.int64)
    options = {"n_estimators": trees, "num_leaves": 31, "random_state": 3}
    forest = fit_lightgbm(X, y, np.ones(ROWS), options)
    booster = LGBMClassifier(**{**DETERMINISTIC, **options}).fit(X, y).booster_
    fresh = rng.normal(size=(MANY, INPUTS)).astype(np.float32)

    def predict(rows: Vectors) -> Floats:
        return cast(Floats, booster.predict(rows, raw_score=True, num_threads=1))

    def contribute(rows: Vectors) -> Floats:
        return cast(Floats, booster.predict(rows, pred_contrib=True, num_threads=1))

    shapley, ones = Shapley(forest), [fresh[row : row + 1] for row in range(1_000)]
    if forest.raw(fresh).tobytes() != predict(fresh).tobytes():
        raise InputError("the forest's raw scores differ from LightGBM's own")
    if not np.allclose(shapley.values(fresh[:100]), contribute(fresh[:100])[:, :-1], rtol=0, atol=1e-9):
        raise InputError("the forest's Shapley values differ from LightGBM's own")
    yield _beside(f"{trees} trees, one row, raw score", forest.raw, "LightGBM predict", predict, ones)
    yield _beside(f"{trees} trees, {MANY:,} rows, raw score, a row", forest.raw, "LightGBM predict", predict, [fresh])
    yield _beside(
        f"{trees} trees, one row, Shapley values", shapley.values, "LightGBM pred_contrib", contribute, ones[:100]
    )
    yield from _decisions(forest, ones[:200])


def _decisions(forest: Forest, rows: Sequence[Vectors]) -> Iterator[Figure]:
    """Yield microseconds of a decision about one vector, as the desk makes it: without reasons, and with."""
    event, book, scorer = EventRecord("e", 0, 0, ("c", 1)), Rulebook(CASE), copying(forest)
    vectors = [row.astype("<f4").tobytes() for row in rows]
    for what, review_at in (("approved, without reasons", 2.0), ("for review, with its four reasons", 0.0)):
        reasoner = Reasoner(CASE, scorer, CASE.feature_names, of_case=True)
        thresholds, probes = Thresholds(review_at, 2.0, [("low", 0.0)]), record(np.concatenate(rows), scorer, None)
        bundle = Bundle("b" * 64, scorer, None, thresholds, {}, reasoner, probes)

        def decide(bundle: Bundle = bundle) -> None:
            for vector in vectors:
                decision_of(bundle, book, event, vector, "", 0)

        decide()
        us = best(decide, 5, time.perf_counter) / len(vectors) * 1e6
        yield Figure("models", f"{len(forest.roots)} trees, one vector {what}", us, "us")


def _beside(name: str, ours: Score, peer: str, theirs: Score, calls: list[Vectors]) -> Figure:
    rows = sum(len(call) for call in calls)
    us, peer_us = (
        best(lambda score=score: [score(call) for call in calls], 5, time.perf_counter) / rows * 1e6  # type: ignore[misc]
        for score in (ours, theirs)
    )
    return Figure("models", name, us, "us", peer, peer_us, peer_us / us)


def start() -> Iterator[Figure]:
    """Yield seconds until numba is imported and the kernels are loaded from a warm cache, and of `weigh --help`."""
    for name, code in (("numba and the kernels of replay, warm", KERNELS), ("weigh --help", HELP)):
        words = [sys.executable, "-c", code]
        seconds = best(lambda words=words: subprocess.run(words, capture_output=True, check=True), 2, time.perf_counter)  # type: ignore[misc]  # noqa: S603
        yield Figure("start", name, seconds, "s")
