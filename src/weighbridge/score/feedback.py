"""A label as it comes from outside, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from weighbridge.kernel.rules import json_type, reject, unknown
from weighbridge.records import UNNAMED


@dataclass(frozen=True)
class RawLabel:
    """What came of an event: 0 or 1, from where, and who says so."""

    event_id: str
    value: int
    source: str
    by: str = UNNAMED


def parse_label(body: Mapping[str, object], by: str = UNNAMED) -> RawLabel:
    """Return a label: `event_id`, `label` (0 or 1) and optionally `source`. Raises Rejected for the first fault."""
    for name in body:
        if name not in ("event_id", "label", "source"):
            raise unknown(str(name))
    event_id, value, source = body.get("event_id"), body.get("label"), body.get("source", "feedback")
    if not isinstance(event_id, str) or not 1 <= len(event_id) <= 256:
        raise reject("event_id", "type", f"text of 1 to 256 characters, not {json_type(event_id)}")
    if isinstance(value, bool) or value not in (0, 1) or not isinstance(value, int):
        raise reject("label", "type", f"0 or 1, not {json_type(value)}")
    if not isinstance(source, str) or not 1 <= len(source) <= 64:
        raise reject("source", "type", "text of 1 to 64 characters")
    return RawLabel(event_id, value, source, by)
