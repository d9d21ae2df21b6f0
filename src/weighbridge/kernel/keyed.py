"""A log's events and labels put together by key."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numba import njit

from weighbridge.kernel.arrays import Ints


class Keyed(NamedTuple):
    """A log grouped by key: `order` has the rows of key g, by arrival, between starts[g] and starts[g + 1].

    seq, event_us: int64[n]; values: int64[n, f]. label_place: int64[m], where in `order` the row that a label is
    about lies; label_seq, label_value: int64[m]; those of key g between label_starts[g] and label_starts[g + 1].
    """

    order: Ints
    starts: Ints
    seq: Ints
    event_us: Ints
    values: Ints
    label_place: Ints
    label_seq: Ints
    label_value: Ints
    label_starts: Ints


def group(keys: Ints, cores: int = 1) -> tuple[Ints, Ints]:
    """Return (order, starts): a stable order with equal keys together, and where each group starts, with an end."""
    if not len(keys):
        return np.zeros(0, dtype=np.int64), np.zeros(1, dtype=np.int64)
    low, high = int(keys.min()), int(keys.max())
    if (high - low) * cores <= 4 * len(keys):
        order, starts = _sorted_by_count(keys, low, high, cores)
        return order, np.r_[starts[:-1][np.diff(starts) > 0], len(keys)]
    order = np.argsort(keys, kind="stable")
    ranked = keys[order]
    return order, np.r_[0, np.flatnonzero(ranked[1:] != ranked[:-1]) + 1, len(keys)].astype(np.int64)


def _sorted_by_count(keys: Ints, low: int, high: int, cores: int) -> tuple[Ints, Ints]:
    """Return (order, starts) of all keys from low to high; each core counts, then places, a part of the rows."""
    order, edges = np.empty(len(keys), dtype=np.int64), np.linspace(0, len(keys), cores + 1).astype(np.int64)
    counts = np.zeros((cores, high - low + 1), dtype=np.int64)
    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(lambda p: _count(keys[edges[p] : edges[p + 1]], low, counts[p]), range(cores)))
        starts = np.r_[0, np.cumsum(counts.sum(axis=0))]
        places = starts[:-1] + np.cumsum(counts, axis=0) - counts
        list(pool.map(lambda p: _place(keys, edges[p], edges[p + 1], low, places[p], order), range(cores)))
    return order, starts


@njit(cache=True, nogil=True)
def _count(keys: Ints, low: int, counts: Ints) -> None:
    for row in range(len(keys)):
        counts[keys[row] - low] += 1


@njit(cache=True, nogil=True)
def _place(keys: Ints, first: int, last: int, low: int, places: Ints, order: Ints) -> None:
    for row in range(first, last):
        order[places[keys[row] - low]] = row
        places[keys[row] - low] += 1


def labels_by_key(order: Ints, starts: Ints, label_row: Ints) -> tuple[Ints, Ints, Ints]:
    """Return (records, places, label_starts): label records key by key as they arrived, where in `order` the row of
    each lies, and where each key's start, with an end.
    """
    if not len(label_row):
        return label_row, label_row, np.zeros(len(starts), dtype=np.int64)
    places = np.empty(len(order), dtype=np.int64)
    places[order] = np.arange(len(order))
    about = places[label_row]
    groups = np.searchsorted(starts, about, side="right") - 1
    records = np.argsort(groups, kind="stable")
    label_starts = np.searchsorted(groups[records], np.arange(len(starts))).astype(np.int64)
    return records, about[records], label_starts
