"""Who decides: bundles, traffic, promotion and rollback, worked out beside the event loop, one change at a time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request, Response

from weighbridge.clock import us_to_iso
from weighbridge.errors import BundleRefused, Conflict, GateClosed, InputError
from weighbridge.kernel.rules import json_type, reject, unknown
from weighbridge.loop.gate import resolve
from weighbridge.loop.promote import promote, rollback
from weighbridge.loop.report import Report
from weighbridge.loop.traffic import AS_IT_IS, Wish, direct, traffic
from weighbridge.score.decide import Desk
from weighbridge.serve.http.call import Call
from weighbridge.serve.http.door import Door, Reply
from weighbridge.serve.http.problem import Problem
from weighbridge.serve.rollout_schema import (
    LONGEST_REASON,
    moved_schema,
    reason_schema,
    wish_schema,
)
from weighbridge.serve.schema import described
from weighbridge.serve.strict import LARGEST_BODY

CHANGE_PROBLEMS = (400, 409, 413, 415, 422, 503)
Change = Callable[[dict[str, Any], str], Report]


class Rollout:
    """Changes who decides on a desk. A second change while one is being judged is refused."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._busy = desk, threading.Lock()

    def models(self) -> dict[str, Any]:
        """Return the registered bundles with their figures and aliases, oldest first."""
        registry = self._desk.stores.registry
        aliases, found = registry.aliases(), []
        for bundle, added_us, facts in registry.bundles():
            names = [name for name, at in aliases.items() if at.bundle == bundle]
            found.append({"bundle": bundle, "added_ts": us_to_iso(added_us), "aliases": names, "facts": dict(facts)})
        return {"models": found}

    def traffic(self) -> dict[str, Any]:
        """Return what gets traffic by the registry, and what decides in this process now."""
        router = self._desk.router
        arms, shadow = router.route.arms, router.shadow
        serving = {"champion": arms.champion, "canary": arms.canary, "share": arms.share, "shadow": arms.shadow,
                   "shadow_scored": shadow.scored, "shadow_dropped": shadow.dropped}  # fmt: skip
        return {**traffic(self._desk.stores), "serving": serving}

    def promote(self, name: str, body: dict[str, Any], by: str) -> Report:
        """Promote the bundle of an id, or its beginning, to production. Raises Problem 404 when there is none."""
        desk, reason = self._desk, _reason(body)
        _only(body, "reason")
        try:
            chosen = resolve(desk.stores, name)
        except InputError as fault:
            raise Problem(404, str(fault)) from None
        return promote(desk.case, desk.stores, desk.clock, chosen, by=by, reason=reason)

    def rollback(self, body: dict[str, Any], by: str) -> Report:
        """Put the bundle before into production again."""
        _only(body, "reason")
        return rollback(self._desk.case, self._desk.stores, self._desk.clock, by=by, reason=_reason(body))

    def direct(self, body: dict[str, Any], by: str) -> Report:
        """Change canary, share and shadow; what is left out stays."""
        _only(body, "canary", "share", "shadow", "reason")
        reason = _reason(body) if "reason" in body else "over HTTP"
        share = body.get("share")
        if share is not None and (isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1):
            raise reject("share", "type", f"a number of 0 to 1, not {json_type(share)}")
        named = {name: body.get(name, AS_IT_IS) for name in ("canary", "shadow")}
        for name, prefix in named.items():
            if prefix is not None and (not isinstance(prefix, str) or not 1 <= len(prefix) <= 64):
                raise reject(name, "type", "a bundle's id, the beginning of one, or null")
        wish = Wish(named["canary"], None if share is None else float(share), named["shadow"])
        return direct(self._desk.case, self._desk.stores, self._desk.clock, wish, by=by, reason=reason)

    async def change(self, how: Change, body: dict[str, Any], call: Call) -> dict[str, Any]:
        """Work a change out on a thread and return its figures. Raises Problem 409 with the gates that are closed."""
        return await asyncio.to_thread(self._changed, how, body, call.caller.name or "http")

    def _changed(self, how: Change, body: dict[str, Any], by: str) -> dict[str, Any]:
        if not self._busy.acquire(blocking=False):
            raise Conflict("another change of who decides is being judged; look again and retry")
        try:
            return dict(how(body, by).figures)
        except GateClosed as closed:
            raise Problem(409, str(closed), gates=list(closed.gates)) from None
        except BundleRefused as refused:
            raise Problem(409, str(refused)) from None
        finally:
            self._busy.release()


def add_rollout(routes: APIRouter, door: Door, rollout: Rollout, respond: Callable[[Reply], Response]) -> None:
    """Add the routes that change who decides; those that tell it are added like any other."""

    async def put(request: Request) -> Response:
        return respond(await door.answer(request.scope, request.receive, LARGEST_BODY, _by(rollout, rollout.direct)))

    async def promoted(request: Request, bundle: str) -> Response:
        how = _by(rollout, lambda body, by: rollout.promote(bundle, body, by))
        return respond(await door.answer(request.scope, request.receive, LARGEST_BODY, how))

    async def rolled_back(request: Request) -> Response:
        return respond(await door.answer(request.scope, request.receive, LARGEST_BODY, _by(rollout, rollout.rollback)))

    routes.add_api_route(
        "/traffic", put, methods=["PUT"], operation_id="direct_traffic",
        summary="Point canary, its share, and shadow elsewhere; what is left out stays.",
        openapi_extra=described(moved_schema(), CHANGE_PROBLEMS, wish_schema()),
    )  # fmt: skip
    routes.add_api_route(
        "/models/{bundle}/promote", promoted, methods=["POST"], operation_id="promote",
        summary="Put a bundle into production if its gates are open.",
        openapi_extra=described(moved_schema(), (*CHANGE_PROBLEMS, 404), reason_schema()),
    )  # fmt: skip
    routes.add_api_route(
        "/rollback", rolled_back, methods=["POST"], operation_id="rollback",
        summary="Put the bundle before into production again.",
        openapi_extra=described(moved_schema(), CHANGE_PROBLEMS, reason_schema()),
    )  # fmt: skip


def _by(rollout: Rollout, how: Change) -> Callable[[dict[str, Any], Call], Any]:
    return lambda body, call: rollout.change(how, body, call)


def _only(body: dict[str, Any], *members: str) -> None:
    for name in body:
        if name not in members:
            raise unknown(name)


def _reason(body: dict[str, Any]) -> str:
    reason = body.get("reason")
    if not isinstance(reason, str) or not reason.strip() or len(reason) > LONGEST_REASON:
        raise reject("reason", "type", f"text of 1 to {LONGEST_REASON} characters")
    return reason
