"""One column of a raw table, of events or of child rows: what it looks like, what is missing, what lies far out."""

from __future__ import annotations

from collections.abc import Mapping

from weighbridge.declare.fields import Field
from weighbridge.kernel.arrays import Bools, Floats, Ints
from weighbridge.kernel.quality import far
from weighbridge.loop.quality.findings import Findings
from weighbridge.loop.quality.rules import Place


def check_column(
    found: Findings, place: Place, field: Field, rows: Ints, missing: Bools, values: Floats | None,
    counts: Mapping[str, int] | None,
) -> None:  # fmt: skip
    """Check a field's column.

    rows: int64[n], where each stands in its file. missing: bool[n]. values: float64[n] of a number, NaN where missing.
    counts: how often each category came.
    """
    checks, ordered = found.validation, None
    if counts is not None:
        ordered = dict(sorted(((v, n) for v, n in counts.items() if n), key=lambda told: -told[1]))
    found.profile(place, field.name, missing, values, ordered)
    if values is not None and found.wants("outliers"):
        beyond = far(values, checks.outliers_by, checks.beyond)
        found.share(place, "outliers", field.name, "are outliers", beyond, checks.outliers_at_most, rows)
    if field.optional and found.wants("missing"):
        found.share(place, "missing", field.name, "have none", missing, checks.may_miss(field.name), rows)
