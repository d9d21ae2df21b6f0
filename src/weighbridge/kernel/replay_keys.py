"""All aggregates of a range of keys: in-order keys span by span, a key with late events through a history.

A tile is up to 1,024 rows of raws; one set of formulas turns it into features, which are scattered to their rows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from weighbridge.kernel.arena import new_arena, start_arena, widened
from weighbridge.kernel.arrays import Floats, Ints, Vectors
from weighbridge.kernel.change import insert
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
    OUT,
    RAWS,
    SELECTION,
    SPECS,
    Raw,
)
from weighbridge.kernel.formulas import formulas
from weighbridge.kernel.gather import gather
from weighbridge.kernel.history import UNKNOWN, new_history, set_label, words_for_one
from weighbridge.kernel.in_order import (
    ROW,
    TIME,
    chain_values,
    cut,
    differences,
    distincts,
    extremes,
    fill_span,
    halvings,
    latest,
    lengths,
    lift,
    occurrence_line,
    sightings,
    span_lines,
    sum_line,
    sum_up,
)
from weighbridge.kernel.in_order_labels import labels_in_order, piece_counts
from weighbridge.kernel.in_order_ranks import WIDTH, rank_values
from weighbridge.kernel.program import table

SPAN, TILE = 4_096, 1_024  # rows
PAD = 8  # so that the lines of a tile do not all fall on the same cache lines


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


class Output(NamedTuple):
    """Where features go: slots: int64[n], the output row of each row of the log, or -1; empty where all are wanted.

    runs: int64[_, 3], rows (first aggregate, place in the vector, length); vectors: float32[wanted, features].
    side_of: int64[_, 2], rows (aggregate, place in the sides); sides: float64[wanted, sides].
    """

    slots: Ints
    runs: Ints
    side_of: Ints
    vectors: Vectors
    sides: Floats


@njit(cache=True, nogil=True)
def replay_keys(program: Ints, keyed: Keyed, first: int, last: int, registers: int, output: Output) -> None:
    """Write the aggregates of the keys first to last."""
    longest = SPAN
    for group in range(first, last):
        longest = max(longest, keyed.starts[group + 1] - keyed.starts[group])
    span = np.empty((span_lines(program), longest + 1), dtype=np.int64)
    logs = halvings(longest)
    levels = np.empty((len(table(program, EXTREMES)), logs[-1] + 1, longest + PAD), dtype=np.int64)
    tile = np.empty((max(len(table(program, RAWS)), 1), TILE + PAD), dtype=np.int64)
    features = np.empty((registers, TILE + PAD), dtype=np.float64)
    arena, group = new_arena(1 << 16), first
    while group < last:
        end, rows, most, in_order = group, 0, 0, True
        while end < last:
            more = keyed.starts[end + 1] - keyed.starts[end]
            if end > group and rows + more > SPAN:
                break
            mine = keyed.order[keyed.starts[end] : keyed.starts[end + 1]]
            in_order = fill_span(program, span, rows, mine, keyed.event_us, keyed.values)
            if not in_order:
                break
            rows, end, most = rows + more, end + 1, max(most, more)
        if rows:
            arena = of_span(program, keyed, group, span, rows, most, levels, logs, arena, tile, features, output)
        group = end
        if not in_order:
            arena = of_late_key(program, keyed, group, arena, tile, features, output)
            group += 1


@njit(cache=True, nogil=True)
def scatter(program: Ints, rows: Ints, count: int, features: Floats, output: Output) -> None:
    """Write the features of a tile to the vectors and sides of their rows."""
    outs, runs, side_of = table(program, SPECS)[:, OUT].copy(), output.runs, output.side_of
    some, all_wanted = np.empty(len(outs), dtype=np.float32), len(output.slots) == 0
    for i in range(count):
        slot = rows[i] if all_wanted else output.slots[rows[i]]
        if slot < 0:
            continue
        for number in range(len(outs)):
            some[number] = np.float32(features[outs[number], i])
        for run in range(len(runs)):
            source = some[runs[run, 0] : runs[run, 0] + runs[run, 2]]
            target = output.vectors[slot, runs[run, 1] : runs[run, 1] + runs[run, 2]]
            for number in range(len(target)):
                target[number] = source[number]
        for side in range(len(side_of)):
            output.sides[slot, side_of[side, 1]] = features[outs[side_of[side, 0]], i]


@njit(cache=True, nogil=True)
def of_late_key(
    program: Ints, keyed: Keyed, group: int, arena: Ints, tile: Ints, features: Floats, output: Output
) -> Ints:
    """Write the aggregates of one key, event by event as they arrived; return the arena."""
    first, last, label = keyed.starts[group], keyed.starts[group + 1], keyed.label_starts[group]
    early = np.full(last - first, UNKNOWN, dtype=np.int64)  # labels of events that arrive after them
    rows, times, count = np.empty(TILE, dtype=np.int64), np.empty(TILE, dtype=np.int64), 0
    root = new_history(start_arena(arena), program)
    for place in range(first, last):
        row = keyed.order[place]
        while label < keyed.label_starts[group + 1] and keyed.label_seq[label] < keyed.seq[row]:
            about = keyed.label_place[label]
            if about < place:
                theirs = keyed.order[about]
                set_label(arena, program, root, keyed.event_us[theirs], theirs, keyed.label_value[label])
            else:
                early[about - first] = keyed.label_value[label]
            label += 1
        arena = widened(arena, words_for_one(arena, program))
        if len(output.slots) == 0 or output.slots[row] >= 0:
            gather(arena, program, root, keyed.event_us[row], keyed.values[row], tile, count)
            rows[count], times[count] = row, keyed.event_us[row]
            count += 1
        insert(arena, program, root, keyed.event_us[row], row, early[place - first], keyed.values[row])
        if count == TILE or place == last - 1:
            formulas(program, tile, times, count, features)
            scatter(program, rows, count, features, output)
            count = 0
    return arena


@njit(cache=True, nogil=True)
def of_span(
    program: Ints, keyed: Keyed, group: int, span: Ints, rows: int, longest: int, levels: Ints, logs: Ints, arena: Ints,
    tile: Ints, features: Floats, output: Output,
) -> Ints:  # fmt: skip
    """Write the aggregates of a span of in-order keys, of which `group` is the first; return the arena."""
    wanted = table(program, RAWS)
    edges = np.empty((len(table(program, OFFSETS)), TILE + PAD), dtype=np.int64)
    pointers = np.zeros(len(edges), dtype=np.int64)
    moved, ranks = np.zeros((len(wanted), 3), dtype=np.int64), np.zeros((len(table(program, ORDERS)), WIDTH), np.int64)
    known, state = np.full(rows, UNKNOWN, dtype=np.int64), np.array([group - 1, 0], dtype=np.int64)
    counts = piece_counts(program, rows)
    sum_up(program, span, rows)
    sighted = np.empty((len(wanted), 0), dtype=np.int64)
    if len(table(program, OCCURRENCES)):
        sighted = chained(program, span, rows)
    for number in range(len(table(program, EXTREMES))):
        lift(program, span, rows, number, levels[number, : logs[min(longest, len(logs) - 1)] + 1])
    start_arena(arena)
    for a in range(0, rows, TILE):
        b = min(a + TILE, rows)
        cut(program, span, a, b, pointers, edges)
        for raw in range(len(wanted)):
            of_raw(program, span, a, b, raw, moved[raw], sighted, levels, logs, edges, tile)
        for order in range(len(ranks)):
            arena = widened(arena, words_for_one(arena, program) + 4 * rows)
            rank_values(program, span, a, b, order, arena, ranks[order], edges, tile)
        if len(table(program, LABELS)):
            labels_in_order(
                program, span, a, b, known, counts, state, keyed.seq, keyed.label_place, keyed.label_seq,
                keyed.label_value, keyed.label_starts, keyed.starts[group], edges, tile,
            )  # fmt: skip
        formulas(program, tile, span[TIME, a:b], b - a, features)
        scatter(program, span[ROW, a:b], b - a, features, output)
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
    kind, line, low, high = row[KIND], row[LINE], edges[row[LOW]], edges[row[HIGH]]
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
