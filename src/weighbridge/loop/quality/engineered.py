"""The vectors as they were built: every declared feature, defined where it always is, finite."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from weighbridge.declare.case import UseCase
from weighbridge.declare.undefined import may_be_undefined
from weighbridge.declare.validation import ENGINEERED, FEATURE
from weighbridge.errors import InputError
from weighbridge.kernel.arrays import Floats
from weighbridge.kernel.quality import again, far
from weighbridge.loop.quality.findings import Findings
from weighbridge.loop.quality.rules import Place, expect_of_rows

VECTORS = "vectors"


def check_vectors(
    case: UseCase, found: Findings, table: pa.Table, name: str = VECTORS, stage: str = ENGINEERED
) -> None:
    """Check a table of vectors: event_id, then a column a feature; others are passed over."""
    place = (stage, name)
    absent = [feature for feature in ("event_id", *case.feature_names) if feature not in table.column_names]
    found.add(place, "columns", ", ".join(absent), f"{len(absent)} columns are missing", ok=not absent,
              figure=float(len(absent)), bound=0.0)  # fmt: skip
    if absent:
        return
    if found.wants("unique"):
        found.unique(place, "event_id", "an id", again(table["event_id"].combine_chunks()), len(table))
    defined = {f.name for f in case.vector if not may_be_undefined(f, case.events)}
    for feature in case.feature_names:
        _column(found, place, feature, numbers(table, feature), defined=feature in defined)
    rows = np.arange(len(table), dtype=np.int64)
    expect_of_rows(case, found, place, FEATURE, lambda feature: numbers(table, feature), rows)


def numbers(table: pa.Table, name: str) -> Floats:
    """Return a column as float64[n], NaN where it is missing. Raises InputError for what is no number."""
    try:
        values = table[name].cast(pa.float64()).fill_null(float("nan")).to_numpy()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise InputError(
            f"column {name!r} holds what is no number; give a table of vectors, as a build makes it"
        ) from None
    return np.asarray(values, dtype=np.float64)


def _column(found: Findings, place: Place, feature: str, values: Floats, *, defined: bool) -> None:
    missing, checks = np.isnan(values), found.validation
    found.profile(place, feature, missing, values)
    if found.wants("finite"):
        broken = np.isinf(values) | (missing & defined)
        what = "are infinite or undefined, and it is always defined" if defined else "are infinite"
        found.share(place, "finite", feature, what, broken, 0.0)
    if not defined and found.wants("missing"):
        found.share(place, "missing", feature, "have none", missing, checks.may_miss(feature))
    if found.wants("outliers"):
        beyond = far(values, checks.outliers_by, checks.beyond)
        found.share(place, "outliers", feature, "are outliers", beyond, checks.outliers_at_most)
