"""Raw tables of child rows, as they are given."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from weighbridge.declare.children import Child
from weighbridge.declare.fields import Category, Field, Time
from weighbridge.declare.validation import RAW
from weighbridge.identity import Pseudonyms
from weighbridge.kernel.arrays import MISSING, Ints
from weighbridge.kernel.child_rows import ROW, parse_rows
from weighbridge.kernel.columns import ints, whole
from weighbridge.kernel.quality import again
from weighbridge.loop.quality.column import check_column
from weighbridge.loop.quality.findings import Findings
from weighbridge.loop.quality.raw import contract
from weighbridge.loop.quality.rules import Place


def check_child(
    found: Findings, child: Child, table: pa.Table, mapping: Mapping[str, str], pseudonyms: Pseudonyms
) -> None:
    """Check a file of child rows: its columns, its contract, the keys of its rows, what is missing, outliers."""
    place = (RAW, child.name)
    found.stages[RAW] = "; ".join([*filter(None, [found.stages.get(RAW)]), f"{len(table):,} rows of {child.name}"])
    named = {f.name: mapping.get(f"{child.name}.{f.name}", f.source) for f in child.fields if not f.optional}
    absent = [column for column in named.values() if column not in table.column_names]
    found.add(place, "columns", ", ".join(absent), f"{len(absent)} columns are missing", ok=not absent,
              figure=float(len(absent)), bound=0.0)  # fmt: skip
    if absent:
        return
    good, check = parse_rows(child, table, mapping, pseudonyms)
    contract(found, place, check.rejects, len(table))
    rows = ints(good[ROW])
    if child.key and found.wants("unique"):
        twice = again(*(whole(good[name]) for name in (child.by, *child.key)))
        found.unique(place, "+".join(child.key), "a key", rows[twice], len(good))
    for field in child.fields:
        if not isinstance(field, Time):
            _stored(found, place, field, rows, ints(good[field.name]))


def _stored(found: Findings, place: Place, field: Field, rows: Ints, stored: Ints) -> None:
    missing, values, counts = stored == MISSING, None, None
    if field.numeric:
        values = np.where(missing, np.nan, stored / field.scale)
    elif isinstance(field, Category):
        told = np.bincount(stored[~missing], minlength=len(field.one_of)).tolist()
        counts = dict(zip(field.one_of, told, strict=True))
    check_column(found, place, field, rows, missing, values, counts)
