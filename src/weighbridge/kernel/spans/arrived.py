"""Rows that were decided before an event of an earlier time had arrived: what had not arrived is taken out again.

Of a window (low, high] of such a row, the rows up to SETTLED had arrived; each of those behind it is looked at.
"""

from __future__ import annotations

from numba import njit

from weighbridge.kernel.arrays import MISSING, Ints
from weighbridge.kernel.entity_plan import EXTREMES, HIGH, KIND, LINE, LOW, RAWS, SELECTION, Raw
from weighbridge.kernel.history import FOREVER
from weighbridge.kernel.program import table
from weighbridge.kernel.spans.layout import (
    BITS,
    NEXT,
    PREVIOUS,
    ROW,
    SETTLED,
    TIME,
    chosen,
    occurrence_line,
    sum_line,
)
from weighbridge.kernel.spans.windows import smallest


@njit(cache=True, nogil=True)
def only_arrived(program: Ints, span: Ints, a: int, b: int, levels: Ints, logs: Ints, edges: Ints, tile: Ints) -> None:
    """Correct the raws of the rows a to b, but for those of sets and labels, which see to it themselves."""
    wanted = table(program, RAWS)
    for r in range(a, b):
        if span[SETTLED, r] == r:
            continue
        for raw in range(len(wanted)):
            low, high = edges[wanted[raw, LOW], r], edges[wanted[raw, HIGH], r]
            begin = max(low, span[SETTLED, r])
            if begin >= high:
                continue
            kind, line, selection = wanted[raw, KIND], wanted[raw, LINE], wanted[raw, SELECTION]
            found = tile[raw, r - a]
            if kind <= Raw.TOTAL:
                found -= missing_sum(program, span, r, begin, high, line)
            elif kind == Raw.EXTREME:
                found = extreme(program, span, r, levels[line], logs, low, begin, high, line)
            elif kind == Raw.NEWEST_US:
                found = newest(program, span, r, low, begin, high, line, selection)
            elif kind == Raw.DISTINCT:
                found -= missing_values(span, r, low, begin, high, occurrence_line(program, line), selection)
            elif kind == Raw.SEEN and found == 1:
                found = int(occurs(span, r, low, high, occurrence_line(program, line)))
            tile[raw, r - a] = found


@njit(cache=True, nogil=True)
def missing_sum(program: Ints, span: Ints, r: int, begin: int, high: int, line: int) -> int:
    """Return what the rows that had not arrived add to a running sum, or (line -1) how many they are."""
    found = 0
    for j in range(begin, high):
        if span[ROW, j] > span[ROW, r]:
            found += span[sum_line(program, line), j + 1] - span[sum_line(program, line), j] if line >= 0 else 1
    return found


@njit(cache=True, nogil=True)
def extreme(
    program: Ints, span: Ints, r: int, levels: Ints, logs: Ints, low: int, begin: int, high: int, line: int
) -> int:
    """Return the extreme of the rows that had arrived; of none, any value."""
    found = smallest(levels.reshape(-1), levels.shape[1], logs, low, begin) if low < begin else FOREVER
    for j in range(begin, high):
        if span[ROW, j] < span[ROW, r]:
            found = min(found, levels[0, j])
    return table(program, EXTREMES)[line, 0] * found


@njit(cache=True, nogil=True)
def newest(program: Ints, span: Ints, r: int, low: int, begin: int, high: int, line: int, selection: int) -> int:
    """Return the time of the newest selected row that had arrived, or MISSING; line counts the selection, or is -1."""
    for j in range(high - 1, begin - 1, -1):
        if span[ROW, j] < span[ROW, r] and chosen(span[BITS], j, selection):
            return span[TIME, j]
    if line < 0:
        return span[TIME, begin - 1] if begin > low else MISSING
    counted, left, right = span[sum_line(program, line)], low, begin
    if counted[left] == counted[right]:
        return MISSING
    while left + 1 < right:  # counted rises between left and right, last behind the row that is looked for
        middle = (left + right) >> 1
        if counted[middle] < counted[begin]:
            left = middle
        else:
            right = middle
    return span[TIME, left]


@njit(cache=True, nogil=True)
def missing_values(span: Ints, r: int, low: int, begin: int, high: int, first: int, selection: int) -> int:
    """Return how many values of a window occur only in rows that had not arrived."""
    own, previous, following, found = span[ROW], span[first + PREVIOUS], span[first + NEXT], 0
    for j in range(begin, high):
        if own[j] < own[r] or not chosen(span[BITS], j, selection) or previous[j] >= low:
            continue
        later = j
        while later < high and own[later] > own[r]:
            later = following[later]
        found += int(later >= high)
    return found


@njit(cache=True, nogil=True)
def occurs(span: Ints, r: int, low: int, high: int, first: int) -> bool:
    """Return whether a row's own value occurs in a row of its window that had arrived."""
    place = span[first + PREVIOUS, r]
    while place >= low and (place >= high or span[ROW, place] > span[ROW, r]):
        place = span[first + PREVIOUS, place]
    return place >= low
