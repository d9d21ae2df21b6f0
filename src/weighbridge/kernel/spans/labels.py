"""Labels of a span: each counts from its own arrival, in counts of 64 rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from weighbridge.kernel.arrays import MISSING, Ints
from weighbridge.kernel.entity_plan import HIGH, KIND, LABELS, LINE, LOW, RAWS, Raw
from weighbridge.kernel.history import UNKNOWN
from weighbridge.kernel.keyed import Keyed
from weighbridge.kernel.program import table
from weighbridge.kernel.spans.layout import BITS, PLACED, ROW, SETTLED, START, TIME, chosen

PIECE = 64
KEY, TOLD = range(2)  # of the state: the key's number, how many label records have been applied


class Known(NamedTuple):
    """What is known of labels at one moment.

    labels: int64[rows], UNKNOWN, 0 or 1; counts: int64[labels, 2, pieces], known and positive ones of each 64 rows;
    before: int64[records], what each record that has been applied found; state: int64[2].
    """

    labels: Ints
    counts: Ints
    before: Ints
    state: Ints


@njit(cache=True, nogil=True)
def nothing_known(program: Ints, keyed: Keyed, first: int, last: int) -> Known:
    """Return what is known of a span of the keys first to last before all label records."""
    rows = keyed.starts[last] - keyed.starts[first]
    records = keyed.label_starts[last] - keyed.label_starts[first]
    counts = np.zeros((len(table(program, LABELS)), 2, rows // PIECE + 1), dtype=np.int64)
    state = np.array([first - 1, keyed.label_starts[first]], dtype=np.int64)
    return Known(np.full(rows, UNKNOWN, dtype=np.int64), counts, np.empty(records, dtype=np.int64), state)


@njit(cache=True, nogil=True)
def learn(program: Ints, span: Ints, known: Known, r: int, value: int) -> int:
    """Write the label of a row, UNKNOWN to forget it; return what was there."""
    selections, counts, before = table(program, LABELS), known.counts, known.labels[r]
    for line in range(len(selections)):
        if chosen(span[BITS], r, selections[line, 0]):
            counts[line, 0, r // PIECE] += int(value != UNKNOWN) - int(before != UNKNOWN)
            counts[line, 1, r // PIECE] += int(value == 1) - int(before == 1)
    known.labels[r] = value
    return before


@njit(cache=True, nogil=True)
def tell(program: Ints, keyed: Keyed, span: Ints, known: Known, first: int, r: int) -> None:
    """Apply the label records that had arrived before row r did, and take back those that had not.

    first: the span's first key.
    """
    state, seq, base, zero = known.state, keyed.seq[span[ROW, r]], keyed.starts[first], keyed.label_starts[first]
    if span[START, r] == r:
        state[KEY] += 1
        state[TOLD] = keyed.label_starts[state[KEY]]
    begin, end = keyed.label_starts[state[KEY]], keyed.label_starts[state[KEY] + 1]
    while state[TOLD] < end and keyed.label_seq[state[TOLD]] < seq:
        record = state[TOLD]
        about = span[PLACED, keyed.label_place[record] - base]
        known.before[record - zero] = learn(program, span, known, about, keyed.label_value[record])
        state[TOLD] += 1
    while state[TOLD] > begin and keyed.label_seq[state[TOLD] - 1] > seq:
        state[TOLD] -= 1
        record = state[TOLD]
        learn(program, span, known, span[PLACED, keyed.label_place[record] - base], known.before[record - zero])


@njit(cache=True, nogil=True)
def counts_of(span: Ints, known: Known, r: int, line: int, low: int, high: int, selection: int) -> tuple[int, int]:
    """Return how many selected rows of a window have a label, and a positive one, as far as row r can see."""
    counts, settled, found, positive, j = known.counts[line], span[SETTLED, r], 0, 0, low
    while j < high:
        if j % PIECE == 0 and j + PIECE <= min(high, settled):
            found += counts[0, j // PIECE]
            positive += counts[1, j // PIECE]
            j += PIECE
            continue
        if known.labels[j] != UNKNOWN and span[ROW, j] < span[ROW, r] and chosen(span[BITS], j, selection):
            found += 1
            positive += known.labels[j]
        j += 1
    return found, positive


@njit(cache=True, nogil=True)
def run_of(span: Ints, known: Known, r: int, line: int, low: int, high: int, selection: int) -> tuple[int, int]:
    """Return the run of positives that ends at the newest labelled row: its length and its first row's time."""
    counts, labels, settled = known.counts[line], known.labels, span[SETTLED, r]
    run, oldest, j = 0, -1, high
    while j > low:
        piece = j // PIECE - 1
        if j % PIECE == 0 and j - PIECE >= low and j <= settled and counts[0, piece] == counts[1, piece]:
            run += counts[1, piece]
            oldest = j - PIECE if counts[1, piece] else oldest
            j -= PIECE
            continue
        j -= 1
        if labels[j] == UNKNOWN or span[ROW, j] > span[ROW, r] or not chosen(span[BITS], j, selection):
            continue
        if labels[j] == 0:
            break
        run, oldest = run + 1, j
    while oldest >= 0 and (labels[oldest] != 1 or not chosen(span[BITS], oldest, selection)):
        oldest += 1
    return run, span[TIME, oldest] if oldest >= 0 else MISSING


@njit(cache=True, nogil=True)
def count_labels(
    program: Ints, keyed: Keyed, span: Ints, a: int, b: int, known: Known, first: int, edges: Ints, tile: Ints
) -> None:
    """Write the label raws of the rows a to b, letting each label in when it arrived; first: the span's first key."""
    wanted, selections = table(program, RAWS), table(program, LABELS)
    for r in range(a, b):
        tell(program, keyed, span, known, first, r)
        asked, one, other = -1, 0, 0
        for raw in range(len(wanted)):
            kind, line = wanted[raw, KIND], wanted[raw, LINE]
            if kind < Raw.LABELLED:
                continue
            low, high, selection = edges[wanted[raw, LOW], r], edges[wanted[raw, HIGH], r], selections[line, 0]
            if asked < 0 or not same_window(wanted, asked, raw):
                if kind <= Raw.POSITIVE:
                    one, other = counts_of(span, known, r, line, low, high, selection)
                else:
                    one, other = run_of(span, known, r, line, low, high, selection)
                asked = raw
            tile[raw, r - a] = one if kind == Raw.LABELLED or kind == Raw.RUN else other


@njit(cache=True, nogil=True)
def same_window(wanted: Ints, one: int, other: int) -> bool:
    """Return whether two label raws ask for the two halves of one answer."""
    for column in (LOW, HIGH, LINE):
        if wanted[one, column] != wanted[other, column]:
            return False
    return (wanted[one, KIND] <= Raw.POSITIVE) == (wanted[other, KIND] <= Raw.POSITIVE)
