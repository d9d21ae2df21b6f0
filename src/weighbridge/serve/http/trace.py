"""Which request this is: `X-Request-ID` and the `traceparent` of W3C Trace Context, taken over when well formed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._~:/+=-]{1,64}")
_TRACEPARENT = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
Headers = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Trace:
    """The ids of one request: ours in it (`span_id`), the whole trace's, and the caller's own name for it."""

    request_id: str
    trace_id: str
    span_id: str
    flags: str

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers that tell the caller."""
        parent = f"00-{self.trace_id}-{self.span_id}-{self.flags}"
        return [(b"x-request-id", self.request_id.encode()), (b"traceparent", parent.encode())]


def trace_of(headers: Headers) -> Trace:
    """Return the ids of a request, new ones where its headers have none or ones that break their format."""
    request_id, trace_id, flags = "", "", "00"
    for name, value in headers:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            request_id = value.decode()
        elif name == b"traceparent":
            found = _TRACEPARENT.fullmatch(value)
            if found and found[1].strip(b"0") and found[2].strip(b"0"):
                trace_id, flags = found[1].decode(), found[3].decode()
    fresh = os.urandom(24).hex()
    trace_id = trace_id or fresh[:32]
    return Trace(request_id or trace_id, trace_id, fresh[32:], flags)
