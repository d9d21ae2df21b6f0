"""A contract as Avro schemas (specification 1.11): what a topic of events, or of labels, holds."""

from __future__ import annotations

import re
from typing import Any

from weighbridge.declare.case import UseCase
from weighbridge.declare.fields import Category, Field, Money, Numeric, Time
from weighbridge.serve.contracts.said import rules, tables

SYMBOL = re.compile("[A-Za-z_][A-Za-z0-9_]*")
MOST_DIGITS = 18
LABELS = "labels"


def avro(case: UseCase, table: str) -> dict[str, Any]:
    """Return the schema of a table's records: money is an exact decimal, a time microseconds, a category an enum.

    The table "labels" is that of the stream of labels.
    """
    fields = _label(case) if table == LABELS else [_field(field) for field in tables(case)[table]]
    name = re.sub("[^A-Za-z0-9_]", "_", table)
    return {"type": "record", "name": name, "namespace": f"weighbridge.{case.name}", "fields": fields}


def _label(case: UseCase) -> list[dict[str, Any]]:
    return [
        {"name": "event_id", "type": "string", "doc": f"the {case.events.id.name} of its event"},
        {"name": "label", "type": "int", "doc": f"{case.label.name}, 0 or 1; settled after {case.label.matures}"},
        {"name": "source", "type": "string", "doc": "who says so"},
    ]


def _field(field: Field) -> dict[str, Any]:
    kind = _type(field)
    told: dict[str, Any] = {"name": field.name, "type": ["null", kind] if field.optional else kind}
    if field.optional:
        told["default"] = None
    doc = "; ".join([*([field.description] if field.description else []), *rules(field)])
    told["doc"] = doc
    return told | ({"unit": field.unit} if field.unit else {}) | ({"pii": field.pii} if field.pii != "none" else {})


def _type(field: Field) -> str | dict[str, Any]:
    if isinstance(field, Time):
        return {"type": "long", "logicalType": "timestamp-micros"}
    if isinstance(field, Money):
        digits = MOST_DIGITS if field.magnitude is None else max(len(str(field.magnitude)), field.decimals + 1)
        return {"type": "bytes", "logicalType": "decimal", "precision": digits, "scale": field.decimals}
    if isinstance(field, Numeric):
        return "long" if field.json_type == "integer" else "double"
    if isinstance(field, Category) and field.other is None:
        symbols = [*field.one_of, *field.means_missing]
        if all(SYMBOL.fullmatch(symbol) for symbol in symbols):
            return {"type": "enum", "name": field.name, "symbols": symbols}
    return "string"
