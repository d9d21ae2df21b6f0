"""Folds hold training rows alone, later ones judge earlier ones, and labels count from their arrival."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weighbridge.clock import DAY_US
from weighbridge.errors import InputError
from weighbridge.loop.training.folds import folds
from weighbridge.loop.training.training_set import training_set


@pytest.fixture(scope="module")
def data(small_case, trained):
    return training_set(small_case, trained)


@settings(max_examples=25)
@given(number=st.integers(1, 8), gap=st.integers(0, 9))
def test_no_fold_sees_what_comes_after_it(small_case, data, number, gap):
    case = replace(small_case, training=replace(small_case.training, gap=f"{gap}d"))
    event_us, train = data.columns.event_us, data.split.train
    cuts = folds(case, data, number)
    assert 1 <= len(cuts) <= number
    for cut in cuts:
        assert not (cut.fitting & ~train).any()
        assert not (cut.judging & ~train).any()
        assert not ((cut.fitting | cut.judging) & data.split.validation).any()
        assert event_us[cut.fitting].max() <= cut.from_us - gap * DAY_US
        assert event_us[cut.judging].min() > cut.from_us
        assert len(cut.rows) >= cut.judging.sum()
    judged = [cut.judging for cut in cuts]
    assert all(not (a & b).any() for n, a in enumerate(judged) for b in judged[:n])


def test_labels_are_those_that_had_arrived_record_by_record(small_case, data):
    """With no gap at all, the newest rows would carry labels from the future."""
    case = replace(small_case, training=replace(small_case.training, gap="0d"))
    known_late = 0
    for cut in folds(case, data, 3):
        newest = {}
        told = zip(
            data.columns.label_row.tolist(),
            data.told["arrived_us"].to_pylist(),
            data.columns.label_value.tolist(),
            strict=True,
        )
        for row, arrived_us, value in told:
            if arrived_us <= cut.from_us:
                newest[row] = value
        rows = np.flatnonzero(cut.fitting).tolist()
        assert [newest[row] for row in rows] == cut.lessons.y.tolist()
        waiting = data.split.train & (data.columns.event_us <= cut.from_us) & ~cut.fitting
        known_late += int((data.known_then[waiting] >= 0).sum())
    assert known_late > 0  # a split by event time alone would have taken these


def test_too_short_a_history_is_refused(small_case, data):
    case = replace(small_case, training=replace(small_case.training, gap="400d"))
    with pytest.raises(InputError, match="too few to be cut into folds"):
        folds(case, data, 3)
