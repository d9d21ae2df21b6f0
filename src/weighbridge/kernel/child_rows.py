"""A child table's contract against rows sent with an event and against a file's columns; and rows as integers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.declare.children import Child
from weighbridge.declare.contract import Contract
from weighbridge.declare.fields import Category, Field, Time
from weighbridge.errors import Rejected
from weighbridge.identity import Pseudonyms, canonical, hash64
from weighbridge.kernel.arrays import MISSING, Ints
from weighbridge.kernel.hashes import hashes
from weighbridge.kernel.rules import json_type, reject, stored_time, stored_value, unknown
from weighbridge.kernel.table_check import Rejects, TableCheck
from weighbridge.records import EventRecord, Stored

KEY, ROW = "key", "row"  # columns before those of the fields: hash of the owner; place in the file, not stored
TEXT = "text:"  # begins the name of the column with a text field's own text
Owner = tuple[Stored] | None  # what a row that comes with its event must name


def parse_sent(
    contract: Contract, body: Mapping[str, object], event_id: str, values: Sequence[Stored], pseudonyms: Pseudonyms
) -> str | None:
    """Return the child rows of an event's body as they are stored, JSON; None where it has none.

    Raises Rejected for the first rule that one breaks; the field is told as `table[row].field`.
    """
    found = {}
    for child in contract.children:
        rows = body.get(child.name)
        if rows is not None:
            owner = (_owner(contract, child, event_id, values),) if child.of is None else None
            found[child.name] = _parse_rows(child, rows, owner, pseudonyms)
    return canonical(found) if found else None


def _owner(contract: Contract, child: Child, event_id: str, values: Sequence[Stored]) -> Stored:
    """Return what an event's own rows of a table must name."""
    if child.owner == contract.id.name:
        return event_id
    return values[[field.name for field in contract.payload].index(child.owner)]


def _parse_rows(child: Child, rows: object, owner: Owner, pseudonyms: Pseudonyms) -> list[list[Stored]]:
    if not isinstance(rows, list):
        raise reject(child.name, "type", f"a list of rows, not {json_type(rows)}")
    if len(rows) > child.most_rows:
        raise reject(child.name, "most_rows", child.most_rows)
    found, seen = [], set[tuple[Stored, ...]]()
    names = [field.name for field in child.fields]
    for number, row in enumerate(rows):
        try:
            stored = _parse_row(child, row, owner, pseudonyms)
            if child.key:
                mine = tuple(stored[names.index(name)] for name in (child.by, *child.key))
                if mine in seen:
                    raise reject("+".join(child.key), "unique_row")
                seen.add(mine)
        except Rejected as fault:
            inside = f".{fault.field}" if fault.field else ""
            raise Rejected(f"{child.name}[{number}]{inside}", fault.rule, fault.detail) from None
        found.append(stored)
    return found


def _parse_row(child: Child, row: object, owner: Owner, pseudonyms: Pseudonyms) -> list[Stored]:
    if not isinstance(row, Mapping):
        raise reject("", "type", f"an object, not {json_type(row)}")
    for name in row:
        if name not in child.names:
            raise unknown(str(name))
    stored: list[Stored] = []
    for field in child.fields:
        value = _parse_value(field, row.get(field.name), pseudonyms)
        if field.name == child.by and owner is not None:
            if value is None:
                value = owner[0]
            if value is None or value != owner[0]:
                raise reject(field.name, "owner")
        if value is None and not field.optional:
            raise reject(field.name, "required")
        stored.append(value)
    return stored


def _parse_value(field: Field, raw: object, pseudonyms: Pseudonyms) -> Stored:
    if raw is None:
        return None
    if isinstance(field, Time):
        return stored_time(field, raw)
    stored = stored_value(field, raw)
    return pseudonyms.of(str(stored)) if field.pii == "pseudonymised" and stored is not None else stored


def parse_batch(child: Child, rows: Sequence[object], pseudonyms: Pseudonyms) -> tuple[pa.Table, Rejects]:
    """Return the rows of a request as they go to a segment, and those that break their contract with the first rule."""
    good, places, rejects = list[list[Stored]](), list[int](), Rejects()
    for place, row in enumerate(rows):
        try:
            good.append(_parse_row(child, row, None, pseudonyms))
            places.append(place)
        except Rejected as fault:
            rejects.add(np.array([place]), fault)
    matrix, schema = _matrix(child, good), given_schema(child)
    columns = {ROW: places, **{field.name: matrix[:, number] for number, field in enumerate(child.fields)}}
    columns |= {f"{TEXT}{field.name}": [row[n] for row in good] for n, field in enumerate(child.fields)}
    columns[KEY] = columns[child.by]
    return pa.table([pa.array(columns[f.name], f.type) for f in schema], schema=schema), rejects


def parse_rows(child: Child, table: pa.Table, mapping: Mapping[str, str], pseudonyms: Pseudonyms) -> Any:  # noqa: ANN401
    """Return the accepted rows of a file as they go to a segment, and the check with its rejects.

    Columns: key, row (place in the table), then for every field int64 as `kernel.partials` says, then the texts of text
    fields. Raises InputError when a column is missing.
    """
    check = TableCheck(table, mapping, f"{child.name}.")
    columns: dict[str, pa.Array] = {}
    texts: dict[str, pa.Array] = {}
    for field in child.fields:
        if isinstance(field, Time):
            columns[field.name] = pa.array(check.times(field, field.name, field.source))
            continue
        stored = check.read(field, pseudonyms)
        columns[field.name] = pa.array(_integers(field, stored))
        if not field.numeric and not isinstance(field, Category):
            texts[f"{TEXT}{field.name}"] = stored
    leading = {KEY: columns[child.by], ROW: pa.array(np.arange(len(table)), pa.int64())}
    return pa.table({**leading, **columns, **texts}).filter(pa.array(check.good)), check


def given_schema(child: Child) -> pa.Schema:
    """Return the schema of a file's rows on their way to a segment."""
    schema = segment_schema(child)
    return schema.insert(1, pa.field(ROW, pa.int64()))


def segment_schema(child: Child) -> pa.Schema:
    """Return the schema of a child's segments."""
    names = [KEY, *(field.name for field in child.fields)]
    texts = [f"{TEXT}{f.name}" for f in child.fields if not f.numeric and not isinstance(f, Category | Time)]
    return pa.schema([*((name, pa.int64()) for name in names), *((name, pa.string()) for name in texts)])


def _integers(field: Field, stored: pa.Array) -> Ints:
    """Return a column of stored values as int64[n], MISSING where there is none."""
    if field.numeric:
        return np.asarray(stored.fill_null(MISSING).to_numpy(zero_copy_only=False), dtype=np.int64)
    if isinstance(field, Category):
        codes = pc.index_in(stored, value_set=pa.array(list(field.one_of), stored.type))
        return np.asarray(codes.cast(pa.int64()).fill_null(MISSING).to_numpy(zero_copy_only=False), dtype=np.int64)
    return hashes(stored)


def sent_rows(contract: Contract, event: EventRecord) -> dict[str, Ints]:
    """Return the child rows that came with an event as int64[n, declared fields], by table."""
    if event.sent is None:
        return {}
    told, children = json.loads(event.sent), {child.name: child for child in contract.children}
    return {name: _matrix(children[name], rows) for name, rows in told.items()}


def _matrix(child: Child, rows: Sequence[Sequence[Stored]]) -> Ints:
    found = np.empty((len(rows), len(child.fields)), dtype=np.int64)
    for number, field in enumerate(child.fields):
        codes = {text: code for code, text in enumerate(field.one_of)} if isinstance(field, Category) else None
        for place, row in enumerate(rows):
            found[place, number] = integer(row[number], codes)
    return found


def integer(value: Stored, codes: Mapping[str, int] | None) -> int:
    """Return a stored value as one integer; `codes` are those of a category."""
    if value is None:
        return MISSING
    if isinstance(value, str):
        return codes[value] if codes is not None else hash64(value)
    return value
