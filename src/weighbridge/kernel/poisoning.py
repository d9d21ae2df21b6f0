"""What tells poisoned training data: one figure for each way to poison them. Undefined is NaN."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from weighbridge.kernel.arrays import Bools, Ints, Vectors
from weighbridge.kernel.metrics import roc_auc

Array = npt.NDArray[Any]
KNOWN_DAYS = 5  # from which on a source has a usual day of its own
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio: Fibonacci hashing, Knuth (1998), volume 3, 6.4


def halves(seq: Ints) -> Bools:
    """Return which rows are in the first half, bool[n], by a hash of their place in the order of arrival."""
    return np.asarray((seq.astype(np.uint64) * _MIX) >> np.uint64(63) == 0)


def top_hits(y: Ints, score: Array) -> tuple[int, int]:
    """Return (positives, rows) among the highest scores, as many rows as a quarter of all positives.

    Hidden positives are found there as negatives: the pruning by confident disagreement of Northcutt, Jiang, Chuang
    (2021), Confident learning, held to one figure.
    """
    rows = int(y.sum()) // 4
    best = np.argsort(-score, kind="stable")[:rows]
    return int(y[best].sum()), rows


def burst(source: Ints, day: Ints, chosen: Bools) -> tuple[float, float, int, int]:
    """Return (times, share, source, day) of the day of a source that stands out most among those over a share of .01.

    source, day: int64[n], codes and days of arrival; chosen: bool[n], what is counted. `times` compares with the median
    of the source's other days, where it has fewer than KNOWN_DAYS with that of all days of the other sources; what
    has nothing to compare with, a single file for one, is no burst. 1.0 is usual.
    """
    pairs, counts = np.unique(np.stack([source[chosen], day[chosen]]), axis=1, return_counts=True)
    known, senders = np.unique(np.stack([source, day]), axis=1), pairs[0]
    worst = (1.0, 0.0, -1, -1)
    for place in range(len(counts)):
        share = float(counts[place] / counts.sum())
        if share <= 0.01:
            continue
        sender, today = int(pairs[0, place]), int(pairs[1, place])
        own = (senders == sender) & (pairs[1] != today)
        days = int((known[0] == sender).sum()) - 1
        others = senders != sender
        if days >= KNOWN_DAYS:
            usual = np.median(np.r_[counts[own], np.zeros(days - int(own.sum()))])
        elif others.any():
            usual = np.median(counts[others])
        else:
            continue
        times = float(counts[place] / max(float(usual), 1.0))
        if (times, share) > worst[:2]:
            worst = (times, share, sender, today)
    return worst


def repeated(values: Ints, event_us: Ints, within_us: int) -> float:
    """Return the share of rows whose whole content, int64[n, f], is that of a row at most `within_us` earlier."""
    if not len(values):
        return float("nan")
    _, content = np.unique(values, axis=0, return_inverse=True)
    content = content.reshape(-1)
    order = np.lexsort((event_us, content))
    same = (np.diff(content[order]) == 0) & (np.diff(event_us[order]) <= within_us)
    return float(same.sum() / len(values))


def telling(y: Ints, vectors: Vectors) -> npt.NDArray[np.float64]:
    """Return how well each feature alone separates the classes, float64[f]: the larger of ROC-AUC and 1 - ROC-AUC.

    What is missing is ranked lowest; .5 where there is one class.
    """
    aucs = np.array([roc_auc(y, np.nan_to_num(column, nan=-1e30)) for column in vectors.T])
    return np.where(np.isfinite(aucs), np.maximum(aucs, 1 - aucs), 0.5)


def missing(vectors: Vectors) -> npt.NDArray[np.float64]:
    """Return the share of each feature's values that are missing, float64[f]."""
    return np.isnan(vectors).mean(axis=0, dtype=np.float64) if len(vectors) else np.zeros(vectors.shape[1])
