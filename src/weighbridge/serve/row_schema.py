"""JSON Schema (draft 2020-12) of a batch of child rows, and of what is answered to one."""

from __future__ import annotations

from typing import Any

from weighbridge.declare.children import Child
from weighbridge.serve.contract_schema import row_schema
from weighbridge.serve.strict import MOST_ROWS

LONGEST_ID = 128


def rows_schema(child: Child) -> dict[str, Any]:
    """Return the schema of a batch of a child table's rows."""
    other: dict[str, Any] = {"description": "what is no such row is told in `rejected`"}
    rows = {"type": "array", "minItems": 1, "maxItems": MOST_ROWS, "items": {"anyOf": [row_schema(child), other]}}
    batch = {
        "type": "string",
        "minLength": 1,
        "maxLength": LONGEST_ID,
        "description": "names this delivery; a retry has the same",
    }
    properties: dict[str, Any] = {"batch": batch, "rows": rows}
    return {"type": "object", "additionalProperties": False, "required": list(properties), "properties": properties}


def rows_taken_schema() -> dict[str, Any]:
    """Return the schema of the answer to a batch of child rows."""
    count, text = {"type": "integer", "minimum": 0}, {"type": "string"}
    reject = {"row": {**count, "description": "its place in the batch"}, "field": text, "rule": text, "detail": text}
    properties: dict[str, Any] = {
        "table": text,
        "batch": text,
        "rows": count,
        "accepted": {**count, "description": "those that count from here on"},
        "repeated": {"type": "boolean", "description": "whether the batch was stored before; then nothing was done"},
        "rejected": {"type": "array", "items": {"type": "object", "required": list(reject), "properties": reject}},
    }
    return {"type": "object", "required": list(properties), "properties": properties}
