"""JSON Schema (draft 2020-12) of the bodies of the HTTP door, from the contract."""

from __future__ import annotations

from typing import Any

from weighbridge.declare.case import UseCase
from weighbridge.declare.fields import Category, Field, Numeric, Text, Time
from weighbridge.score.edits import LONGEST


def event_schema(case: UseCase) -> dict[str, Any]:
    """Return the schema of one raw event."""
    contract = case.events
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": contract.name,
        "type": "object",
        "additionalProperties": False,
        "required": [f.name for f in contract.fields if not f.optional],
        "properties": {f.name: _property(f) for f in contract.fields},
    }


def _property(field: Field) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": [field.json_type, "null"] if field.optional else field.json_type}
    if isinstance(field, Time):
        schema |= {
            "format": "date-time",
            "description": f"at most {field.future} ahead of its arrival, {field.late} behind it",
        }
    elif isinstance(field, Category):
        schema["enum"] = [*field.one_of, None] if field.optional else list(field.one_of)
    elif isinstance(field, Numeric) and not field.cap:
        schema |= {k: v for k, v in (("minimum", field.at_least), ("maximum", field.at_most)) if v is not None}
    elif isinstance(field, Text):
        rules = dict(field.rules())
        schema |= {"minLength": 1, "maxLength": rules["longest"]} if "longest" in rules else {}
        schema |= {"pattern": f"^(?:{rules['pattern']})$"} if "pattern" in rules else {}
    if field.pii != "none":
        schema["x-pii"] = field.pii
    return schema


def decision_schema() -> dict[str, Any]:
    """Return the schema of the answer to an event."""
    text: dict[str, Any] = {"type": "string"}
    properties: dict[str, Any] = {
        "decision_id": text,
        "event_id": text,
        "prediction": {"type": "integer", "enum": [0, 1], "description": "1 when the action is review or decline"},
        "probability": {"type": "number", "minimum": 0, "maximum": 1},
        "risk_level": text,
        "action": {"type": "string", "enum": ["approve", "review", "decline"]},
        "rules": {"type": "array", "items": text, "description": "the rules that held, in the order they are declared"},
        "model_version": text,
        "degraded": {"type": "array", "items": text},
        "trace_id": text,
    }
    return {"type": "object", "required": list(properties), "properties": properties}


def label_schema() -> dict[str, Any]:
    """Return the schema of a label."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["event_id", "label"],
        "properties": {
            "event_id": {"type": "string", "minLength": 1, "maxLength": 256},
            "label": {"type": "integer", "enum": [0, 1]},
            "source": {"type": "string", "minLength": 1, "maxLength": 64},
        },
    }


def edit_schema(case: UseCase) -> dict[str, Any]:
    """Return the schema of an edit of a list."""
    text: dict[str, Any] = {"type": "string", "minLength": 1}
    properties = {
        "list": {"type": "string", "enum": [each.name for each in case.policy.lists]},
        "value": text,
        "action": {"type": "string", "enum": ["add", "remove"]},
        "until": {"type": "string", "format": "date-time", "description": "else it stays until it is removed"},
        "for": {"type": "string", "description": "how long, such as 30d, in place of until"},
        "why": {**text, "maxLength": LONGEST["why"]},
        "by": {**text, "maxLength": LONGEST["by"]},
        "stored": {"type": "boolean", "description": "value is the pseudonym, as the log has it"},
    }
    required = ["list", "value", "action", "why"]
    return {"type": "object", "additionalProperties": False, "required": required, "properties": properties}


def problem_schema() -> dict[str, Any]:
    """Return the schema of an error, RFC 9457."""
    text: dict[str, Any] = {"type": "string"}
    names = ("type", "title", "detail", "field", "rule", "trace_id")
    properties: dict[str, Any] = dict.fromkeys(names, text) | {"status": {"type": "integer"}}
    return {"type": "object", "required": ["type", "title", "status", "detail", "trace_id"], "properties": properties}
