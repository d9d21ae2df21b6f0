"""Outcomes that an integrator asks for with a header, in a sandbox only."""

from __future__ import annotations

from weighbridge.declare.actions import ACTIONS
from weighbridge.score.fallback import DEGRADED
from weighbridge.serve.http.problem import Problem
from weighbridge.serve.http.trace import Headers

HEADER = b"x-weigh-test"
OUTCOMES = (*ACTIONS, DEGRADED)


def forced_by(headers: Headers, *, sandbox: bool) -> str | None:
    """Return the outcome that a request asks for, or None. Raises Problem 400 for an unknown one, and in production."""
    for name, value in headers:
        if name == HEADER:
            wanted = value.decode("latin-1").strip().lower()
            if not sandbox:
                raise Problem(400, "X-Weigh-Test forces an outcome, and only a sandbox takes it; leave it out here")
            if wanted not in OUTCOMES:
                raise Problem(400, f"X-Weigh-Test must be one of {', '.join(OUTCOMES)}")
            return wanted
    return None
