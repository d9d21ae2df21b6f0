"""Labels of keys whose events arrived in order: each counts from its own arrival, in counts of 64 rows."""

from __future__ import annotations

import numpy as np
from numba import njit

from weighbridge.kernel.arrays import MISSING, Ints
from weighbridge.kernel.entity_plan import HIGH, KIND, LABELS, LINE, LOW, RAWS, Raw
from weighbridge.kernel.history import UNKNOWN
from weighbridge.kernel.in_order import BITS, ROW, START, TIME, chosen
from weighbridge.kernel.program import table

PIECE = 64
GROUP, NEXT = 0, 1  # of the state: the key's number, the next label record to apply


@njit(cache=True, nogil=True)
def piece_counts(program: Ints, rows: int) -> Ints:
    """Return int64[labels, 2, pieces] zeros: known and positive labels of each 64 rows."""
    return np.zeros((len(table(program, LABELS)), 2, rows // PIECE + 1), dtype=np.int64)


@njit(cache=True, nogil=True)
def learn(program: Ints, span: Ints, known: Ints, counts: Ints, r: int, value: int) -> None:
    """Write the label of a row."""
    selections = table(program, LABELS)
    for line in range(len(selections)):
        if chosen(span[BITS], r, selections[line, 0]):
            if known[r] != UNKNOWN:
                counts[line, 0, r // PIECE] -= 1
                counts[line, 1, r // PIECE] -= known[r]
            counts[line, 0, r // PIECE] += 1
            counts[line, 1, r // PIECE] += value
    known[r] = value


@njit(cache=True, nogil=True)
def count_known(span: Ints, known: Ints, counts: Ints, low: int, high: int, selection: int) -> tuple[int, int]:
    """Return how many selected rows of a window have a label, and a positive one; counts: int64[2, pieces]."""
    found, positive, r = 0, 0, low
    while r < high:
        if r % PIECE == 0 and r + PIECE <= high:
            found += counts[0, r // PIECE]
            positive += counts[1, r // PIECE]
            r += PIECE
            continue
        if known[r] != UNKNOWN and chosen(span[BITS], r, selection):
            found += 1
            positive += known[r]
        r += 1
    return found, positive


@njit(cache=True, nogil=True)
def run_of(span: Ints, known: Ints, counts: Ints, low: int, high: int, selection: int) -> tuple[int, int]:
    """Return the run of positives that ends at the newest labelled row: its length and its first row's time."""
    run, oldest, r = 0, -1, high
    while r > low:
        piece = r // PIECE - 1
        if r % PIECE == 0 and r - PIECE >= low and counts[0, piece] == counts[1, piece]:
            run += counts[1, piece]
            oldest = r - PIECE if counts[1, piece] else oldest
            r -= PIECE
            continue
        r -= 1
        if known[r] == UNKNOWN or not chosen(span[BITS], r, selection):
            continue
        if known[r] == 0:
            break
        run, oldest = run + 1, r
    while oldest >= 0 and (known[oldest] != 1 or not chosen(span[BITS], oldest, selection)):
        oldest += 1
    return run, span[TIME, oldest] if oldest >= 0 else MISSING


@njit(cache=True, nogil=True)
def labels_in_order(
    program: Ints, span: Ints, a: int, b: int, known: Ints, counts: Ints, state: Ints, seq: Ints, label_place: Ints,
    label_seq: Ints, label_value: Ints, label_starts: Ints, base: int, edges: Ints, raws: Ints,
) -> None:  # fmt: skip
    """Write the label raws of the rows a to b, letting each label in when it arrived.

    label_place: int64[m], where the row that a label is about lies in the order of keys; base: where the span begins.
    """
    wanted, selections = table(program, RAWS), table(program, LABELS)
    for r in range(a, b):
        if span[START, r] == r:
            state[GROUP] += 1
            state[NEXT] = label_starts[state[GROUP]]
        while state[NEXT] < label_starts[state[GROUP] + 1] and label_seq[state[NEXT]] < seq[span[ROW, r]]:
            learn(program, span, known, counts, label_place[state[NEXT]] - base, label_value[state[NEXT]])
            state[NEXT] += 1
        for raw in range(len(wanted)):
            kind, line = wanted[raw, KIND], wanted[raw, LINE]
            if kind < Raw.LABELLED:
                continue
            low, high, selection = edges[wanted[raw, LOW], r - a], edges[wanted[raw, HIGH], r - a], selections[line, 0]
            if kind <= Raw.POSITIVE:
                found, positive = count_known(span, known, counts[line], low, high, selection)
                raws[raw, r - a] = found if kind == Raw.LABELLED else positive
            else:
                run, since_us = run_of(span, known, counts[line], low, high, selection)
                raws[raw, r - a] = run if kind == Raw.RUN else since_us
