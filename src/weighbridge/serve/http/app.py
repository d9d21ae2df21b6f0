"""The documented application: FastAPI's routes and schema, with the raw posts in front."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from weighbridge import __version__
from weighbridge.errors import WeighbridgeError
from weighbridge.identity import describe
from weighbridge.score.decide import MOST_PENDING, Desk
from weighbridge.score.turns import OnAThread, OnTheLoop
from weighbridge.serve.contract_schema import event_schema
from weighbridge.serve.http.call import call_of
from weighbridge.serve.http.decisions import explained, told
from weighbridge.serve.http.door import JSON, Door, Reply, problem_reply, reply
from weighbridge.serve.http.following import follow, look_at_rollouts, settle
from weighbridge.serve.http.problem import Problem, problem_of
from weighbridge.serve.http.raw import InFront
from weighbridge.serve.http.rollout import Rollout, add_rollout
from weighbridge.serve.http.sample import Samples
from weighbridge.serve.http.scopes import VERSION, check, secured
from weighbridge.serve.links import LINKS, operation_id
from weighbridge.serve.rollout_schema import models_schema, traffic_schema
from weighbridge.serve.row_schema import rows_schema, rows_taken_schema
from weighbridge.serve.schema import (
    TEXT,
    batch_answer_schema,
    batch_schema,
    constant_schema,
    decision_schema,
    described,
    edit_schema,
    edited_schema,
    explanation_schema,
    health_schema,
    label_schema,
    nothing_schema,
    saved_schema,
    stored_decision_schema,
    taken_schema,
)

SETTLING_SECONDS = 0.005
POST_PROBLEMS, LOOK_PROBLEMS = (400, 409, 413, 415, 422, 429, 503), (404, 503)
NO_BUNDLE = "no bundle is in production"


def make_app(desk: Desk, *, sandbox: bool = False) -> InFront:
    """Return the ASGI application of a desk. Every path works with `/v1` before it, as documented, and without."""
    door = Door(desk, sandbox=sandbox)
    return InFront(door, documented(door))


def documented(door: Door) -> FastAPI:
    """Return the whole API as FastAPI serves and describes it."""
    desk = door.desk

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        desk.turn_to(OnTheLoop())
        beside = [asyncio.create_task(work) for work in (follow(door), look_at_rollouts(desk))]
        try:
            yield
        finally:
            for task in beside:
                task.cancel()
            while not desk.is_settled:
                await asyncio.sleep(SETTLING_SECONDS)
            settle(door)
            await asyncio.to_thread(door.levels.save, at_once=True)
            desk.turn_to(OnAThread())

    app = FastAPI(
        title=f"weighbridge {desk.case.name}", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    routes = _routes(door)
    app.include_router(routes, prefix=VERSION)
    app.include_router(routes, include_in_schema=False)

    @app.exception_handler(HTTPException)
    async def refused(request: Request, fault: HTTPException) -> Response:
        more = [(name.lower().encode(), value.encode()) for name, value in (fault.headers or {}).items()]
        if fault.status_code == 405:  # a path may have a route for each method
            at_it = (
                r.methods or ()
                for r in app.routes
                if isinstance(r, Route) and r.matches(request.scope)[0] is not Match.NONE
            )
            more = [(b"allow", ", ".join(sorted({method for methods in at_it for method in methods})).encode())]
        return _problem(request, Problem(fault.status_code, str(fault.detail), more))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, fault: Exception) -> Response:
        return _problem(request, door.unexpected(call_of(request.scope), fault))

    check(app.routes)
    describe_plainly = app.openapi
    app.openapi = lambda: secured(describe_plainly())  # type: ignore[method-assign]
    return app


def _routes(door: Door) -> APIRouter:
    desk, routes, samples, rollout = door.desk, APIRouter(), Samples(door.desk.case), Rollout(door.desk)

    async def posted(request: Request) -> Response:
        return _response(await door.post(request.scope, request.receive))

    def post(path: str, about: str, body: dict[str, Any], answer: dict[str, Any]) -> None:
        extra = described(answer, POST_PROBLEMS, body, LINKS.get(path))
        routes.add_api_route(
            path, posted, methods=["POST"], summary=about, openapi_extra=extra, operation_id=operation_id(path)
        )

    def get(
        path: str, about: str, handle: Callable[[], dict[str, Any] | bytes], answer: dict[str, Any], *fails: int
    ) -> None:
        async def got(request: Request) -> Response:
            return await _got(request, handle)

        routes.add_api_route(
            path, got, methods=["GET"], summary=about, response_class=Response, operation_id=operation_id(path),
            openapi_extra=described(answer, fails, links=LINKS.get(path)),
        )  # fmt: skip

    def look(path: str, about: str, handle: Callable[[Desk, str], dict[str, Any]], answer: dict[str, Any]) -> None:
        async def looked(request: Request, name: str) -> Response:
            return await _got(request, lambda: handle(desk, name))

        extra = described(answer, LOOK_PROBLEMS, links=LINKS.get(path))
        routes.add_api_route(
            path, looked, methods=["GET"], summary=about, openapi_extra=extra, response_class=Response,
            operation_id=operation_id(path),
        )  # fmt: skip

    post("/predict", "Decide one raw event; the same event again gets the same answer.",
         event_schema(desk.case), decision_schema())  # fmt: skip
    post("/predict/batch", "Decide several events in their order; each has its decision or its problem at its place.",
         batch_schema(desk.case), batch_answer_schema())  # fmt: skip
    post("/feedback", "Take in what came of an event; a label may come before its event, and a later one corrects it.",
         label_schema(), taken_schema())  # fmt: skip
    post("/lists", "Put a value on a declared list or take it off; the next decision sees it.",
         edit_schema(desk.case), edited_schema())  # fmt: skip
    for child in desk.case.children:
        post(f"/rows/{child.name}", "Take in a batch of rows of a child table; the next decision sees them.",
             rows_schema(child), rows_taken_schema())  # fmt: skip
    post("/save-logs", "Save the decisions since the last time as Parquet in the home; one at a time.",
         nothing_schema(), saved_schema())  # fmt: skip
    look("/decisions/{name}", "Return a decision as it was answered, by its id or by that of its event.",
         told, stored_decision_schema())  # fmt: skip
    look("/decisions/{name}/explain", "Tell what each feature added to a decision's score, as known then.",
         explained, explanation_schema())  # fmt: skip
    get("/models", "List the registered bundles with their figures and aliases.", rollout.models, models_schema())
    get("/traffic", "Tell which bundles get traffic, by the registry and in this process.",
        rollout.traffic, traffic_schema())  # fmt: skip
    add_rollout(routes, door, rollout, _response)
    get("/health", "Say whether this process is fit to decide.", lambda: _health(door),
        health_schema(), 503)  # fmt: skip
    get("/ready", "Say whether it may be sent traffic: it is fit, and there is room for more.", lambda: _ready(desk),
        constant_schema(status="ready"), 503)  # fmt: skip
    get("/metadata", "Tell what decides: model, run, features and digests.", lambda: _metadata(desk),
        {"type": "object"}, 503)  # fmt: skip
    get("/sample-transaction", "Give an event that /predict takes.", lambda: samples.next(desk.clock.now_us()),
        event_schema(desk.case), 404)  # fmt: skip
    get("/metrics", "Give the figures in Prometheus' text format.", door.figures.text, TEXT)
    get("/stats", "Give requests and their times by path.", door.figures.told, {"type": "object"})
    return routes


async def _got(request: Request, handle: Callable[[], dict[str, Any] | bytes]) -> Response:
    """Answer a GET, worked out beside the event loop: no decision waits for it."""
    try:
        found = await asyncio.to_thread(handle)
    except (Problem, WeighbridgeError) as fault:
        return _problem(request, problem_of(fault))
    if isinstance(found, bytes):
        return Response(found, media_type="text/plain; version=0.0.4")
    return _response(reply(200, JSON, found, call_of(request.scope).trace))


def _fit(desk: Desk, told: dict[str, Any]) -> dict[str, Any]:
    """Return what is told while a bundle decides and the state follows the log; raises Problem otherwise."""
    if desk.router.champion is None:
        raise Problem(503, desk.router.refusal or NO_BUNDLE)
    if desk.gave_up:
        raise Problem(503, "the state is out of step with the log; start again")
    return told


def _health(door: Door) -> dict[str, Any]:
    return {**_fit(door.desk, {"status": "ok"}), **door.levels.health()}


def _ready(desk: Desk) -> dict[str, Any]:
    found = _fit(desk, {"status": "ready", "pending": desk.pending})
    if desk.histories.state is None:
        raise Problem(503, "the state is being made anew; answers are degraded until then")
    if desk.pending > MOST_PENDING // 2:
        raise Problem(503, f"{desk.pending:,} events wait to be stored; send elsewhere or a little later")
    return found


def _metadata(desk: Desk) -> dict[str, Any]:
    champion = desk.router.champion
    if champion is None:
        raise Problem(503, desk.router.refusal or NO_BUNDLE)
    facts = next((f for b, _, f in desk.stores.registry.bundles() if b == champion.id), {})
    return {
        "use_case": desk.case.name,
        "model_version": champion.version,
        "bundle": champion.id,
        "model": champion.facts["model"],
        "run_id": facts.get("run"),
        "features": list(desk.case.feature_names),
        "selected_features": champion.facts["selected_features"],
        "thresholds": champion.facts["thresholds"],
        "rules": describe(desk.case.policy.rules),
        "validation": champion.facts["validation"],
        "digests": {"case": desk.case.digest, "state": desk.case.state_digest, "vector": desk.case.vector_digest},
        "weighbridge": __version__,
    }


def _response(answer: Reply) -> Response:
    found = Response(answer.content, answer.status)
    found.raw_headers = answer.headers
    return found


def _problem(request: Request, problem: Problem) -> Response:
    return _response(problem_reply(problem, call_of(request.scope).trace))
