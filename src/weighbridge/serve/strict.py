"""Strict JSON: one object, no NaN or Infinity, no key twice, bounded in size."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from weighbridge.kernel.rules import json_type

LARGEST_BODY = 64 * 1024
LARGEST_BATCH = 1024 * 1024
MOST_EVENTS = 256  # of one batch
MOST_ROWS = 2_048  # of a child table, of one batch
MOST_BATCHES = 4_096  # of one child table: each is looked into for every decision


class Malformed(ValueError):
    """A body that is not one strict JSON object."""


def parse_object(body: bytes) -> dict[str, Any]:
    """Return the members of a JSON object; raises Malformed with a sentence that never holds a value."""
    try:
        found = _decode(body.decode("utf-8"))
        if b"\\u" in body:  # escapes can write half a character, which no store can hold
            json.dumps(found, ensure_ascii=False).encode()
    except UnicodeError:
        raise Malformed("the body holds what is not UTF-8 text") from None
    except RecursionError:
        raise Malformed("the body nests too deep") from None
    except json.JSONDecodeError as fault:
        raise Malformed(f"the body is not JSON: {fault.msg} at character {fault.pos}") from None
    except Malformed:
        raise
    except ValueError:  # an integer of thousands of digits
        raise Malformed("the body holds a number that is too long") from None
    if not isinstance(found, dict):
        raise Malformed(f"the body must be an object, not {json_type(found)}")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed("the body has the same key twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise Malformed(f"the body holds {name}, which is not JSON")


_decode = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant).decode  # made once
