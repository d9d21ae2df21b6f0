"""One request's way from bytes to bytes, whatever framework carries it: read, handle, answer, count, log."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple

import structlog

from weighbridge.errors import Rejected, WeighbridgeError
from weighbridge.score.answer import Answer
from weighbridge.score.decide import Desk
from weighbridge.serve.http.figures import Figures
from weighbridge.serve.http.problem import Problem, problem_of
from weighbridge.serve.http.trace import Trace, trace_of
from weighbridge.serve.strict import LARGEST_BATCH, LARGEST_BODY, MOST_EVENTS, Malformed, parse_object

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Handler = Callable[[dict[str, Any], Trace], Awaitable[dict[str, Any]]]
JSON, PROBLEM = b"application/json", b"application/problem+json"
VERSION = "/v1"


class Reply(NamedTuple):
    """An answer, ready to be sent."""

    status: int
    headers: list[tuple[bytes, bytes]]
    content: bytes


class Gone(Exception):
    """The caller has hung up before the body was there."""


class Door:
    """What can be posted to a desk. `posts` are the handlers by path, with and without the version before it."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.figures = desk, Figures()
        self._log = structlog.get_logger("http")
        posts: dict[str, tuple[Handler, int]] = {
            "/predict": (self._predict, LARGEST_BODY),
            "/predict/batch": (self._batch, LARGEST_BATCH),
            "/feedback": (self._feedback, LARGEST_BODY),
            "/lists": (self._edit, LARGEST_BODY),
        }
        self.posts = {prefix + path: (path, *how) for path, how in posts.items() for prefix in ("", VERSION)}

    async def post(self, scope: Scope, receive: Receive) -> Reply:
        """Answer a POST to one of the paths in `posts`; every outcome is one reply, one count and one line of log."""
        started_ns, trace = time.perf_counter_ns(), trace_of(scope["headers"])
        path, handle, largest = self.posts[scope["path"]]
        try:
            body = parse_object(await read_body(scope, receive, largest))
            status, kind, content = 200, JSON, await handle(body, trace)
        except Gone:
            status, kind, content = 400, PROBLEM, {}  # nobody is there to read it
        except (Malformed, WeighbridgeError, Problem) as fault:
            problem = self._counted(fault)
            status, kind, content = problem.status, PROBLEM, problem.body(trace.trace_id)
        except Exception as fault:
            status, kind, content = 500, PROBLEM, self.unexpected(path, trace, fault).body(trace.trace_id)
        duration_us = (time.perf_counter_ns() - started_ns) // 1_000
        self.figures.answered(path, status, duration_us)
        self._log.info(
            "request", path=path, status=status, trace_id=trace.trace_id, request_id=trace.request_id,
            duration_us=duration_us,
        )  # fmt: skip
        return reply(status, kind, content, trace)

    def unexpected(self, path: str, trace: Trace, fault: Exception) -> Problem:
        """Log a fault that nobody foresaw; the caller learns nothing but where to look."""
        self._log.error("unexpected", path=path, trace_id=trace.trace_id, exc_info=fault)
        return Problem(500, "something went wrong here; the log has it under this trace_id")

    async def _predict(self, body: dict[str, Any], trace: Trace) -> dict[str, Any]:
        return self._told(await asyncio.wrap_future(self.desk.submit(body, trace.trace_id)))

    async def _feedback(self, body: dict[str, Any], _: Trace) -> dict[str, Any]:
        known = await asyncio.wrap_future(self.desk.submit_label(body))
        return {"event_id": body["event_id"], "accepted": True, "event_known": known}

    async def _edit(self, body: dict[str, Any], _: Trace) -> dict[str, Any]:
        before = await asyncio.wrap_future(self.desk.submit_edit(body))
        return {"list": body["list"], "listed": body["action"] == "add", "listed_before": before}

    async def _batch(self, body: dict[str, Any], trace: Trace) -> dict[str, Any]:
        """Decide events in their order; each has its decision, or its problem, at its place."""
        events = body.get("events")
        if not isinstance(events, list) or len(body) > 1 or not all(isinstance(e, dict) for e in events):
            raise Problem(422, "events: send an object with one member, a list of events", field="events", rule="list")
        if len(events) > MOST_EVENTS:
            told = f"events: send at most {MOST_EVENTS} at once, not {len(events)}"
            raise Problem(413, told, field="events", rule="longest")
        pending = [asyncio.wrap_future(self.desk.submit(event, trace.trace_id)) for event in events]
        found = await asyncio.gather(*pending, return_exceptions=True)
        return {"results": [self._outcome(one, trace) for one in found]}

    def _outcome(self, found: Answer | BaseException, trace: Trace) -> dict[str, Any]:
        if isinstance(found, Answer):
            return {"status": 200, **self._told(found)}
        if isinstance(found, WeighbridgeError):
            return self._counted(found).body(trace.trace_id)
        raise found

    def _told(self, answer: Answer) -> dict[str, Any]:
        if not answer.repeated:
            self.figures.decided(answer.decision.action, answer.decision.level)
        return answer.body()

    def _counted(self, fault: Exception) -> Problem:
        if isinstance(fault, Rejected):
            self.figures.refused(fault.rule)
        return problem_of(fault)


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


def reply(status: int, kind: bytes, content: dict[str, Any], trace: Trace) -> Reply:
    """Return an answer in JSON."""
    encoded = json.dumps(content, ensure_ascii=False).encode()
    headers = [(b"content-type", kind), (b"content-length", str(len(encoded)).encode()), *trace.headers()]
    return Reply(status, headers, encoded)
