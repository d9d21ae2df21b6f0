"""JSON Schema (draft 2020-12) of the bodies of the HTTP door, from the contract."""

from __future__ import annotations

from typing import Any

from weighbridge.clock import UNITS_US
from weighbridge.declare.case import UseCase
from weighbridge.score.edits import LONGEST
from weighbridge.serve.contract_schema import MOMENT, event_schema
from weighbridge.serve.strict import MOST_EVENTS

VISIBLE = r"[^\s\x1c-\x1f]"  # something that `str.strip` leaves
TEXT = {"type": "string"}
DURATION = f"^[1-9][0-9]{{0,5}}({'|'.join(UNITS_US)})$"
LONGEST_VALUE = 256


def decision_schema() -> dict[str, Any]:
    """Return the schema of the answer to an event."""
    text: dict[str, Any] = {"type": "string"}
    properties: dict[str, Any] = {
        "decision_id": text,
        "event_id": text,
        "prediction": {"type": "integer", "enum": [0, 1], "description": "1 when the action is review or decline"},
        "probability": {
            "type": ["number", "null"],
            "minimum": 0,
            "maximum": 1,
            "description": "null: no model decided",
        },
        "risk_level": text,
        "action": {"type": "string", "enum": ["approve", "review", "decline"]},
        "rules": {"type": "array", "items": text, "description": "the rules that held, in the order they are declared"},
        "reasons": {"type": "array", "items": reason_schema(), "description": "what pushed the score up, most first"},
        "model_version": {"type": ["string", "null"]},
        "route": {**text, "description": "what decided: champion, canary, event_only, rules, otherwise or test"},
        "degraded": {
            "type": "array",
            "items": text,
            "description": "missing: state, model, deadline, canary; or test",
        },
        "trace_id": text,
    }
    chance = {
        "propensity": {
            "type": "number",
            "minimum": 0,
            "maximum": 1,
            "description": "only where the thresholds would decline: the chance with which that is let through",
        }
    }
    return {"type": "object", "required": list(properties), "properties": properties | chance}


def batch_schema(case: UseCase) -> dict[str, Any]:
    """Return the schema of several raw events."""
    other: dict[str, Any] = {"type": "object", "description": "what is no such event gets its problem at its place"}
    events = {"type": "array", "maxItems": MOST_EVENTS, "items": {"anyOf": [event_schema(case), other]}}
    return {"type": "object", "additionalProperties": False, "required": ["events"], "properties": {"events": events}}


def batch_answer_schema() -> dict[str, Any]:
    """Return the schema of the answer to several events: each a decision, or a problem, with its status."""
    decided = decision_schema()
    decided["properties"] = {"status": {"const": 200}, **decided["properties"]}
    results = {"type": "array", "items": {"anyOf": [decided, problem_schema()]}}
    return {"type": "object", "required": ["results"], "properties": {"results": results}}


def reason_schema() -> dict[str, Any]:
    """Return the schema of a reason."""
    properties: dict[str, Any] = {
        "feature": {"type": "string"},
        "contribution": {"type": "number", "description": "what it added to the score before calibration"},
        "value": {"type": ["number", "null"], "description": "the feature's value; null where it is undefined"},
        "sentence": {"type": "string"},
    }
    return {"type": "object", "required": list(properties), "properties": properties}


def stored_decision_schema() -> dict[str, Any]:
    """Return the schema of a decision that is looked up."""
    answered = decision_schema()
    more = {"bundle": {"type": "string"}, "decided_ts": MOMENT, "latency_us": {"type": "integer"}}
    return {"type": "object", "required": [*answered["required"], *more], "properties": answered["properties"] | more}


def explanation_schema() -> dict[str, Any]:
    """Return the schema of why a decision was made."""
    text, number, answered = {"type": "string"}, {"type": "number"}, decision_schema()["properties"]
    limits = {"type": "object", "required": ["review_at", "decline_at"], "properties": {
        "review_at": number, "decline_at": number}}  # fmt: skip
    properties: dict[str, Any] = {
        **{name: answered[name] for name in ("decision_id", "event_id", "probability", "risk_level", "action")},
        **{name: answered[name] for name in ("degraded", "reasons")},
        "explored": {"type": "boolean", "description": "whether chance let through what would have been declined"},
        "propensity": {**number, "type": ["number", "null"], "description": "the chance of that, where there was one"},
        "event_ts": MOMENT,
        "decided_ts": MOMENT,
        "event": {"type": "object", "description": "the event's fields; personal ones are masked"},
        "thresholds": limits,
        "bundle": text,
        "model": text,
        "inputs": {"enum": ["log", "stored"], "description": "whether the vector was recomputed from the log"},
        "note": {**text, "description": "why it was not recomputed; empty where it was"},
        "unit": {"enum": ["log-odds", "probability"], "description": "of score, base and contributions"},
        "base": {**number, "description": "the mean score in training; with all contributions it is the score"},
        "score": {**number, "description": "before calibration"},
        "contributions": {"type": "array", "items": reason_schema(), "description": "of every feature, in their order"},
    }
    return {"type": "object", "required": list(properties), "properties": properties}


def described(
    answer: dict[str, Any],
    refusals: tuple[int, ...],
    body: dict[str, Any] | None = None,
    links: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what the API's description says of a route: its answer and where that leads, its problems, its body."""
    content = {"application/json": {"schema": body}}
    taken = {"requestBody": {"required": "required" in body, "content": content}} if body else {}
    kind = "text/plain" if answer is TEXT else "application/json"
    found = {"description": "the answer", "content": {kind: {"schema": answer}}} | ({"links": links} if links else {})
    return taken | {"responses": {"200": found, **problems(refusals)}}


def problems(statuses: tuple[int, ...]) -> dict[str, Any]:
    """Return what the API's description says about answers of these statuses."""
    content = {"application/problem+json": {"schema": problem_schema()}}
    return {str(status): {"description": "a problem, RFC 9457", "content": content} for status in statuses}


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


def taken_schema() -> dict[str, Any]:
    """Return the schema of the answer to a label."""
    flags = {name: {"type": "boolean"} for name in ("accepted", "event_known")}
    properties: dict[str, Any] = {"event_id": {"type": "string"}, **flags}
    return {"type": "object", "required": list(properties), "properties": properties}


def edited_schema() -> dict[str, Any]:
    """Return the schema of the answer to an edit of a list."""
    flags = {name: {"type": "boolean"} for name in ("listed", "listed_before")}
    properties: dict[str, Any] = {"list": {"type": "string"}, **flags}
    return {"type": "object", "required": list(properties), "properties": properties}


def constant_schema(**members: str) -> dict[str, Any]:
    """Return the schema of an answer with members that are always the same."""
    properties = {name: {"const": value} for name, value in members.items()}
    return {"type": "object", "required": list(members), "properties": properties}


def health_schema() -> dict[str, Any]:
    """Return the schema of what /health tells: a status, and the declared objectives."""
    share = {"type": "number", "minimum": 0, "maximum": 1}
    members: dict[str, Any] = {
        "objective": {"enum": ["latency", "availability", "feature_lag"]},
        "title": TEXT,
        "figure": {**share, "type": ["number", "null"], "description": "share of good ones; null: nothing was asked"},
        "bound": {**share, "description": "the least share that is declared"},
        "verdict": {"enum": ["met", "missed", "immature"], "description": "immature: fewer than 100 were counted"},
    }
    one = {"type": "object", "required": list(members), "properties": members}
    properties: dict[str, Any] = {
        "status": {"const": "ok"},
        "objectives": {"type": "array", "items": one, "description": "only where the use case declares any"},
        "last": {**TEXT, "description": "the window they are judged over"},
        "feature_lag_seconds": {"type": "number", "minimum": 0, "description": "how far the state is behind now"},
    }
    return {"type": "object", "required": ["status"], "properties": properties}


def nothing_schema() -> dict[str, Any]:
    """Return the schema of a body that says nothing; it may be left out."""
    return {"type": "object", "additionalProperties": False, "properties": {}}


def saved_schema() -> dict[str, Any]:
    """Return the schema of what saving the decision log did."""
    paths = {"type": "array", "items": {"type": "string"}, "description": "new or longer Parquet files, in the home"}
    properties = {"rows": {"type": "integer", "minimum": 0}, "paths": paths}
    return {"type": "object", "required": list(properties), "properties": properties}


def edit_schema(case: UseCase) -> dict[str, Any]:
    """Return the schema of an edit of a list."""
    said: dict[str, Any] = {"type": "string", "minLength": 1, "pattern": VISIBLE}
    fields = [case.events.field(each.field, each.name) for each in case.policy.lists]
    longest = max((getattr(field, "longest", LONGEST_VALUE) for field in fields), default=LONGEST_VALUE)
    properties = {
        "list": {"type": "string", "enum": [each.name for each in case.policy.lists]},
        "value": {"type": "string", "minLength": 1, "maxLength": longest},
        "action": {"type": "string", "enum": ["add", "remove"]},
        "until": {**MOMENT, "description": "a time to come; else it stays until it is removed"},
        "for": {"type": "string", "pattern": DURATION, "description": "how long, such as 30d, in place of until"},
        "why": {**said, "maxLength": LONGEST["why"]},
        "by": {**said, "maxLength": LONGEST["by"]},
        "stored": {"type": "boolean", "description": "value is the pseudonym, as the log has it"},
    }
    times: list[dict[str, Any]] = [{"required": ["until"]}, {"required": ["for"]}]
    removal = {"properties": {"action": {"const": "remove"}}}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["list", "value", "action", "why"],
        "properties": properties,
        "not": {"anyOf": [{"required": ["until", "for"]}, {"allOf": [removal, {"anyOf": times}]}]},
    }


def problem_schema() -> dict[str, Any]:
    """Return the schema of an error, RFC 9457."""
    text: dict[str, Any] = {"type": "string"}
    names = ("type", "title", "detail", "field", "rule", "trace_id")
    properties: dict[str, Any] = dict.fromkeys(names, text) | {"status": {"type": "integer"}}
    return {"type": "object", "required": ["type", "title", "status", "detail", "trace_id"], "properties": properties}
