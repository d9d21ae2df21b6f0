"""A contract as Avro schemas (specification 1.11): what a topic of events, or of labels, holds."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from typing import Any

from weighbridge.declare.case import UseCase
from weighbridge.declare.fields import INT64_MAX, Category, Field, Money, Numeric, Time
from weighbridge.serve.contracts.said import rules, tables

SYMBOL = re.compile("[A-Za-z_][A-Za-z0-9_]*")
PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})  # no names of types
LABELS = "labels"


def avro(case: UseCase, table: str) -> dict[str, Any]:
    """Return the schema of a table's records: money is an exact decimal, a time microseconds, a category an enum.

    The table "labels" is that of the stream of labels.
    """
    name = _free(re.sub("[^A-Za-z0-9_]|^(?=[0-9])", "_", table), PRIMITIVES)
    fields = _label(case) if table == LABELS else _fields(tables(case)[table], name)
    return {"type": "record", "name": name, "namespace": f"weighbridge.{case.name}", "fields": fields}


def _label(case: UseCase) -> list[dict[str, Any]]:
    return [
        {"name": "event_id", "type": "string", "doc": f"the {case.events.id.name} of its event"},
        {"name": "label", "type": "int", "doc": f"{case.label.name}, 0 or 1; settled after {case.label.matures}"},
        {"name": "source", "type": "string", "doc": "who says so"},
    ]


def _fields(declared: Sequence[Field], record: str) -> list[dict[str, Any]]:
    """Return the fields; an enum is called as its field, but where the name is taken."""
    taken = PRIMITIVES | {record}
    names = taken | {field.name for field in declared}
    return [_field(field, _free(field.name, names) if field.name in taken else field.name) for field in declared]


def _free(name: str, taken: Set[str]) -> str:
    """Return a name, with underscores behind it where it is taken."""
    while name in taken:
        name += "_"
    return name


def _field(field: Field, enum: str) -> dict[str, Any]:
    kind = _type(field, enum)
    told: dict[str, Any] = {"name": field.name, "type": ["null", kind] if field.optional else kind}
    if field.optional:
        told["default"] = None
    doc = "; ".join([*([field.description] if field.description else []), *rules(field)])
    told["doc"] = doc
    return told | ({"unit": field.unit} if field.unit else {}) | ({"pii": field.pii} if field.pii != "none" else {})


def _type(field: Field, enum: str) -> str | dict[str, Any]:
    if isinstance(field, Time):
        return {"type": "long", "logicalType": "timestamp-micros"}
    if isinstance(field, Money):
        return {"type": "bytes", "logicalType": "decimal", "precision": _digits(field), "scale": field.decimals}
    if isinstance(field, Numeric):
        return "long" if field.json_type == "integer" else "double"
    if isinstance(field, Category) and field.other is None:
        symbols = [*field.one_of, *field.means_missing]
        if all(SYMBOL.fullmatch(symbol) for symbol in symbols):
            return {"type": "enum", "name": enum, "symbols": symbols}
    return "string"


def _digits(field: Money) -> int:
    """Return the digits of the largest amount that the contract accepts, what is capped and what means missing too."""
    bounded = field.magnitude is not None and not field.cap
    accepted = [field.magnitude, *field.missing] if bounded else [INT64_MAX]
    return max(field.decimals + 1, *(len(str(abs(int(amount or 0)))) for amount in accepted))
