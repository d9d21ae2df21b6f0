"""Raw tables: files as they are given, or what the log holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.declare.case import UseCase
from weighbridge.declare.fields import Category, Field
from weighbridge.declare.validation import FIELD, RAW
from weighbridge.kernel.arrays import Floats, Ints
from weighbridge.kernel.columns import ints, whole
from weighbridge.kernel.conditions import Column
from weighbridge.kernel.quality import again
from weighbridge.kernel.table_check import Rejects
from weighbridge.kernel.validate import parse_table
from weighbridge.loop.labels.label import labels_of_column, labels_of_table
from weighbridge.loop.quality.column import check_column
from weighbridge.loop.quality.findings import Findings
from weighbridge.loop.quality.rules import Place, expect_of_rows, expect_of_table
from weighbridge.ports import Stores

EVENTS, LABELS = "events", "labels"


def check_files(
    case: UseCase, stores: Stores, found: Findings, events: pa.Table, labels: pa.Table | None,
    mapping: Mapping[str, str], now_us: int,
) -> None:  # fmt: skip
    """Check a file of events, and its labels, as they are given."""
    place = (RAW, EVENTS)
    found.stages[RAW] = f"{len(events):,} rows of a file"
    absent = _absent(case, events, mapping)
    found.add(place, "columns", ", ".join(absent), f"{len(absent)} columns are missing", ok=not absent,
              figure=float(len(absent)), bound=0.0)  # fmt: skip
    if absent:
        return
    good, check = parse_table(case.events, events, mapping, stores.pseudonyms, now_us)
    contract(found, place, check.rejects, len(events))
    if labels is None:
        records, label_check = labels_of_column(case, good, events, mapping, check.good)
    else:
        records, label_check = labels_of_table(case, stores, good, labels, mapping)
    if labels is not None or label_check.rejects.rows:
        contract(found, (RAW, LABELS), label_check.rejects, len(label_check.table))
    rejected = len(check.rejects.rows) / max(len(events), 1)
    check_stored(case, found, good, records, rejected)


def check_log(case: UseCase, stores: Stores, found: Findings) -> None:
    """Check the events and labels that the log holds."""
    events = stores.log.events()
    found.stages[RAW] = f"{len(events):,} events of the log"
    check_stored(case, found, events.add_column(0, "row", pa.array(np.arange(len(events)))), stores.log.labels(), 0.0)


def check_stored(case: UseCase, found: Findings, good: pa.Table, labels: pa.Table, rejected: float) -> None:
    """Check rows that keep their contract: what stands twice, labels, what is missing, outliers, business rules."""
    place, rows, ids = (RAW, EVENTS), ints(good["row"]), whole(good["event_id"])
    if found.wants("unique"):
        twice = again(ids)
        found.add(place, "unique", case.events.id.name, f"{len(twice):,} of {len(rows):,} rows have an id again",
                  ok=not len(twice), figure=float(len(twice)), bound=0.0, rows=rows[twice])  # fmt: skip
    values = dict(zip(labels["event_id"].to_pylist(), labels["value"].to_pylist(), strict=True))
    told = [values[each] for each in ids.to_pylist() if each in values]
    _binary(case, found, told)
    for field in case.events.payload:
        _given(found, place, field, rows, good[field.name])
    expect_of_rows(case, found, place, FIELD, lambda name: _read(case, good, name), rows)
    moved = np.diff(ints(good["event_us"]))
    figures = {
        "rows": float(len(rows)),
        "positive_share": float(np.mean(told)) if told else float("nan"),
        "labelled_share": len(told) / max(len(rows), 1),
        "ordered_share": float((moved >= 0).mean()) if len(moved) else 1.0,
        "rejected_share": rejected,
    }
    expect_of_table(case, found, place, figures)


def _absent(case: UseCase, events: pa.Table, mapping: Mapping[str, str]) -> list[str]:
    needed = [f for f in case.events.fields if not f.optional or f.name in mapping]
    named = [mapping.get(f.name, f.source) for f in needed]
    return [column for column in named if column not in events.column_names]


def contract(found: Findings, place: Place, rejects: Rejects, rows: int) -> None:
    """Tell the rows that break their contract, by field and rule; together they may be a declared share."""
    bound, broken = found.validation.rejected_at_most, len(rejects.rows)
    figure = broken / max(rows, 1)
    if not broken:
        found.add(place, "contract", "", f"all {rows:,} rows keep their contract", ok=True, figure=0.0, bound=bound)
    reasons = Counter(zip(rejects.fields, rejects.rules, rejects.details, strict=True))
    for (field, rule, detail), count in sorted(reasons.items()):
        at = [r for r, f, name in zip(rejects.rows, rejects.fields, rejects.rules, strict=True)
              if (f, name) == (field, rule)]  # fmt: skip
        found.add(place, "contract", field, f"{count:,} of {rows:,} rows: {detail}", ok=figure <= bound,
                  figure=count / max(rows, 1), bound=bound, rows=sorted(at))  # fmt: skip


def _binary(case: UseCase, found: Findings, told: list[int]) -> None:
    if not told:
        return
    counts = Counter(told)
    ok = set(counts) == {0, 1}
    said = ", ".join(f"{value}: {count:,}" for value, count in sorted(counts.items()))
    found.add((RAW, LABELS), "binary", case.label.name, f"the labels are {said}", ok=ok, figure=float(len(counts)),
              bound=2.0)  # fmt: skip


def _given(found: Findings, place: Place, field: Field, rows: Ints, column: pa.ChunkedArray) -> None:
    plain, counts = whole(column), None
    missing = np.asarray(plain.is_null().to_numpy(zero_copy_only=False), dtype=np.bool_)
    if isinstance(field, Category):
        counts = {str(v["values"]): int(v["counts"]) for v in pc.value_counts(plain.drop_null()).to_pylist()}
    check_column(found, place, field, rows, missing, _numbers(field, plain) if field.numeric else None, counts)


def _read(case: UseCase, good: pa.Table, name: str) -> Column:
    field = case.events.field(name, "expectation")
    plain = whole(good[name])
    return _numbers(field, plain) if field.numeric else plain


def _numbers(field: Field, plain: pa.Array) -> Floats:
    values = plain.cast(pa.float64(), safe=False).fill_null(float("nan")).to_numpy(zero_copy_only=False)
    return np.asarray(values / field.scale, dtype=np.float64)
