"""Files that are given to be taken in, and what was made of their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from weighbridge.kernel.arrays import Ints
from weighbridge.kernel.table_check import Rejects, TableCheck


@dataclass(frozen=True)
class Given:
    """The rows of one file. `mapping` names the column of a field where the file calls it otherwise.

    `rows`: the place of each in the file, None where they stand as they came; `broken`: the places that hold no row.
    """

    name: str
    table: pa.Table
    mapping: Mapping[str, str] = field(default_factory=dict)
    rows: Ints | None = None
    broken: Rejects = field(default_factory=Rejects)

    @property
    def total(self) -> int:
        """How many rows the file has, with those that cannot be read."""
        return len(self.table) + len(self.broken.rows)

    def rejected(self, checks: Sequence[TableCheck]) -> pa.Table:
        """Return source, row, field, rule and detail of what was refused, by its place in the file."""
        found = Rejects()
        found.extend(self.broken, 0)
        for check in checks:
            placed = np.asarray(check.rejects.rows, dtype=np.int64)
            rows = placed if self.rows is None else self.rows[placed]
            found.extend(Rejects(rows.tolist(), check.rejects.fields, check.rejects.rules, check.rejects.details), 0)
        return _named(self.name, found)


@dataclass
class Taken:
    """What was made of one file: rows that keep the contract, those of them that are new, labels, and the checks."""

    given: Given
    good: pa.Table
    new: pa.Table
    labels: pa.Table
    checks: list[TableCheck]
    of_labels: bool = False

    def figures(self, rejected: pa.Table) -> dict[str, Any]:
        """Return the file's counts; `rejected` are its own."""
        accepted = len(self.labels) if self.of_labels else len(self.new)
        already = 0 if self.of_labels else len(self.good) - len(self.new)
        counts: dict[str, Any] = {"rows": self.given.total, "accepted": accepted, "already_stored": already}
        check = self.checks[0]
        counts |= {"labels": len(self.labels), "without": check.without, "others": check.others}
        return {**counts, "rejected": len(rejected), "reasons": reasons(rejected)}


def _named(name: str, found: Rejects) -> pa.Table:
    table = found.table()
    return table.add_column(0, "source", pa.array([name] * len(table), pa.string()))


NO_REJECTS = _named("", Rejects())


def reasons(rejected: pa.Table) -> dict[str, int]:
    """Return how many rows each rule refused."""
    counts = rejected.group_by("rule").aggregate([("row", "count")]).to_pylist()
    return {str(r["rule"]): int(r["row_count"]) for r in sorted(counts, key=lambda r: str(r["rule"]))}
