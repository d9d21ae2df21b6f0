"""All aggregates of a range of keys: in-order keys span by span, a key with late events through a history.

A tile is up to 1,024 rows of raws; one set of formulas turns it into features, which are scattered to their rows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from weighbridge.kernel.arena import new_arena, start_arena, widened
from weighbridge.kernel.arrays import Bools, Floats, Ints, Vectors
from weighbridge.kernel.change import insert
from weighbridge.kernel.entity_plan import (
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
    SHARES,
    SPECS,
    STACKS,
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
    latest,
    lengths,
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
    """Where features go: wanted: bool[n]; slots: int64[n], the output row of a wanted row; targets: int64[a, 2].

    vectors: float32[wanted, features]; sides: float64[wanted, sides].
    """

    wanted: Bools
    slots: Ints
    targets: Ints
    vectors: Vectors
    sides: Floats


@njit(cache=True, nogil=True)
def replay_keys(program: Ints, keyed: Keyed, first: int, last: int, registers: int, output: Output) -> None:
    """Write the aggregates of the keys first to last."""
    longest = SPAN
    for group in range(first, last):
        longest = max(longest, keyed.starts[group + 1] - keyed.starts[group])
    span = np.empty((span_lines(program), longest + 1), dtype=np.int64)
    tile = np.empty((max(len(table(program, RAWS)), 1), TILE), dtype=np.int64)
    features = np.empty((registers, TILE), dtype=np.float64)
    arena, group = new_arena(1 << 16), first
    while group < last:
        if arrived_late(keyed, group):
            arena = of_late_key(program, keyed, group, arena, tile, features, output)
            group += 1
            continue
        end, rows = group, 0
        while end < last:
            more = keyed.starts[end + 1] - keyed.starts[end]
            if end > group and (rows + more > SPAN or arrived_late(keyed, end)):
                break
            fill_span(program, span, rows, keyed.order[keyed.starts[end] : keyed.starts[end + 1]], keyed.event_us,
                      keyed.values)  # fmt: skip
            rows, end = rows + more, end + 1
        arena = of_span(program, keyed, group, span, rows, arena, tile, features, output)
        group = end


@njit(cache=True, nogil=True)
def arrived_late(keyed: Keyed, group: int) -> bool:
    """Return whether some event of a key arrived after a later one."""
    for place in range(keyed.starts[group] + 1, keyed.starts[group + 1]):
        if keyed.event_us[keyed.order[place]] < keyed.event_us[keyed.order[place - 1]]:
            return True
    return False


@njit(cache=True, nogil=True)
def scatter(program: Ints, rows: Ints, count: int, features: Floats, output: Output) -> None:
    """Write the features of a tile to the vectors and sides of their rows."""
    specs, targets = table(program, SPECS), output.targets
    for i in range(count):
        row = rows[i]
        if not output.wanted[row]:
            continue
        slot = output.slots[row]
        for number in range(len(specs)):
            value = features[specs[number, OUT], i]
            if targets[number, 0] >= 0:
                output.vectors[slot, targets[number, 0]] = np.float32(value)
            if targets[number, 1] >= 0:
                output.sides[slot, targets[number, 1]] = value


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
        if output.wanted[row]:
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
    program: Ints, keyed: Keyed, group: int, span: Ints, rows: int, arena: Ints, tile: Ints, features: Floats,
    output: Output,
) -> Ints:  # fmt: skip
    """Write the aggregates of a span of in-order keys, of which `group` is the first; return the arena."""
    wanted, stacks = table(program, RAWS), table(program, STACKS)
    edges = np.empty((len(table(program, OFFSETS)), TILE), dtype=np.int64)
    pointers = np.zeros(len(edges), dtype=np.int64)
    kept, places = np.empty((len(stacks), 2, rows), dtype=np.int64), np.empty(rows, dtype=np.int64)
    stacked = np.zeros((len(stacks), 2 + len(table(program, SHARES))), dtype=np.int64)
    moved, ranks = np.zeros((len(wanted), 3), dtype=np.int64), np.zeros((len(table(program, ORDERS)), WIDTH), np.int64)
    known, state = np.full(rows, UNKNOWN, dtype=np.int64), np.array([group - 1, 0], dtype=np.int64)
    counts = piece_counts(program, rows)
    sum_up(program, span, rows)
    sighted = np.empty((len(wanted), 0), dtype=np.int64)
    if len(table(program, OCCURRENCES)):
        sighted = chained(program, span, rows, places)
    start_arena(arena)
    for a in range(0, rows, TILE):
        b = min(a + TILE, rows)
        cut(program, span, a, b, pointers, edges)
        for stack in range(len(stacks)):
            extremes(program, span, a, b, stack, kept[stack, 0], kept[stack, 1], stacked[stack], edges, tile)
        for raw in range(len(wanted)):
            of_raw(program, span, a, b, raw, moved[raw], sighted, edges, tile)
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
def chained(program: Ints, span: Ints, rows: int, last: Ints) -> Ints:
    """Fill the occurrences of a span; return int64[raws, rows] of -1 for the sightings of values."""
    size = 16
    while size <= 2 * rows:
        size *= 2
    chain_values(program, span, rows, np.empty((size, 2), dtype=np.int64), last)
    return np.full((len(table(program, RAWS)), rows), -1, dtype=np.int64)


@njit(cache=True, nogil=True)
def of_raw(
    program: Ints, span: Ints, a: int, b: int, raw: int, state: Ints, sighted: Ints, edges: Ints, tile: Ints
) -> None:
    """Write one raw of the rows a to b, unless stacks, sets or labels write it."""
    row, out = table(program, RAWS)[raw], tile[raw]
    kind, line, low, high = row[KIND], row[LINE], edges[row[LOW]], edges[row[HIGH]]
    if kind == Raw.N and line < 0:
        lengths(low, high, b - a, out)
    elif kind <= Raw.TOTAL:
        differences(span[sum_line(program, line)], low, high, b - a, out)
    elif kind == Raw.NEWEST_US:
        latest(span, a, b, row[SELECTION], state, low, high, out)
    elif kind == Raw.DISTINCT:
        distincts(span, a, b, occurrence_line(program, line), row[SELECTION], state, low, high, out)
    elif kind == Raw.SEEN:
        field = table(program, OCCURRENCES)[line, 1]
        sightings(
            span, a, b, field, occurrence_line(program, line), row[SELECTION], state, sighted[raw], low, high, out
        )
