"""What tells poisoned training data: one figure for each way to poison them. Undefined is NaN."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from weighbridge.kernel.arrays import Bools, Ints, Vectors
from weighbridge.kernel.metrics import roc_auc

Array = npt.NDArray[Any]
KNOWN_DAYS = 5  # from which on a source has a usual day of its own
APART_DAYS = 6  # between batches that come regularly: a week, or a working week, or a month
REGULAR = 2  # other batches as large, from which on one is usual
NEW = -2  # what several new sources are called together
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
    of the source's other days, or of those on which a batch as large came where it comes so regularly. Sources of
    fewer than KNOWN_DAYS other days are new: each day of theirs counts together, as source NEW where more than one
    brought it, and is compared with the days of the other sources. What has nothing to compare with, a single file for
    one, is no burst. 1.0 is usual.
    """
    (senders, days), counts = np.unique(np.stack([source[chosen], day[chosen]]), axis=1, return_counts=True)
    known = np.unique(np.stack([source, day]), axis=1)[0]
    young = np.isin(senders, [sender for sender in np.unique(known) if (known == sender).sum() <= KNOWN_DAYS])
    regular = np.zeros(len(counts), dtype=np.bool_)
    worst, total = (1.0, 0.0, -1, -1), max(int(counts.sum()), 1)
    for place in np.flatnonzero(counts > 0.01 * total).tolist():
        own = senders == senders[place]
        own[place] = False
        alike = own & (counts >= counts[place] / 2)
        regular[place] = _apart(days[alike], int(days[place])) >= REGULAR
        if young[place] and not regular[place]:
            continue
        absent = 0 if regular[place] else int((known == senders[place]).sum()) - 1 - int(own.sum())
        usual = np.median(np.r_[counts[alike if regular[place] else own], np.zeros(absent)])
        found = (float(counts[place] / max(float(usual), 1.0)), counts[place] / total)
        worst = max(worst, (*found, int(senders[place]), int(days[place])), key=_standing)
    fresh = young & ~regular
    for today in np.unique(days[fresh]).tolist():
        together = fresh & (days == today)
        others = ~fresh if (~fresh).any() else days != today
        brought = int(counts[together].sum())
        if brought <= 0.01 * total or not others.any():
            continue
        sender = int(senders[together][0]) if together.sum() == 1 else NEW
        times = float(brought / max(float(np.median(counts[others])), 1.0))
        worst = max(worst, (times, brought / total, sender, today), key=_standing)
    return worst


def _standing(found: tuple[float, float, int, int]) -> tuple[float, float]:
    return found[:2]


def _apart(days: Ints, today: int) -> int:
    """Return how many of days that rise are APART_DAYS or more from a day, and from each other."""
    taken: list[int] = []
    for one in days.tolist():
        if all(abs(one - other) >= APART_DAYS for other in (today, *taken)):
            taken.append(one)
    return len(taken)


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
