"""JSON Schema (draft 2020-12) of a raw event and of the child rows that may come with it, from the contract."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from weighbridge.declare.case import UseCase
from weighbridge.declare.children import Child
from weighbridge.declare.fields import INT64_MAX, Category, Field, Integer, Money, Number, Numeric, Text, Time

MOMENT = {"type": "string", "format": "date-time"}
DATE, CLOCK = "(19|20|21)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])", "([01][0-9]|2[0-3]):[0-5][0-9]"
TAKEN = {**MOMENT, "pattern": rf"^{DATE}T{CLOCK}:[0-5][0-9](\.[0-9]+)?(Z|[+-]{CLOCK})$"}  # RFC 3339, 1900 to 2199


def event_schema(case: UseCase) -> dict[str, Any]:
    """Return the schema of one raw event."""
    made = record_schema(case.events.name, case.events.fields)
    made["properties"] |= {child.name: _rows(child) for child in case.events.children}
    return made


def record_schema(title: str, fields: Sequence[Field]) -> dict[str, Any]:
    """Return the schema of one record of these fields."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "type": "object",
        "additionalProperties": False,
        "required": [f.name for f in fields if not f.optional],
        "properties": {f.name: _property(f) for f in fields},
    }


def _rows(child: Child) -> dict[str, Any]:
    """Return the schema of the rows of a child table; what names their owner may be left out."""
    row = row_schema(child, (child.by,) if child.of is None else ())
    told = "they take the place of the stored rows; left out or null, the stored rows count"
    return {"type": ["array", "null"], "maxItems": child.most_rows, "items": row, "description": told}


def row_schema(child: Child, implied: Sequence[str] = ()) -> dict[str, Any]:
    """Return the schema of one row of a child table; what is implied may be left out."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [f.name for f in child.fields if not f.optional and f.name not in implied],
        "properties": {f.name: dict(TAKEN) if isinstance(f, Time) else _property(f) for f in child.fields},
    }


def _property(field: Field) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": [field.json_type, "null"] if field.optional else field.json_type}
    if isinstance(field, Time):
        schema |= {
            **TAKEN,
            "description": f"at most {field.future} ahead of its arrival, {field.late} behind it",
        }
    elif isinstance(field, Category) and field.other is not None:
        schema["description"] = f"one of {', '.join(field.one_of)}; another counts as {field.other}"
    elif isinstance(field, Category):
        listed = [*field.one_of, *field.means_missing]
        schema["enum"] = [*listed, None] if field.optional else listed
    elif isinstance(field, Numeric):
        low, high = (None, None) if field.cap else field.stored_bounds()
        schema |= _between(field, -INT64_MAX if low is None else low, INT64_MAX if high is None else high)
    elif isinstance(field, Text):
        rules = dict(field.rules())
        schema |= {"minLength": 1, "maxLength": rules["longest"]} if "longest" in rules else {}
        pattern = rules.get("pattern", rules.get("whole"))
        schema |= {"pattern": f"^(?:{pattern})$"} if pattern else {}
        if field.whole:
            schema["minimum"] = -min(INT64_MAX, 10 ** (field.longest - 1) - 1)
            schema["maximum"] = min(INT64_MAX, 10**field.longest - 1)
            schema["type"] = ["integer", *(schema["type"] if field.optional else [schema["type"]])]
    if isinstance(field, Money):  # multipleOf is no help: 98.55 is no multiple of 0.01 in binary
        schema["description"] = f"at most {field.decimals} decimals"
    if isinstance(field, Number):
        schema["description"] = f"rounded to {field.decimals} decimals, and then held against the bounds"
    said = [part for part in (field.description, schema.get("description", "")) if part]
    schema |= {"description": "; ".join(said)} if said else {}
    schema |= {"x-pii": field.pii} if field.pii != "none" else {}
    schema |= {"x-unit": field.unit} if field.unit else {}
    if isinstance(field, Numeric) and field.means_missing:
        told: dict[str, Any] = {"description": "means that it is missing"}
        if isinstance(field, Number):
            missing = [
                {"type": "number", **_between(field, stored, stored), **told}
                for stored in map(int, sorted(field.missing))
            ]
        else:
            missing = [{"enum": list(field.means_missing), **told}]
        return {"anyOf": [schema, *missing]}
    return schema


def _between(field: Numeric, low: int, high: int) -> dict[str, Any]:
    """Return the first and the last number that is stored as one between two stored numbers."""
    return {"minimum": _limit(field, low, -1), "maximum": _limit(field, high, 1)}


def _limit(field: Numeric, bound: int, sign: int) -> float:
    """Return the last number, upwards or downwards, that is not stored beyond a bound."""
    if isinstance(field, Integer):
        return bound
    if isinstance(field, Money) and abs(bound) < INT64_MAX:
        return bound / field.scale if bound % field.scale else bound // field.scale

    def beyond(number: float) -> bool:
        return sign * round(number * field.scale) > sign * bound

    last = (bound + sign / 2) / field.scale
    while beyond(last):
        last = math.nextafter(last, -sign * math.inf)
    while not beyond(further := math.nextafter(last, sign * math.inf)):
        last = further
    return sign * max(sign * last, INT64_MAX // field.scale) if abs(bound) == INT64_MAX else last
