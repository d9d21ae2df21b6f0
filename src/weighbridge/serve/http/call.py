"""One request from its beginning to its line in the log."""

from __future__ import annotations

import time
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

from weighbridge.serve.http.guard import NOBODY, Caller
from weighbridge.serve.http.trace import Trace, trace_of

Scope = MutableMapping[str, Any]


@dataclass(slots=True)
class Call:
    """What is known about a request so far.

    `started_ns` is of `time.perf_counter_ns`; `route` is the declared path, whatever stands in its place; `entities`
    counts the events, labels or edits in its body; `bundle` is the version that decided, several with commas between;
    `forced` is the outcome that a test asks for.
    """

    trace: Trace
    started_ns: int
    caller: Caller = NOBODY
    route: str = "other"
    entities: int = 0
    bundle: str = ""
    forced: str | None = None


def call_of(scope: Scope) -> Call:
    """Return the call that an ASGI scope belongs to, made when it is first asked for."""
    found = scope.get("weighbridge.call")
    if found is None:
        found = scope["weighbridge.call"] = Call(trace_of(scope["headers"]), time.perf_counter_ns())
    return found
