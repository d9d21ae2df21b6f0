"""An error as the caller sees it: RFC 9457 problem+json, with the field and the rule, never a value."""

from __future__ import annotations

from typing import Any

from weighbridge.errors import Conflict, InputError, Overloaded, Rejected
from weighbridge.serve.http.trace import Headers
from weighbridge.serve.strict import Malformed

TITLES = {400: "Malformed request", 401: "Not authenticated", 403: "Not allowed", 404: "Not found",
          405: "Method not allowed", 409: "Conflict", 413: "Body too large", 415: "Not JSON",
          422: "Rejected by the contract", 429: "Too many requests", 500: "Internal error",
          503: "Not available"}  # fmt: skip


class Problem(Exception):
    """A status, a sentence, headers, and members such as `field` and `rule`."""

    def __init__(self, status: int, detail: str, headers: Headers = (), **members: object) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.members = status, detail, headers, members

    def body(self, trace_id: str) -> dict[str, Any]:
        """Return the members of the JSON object."""
        title = TITLES.get(self.status, "Error")
        told = {"type": "about:blank", "title": title, "status": self.status, "detail": self.detail}
        return {**told, "trace_id": trace_id, **self.members}


def problem_of(fault: Exception) -> Problem:
    """Return the problem that a fault of ours is to the caller."""
    if isinstance(fault, Problem):
        return fault
    if isinstance(fault, Rejected):
        return Problem(422, str(fault), field=fault.field, rule=fault.rule)
    if isinstance(fault, Overloaded):
        return Problem(429, str(fault), [(b"retry-after", b"1")])
    is_conflict = isinstance(fault, Conflict | InputError)  # a list that is full
    status = 400 if isinstance(fault, Malformed) else 409 if is_conflict else 503
    return Problem(status, str(fault))
