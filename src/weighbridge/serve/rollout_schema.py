"""JSON Schema of what the HTTP door says and takes about who decides."""

from __future__ import annotations

from typing import Any

from weighbridge.serve.schema import VISIBLE

LONGEST_REASON = 500
_TEXT: dict[str, Any] = {"type": "string"}
_SHARE = {"type": "number", "minimum": 0, "maximum": 1}


def models_schema() -> dict[str, Any]:
    """Return the schema of the registered bundles."""
    properties = {
        "bundle": _TEXT,
        "added_ts": {"type": "string", "format": "date-time"},
        "aliases": {"type": "array", "items": _TEXT, "description": "what points at it"},
        "facts": {"type": "object", "description": "model, run and validation figures"},
    }
    model = {"type": "object", "required": list(properties), "properties": properties}
    return _all_of({"models": {"type": "array", "items": model}})


def traffic_schema() -> dict[str, Any]:
    """Return the schema of what gets traffic."""
    serving = {name: _or_null(_TEXT) for name in ("champion", "canary", "shadow")} | {"share": _or_null(_SHARE)}
    serving |= {name: {"type": "integer", "minimum": 0} for name in ("shadow_scored", "shadow_dropped")}
    return _all_of({**_directed(), "serving": _all_of(serving) | {"description": "what decides in this process now"}})


def moved_schema() -> dict[str, Any]:
    """Return the schema of the answer to a change of who decides."""
    promoted = _all_of({"bundle": _TEXT, "alias": _TEXT, "before": _or_null(_TEXT)})
    return {"anyOf": [promoted, _all_of(_directed())]}


def wish_schema() -> dict[str, Any]:
    """Return the schema of what traffic is to be."""
    bundle = {"type": ["string", "null"], "minLength": 1, "maxLength": 64}
    named = {**bundle, "description": "a bundle's id or the beginning of one; null for none"}
    properties = {"canary": named, "share": _or_null(_SHARE), "shadow": named, "reason": _reason()}
    return {"type": "object", "additionalProperties": False, "required": [], "properties": properties}


def reason_schema() -> dict[str, Any]:
    """Return the schema of why somebody changes who decides."""
    properties = {"reason": _reason()}
    return {"type": "object", "additionalProperties": False, "required": ["reason"], "properties": properties}


def _reason() -> dict[str, Any]:
    return {**_TEXT, "minLength": 1, "maxLength": LONGEST_REASON, "pattern": VISIBLE}


def _directed() -> dict[str, Any]:
    canary = _all_of({"bundle": _TEXT, "share": _SHARE})
    return {"champion": _or_null(_TEXT), "canary": _or_null(canary), "shadow": _or_null(_TEXT)}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _all_of(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}
