"""Spans of history against the online path and the oracle: late events, labels, lags; and what happens to disorder."""

from __future__ import annotations

import random

import numpy as np
import pytest

from tests.conftest import SOAK
from tests.kernel.streams import CASE, HOUR_US, against_the_oracle, served, split, stream
from tests.mutants import printed_by_mutant, some
from weighbridge.kernel.plan import compile_plan
from weighbridge.kernel.spans.layout import (
    DISORDERED,
    FILLED,
    FULL,
    LAST_TIME,
    ROW,
    SETTLED,
    TIME,
    fill_span,
    span_lines,
)
from weighbridge.testing.samples import differing, replayed

SEEDS = range(60) if SOAK else range(3)
PROGRAM = compile_plan(CASE).entities[0].program


def filled(event_us, at=0, span=None):
    """Put events of these times into a span; return what came of it and the span."""
    rows, event_us = np.arange(len(event_us)), np.array(event_us)
    if span is None:
        span = np.zeros((span_lines(PROGRAM), 2 * len(rows) + 8), dtype=np.int64)
    values = np.zeros((len(rows), len(CASE.events.payload)), dtype=np.int64)
    return fill_span(PROGRAM, span, at, rows, event_us, values), span


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("late", "shops"), [(0.02, 400), (0.2, 3), (0.2, 400)])
def test_spans_with_late_events_equal_the_online_path(seed, late, shops):
    records = stream(seed, 4_000, late, shops, reach_us=6 * HOUR_US)
    assert filled([e.event_us for e in split(records)[0]])[0] == FILLED
    assert differing(served(records)[0], replayed(CASE, *split(records))) == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_spans_with_late_events_equal_the_oracle(seed):
    records = stream(seed, 1_500, 0.2, 40, reach_us=6 * HOUR_US)
    rows = random.Random(seed).sample(range(len(split(records)[0])), 12)
    assert against_the_oracle(records, replayed(CASE, *split(records)), rows) == 0


def test_rows_are_put_in_the_order_of_time_and_know_what_came_late():
    done, span = filled([10, 20, 40, 30, 30, 50, 5])
    assert done == FILLED
    assert span[ROW, :7].tolist() == [6, 0, 1, 3, 4, 2, 5]
    assert span[SETTLED, :7].tolist() == [0, 0, 0, 0, 0, 0, 0]
    done, span = filled([10, 20, 40, 30, 30, 50])
    assert span[ROW, :6].tolist() == [0, 1, 3, 4, 2, 5]
    assert span[SETTLED, :6].tolist() == [0, 1, 2, 3, 2, 5]


def test_great_disorder_is_taken_event_by_event():
    assert filled(range(400, 0, -1))[0] == DISORDERED
    assert filled([*range(100, 400), *range(1, 100)])[0] == DISORDERED


def test_times_of_keys_lie_apart_and_never_overflow():
    done, span = filled([5, 7])
    assert (done, filled([3, 9], 2, span)[0]) == (FILLED, FILLED)
    reach_us = int(compile_plan(CASE).entities[0].span_us)
    assert span[TIME, :4].tolist() == [0, 2, 2 + reach_us + 1, 2 + reach_us + 7]
    assert filled([0, LAST_TIME - reach_us - 3], 2, span)[0] == FULL


MUTANTS = {
    "none": ("kernel/spans/arrived.py", "found += int(later >= high)", "found += int(later >= high)"),
    "a value that had not arrived": ("kernel/spans/arrived.py", "found += int(later >= high)", "found += 0"),
    "the newest that had arrived": ("kernel/spans/arrived.py", "for j in range(high - 1, begin - 1, -1):", "for j in range(0):"),
    "a sighting that had not arrived": ("kernel/spans/arrived.py", "or span[ROW, place] > span[ROW, r]", ""),
    "an extreme that had not arrived": ("kernel/spans/arrived.py", "if span[ROW, j] < span[ROW, r]:", "if True:"),
    "a quantile of what had not arrived": ("kernel/spans/ranks.py", "if span[ROW, j] > span[ROW, r]:", "if False:"),
    "a label that had not arrived": ("kernel/spans/labels.py", "keyed.label_seq[state[TOLD] - 1] > seq", "False"),
    "a label of what had not arrived": (
        "kernel/spans/labels.py",
        "known.labels[j] != UNKNOWN and span[ROW, j] < span[ROW, r]",
        "known.labels[j] != UNKNOWN",
    ),
    "a streak of what had not arrived": ("kernel/spans/labels.py", "or span[ROW, j] > span[ROW, r] ", ""),
}  # fmt: skip
CHECK = """
from dataclasses import replace
from tests.kernel.streams import CASE, HOUR_US, against_the_oracle, split, stream
from weighbridge.testing.oracle import LabelRecord, Oracle
from weighbridge.testing.samples import differing, replayed
records = stream(1, 700, 0.3, 40, reach_us=6 * HOUR_US)
found = against_the_oracle(records, replayed(CASE, *split(records)), range(100, 480, 5))
first, second, third = split(records)[0][:3]  # the third is late, and its label came before it
events = [
    replace(first, seq=1, values={**first.values, "shop_id": second.values["shop_id"]}),
    replace(second, seq=3, event_us=first.event_us + 20),
    replace(third, seq=5, event_us=first.event_us + 10, values=second.values),
]
labels = [LabelRecord(2, third.id, 1), LabelRecord(4, first.id, 1)]
print(found + differing(replayed(CASE, events, labels), Oracle(CASE, events, labels).vectors()))
"""


@pytest.mark.slow
@pytest.mark.parametrize("mutant", some(MUTANTS))
def test_a_wrong_span_is_noticed(mutant, tmp_path):
    assert (printed_by_mutant(tmp_path, *MUTANTS[mutant], CHECK) > 0) == (mutant != "none")
