"""The log's tables as the integer arrays that replay and the state read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.declare.fields import Category
from weighbridge.kernel.arrays import MISSING, Bools, Ints
from weighbridge.kernel.plan import Plan
from weighbridge.kernel.replay import Columns

Coder = Callable[[int, Sequence[str]], Sequence[int]]


def to_columns(plan: Plan, events: pa.Table, labels: pa.Table) -> Columns:
    """Return events (sorted by seq) and the label records about them as arrays.

    Only equality of text codes ever counts; they are numbered as texts come. Label records about an event that is not
    in the table are left out.
    """
    rows = pc.index_in(whole(labels["event_id"]), value_set=whole(events["event_id"]))
    known_rows = rows.is_valid().to_numpy(zero_copy_only=False)
    return Columns(
        seq=ints(events["seq"]),
        event_us=ints(events["event_us"]),
        values=with_partials(plan, events, stored_values(plan, events, lambda _, texts: range(len(texts)))),
        label_row=rows.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)[known_rows],
        label_seq=ints(labels["seq"])[known_rows],
        label_value=ints(labels["value"])[known_rows],
    )


def stored_values(plan: Plan, events: pa.Table, coder: Coder) -> Ints:
    """Return the payload of events as int64[n, f].

    A category's code is its place in its list; `coder(place, texts)` gives those of the different texts of a field.
    Text that no aggregate asks for is left at 0.
    """
    values = np.empty((len(events), len(plan.payload)), dtype=np.int64)
    for number, field in enumerate(plan.payload):
        column = whole(events[field.name])
        if field.numeric:
            codes: Ints = np.asarray(column.fill_null(MISSING).to_numpy(zero_copy_only=False), dtype=np.int64)
        elif isinstance(field, Category):
            known = pc.index_in(column, value_set=pa.array(list(field.one_of), column.type))
            codes = known.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
        elif number not in plan.coded:
            codes = np.zeros(len(column), dtype=np.int64)
        else:
            encoded = column.dictionary_encode()
            given = np.array(coder(number, encoded.dictionary.to_pylist()), dtype=np.int64)
            places = encoded.indices.fill_null(0).to_numpy(zero_copy_only=False)
            codes = given[places] if len(given) else np.zeros(len(column), dtype=np.int64)
        if not field.numeric and column.null_count:
            codes[column.is_null().to_numpy(zero_copy_only=False)] = MISSING
        values[:, number] = codes
    return values


def with_partials(plan: Plan, events: pa.Table, values: Ints) -> Ints:
    """Return values with the partials of child rows behind them, where the events carry them in columns."""
    names = partial_names(plan)
    if not names or names[0] not in events.column_names:
        return values
    return np.column_stack([values, *(ints(events[name]) for name in names)])


def partial_names(plan: Plan) -> list[str]:
    """Return the columns that carry partials in a table of events."""
    return [f"#{number}" for number in range(len(plan.partials))]


def ints(column: pa.ChunkedArray) -> Ints:
    """Return a column as int64[n]."""
    return np.array(column.to_numpy(), dtype=np.int64)


def firsts(texts: pa.Array) -> Bools:
    """Return which places hold a text for the first time, bool[n]."""
    found = np.zeros(len(texts), dtype=np.bool_)
    if len(texts):
        found[np.unique(texts.dictionary_encode().indices.to_numpy(), return_index=True)[1]] = True
    return found


def whole(column: pa.Array) -> pa.Array:
    """Return a column, in chunks or not, as one array."""
    while isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    return column
