"""Files that are given to be taken in, and what was made of their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.kernel.arrays import Ints
from weighbridge.kernel.table_check import Rejects, TableCheck
from weighbridge.stores.csv_rows import Rows


@dataclass(frozen=True)
class Given:
    """The rows of one file. `mapping` names the column of a field where the file calls it otherwise.

    `rows`: the place of each in the file, None where they stand as they came; `broken`: the places that hold no row.
    `source`: whose file it is, to be held against that one's last file; None is held against nothing. `accepts` are
    the kinds of change that are let through.
    """

    name: str
    table: pa.Table
    mapping: Mapping[str, str] = field(default_factory=dict)
    rows: Ints | None = None
    broken: Rejects = field(default_factory=Rejects)
    source: str | None = None
    accepts: Sequence[str] = ()

    @classmethod
    def of(cls, name: str, rows: Rows, mapping: Mapping[str, str], source: str, accepts: Sequence[str]) -> Given:
        """Return the rows that were read from a file of a source."""
        return cls(name, rows.table, mapping, rows.places, rows.broken, source, accepts)

    @property
    def total(self) -> int:
        """How many rows the file has, with those that cannot be read."""
        return len(self.table) + len(self.broken.rows)

    def rejected(self, checks: Sequence[TableCheck]) -> pa.Table:
        """Return source, row, field, rule and detail of what was refused, by its place in the file."""
        found = Rejects()
        found.extend(self.broken, 0)
        for check in checks:
            found.extend(check.rejects if self.rows is None else check.rejects.at(self.rows), 0)
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
    schema: Sequence[Mapping[str, str]] = ()

    @property
    def _newest_arrival_us(self) -> int | None:
        return newest(self.labels if self.of_labels else self.new, "arrived_us")

    def figures(self, rejected: pa.Table) -> dict[str, Any]:
        """Return the file's counts; `rejected` are its own."""
        accepted = len(self.labels) if self.of_labels else len(self.new)
        already = 0 if self.of_labels else len(self.good) - len(self.new)
        counts: dict[str, Any] = {"rows": self.given.total, "accepted": accepted, "already_stored": already}
        check = self.checks[0]
        counts |= {"newest_event_us": newest(self.new, "event_us"), "newest_arrival_us": self._newest_arrival_us}
        counts |= {"labels": len(self.labels), "without": check.without, "others": check.others, "schema": self.schema}
        return {**counts, "rejected": len(rejected), "reasons": reasons(rejected)}


def newest(table: pa.Table, name: str) -> int | None:
    """Return the largest of a column of microseconds, None of no rows."""
    return None if not len(table) else int(pc.max(table[name]).as_py())


def _named(name: str, found: Rejects) -> pa.Table:
    table = found.table()
    return table.add_column(0, "source", pa.array([name] * len(table), pa.string()))


NO_REJECTS = _named("", Rejects())


def reasons(rejected: pa.Table) -> dict[str, int]:
    """Return how many rows each rule refused."""
    counts = rejected.group_by("rule").aggregate([("row", "count")]).to_pylist()
    return {str(r["rule"]): int(r["row_count"]) for r in sorted(counts, key=lambda r: str(r["rule"]))}


def lenient(without: Sequence[str], others: Mapping[str, int]) -> str:
    """Return what was taken although the file has no such column, or a value that is not listed."""
    more = f" and {len(without) - 3} more" if len(without) > 3 else ""
    told = f", without the optional columns {', '.join(without[:3])}{more}" if without else ""
    if others:
        count = sum(others.values())
        told += f", {count:,} values that are not listed became the declared other one ({', '.join(others)})"
    return told
