"""Training and validation rows by time, with the gap in which labels arrive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from weighbridge.errors import InputError
from weighbridge.kernel.arrays import Bools, Floats, Ints


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


def latest_labels(label_row: Ints, label_value: Ints, rows: int, trust: Floats | None = None) -> Ints:
    """Return each row's newest label record, int64[rows]: 0, 1, or -1 where none has arrived.

    trust: float64[m], how much each record is believed; of a row's records the newest of the most believed ones counts.
    """
    labels = np.full(rows, -1, dtype=np.int64)
    order = slice(None) if trust is None else np.argsort(trust, kind="stable")
    labels[label_row[order]] = label_value[order]  # records come in the order of arrival: the last write wins
    return labels
