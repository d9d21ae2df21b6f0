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
from weighbridge.loop.ingested import ingested
from weighbridge.loop.labels.label import RECORDS, labels_of_column, labels_of_table
from weighbridge.loop.quality.column import check_column
from weighbridge.loop.quality.findings import NO_ROWS, Findings
from weighbridge.loop.quality.labels import check_labels
from weighbridge.loop.quality.rules import Place, expect_of_rows, expect_of_table
from weighbridge.ports import Stores

EVENTS, LABELS, INGESTED = "events", "labels", "ingested"


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
    given = labels is not None or mapping.get(case.label.name, case.label.source) in events.column_names
    check_stored(case, found, good, records if given else None, _share(len(check.rejects.rows), len(events)))


def check_log(case: UseCase, stores: Stores, found: Findings) -> None:
    """Check the events and labels that the log holds."""
    events = stores.log.events()
    found.stages[RAW] = f"{len(events):,} events of the log"
    labels = stores.log.labels()
    rows = events.add_column(0, "row", pa.array(np.arange(len(events))))
    check_stored(case, found, rows, labels if len(labels) else None, _ingested(found, stores))


def _ingested(found: Findings, stores: Stores) -> float:
    """Hold what ingestion rejected against its bound; return the share, NaN where nothing was ingested.

    Rejects are not in the log, so they are a fault of a home only where a bound for them is declared.
    """
    rows, rejected, _ = ingested(stores.tracker)
    figure, bound = _share(rejected, rows), found.validation.rejected_at_most
    place = (RAW, INGESTED)
    if not rows:
        found.add(place, "contract", "", "no file was ingested", ok=None, bound=bound)
    elif rejected and not bound:
        sentence = f"{rejected:,} of {rows:,} rows were rejected; no rejected_at_most is declared"
        found.add(place, "contract", "", sentence, ok=None, figure=figure, bound=bound)
    else:
        found.add(place, "contract", "", f"{rejected:,} of {rows:,} rows were rejected, {bound:.2%} may",
                  ok=figure <= bound, figure=figure, bound=bound)  # fmt: skip
    return figure


def check_stored(case: UseCase, found: Findings, good: pa.Table, labels: pa.Table | None, rejected: float) -> None:
    """Check rows that keep their contract: what stands twice, labels, what is missing, outliers, business rules.

    labels: None where none were given. rejected: the share of rows that are not among these, NaN where not known.
    """
    place, rows, ids = (RAW, EVENTS), ints(good["row"]), whole(good["event_id"])
    if found.wants("unique"):
        found.unique(place, case.events.id.name, "an id", rows[again(ids)], len(rows))
    records = RECORDS.empty_table() if labels is None else labels
    values = dict(zip(records["event_id"].to_pylist(), records["value"].to_pylist(), strict=True))
    told = [values[each] for each in ids.to_pylist() if each in values]
    check_labels(found, (RAW, LABELS), case.label.name, None if labels is None else told)
    for field in case.events.payload:
        _given(found, place, field, rows, good[field.name])
    expect_of_rows(case, found, place, FIELD, lambda name: _read(case, good, name), rows)
    moved = np.diff(ints(good["event_us"]))
    figures = {
        "rows": float(len(rows)),
        "positive_share": _share(sum(told), len(told)),
        "labelled_share": _share(len(told), len(rows)),
        "ordered_share": _share(int((moved >= 0).sum()), len(moved)),
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
    if not rows:
        found.add(place, "contract", "", NO_ROWS, ok=None, bound=bound)
        return
    figure = broken / rows
    if not broken:
        found.add(place, "contract", "", f"all {rows:,} rows keep their contract", ok=True, figure=0.0, bound=bound)
    reasons = Counter(zip(rejects.fields, rejects.rules, rejects.details, strict=True))
    for (field, rule, detail), count in sorted(reasons.items()):
        at = [r for r, f, name in zip(rejects.rows, rejects.fields, rejects.rules, strict=True)
              if (f, name) == (field, rule)]  # fmt: skip
        found.add(place, "contract", field, f"{count:,} of {rows:,} rows: {detail}", ok=figure <= bound,
                  figure=count / rows, bound=bound, rows=sorted(at))  # fmt: skip


def _share(part: int, whole_of: int) -> float:
    """Return a share, NaN of nothing."""
    return part / whole_of if whole_of else float("nan")


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
