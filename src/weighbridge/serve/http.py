"""The HTTP door: one raw event in, one decision out; labels by the same door. Errors are RFC 9457 problem+json."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from weighbridge import __version__
from weighbridge.errors import Conflict, InputError, Rejected, StoreFailure, WeighbridgeError
from weighbridge.identity import describe, ulid_at
from weighbridge.score.decide import Desk
from weighbridge.serve.schema import decision_schema, edit_schema, event_schema, label_schema, problem_schema
from weighbridge.serve.strict import LARGEST_BODY, Malformed, parse_object

FOLLOW_EVERY_SECONDS = 0.5
TITLES = {400: "Malformed request", 404: "Not found", 405: "Method not allowed", 409: "Conflict", 413: "Body too large",
          415: "Not JSON", 422: "Rejected by the contract", 500: "Internal error", 503: "Not available"}  # fmt: skip


class Problem(Exception):
    """An error as the caller sees it."""

    def __init__(self, status: int, detail: str, **members: str) -> None:
        super().__init__(detail)
        self.status, self.detail, self.members = status, detail, members


def make_app(desk: Desk) -> FastAPI:
    """Return the ASGI application of a desk."""
    log = structlog.get_logger("http")

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        follower = asyncio.create_task(_follow(desk))
        yield
        follower.cancel()

    app = FastAPI(
        title=f"weighbridge {desk.case.name}", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None
    )

    async def answer(request: Request, handle: Callable[[dict[str, Any], str], Awaitable[dict[str, Any]]]) -> Response:
        """Read a strict body, handle it, log it; every outcome is one answer."""
        started, trace_id = time.perf_counter_ns(), _new_id()
        try:
            content, status = await handle(await _body(request), trace_id), 200
        except ClientDisconnect:
            return _log(log, request, Response(status_code=400), trace_id, started)  # nobody is there to read it
        except (Malformed, WeighbridgeError, Problem) as fault:
            problem = _problem(fault)
            return _log(log, request, _problem_response(problem, trace_id), trace_id, started)
        return _log(log, request, _json(content, status), trace_id, started)

    async def decided(body: dict[str, Any], trace_id: str) -> dict[str, Any]:
        return (await asyncio.wrap_future(desk.submit(body, trace_id))).body()

    async def taken(body: dict[str, Any], _: str) -> dict[str, Any]:
        return _accepted(body, known=await asyncio.wrap_future(desk.submit_label(body)))

    @app.post("/predict", openapi_extra=_documented(event_schema(desk.case), decision_schema()))
    async def predict(request: Request) -> Response:
        """Decide one raw event; the same event again gets the same answer."""
        return await answer(request, decided)

    @app.post("/feedback", openapi_extra=_documented(label_schema(), {"type": "object"}))
    async def feedback(request: Request) -> Response:
        """Take in what came of an event; a label may come before its event, and a later one corrects it."""
        return await answer(request, taken)

    @app.post("/lists", openapi_extra=_documented(edit_schema(desk.case), {"type": "object"}))
    async def edit_list(request: Request) -> Response:
        """Put a value on a declared list or take it off; the next decision sees it."""
        return await answer(request, lambda body, _: _edited(desk, body))

    @app.get("/health")
    async def health() -> Response:
        """Say whether this process is fit to decide."""
        if desk.router.champion is None:
            return _problem_response(Problem(503, desk.router.refusal or "no bundle is in production"), _new_id())
        return _json({"status": "ok"}, 200)

    @app.get("/metadata")
    async def metadata() -> Response:
        """Tell what decides: model, run, features and digests."""
        if desk.router.champion is None:
            return _problem_response(Problem(503, desk.router.refusal or "no bundle is in production"), _new_id())
        return _json(_metadata(desk), 200)

    @app.exception_handler(HTTPException)
    async def not_found(_: Request, fault: HTTPException) -> Response:
        return _problem_response(Problem(fault.status_code, str(fault.detail)), _new_id())

    @app.exception_handler(Exception)
    async def unexpected(request: Request, fault: Exception) -> Response:
        trace_id = _new_id()
        log.error("unexpected", path=request.url.path, trace_id=trace_id, exc_info=fault)
        return _problem_response(
            Problem(500, "something went wrong here; the log has it under this trace_id"), trace_id
        )

    return app


async def _follow(desk: Desk) -> None:
    """Let the router follow the registry."""
    log = structlog.get_logger("route")
    refusal = desk.router.refusal
    while True:
        await asyncio.sleep(FOLLOW_EVERY_SECONDS)
        try:
            moved = await asyncio.to_thread(desk.router.refresh)
        except StoreFailure as fault:
            log.warning("registry", problem=str(fault))
            continue
        if moved and desk.router.champion:
            log.info("champion", bundle=desk.router.champion.version)
        if desk.router.refusal != refusal:
            refusal = desk.router.refusal
            log.error("refused", reason=refusal)


async def _edited(desk: Desk, body: dict[str, Any]) -> dict[str, Any]:
    before = await asyncio.wrap_future(desk.submit_edit(body))
    return {"list": body["list"], "listed": body["action"] == "add", "listed_before": before}


async def _body(request: Request) -> dict[str, Any]:
    kind = request.headers.get("content-type", "application/json").split(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem(415, "send the body as application/json")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise Problem(413, f"the body is larger than {LARGEST_BODY} bytes")
    return parse_object(bytes(body))


def _problem(fault: Exception) -> Problem:
    if isinstance(fault, Problem):
        return fault
    if isinstance(fault, Rejected):
        return Problem(422, str(fault), field=fault.field, rule=fault.rule)
    is_conflict = isinstance(fault, Conflict | InputError)  # a list that is full
    status = 400 if isinstance(fault, Malformed) else 409 if is_conflict else 503
    return Problem(status, str(fault))


def _problem_response(problem: Problem, trace_id: str) -> Response:
    title = TITLES.get(problem.status, "Error")
    members = {
        "type": "about:blank",
        "title": title,
        "status": problem.status,
        "detail": problem.detail,
        "trace_id": trace_id,
    }
    return _json({**members, **problem.members}, problem.status, "application/problem+json")


def _json(content: dict[str, Any], status: int, kind: str = "application/json") -> Response:
    return Response(json.dumps(content, ensure_ascii=False).encode(), status, media_type=kind)


def _log(log: Any, request: Request, response: Response, trace_id: str, started: int) -> Response:  # noqa: ANN401
    duration_us = (time.perf_counter_ns() - started) // 1_000
    log.info("request", path=request.url.path, status=response.status_code, trace_id=trace_id, duration_us=duration_us)
    return response


def _accepted(body: dict[str, Any], *, known: bool) -> dict[str, Any]:
    return {"event_id": body["event_id"], "accepted": True, "event_known": known}


def _metadata(desk: Desk) -> dict[str, Any]:
    champion = desk.router.champion
    assert champion is not None
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


def _documented(body: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    problem = {
        "description": "a problem, RFC 9457",
        "content": {"application/problem+json": {"schema": problem_schema()}},
    }
    return {
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "200": {"description": "the answer", "content": {"application/json": {"schema": answer}}},
            **dict.fromkeys(("400", "409", "413", "415", "422", "503"), problem),
        },
    }


def _new_id() -> str:
    now = time.time_ns()
    return ulid_at(now // 1_000, (now * 0x9E3779B97F4A7C15 % 2**80).to_bytes(10, "big"))
