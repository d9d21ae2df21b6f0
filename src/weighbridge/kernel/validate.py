"""A contract against one event (a dict from JSON) and against a table (a file's columns), by the same rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.declare.contract import Contract
from weighbridge.declare.fields import INT64_MAX, Field, Integer, Money, Numeric, Text, Time
from weighbridge.errors import InputError, Rejected
from weighbridge.identity import Pseudonyms
from weighbridge.kernel.arrays import Bools, Ints
from weighbridge.kernel.rules import BROKEN, reject, shown, stored_time, stored_value, time_rules
from weighbridge.records import EventRecord


def parse_event(contract: Contract, body: Mapping[str, object], arrived_us: int, pseudonyms: Pseudonyms) -> EventRecord:
    """Return one event as it is stored, pseudonymised; raises Rejected for the first rule it breaks.

    Unknown fields are refused; an optional field may be absent or null.
    """
    for name in body:
        if not isinstance(name, str) or name not in _names(contract):
            raise reject(str(name)[:64], "known")
    values: list[int | str | None] = []
    event_id, event_us = "", 0
    for item in contract.fields:
        raw = body.get(item.name)
        if raw is None:
            if not item.optional:
                raise reject(item.name, "required")
            values.append(None)
        elif isinstance(item, Time):
            event_us = stored_time(item, raw)
            for rule, bound, text in time_rules(item):
                if BROKEN[rule](event_us - arrived_us, bound):
                    raise reject(item.name, rule, text)
        else:
            stored = stored_value(item, raw)
            if item.pii == "pseudonymised":
                stored = pseudonyms.of(str(stored))
            if item is contract.id:
                event_id = str(stored)
            else:
                values.append(stored)
    return EventRecord(event_id, event_us, arrived_us, tuple(values))


def _names(contract: Contract) -> frozenset[str]:
    return frozenset(f.name for f in contract.fields)


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

    def table(self) -> pa.Table:
        """Return row, field, rule and detail of every rejected row, in the order of the file."""
        found = pa.table({"row": pa.array(self.rows, pa.int64()), "field": pa.array(self.fields, pa.string()),
                          "rule": pa.array(self.rules, pa.string()),
                          "detail": pa.array(self.details, pa.string())})  # fmt: skip
        return found.sort_by("row")


class TableCheck:
    """Reads the columns of one table under a contract, collecting rejects; `good` marks rows not yet refused."""

    def __init__(self, table: pa.Table, mapping: Mapping[str, str]) -> None:
        self.table, self.mapping = table, mapping
        self.rejects = Rejects()
        self.good: Bools = np.ones(len(table), dtype=np.bool_)

    def column(self, name: str, source: str) -> pa.Array:
        """Return a field's column; raises InputError naming the columns there are."""
        source = self.mapping.get(name, source)
        if source not in self.table.column_names:
            raise InputError(
                f"column {source!r} for field {name} is missing; the file has {', '.join(self.table.column_names)}; "
                f"map it with --map {name}=COLUMN"
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
        column = self.column(item.name, item.source)
        absent = column.is_null().to_numpy(zero_copy_only=False)
        if not item.optional:
            self.refuse(absent, reject(item.name, "required"))
        if not item.numeric and not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
            column = self._as_text(item, column)
        if item.numeric and (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
            return self._numbers(item, column, absent)
        if (
            isinstance(item, Text)
            and item.pii == "none"
            and all(rule in ("not_empty", "longest") for rule, _ in item.rules())
        ):
            return self._plain_text(item, column)
        return self._by_value(item, column, pseudonyms)

    def _as_text(self, item: Field, column: pa.Array) -> pa.Array:
        try:
            return pc.cast(column, pa.string())
        except pa.ArrowInvalid:
            raise InputError(f"column {item.source!r} for field {item.name} cannot be read as text") from None

    def _plain_text(self, item: Text, column: pa.Array) -> pa.Array:
        lengths = pc.utf8_length(column).fill_null(1).to_numpy(zero_copy_only=False)
        self.refuse(lengths < 1, reject(item.name, "not_empty"))
        self.refuse(lengths > item.longest, reject(item.name, "longest", item.longest))
        return pc.cast(column, pa.string())

    def _by_value(self, item: Field, column: pa.Array, pseudonyms: Pseudonyms) -> pa.Array:
        """Check each different text once."""
        encoded = column.dictionary_encode()
        codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        stored: list[int | str | None] = []
        for code, text in enumerate(encoded.dictionary.to_pylist()):
            try:
                value = stored_value(item, _number(text) if item.numeric and isinstance(text, str) else text)
                stored.append(pseudonyms.of(str(value)) if item.pii == "pseudonymised" else value)
            except Rejected as rejected:
                self.refuse(codes == code, rejected)
                stored.append(None)
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
                slack = 1e-6 * np.maximum(1.0, np.abs(scaled) * 1e-6)
                self.refuse(np.abs(scaled - rounded) > slack, reject(item.name, "decimals", item.decimals))
            stored = rounded.astype(np.int64)
        else:
            whole = (
                numbers.astype(np.int64)
                if numbers.dtype.kind != "u"
                else np.minimum(numbers, INT64_MAX).astype(np.int64)
            )
            self.refuse(np.abs(whole) > INT64_MAX // item.scale, reject(item.name, "fits"))
            stored = np.where(np.abs(whole) > INT64_MAX // item.scale, 0, whole) * item.scale
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
            return np.asarray(pc.cast(moments, pa.int64()).fill_null(0).to_numpy(zero_copy_only=False), dtype=np.int64)
        found = np.zeros(len(column), dtype=np.int64)
        for row, text in enumerate(column.to_pylist()):
            if text is None:
                continue
            try:
                found[row] = stored_time(item, text, naive_is_utc=True)
            except Rejected as rejected:
                self.refuse(np.arange(len(found)) == row, rejected)
        return found


def parse_table(
    contract: Contract, table: pa.Table, mapping: Mapping[str, str], pseudonyms: Pseudonyms
) -> tuple[pa.Table, TableCheck]:
    """Return the accepted rows as they are stored, and the check with its rejects.

    Columns: row (int64, place in the file), event_id, event_us, arrived_us, then the payload. `arrived_us` is the
    contract's declared column, else the event's own time. Raises InputError when a column is missing.
    """
    check = TableCheck(table, mapping)
    time = contract.time
    columns: dict[str, pa.Array] = {"row": pa.array(np.arange(len(table)), pa.int64())}
    columns["event_id"] = check.read(contract.id, pseudonyms)
    event_us = check.times(time, time.name, time.source)
    arrived_us = check.times(time, "arrived", time.arrived) if time.arrived else event_us
    for rule, bound, text in time_rules(time):
        check.refuse(BROKEN[rule](event_us - arrived_us, bound), reject(time.name, rule, text))
    columns["event_us"], columns["arrived_us"] = pa.array(event_us), pa.array(arrived_us)
    for item in contract.payload:
        columns[item.name] = check.read(item, pseudonyms)
    return pa.table(columns).filter(pa.array(check.good)), check


def _number(text: str) -> object:
    """Return a file's text as the number it writes, or the text itself where it writes none."""
    try:
        return int(text) if text.strip().lstrip("+-").isdigit() else float(text)
    except ValueError:
        return text
