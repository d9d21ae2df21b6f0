"""Looking back: a decision as it was answered, and why it was made."""

from __future__ import annotations

from typing import Any

from weighbridge.clock import us_to_iso
from weighbridge.loop.explain import explain
from weighbridge.loop.replays.past import find_decision
from weighbridge.records import DecisionRecord
from weighbridge.score.answer import Answer
from weighbridge.score.decide import Desk
from weighbridge.serve.http.problem import Problem


def told(desk: Desk, name: str) -> dict[str, Any]:
    """Return a decision, by its id or by that of its event. Raises Problem 404."""
    found = _found(desk, name)
    more = {"bundle": found.bundle, "decided_ts": us_to_iso(found.decided_us), "latency_us": found.latency_us}
    return {**Answer(found, repeated=True).body(), **more}


def explained(desk: Desk, name: str) -> dict[str, Any]:
    """Return what each feature added to a decision's score, from the log as it was then. Raises Problem 404."""
    return explain(desk.case, desk.stores, _found(desk, name)).body()


def _found(desk: Desk, name: str) -> DecisionRecord:
    found = find_decision(desk.stores.log, name)
    if found is None:
        raise Problem(404, "no decision, and no event that was decided, has this id")
    return found
