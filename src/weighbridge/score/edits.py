"""An edit of a list as it comes from outside, checked."""

from __future__ import annotations

from collections.abc import Mapping

from weighbridge.clock import duration_us, iso_to_us
from weighbridge.declare.case import UseCase
from weighbridge.declare.fields import Field
from weighbridge.declare.policy import ListOf
from weighbridge.identity import Pseudonyms
from weighbridge.kernel.rules import json_type, reject, stored_value, unknown
from weighbridge.records import UNNAMED, ListEdit

MEMBERS = ("list", "value", "action", "until", "for", "by", "why", "stored")
LONGEST = {"by": 64, "why": 500}


def parse_edit(case: UseCase, body: Mapping[str, object], pseudonyms: Pseudonyms, now_us: int) -> ListEdit:
    """Return an edit: `list`, `value`, `action` (add or remove), `why`, optionally `by` and `until` or `for`.

    `value` is checked as the list's field and pseudonymised if that is; with `stored` true it is the pseudonym already.
    Raises Rejected for the first fault.
    """
    for name in body:
        if name not in MEMBERS:
            raise unknown(str(name))
    declared = _list_named(case, body.get("list"))
    action = body.get("action")
    if action not in ("add", "remove"):
        raise reject("action", "type", "add or remove")
    until_us = _until(body, now_us)
    if until_us is not None and action == "remove":
        raise reject("until", "time", "what is removed takes no until and no for")
    told = by_and_why(body)
    value = _value(case, declared, body, pseudonyms)
    return ListEdit(declared.name, value, action == "add", until_us, told["by"], told["why"], now_us)


def by_and_why(body: Mapping[str, object]) -> dict[str, str]:
    """Return who edits, and why. Raises Rejected for what is no text."""
    told: dict[str, str] = {}
    for name, longest in LONGEST.items():
        text = body.get(name, UNNAMED if name == "by" else None)
        if not isinstance(text, str) or not text.strip() or len(text) > longest:
            raise reject(name, "type", f"text of 1 to {longest} characters")
        told[name] = text
    return told


def _list_named(case: UseCase, name: object) -> ListOf:
    known = {each.name: each for each in case.policy.lists}
    if not isinstance(name, str) or name not in known:
        raise reject("list", "type", f"one of the declared lists: {', '.join(known) or 'there is none'}")
    return known[name]


def _value(case: UseCase, declared: ListOf, body: Mapping[str, object], pseudonyms: Pseudonyms) -> str:
    field, raw, is_stored = (
        case.events.field(declared.field, declared.name),
        body.get("value"),
        body.get("stored", False),
    )
    if not isinstance(is_stored, bool):
        raise reject("stored", "type", f"true or false, not {json_type(is_stored)}")
    if field.pii == "pseudonymised":
        if is_stored and isinstance(raw, str) and pseudonyms.made(raw):
            return raw
        if is_stored:
            raise reject("value", "type", "a pseudonym that this home made")
        return pseudonyms.of(_told(field, raw))
    return _told(field, raw)


def _told(field: Field, raw: object) -> str:
    stored = stored_value(field, raw)
    if stored is None:  # it means that there is none
        raise reject("value", "required")
    return str(stored)


def _until(body: Mapping[str, object], now_us: int) -> int | None:
    given = [name for name in ("until", "for") if name in body]
    if not given:
        return None
    if len(given) > 1:
        raise reject("until", "time", "give until or for, not both")
    name, text = given[0], body[given[0]]
    if not isinstance(text, str):
        raise reject(name, "type", f"text, not {json_type(text)}")
    try:
        until_us = iso_to_us(text) if name == "until" else now_us + duration_us(text)
    except (ValueError, OverflowError):
        how = "ISO-8601 with an offset, such as 2026-03-01T12:00:00Z" if name == "until" else "a duration, such as 30d"
        raise reject(name, "time", f"it must be {how}") from None
    if not now_us < until_us < 2**62:
        raise reject(name, "time", "it must be a time to come")
    return until_us
