"""A forest of 500 trees on one row, beside LightGBM's own prediction, bit for bit; and what a start costs."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np

from weighbridge.bench.workload import Figure, best
from weighbridge.errors import InputError

TREES, INPUTS, ROWS = 500, 30, 2_000
KERNELS = (
    "from weighbridge.bench.workload import CASE, sample; from weighbridge.kernel.plan import compile_plan; "
    "from weighbridge.kernel.replay import replay; replay(compile_plan(CASE), sample(1_000))"
)
HELP = "import sys; sys.argv = ['weigh', '--help']; from weighbridge.serve.cli import main; main()"


def models(trees: int = TREES) -> Iterator[Figure]:
    """Yield microseconds of one row. Raises InputError when a raw score differs from LightGBM's in a bit."""
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
    if forest.raw(X).tobytes() != booster.predict(X, raw_score=True).tobytes():
        raise InputError("the forest's raw scores differ from LightGBM's own")
    rows = [X[row : row + 1] for row in range(200)]
    ours, theirs = (
        best(lambda score=score: [score(row) for row in rows], 5, time.perf_counter) / len(rows) * 1e6  # type: ignore[misc]
        for score in (forest.raw, lambda row: booster.predict(row, raw_score=True, num_threads=1))
    )
    yield Figure("models", f"{trees} trees, one row, raw score", ours, "us", "LightGBM predict", theirs, theirs / ours)


def start() -> Iterator[Figure]:
    """Yield seconds until numba is imported and the kernels are loaded from a warm cache, and of `weigh --help`."""
    for name, code in (("numba and the kernels of replay, warm", KERNELS), ("weigh --help", HELP)):
        words = [sys.executable, "-c", code]
        seconds = best(lambda words=words: subprocess.run(words, capture_output=True, check=True), 2, time.perf_counter)  # type: ignore[misc]  # noqa: S603
        yield Figure("start", name, seconds, "s")
