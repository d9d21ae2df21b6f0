"""One file's columns under a contract: what is refused and why, and what the rest is stored as."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.declare.fields import INT64_MAX, WHOLE, Category, Field, Integer, Money, Numeric, Text, Time
from weighbridge.errors import InputError, Rejected
from weighbridge.identity import Pseudonyms
from weighbridge.kernel.arrays import Bools, Ints
from weighbridge.kernel.rules import BROKEN, EARLIEST_US, LATEST_US, reject, shown, stored_time, stored_value
from weighbridge.kernel.written import number_of, numbers_of

IN_COLUMNS = {"not_empty", "longest", "whole"}  # rules on text that are asked of a column at once


@dataclass
class Rejects:
    """Rows refused by a table check: the first broken rule of each row."""

    rows: list[int] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)
    details: list[str] = field(default_factory=list)

    def add(self, rows: Ints, rejected: Rejected) -> None:
        """Reject rows for one reason."""
        self.rows += rows.tolist()
        for column, text in (
            (self.fields, rejected.field),
            (self.rules, rejected.rule),
            (self.details, rejected.detail),
        ):
            column += [text] * len(rows)

    def extend(self, others: Rejects, rows: int) -> None:
        """Take in the rejects of a table that stands behind so many rows."""
        self.rows += [row + rows for row in others.rows]
        self.fields += others.fields
        self.rules += others.rules
        self.details += others.details

    def at(self, places: Ints) -> Rejects:
        """Return the rejects of rows that stand at these places of a file."""
        rows = places[np.asarray(self.rows, dtype=np.int64)].tolist()
        return Rejects(rows, self.fields, self.rules, self.details)

    def table(self) -> pa.Table:
        """Return row, field, rule and detail of every rejected row, in the order of the file."""
        found = pa.table({"row": pa.array(self.rows, pa.int64()), "field": pa.array(self.fields, pa.string()),
                          "rule": pa.array(self.rules, pa.string()),
                          "detail": pa.array(self.details, pa.string())})  # fmt: skip
        return found.sort_by("row")


class TableCheck:
    """Reads the columns of one table under a contract, collecting rejects; `good` marks rows not yet refused.

    `without` names the optional fields that have no column in the table; `others` counts, by field, the rows whose
    value is not listed and became the declared other one. `prefix` stands before a field's name on the command line.
    """

    def __init__(self, table: pa.Table, mapping: Mapping[str, str], prefix: str = "") -> None:
        self.table, self.mapping, self._prefix = table, mapping, prefix
        self.rejects = Rejects()
        self.without: list[str] = []
        self.others: dict[str, int] = {}
        self.good: Bools = np.ones(len(table), dtype=np.bool_)

    def column(self, name: str, source: str) -> pa.Array:
        """Return a field's column; raises InputError naming the columns there are."""
        source = self.mapping.get(name, source)
        if source not in self.table.column_names:
            raise InputError(
                f"column {source!r} for field {name} is missing; the file has {', '.join(self.table.column_names)}; "
                f"map it with --map {self._prefix}{name}=COLUMN"
            )
        column = self.table[source].combine_chunks()
        return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column

    def refuse(self, broken: Bools, rejected: Rejected) -> None:
        """Reject the rows marked broken that are still good."""
        rows = np.flatnonzero(broken & self.good)
        if len(rows):
            self.rejects.add(rows, rejected)
            self.good[rows] = False

    def read(self, item: Field, pseudonyms: Pseudonyms) -> pa.Array:
        """Return a payload or id field's stored values (int64 or text, null where missing or refused)."""
        if item.optional and item.source not in self.table.column_names and item.name not in self.mapping:
            self.without.append(item.name)
            return pa.nulls(len(self.table), pa.int64() if item.numeric else pa.string())
        column = self.column(item.name, item.source)
        column = column if item.numeric else _whole(column)
        absent = column.is_null().to_numpy(zero_copy_only=False)
        if not item.optional:
            self.refuse(absent, reject(item.name, "required"))
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        plain = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
        if item.numeric and not plain:
            number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
            return self._numbers(item, column if number else self._cast(item, column, pa.float64()), absent)
        if not plain:
            column = self._cast(item, column, pa.string())
        if isinstance(item, Text) and item.pii == "none" and {rule for rule, _ in item.rules()} <= IN_COLUMNS:
            return self._plain_text(item, column)
        numbers = numbers_of(column, item.scale) if item.numeric else None
        return self._by_value(item, column, pseudonyms) if numbers is None else self._numbers(item, numbers, absent)

    def _cast(self, item: Field, column: pa.Array, kind: pa.DataType) -> pa.Array:
        try:
            return pc.cast(column, kind)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            wanted = "numbers" if item.numeric else "text"
            raise InputError(
                f"column {item.source!r} for field {item.name} is {column.type} and cannot be read as {wanted}"
            ) from None

    def _plain_text(self, item: Text, column: pa.Array) -> pa.Array:
        lengths = pc.utf8_length(column).fill_null(1).to_numpy(zero_copy_only=False)
        self.refuse(lengths < 1, reject(item.name, "not_empty"))
        self.refuse(lengths > item.longest, reject(item.name, "longest", item.longest))
        if item.whole:
            fits = pc.match_substring_regex(column, f"\\A(?:{WHOLE})\\z").fill_null(True)
            self.refuse(~fits.to_numpy(zero_copy_only=False), reject(item.name, "whole"))
        return pc.cast(column, pa.string())

    def _by_value(self, item: Field, column: pa.Array, pseudonyms: Pseudonyms) -> pa.Array:
        """Check each different text once."""
        encoded = column.dictionary_encode()
        codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        stored: list[int | str | None] = []
        refused, others = _Refused(), []
        for code, text in enumerate(encoded.dictionary.to_pylist()):
            try:
                value = stored_value(item, number_of(text) if item.numeric and isinstance(text, str) else text)
                if isinstance(item, Category) and value != text and value is not None:
                    others.append(code)
                stored.append(pseudonyms.of(str(value)) if item.pii == "pseudonymised" else value)
            except Rejected as rejected:
                refused.add(code, rejected)
                stored.append(None)
        for reason, found in refused:
            self.refuse(np.isin(codes, found), reason)
        if others:
            self.others[item.name] = int(np.isin(codes, others).sum())
        kind = pa.int64() if item.numeric else pa.string()
        return pa.array(stored, kind).take(encoded.indices)

    def _numbers(self, item: Field, column: pa.Array, absent: Bools) -> pa.Array:
        assert isinstance(item, Numeric)
        numbers = column.fill_null(0).to_numpy(zero_copy_only=False)
        if numbers.dtype.kind == "f":
            finite = np.isfinite(numbers)
            if item.optional:  # files write a missing number as NaN
                absent = absent | np.isnan(numbers)
            self.refuse(~finite & ~absent, reject(item.name, "finite"))
            scaled = np.where(finite, numbers, 0.0).astype(np.float64) * item.scale
            with np.errstate(invalid="ignore"):
                self.refuse(~(np.abs(scaled) < 2.0**63), reject(item.name, "fits"))
                rounded = np.rint(np.where(np.abs(scaled) < 2.0**63, scaled, 0.0))
            if isinstance(item, Integer):
                self.refuse(rounded != scaled, reject(item.name, "type", "a whole number"))
            if isinstance(item, Money):
                precision = 1e-12 if numbers.dtype == np.float64 else 1.2e-7  # a float32 holds seven digits
                slack = np.maximum(1e-6, np.abs(scaled) * precision)
                self.refuse(np.abs(scaled - rounded) > slack, reject(item.name, "decimals", item.decimals))
            stored = rounded.astype(np.int64)
        else:
            largest = INT64_MAX // item.scale
            fits = (numbers <= largest) & (numbers >= -largest)
            self.refuse(~fits, reject(item.name, "fits"))
            stored = np.where(fits, numbers, 0).astype(np.int64) * item.scale
        if item.missing:
            absent = absent | np.isin(stored, np.array(list(item.missing), dtype=np.int64))
        if item.cap:
            low, high = item.stored_bounds()
            stored = np.clip(stored, low, high)
        for rule, bound in item.rules():
            self.refuse(BROKEN[rule](stored, bound) & ~absent, reject(item.name, rule, shown(item, rule, bound)))
        return pa.array(stored, pa.int64(), mask=absent | ~self.good)

    def times(self, item: Time, name: str, source: str) -> Ints:
        """Return a time column as microseconds UTC, 0 where refused; times without an offset are UTC in files."""
        column = self.column(name, source)
        absent = column.is_null().to_numpy(zero_copy_only=False)
        self.refuse(absent, reject(name, "required"))
        if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
            try:
                moments = pc.cast(column, pa.timestamp("us", getattr(column.type, "tz", None)), safe=False)
            except pa.ArrowInvalid:
                raise InputError(f"column {source!r} for field {name} holds times out of range") from None
            whole = pc.cast(moments, pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
            possible = (whole >= EARLIEST_US) & (whole < LATEST_US)
            self.refuse(~possible & ~absent, reject(name, "time", "it must lie between the years 1900 and 2200"))
            return np.where(possible, whole, 0).astype(np.int64)
        found, refused = np.zeros(len(column), dtype=np.int64), _Refused()
        for row, text in enumerate(column.to_pylist()):
            if text is None:
                continue
            try:
                found[row] = stored_time(item, text, naive_is_utc=True)
            except Rejected as rejected:
                refused.add(row, rejected)
        for reason, rows in refused:
            self.refuse(np.isin(np.arange(len(found)), rows), reason)
        return found


class _Refused:
    """Places refused while values are read one by one, by reason."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, str, str], list[int]] = {}

    def add(self, place: int, rejected: Rejected) -> None:
        self._places.setdefault((rejected.field, rejected.rule, rejected.detail), []).append(place)

    def __iter__(self) -> Iterator[tuple[Rejected, list[int]]]:
        return ((Rejected(*reason), places) for reason, places in self._places.items())


def _whole(column: pa.Array) -> pa.Array:
    """Return floats that are all whole numbers as integers: numbers of loans that a file keeps as 100002.0."""
    if not pa.types.is_floating(column.type):
        return column
    known = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    numbers = known.drop_null().to_numpy()
    whole = bool((np.abs(numbers) < 2.0**53).all()) and not (numbers % 1).any()
    return pc.cast(known, pa.int64()) if whole else known
