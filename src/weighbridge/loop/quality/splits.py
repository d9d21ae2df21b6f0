"""The splits: none empty, both classes in each, no id in two of them, little content that was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.declare.case import UseCase
from weighbridge.declare.validation import SPLITS
from weighbridge.kernel.columns import whole
from weighbridge.kernel.quality import again, shared
from weighbridge.loop.labels.label import label_values
from weighbridge.loop.quality.findings import Findings
from weighbridge.loop.quality.labels import check_labels

LABEL = "label"
LEADING = ("seq", "event_id", "event_us", LABEL)  # what is no content


def check_splits(case: UseCase, found: Findings, splits: Mapping[str, pa.Table]) -> None:
    """Check splits by name, the one that trains first: event_id, perhaps label, and columns of content."""
    found.stages[SPLITS] = ", ".join(f"{len(table):,} {name}" for name, table in splits.items())
    for name, table in splits.items():
        _one(found, name, table)
    for (one, first), (other, second) in combinations(splits.items(), 2):
        place = (SPLITS, f"{one} and {other}")
        if found.wants("overlap"):
            both = pc.is_in(_ids(second), value_set=_ids(first)).to_numpy(zero_copy_only=False)
            found.add(place, "overlap", "event_id", f"{int(both.sum()):,} ids of {other} stand in {one} too",
                      ok=not both.any(), figure=float(both.sum()), bound=0.0, rows=np.flatnonzero(both))  # fmt: skip
        content = [name for name in first.column_names if name not in LEADING and name in second.column_names]
        if content and found.wants("repeats"):
            like = shared(second.select(content), first.select(content))
            found.share(place, "repeats", "", f"of {other} have the content of a row of {one}", like,
                        found.validation.repeats_at_most)  # fmt: skip


def _one(found: Findings, name: str, table: pa.Table) -> None:
    place = (SPLITS, name)
    if found.wants("unique"):
        found.unique(place, "event_id", "an id", again(_ids(table)), len(table))
    if LABEL not in table.column_names:
        check_labels(found, place, LABEL, None)
    else:
        check_labels(found, place, LABEL, label_values(whole(table[LABEL]), f"the label of {name}").tolist())


def _ids(table: pa.Table) -> pa.Array:
    """Return the ids as text: a file may hold them as numbers where another one has texts."""
    return whole(table["event_id"]).cast(pa.string())
