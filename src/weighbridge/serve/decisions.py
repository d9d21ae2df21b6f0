"""The routes of the HTTP door that look back: a decision, and why it was made."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response

from weighbridge.clock import us_to_iso
from weighbridge.loop.explain import explain
from weighbridge.loop.past import find_decision
from weighbridge.records import DecisionRecord
from weighbridge.score.answer import Answer
from weighbridge.score.decide import Desk
from weighbridge.serve.schema import documented, explanation_schema, stored_decision_schema

PROBLEMS = (404, 503)
Outcome = Callable[[Request, Awaitable[dict[str, Any]]], Awaitable[Response]]


class NoDecision(Exception):
    """No decision has the id that was asked for."""


def add_decisions(app: FastAPI, desk: Desk, outcome: Outcome) -> None:
    """Add the routes to a desk's application; `outcome` makes one answer of whatever comes out."""

    @app.get("/decisions/{name}", openapi_extra=documented(stored_decision_schema(), PROBLEMS))
    async def decision(request: Request, name: str) -> Response:
        """Return a decision as it was answered, by its id or by that of its event."""
        return await outcome(request, asyncio.to_thread(_told, desk, name))

    @app.get("/decisions/{name}/explain", openapi_extra=documented(explanation_schema(), PROBLEMS))
    async def explanation(request: Request, name: str) -> Response:
        """Tell why a decision was made: what each feature added to its score, from the log as it was then."""
        return await outcome(request, asyncio.to_thread(_explained, desk, name))


def _found(desk: Desk, name: str) -> DecisionRecord:
    found = find_decision(desk.stores.log, name)
    if found is None:
        raise NoDecision("no decision, and no event that was decided, has this id")
    return found


def _told(desk: Desk, name: str) -> dict[str, Any]:
    found = _found(desk, name)
    more = {"bundle": found.bundle, "decided_ts": us_to_iso(found.decided_us), "latency_us": found.latency_us}
    return {**Answer(found, repeated=True).body(), **more}


def _explained(desk: Desk, name: str) -> dict[str, Any]:
    return explain(desk.case, desk.stores, _found(desk, name)).body()
