"""One request's way from bytes to bytes, whatever framework carries it: read, handle, answer, count, log."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple

import orjson
import structlog

from weighbridge.declare.children import Child
from weighbridge.declare.fallback import MISSING_STATE
from weighbridge.errors import Overloaded, Rejected, WeighbridgeError
from weighbridge.kernel.rules import unknown
from weighbridge.records import UNNAMED
from weighbridge.score.answer import Answer
from weighbridge.score.decide import Desk
from weighbridge.score.edits import by_and_why
from weighbridge.serve.http.call import Call, Scope, call_of
from weighbridge.serve.http.figures import Figures
from weighbridge.serve.http.forced import forced_by
from weighbridge.serve.http.guard import Guard
from weighbridge.serve.http.levels import Levels
from weighbridge.serve.http.problem import Problem, problem_of
from weighbridge.serve.http.row_batches import Batches
from weighbridge.serve.http.saving import Saver
from weighbridge.serve.http.scopes import VERSION, Scopes
from weighbridge.serve.http.trace import Headers, Trace
from weighbridge.serve.strict import LARGEST_BATCH, LARGEST_BODY, MOST_EVENTS, Malformed, parse_object

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Handler = Callable[[dict[str, Any], Call], Awaitable[dict[str, Any]]]
PIECE = 32  # events of a batch that are submitted at once
JSON, PROBLEM = b"application/json", b"application/problem+json"

BODILESS = ("/save-logs",)  # nothing has to be said: no body is an empty object


class Reply(NamedTuple):
    """An answer, ready to be sent."""

    status: int
    headers: list[tuple[bytes, bytes]]
    content: bytes


class Gone(Exception):
    """The caller has hung up before the body was there."""


class Door:
    """What can be posted to a desk. `posts` are the handlers by path, with and without the version before it.

    In a `sandbox` callers may force outcomes, to try what they build on them.
    """

    def __init__(self, desk: Desk, *, sandbox: bool = False) -> None:
        self._sandbox = sandbox
        self.desk, self._scopes = desk, Scopes()
        self.levels = Levels(desk.case, desk.stores, desk.clock)
        self.figures = Figures(self.levels)
        self.guard = Guard(desk.stores.keys, desk.clock)
        self._log = structlog.get_logger("http").bind()
        self._saver = Saver(desk)
        self._batches = Batches(desk)
        posts: dict[str, tuple[Handler, int]] = {
            "/predict": (self._predict, LARGEST_BATCH if desk.case.children else LARGEST_BODY),
            "/predict/batch": (self._batch, LARGEST_BATCH),
            "/feedback": (self._feedback, LARGEST_BODY),
            "/lists": (self._edit, LARGEST_BODY),
            "/save-logs": (self._save, LARGEST_BODY),
            **{f"/rows/{child.name}": (self._rows_of(child), LARGEST_BATCH) for child in desk.case.children},
        }
        self.posts = {prefix + path: how for path, how in posts.items() for prefix in ("", VERSION)}

    def enter(self, scope: Scope) -> Reply | None:
        """Let a request in and return None, or return why not. Every request passes here, whatever answers it."""
        call = call_of(scope)
        if not scope["path"].isprintable():  # a router may pass over what a table of scopes does not
            return problem_reply(Problem(404, "Not Found"), call.trace)
        call.route, needed = self._scopes.of(scope["method"], scope["path"])
        try:
            call.caller = self.guard.admit(scope["headers"], needed)
        except Problem as refused:
            return problem_reply(refused, call.trace)
        return None

    def leave(self, scope: Scope, status: int) -> None:
        """Count a request that was answered, and write its line of log."""
        call = call_of(scope)
        duration_us = (time.perf_counter_ns() - call.started_ns) // 1_000
        self.figures.answered(call.route, status, duration_us)
        if status == 200 and call.route == "/predict":
            self.levels.timed(duration_us)
        self._log.info(
            "request", method=scope["method"], path=call.route, status=status, trace_id=call.trace.trace_id,
            request_id=call.trace.request_id, key=call.caller.key_id, entities=call.entities, bundle=call.bundle,
            duration_us=duration_us,
        )  # fmt: skip

    async def post(self, scope: Scope, receive: Receive) -> Reply:
        """Answer a POST to one of the paths in `posts`."""
        handle, largest = self.posts[scope["path"]]
        return await self.answer(scope, receive, largest, handle)

    async def answer(self, scope: Scope, receive: Receive, largest: int, handle: Handler) -> Reply:
        """Answer a request with a body of at most so many bytes; every outcome is one reply."""
        call, is_asked = call_of(scope), handle in (self._predict, self._batch)
        try:
            if is_asked:
                self.desk.check_room()  # before anything is read
            call.forced = forced_by(scope["headers"], sandbox=self._sandbox)
            sent = await read_body(scope, receive, largest)
            body = parse_object(sent if sent or call.route not in BODILESS else b"{}")
            call.entities = 1
            return reply(200, JSON, await handle(body, call), call.trace)
        except Gone:
            return reply(400, PROBLEM, {}, call.trace)  # nobody is there to read it
        except (Malformed, WeighbridgeError, Problem) as fault:
            return problem_reply(self._counted(fault, max(call.entities, 1) * is_asked), call.trace)
        except Exception as fault:
            self.levels.unanswered(max(call.entities, 1) * is_asked)
            return problem_reply(self.unexpected(call, fault), call.trace)

    def unexpected(self, call: Call, fault: Exception) -> Problem:
        """Log a fault that nobody foresaw; the caller learns nothing but where to look."""
        self._log.error("unexpected", path=call.route, trace_id=call.trace.trace_id, exc_info=fault)
        return Problem(500, "something went wrong here; the log has it under this trace_id")

    async def _predict(self, body: dict[str, Any], call: Call) -> dict[str, Any]:
        told = self._told(await self.desk.outcome(self.desk.submit(body, call.trace.trace_id, call.forced)))
        call.bundle = told["model_version"] or ""
        return told

    async def _feedback(self, body: dict[str, Any], call: Call) -> dict[str, Any]:
        known = await self.desk.outcome(self.desk.submit_label(body, call.caller.name or UNNAMED))
        return {"event_id": body["event_id"], "accepted": True, "event_known": known}

    async def _edit(self, body: dict[str, Any], call: Call) -> dict[str, Any]:
        if call.caller.name:
            by_and_why(body)
            body["by"] = call.caller.name  # not what anybody says
        before = await self.desk.outcome(self.desk.submit_edit(body))
        return {"list": body["list"], "listed": body["action"] == "add", "listed_before": before}

    def _rows_of(self, child: Child) -> Handler:
        async def take(body: dict[str, Any], call: Call) -> dict[str, Any]:
            told = await self._batches.take(child, body, call.caller.name or UNNAMED)
            call.entities = told["rows"]
            for row in told["rejected"]:
                self.figures.refused(row["rule"])
            return told

        return take

    async def _save(self, body: dict[str, Any], _: Call) -> dict[str, Any]:
        for name in body:
            raise unknown(name)
        return await asyncio.to_thread(self._saver.save)

    async def _batch(self, body: dict[str, Any], call: Call) -> dict[str, Any]:
        """Decide events in their order; each has its decision, or its problem, at its place."""
        events = body.get("events")
        if not isinstance(events, list) or len(body) > 1 or not all(isinstance(e, dict) for e in events):
            raise Problem(422, "events: send an object with one member, a list of events", field="events", rule="list")
        if len(events) > MOST_EVENTS:
            told = f"events: send at most {MOST_EVENTS} at once, not {len(events)}"
            raise Problem(413, told, field="events", rule="longest")
        call.entities = len(events)
        found: list[Answer | WeighbridgeError] = []
        for first in range(0, len(events), PIECE):  # a batch leaves room for others
            piece = events[first : first + PIECE]
            pending = [self.desk.outcome(self.desk.submit(event, call.trace.trace_id, call.forced)) for event in piece]
            for one in await asyncio.gather(*pending, return_exceptions=True):
                if not isinstance(one, Answer | WeighbridgeError):
                    raise one
                found.append(one)
        results = [self._outcome(one, call.trace) for one in found]
        call.bundle = ",".join(sorted({r["model_version"] for r in results if r.get("model_version")}))
        return {"results": results}

    def _outcome(self, found: Answer | WeighbridgeError, trace: Trace) -> dict[str, Any]:
        if isinstance(found, Answer):
            return {"status": 200, **self._told(found)}
        return self._counted(found, 1).body(trace.trace_id)

    def _told(self, answer: Answer) -> dict[str, Any]:
        self.levels.answered(repeated=answer.repeated, away=MISSING_STATE in answer.decision.degraded)
        if not answer.repeated:
            self.figures.decided(answer.decision)
        return answer.body()

    def _counted(self, fault: Exception, asked: int) -> Problem:
        """Return the problem that a fault is to the caller who asked for so many decisions, counted."""
        problem = problem_of(fault)
        if isinstance(fault, Rejected):
            self.figures.refused(fault.rule)
        if problem.status >= 500 or isinstance(fault, Overloaded):
            self.levels.unanswered(asked)
        return problem


async def read_body(scope: Scope, receive: Receive, largest: int) -> bytes:
    """Return the body of a JSON request; raises Problem when it says it is something else, or is too large."""
    for name, value in scope["headers"]:
        if name == b"content-type" and value.split(b";")[0].strip().lower() != JSON:
            raise Problem(415, "send the body as application/json")
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > largest:
            raise Problem(413, f"the body is larger than {largest} bytes")
    return body


def problem_reply(problem: Problem, trace: Trace) -> Reply:
    """Return a problem as an answer."""
    return reply(problem.status, PROBLEM, problem.body(trace.trace_id), trace, problem.headers)


def reply(status: int, kind: bytes, content: dict[str, Any], trace: Trace, more: Headers = ()) -> Reply:
    """Return an answer in JSON."""
    encoded = orjson.dumps(content)
    length = str(len(encoded)).encode()
    headers = [(b"content-type", kind), (b"content-length", length), *trace.headers(), *more]
    return Reply(status, headers, encoded)
