"""A contract against one event (a dict from JSON) and against a table (a file's columns), by the same rules."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from weighbridge.declare.contract import ARRIVED, Contract
from weighbridge.declare.fields import Time
from weighbridge.errors import InputError
from weighbridge.identity import Pseudonyms
from weighbridge.kernel.arrays import Ints
from weighbridge.kernel.child_rows import parse_sent
from weighbridge.kernel.rules import BROKEN, reject, stored_time, stored_value, time_rules, unknown
from weighbridge.kernel.table_check import TableCheck
from weighbridge.records import EventRecord


def parse_event(contract: Contract, body: Mapping[str, object], arrived_us: int, pseudonyms: Pseudonyms) -> EventRecord:
    """Return one event as it is stored, pseudonymised; raises Rejected for the first rule it breaks.

    Unknown fields are refused; an optional field may be absent or null. Rows of a child table stand in a list under the
    table's name; they take the place of the stored ones, an empty list too.
    """
    for name in body:
        if not isinstance(name, str) or name not in contract.members:
            raise unknown(str(name))
    values: list[int | str | None] = []
    event_id, event_us = "", arrived_us
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
    sent = parse_sent(contract, body, event_id, values, pseudonyms) if contract.children else None
    return EventRecord(event_id, event_us, arrived_us, tuple(values), sent)


def parse_table(
    contract: Contract, table: pa.Table, mapping: Mapping[str, str], pseudonyms: Pseudonyms, now_us: int | None = None
) -> tuple[pa.Table, TableCheck]:
    """Return the accepted rows as they are stored, and the check with its rejects.

    Columns: row (int64, place in the file), event_id, event_us, arrived_us, then the payload. `arrived_us` is the
    contract's declared column, or the one `mapping` names, else the event's own time, else `now_us`. Raises
    InputError when a column is missing, or nothing tells when the rows arrived.
    """
    check = TableCheck(table, mapping)
    columns: dict[str, pa.Array] = {"row": pa.array(np.arange(len(table)), pa.int64())}
    columns["event_id"] = check.read(contract.id, pseudonyms)
    event_us, arrived_us = _moments(check, contract, now_us)
    columns["event_us"], columns["arrived_us"] = pa.array(event_us), pa.array(arrived_us)
    for item in contract.payload:
        columns[item.name] = check.read(item, pseudonyms)
    if contract.children:
        columns["sent"] = pa.nulls(len(table), pa.string())
    return pa.table(columns).filter(pa.array(check.good)), check


def _moments(check: TableCheck, contract: Contract, now_us: int | None) -> tuple[Ints, Ints]:
    """Return when the rows of a table happened and arrived, and refuse those too early or late by their contract."""
    time = contract.time
    source = time.arrived if time else None
    told = source is not None or "arrived" in check.mapping
    arrived_us = check.times(ARRIVED, "arrived", source or "arrived") if told else None
    if time is None:
        if arrived_us is None and now_us is None:
            raise InputError(f"nothing tells when the rows of {contract.name} arrived; name it: --map arrived=...")
        whole = np.full(len(check.table), now_us or 0, dtype=np.int64) if arrived_us is None else arrived_us
        return whole, whole
    event_us = check.times(time, time.name, time.source)
    arrived_us = event_us if arrived_us is None else arrived_us
    for rule, bound, text in time_rules(time):
        check.refuse(BROKEN[rule](event_us - arrived_us, bound), reject(time.name, rule, text))
    return event_us, arrived_us
