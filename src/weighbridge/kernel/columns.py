"""The log's tables as the integer arrays that replay reads."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.declare.fields import Category
from weighbridge.kernel.arrays import Ints
from weighbridge.kernel.plan import MISSING, Plan
from weighbridge.kernel.replay import Columns


def to_columns(plan: Plan, events: pa.Table, labels: pa.Table) -> Columns:
    """Return events (sorted by seq) and the label records about them as arrays.

    Text becomes a code: a category's place in its list, else its first place in the log; only equality of codes
    ever counts, and text that no aggregate asks for is left at 0. Label records about an event that is not in the table
    are left out.
    """
    values = np.empty((len(events), len(plan.payload)), dtype=np.int64)
    for number, field in enumerate(plan.payload):
        column = _whole(events[field.name])
        if field.numeric:
            codes: Ints = np.asarray(column.fill_null(MISSING).to_numpy(zero_copy_only=False), dtype=np.int64)
        elif isinstance(field, Category):
            known = pc.index_in(column, value_set=pa.array(list(field.one_of), column.type))
            codes = known.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
        elif number not in plan.coded:
            codes = np.zeros(len(column), dtype=np.int64)
        else:
            codes = column.dictionary_encode().indices.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
        if not field.numeric and column.null_count:
            codes[column.is_null().to_numpy(zero_copy_only=False)] = MISSING
        values[:, number] = codes
    rows = pc.index_in(_whole(labels["event_id"]), value_set=_whole(events["event_id"]))
    known_rows = rows.is_valid().to_numpy(zero_copy_only=False)
    return Columns(
        seq=_ints(events["seq"]),
        event_us=_ints(events["event_us"]),
        values=values,
        label_row=rows.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)[known_rows],
        label_seq=_ints(labels["seq"])[known_rows],
        label_value=_ints(labels["value"])[known_rows],
    )


def _ints(column: pa.ChunkedArray) -> Ints:
    return np.array(column.to_numpy(), dtype=np.int64)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    return whole.combine_chunks() if isinstance(whole, pa.ChunkedArray) else whole
