"""All aggregates of a range of keys: span by span, and a key of great disorder event by event.

A tile is up to 1,024 rows of a span's raws; one set of formulas turns it into features, which are scattered to their
rows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from weighbridge.kernel.arena import new_arena, start_arena, widened
from weighbridge.kernel.arrays import Floats, Ints
from weighbridge.kernel.by_event import key_by_event
from weighbridge.kernel.entity_plan import (
    EXTREMES,
    HIGH,
    KIND,
    LABELS,
    LINE,
    LOW,
    OCCURRENCES,
    OFFSETS,
    ORDERS,
    RAWS,
    SELECTION,
    Raw,
)
from weighbridge.kernel.formulas import formulas
from weighbridge.kernel.history import words_for_one
from weighbridge.kernel.keyed import Keyed
from weighbridge.kernel.program import table
from weighbridge.kernel.scatter import TILE, Output, scatter
from weighbridge.kernel.spans.arrived import only_arrived
from weighbridge.kernel.spans.labels import count_labels, nothing_known
from weighbridge.kernel.spans.layout import (
    DISORDERED,
    FILLED,
    LAST_TIME,
    ROW,
    TIME,
    chain_values,
    fill_span,
    occurrence_line,
    span_lines,
    sum_line,
    sum_up,
)
from weighbridge.kernel.spans.ranks import WIDTH, rank_values
from weighbridge.kernel.spans.windows import (
    cut,
    differences,
    distincts,
    extremes,
    halvings,
    latest,
    lengths,
    lift,
    sightings,
)

SPAN = 4_096  # rows, unless one key has more
PAD = 8  # so that the lines of a tile do not all fall on the same cache lines


class Scratch(NamedTuple):
    """What spans are worked out in, used again and again.

    span: int64[lines, rows]; logs: int64[n], see `halvings`; levels: int64[extremes, levels, rows], see `lift`;
    edges: int64[offsets, rows]; tile: int64[raws, tile]; features: float64[registers, tile].
    """

    span: Ints
    logs: Ints
    levels: Ints
    edges: Ints
    tile: Ints
    features: Floats


@njit(cache=True, nogil=True)
def scratch_for(program: Ints, keyed: Keyed, first: int, last: int, registers: int) -> Scratch:
    """Return room for any span of the keys first to last."""
    longest = SPAN
    for group in range(first, last):
        longest = max(longest, keyed.starts[group + 1] - keyed.starts[group])
    logs = halvings(longest)
    return Scratch(
        np.empty((span_lines(program), longest + PAD), dtype=np.int64),
        logs,
        np.empty((len(table(program, EXTREMES)), logs[-1] + 1, longest + PAD), dtype=np.int64),
        np.empty((len(table(program, OFFSETS)), longest + PAD), dtype=np.int64),
        np.empty((max(len(table(program, RAWS)), 1), TILE + PAD), dtype=np.int64),
        np.empty((registers, TILE + PAD), dtype=np.float64),
    )


@njit(cache=True, nogil=True)
def replay_keys(program: Ints, keyed: Keyed, first: int, last: int, registers: int, output: Output) -> None:
    """Write the aggregates of the keys first to last."""
    scratch = scratch_for(program, keyed, first, last, registers)
    arena, group = new_arena(1 << 16), first
    while group < last:
        end, rows, filled = group, 0, FILLED
        while end < last:
            more = keyed.starts[end + 1] - keyed.starts[end]
            if end > group and rows + more > SPAN:
                break
            mine = keyed.order[keyed.starts[end] : keyed.starts[end + 1]]
            filled = fill_span(program, scratch.span, rows, mine, keyed.event_us, keyed.values)
            if filled != FILLED:
                break
            rows, end = rows + more, end + 1
        if rows:
            arena = of_span(program, keyed, group, end, scratch, arena, output)
        group = end
        if filled == DISORDERED:
            arena = key_by_event(program, keyed, group, arena, scratch.tile, scratch.features, output)
            group += 1


@njit(cache=True, nogil=True)
def of_span(program: Ints, keyed: Keyed, first: int, last: int, scratch: Scratch, arena: Ints, output: Output) -> Ints:
    """Write the aggregates of a span of the keys first to last; return the arena."""
    span, logs, levels, edges, tile, features = scratch
    wanted, rows = table(program, RAWS), keyed.starts[last] - keyed.starts[first]
    span[TIME, rows : rows + PAD] = LAST_TIME
    moved, ranks = np.zeros((len(wanted), 3), dtype=np.int64), np.zeros((len(table(program, ORDERS)), WIDTH), np.int64)
    known = nothing_known(program, keyed, first, last)
    sum_up(program, span, rows)
    sighted = np.empty((len(wanted), 0), dtype=np.int64)
    if len(table(program, OCCURRENCES)):
        sighted = chained(program, span, rows)
    longest = cut(program, span, rows, edges)
    for number in range(len(levels)):
        lift(program, span, rows, number, levels[number, : logs[min(longest, len(logs) - 1)] + 1])
    start_arena(arena)
    for a in range(0, rows, TILE):
        b = min(a + TILE, rows)
        for raw in range(len(wanted)):
            of_raw(program, span, a, b, raw, moved[raw], sighted, levels, logs, edges, tile)
        only_arrived(program, span, a, b, levels, logs, edges, tile)
        for order in range(len(ranks)):
            arena = widened(arena, words_for_one(arena, program) + 4 * rows)
            rank_values(program, span, a, b, order, arena, ranks[order], edges, tile)
        if len(table(program, LABELS)):
            count_labels(program, keyed, span, a, b, known, first, edges, tile)
        formulas(program, tile, span[TIME, a:b], b - a, features)
        scatter(program, span[ROW, :rows], a, b, features, output)
    return arena


@njit(cache=True, nogil=True)
def chained(program: Ints, span: Ints, rows: int) -> Ints:
    """Fill the occurrences of a span; return int64[raws, rows] of -1 for the sightings of values."""
    size = 16
    while size <= 2 * rows:
        size *= 2
    chain_values(program, span, rows, np.empty((size, 2), dtype=np.int64), np.empty(rows, dtype=np.int64))
    return np.full((len(table(program, RAWS)), rows), -1, dtype=np.int64)


@njit(cache=True, nogil=True)
def of_raw(
    program: Ints, span: Ints, a: int, b: int, raw: int, state: Ints, sighted: Ints, levels: Ints, logs: Ints,
    edges: Ints, tile: Ints,
) -> None:  # fmt: skip
    """Write one raw of the rows a to b, unless sets or labels write it."""
    row, out = table(program, RAWS)[raw], tile[raw]
    kind, line, low, high = row[KIND], row[LINE], edges[row[LOW], a:b], edges[row[HIGH], a:b]
    if kind == Raw.N and line < 0:
        lengths(low, high, b - a, out)
    elif kind <= Raw.TOTAL:
        differences(span[sum_line(program, line)], low, high, b - a, out)
    elif kind == Raw.EXTREME:
        extremes(levels[line], logs, table(program, EXTREMES)[line, 0], low, high, b - a, out)
    elif kind == Raw.NEWEST_US:
        latest(span, a, b, row[SELECTION], state, low, high, out)
    elif kind == Raw.DISTINCT:
        distincts(span, a, b, occurrence_line(program, line), row[SELECTION], state, low, high, out)
    elif kind == Raw.SEEN:
        field = table(program, OCCURRENCES)[line, 1]
        sightings(
            span, a, b, field, occurrence_line(program, line), row[SELECTION], state, sighted[raw], low, high, out
        )
