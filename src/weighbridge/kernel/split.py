"""Training and validation rows: by time, with the gap in which labels arrive, or stratified where time says nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from weighbridge.errors import InputError
from weighbridge.kernel.arrays import Bools, Floats, Ints

PARTS = 40  # that stand for days where time says nothing


@dataclass(frozen=True)
class Split:
    """Which rows train and which validate, bool[n] each, and where validation begins, microseconds UTC."""

    train: Bools
    validation: Bools
    validation_from_us: int


def time_split(
    event_us: Ints, labelled: Bools, *, until_us: int, validation_us: int, gap_us: int, history_us: int | None
) -> Split:
    """Split labelled rows that end at `until_us`: the last `validation_us` validate, what ends `gap_us` earlier trains.

    The gap leaves out events whose labels could not have arrived when validation began. Raises InputError when a part
    is empty.
    """
    first_us = until_us - validation_us
    train = labelled & (event_us <= first_us - gap_us)
    if history_us is not None:
        train &= event_us > until_us - history_us
    validation = labelled & (event_us > first_us) & (event_us <= until_us)
    for name, rows in (("training", train), ("validation", validation)):
        if not rows.any():
            raise InputError(
                f"no labelled event is left for {name}; give more history, or shorten validation= or gap= of Training"
            )
    return Split(np.asarray(train), np.asarray(validation), first_us)


def stratified_split(labels: Ints, group: Ints, labelled: Bools, share: float, known_us: int) -> Split:
    """Split labelled rows so that of each label the same share validates, and no group stands on both sides.

    group: int64[n], a number drawn for each row, the same for rows of the same content; the least numbers of each label
    validate. A group has the label of most of its rows. labels: int64[n]; known_us: the moment up to which labels
    count. Raises InputError when a part is empty.
    """
    rows = np.flatnonzero(labelled)
    drawn, inverse = np.unique(group[rows], return_inverse=True)
    size = np.bincount(inverse)
    positive = 2 * np.bincount(inverse, weights=labels[rows] == 1) > size
    validates = np.zeros(len(drawn), dtype=np.bool_)
    for side in (positive, ~positive):
        reached = np.cumsum(size[side])  # of groups by the number drawn
        if len(reached):
            validates[side] = reached - size[side] / 2 <= share * reached[-1]
    validation = np.zeros(len(labels), dtype=np.bool_)
    validation[rows] = validates[inverse]
    train = labelled & ~validation
    if not validation.any() or not train.any():
        raise InputError("the labelled rows are too few to be split; give more history, or another share= of Training")
    return Split(train, validation, known_us)


def content(values: Ints, first: int = 0) -> Ints:
    """Return a number for each row that rows of the same values share, int64[n]. values: int64[n, f].

    Numbers of columns are added up: that of the columns from `first` on, given alone, is their part of the whole row's.
    Source: the finalizer of SplitMix64, Steele, Lea, Flood (2014).
    """
    total = np.zeros(len(values), dtype=np.uint64)
    for place in range(values.shape[1]):
        x = values[:, place].astype(np.uint64) + np.uint64(((first + place + 1) * 0x9E3779B97F4A7C15) % 2**64)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        total += x ^ (x >> np.uint64(31))
    return total.view(np.int64)


def grouped(content: Ints, drawn: Ints) -> Ints:
    """Return for each row the least number drawn among the rows of its content, int64[n]."""
    _, inverse = np.unique(content, return_inverse=True)
    least = np.full(int(inverse.max(initial=-1)) + 1, np.iinfo(np.int64).max, dtype=np.int64)
    np.minimum.at(least, inverse, drawn)
    return np.asarray(least[inverse])


def on_both_sides(numbers: Ints, split: Split) -> int:
    """Return how many different numbers, int64[n], stand in training as well as in validation."""
    return len(np.intersect1d(numbers[split.train], numbers[split.validation]))


def parts(seq: Ints, seed: int, number: int = PARTS) -> Ints:
    """Return the part of each row, int64[n], 0 to number - 1: equal parts by a seeded hash of its place in the log."""
    order = np.argsort(content(np.stack([seq, np.full_like(seq, seed)], axis=1)), kind="stable")
    found = np.empty(len(seq), dtype=np.int64)
    found[order] = np.arange(len(seq)) * number // max(len(seq), 1)
    return found


def latest_labels(label_row: Ints, label_value: Ints, rows: int, trust: Floats | None = None) -> Ints:
    """Return each row's newest label record, int64[rows]: 0, 1, or -1 where none has arrived.

    trust: float64[m], how much each record is believed; of a row's records the newest of the most believed ones counts.
    """
    labels = np.full(rows, -1, dtype=np.int64)
    order = slice(None) if trust is None else np.argsort(trust, kind="stable")
    labels[label_row[order]] = label_value[order]  # records come in the order of arrival: the last write wins
    return labels
