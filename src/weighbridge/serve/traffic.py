"""Sends what a simulated world sends to the HTTP door, at its own times."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from weighbridge.clock import ManualClock
from weighbridge.errors import StoreFailure
from weighbridge.loop.messages import Hearing, Message


class Caller:
    """A client of the HTTP door on one kept-alive connection."""

    def __init__(self, host: str, port: int) -> None:
        self._connection = http.client.HTTPConnection(host, port, timeout=30)
        self.sent = 0
        self.seconds = 0.0

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a body; raises StoreFailure for anything but 200."""
        begun = time.perf_counter()
        try:
            status, content = self._send(path, body)
        except (
            http.client.RemoteDisconnected,
            ConnectionError,
        ):  # an idle connection was closed: ids make a retry safe
            self._connection.close()
            status, content = self._send(path, body)
        self.sent += 1
        self.seconds += time.perf_counter() - begun
        if status != 200:
            raise StoreFailure(f"{path} answered {status}: {content.get('detail')}")
        return content

    def _send(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self._connection.request("POST", path, json.dumps(body).encode(), {"content-type": "application/json"})
        response = self._connection.getresponse()
        return response.status, dict(json.loads(response.read()))


def replay(
    sent: Iterator[Message],
    caller: Caller,
    clock: ManualClock,
    *,
    rate: float,
    until: Callable[[Message, dict[str, Any]], bool],
) -> None:
    """Send messages at their times on the clock, at most `rate` a second (0: as fast as they are answered).

    `until` sees each message with its answer and says whether to stop. The label of a declined event is not sent.
    """
    due, hearing = time.perf_counter(), Hearing()
    for message in sent:
        if not hearing.hears(message):
            continue
        if rate:
            due += 1.0 / rate
            time.sleep(max(0.0, due - time.perf_counter()))
        clock.set(message.arrived_us)
        answer = caller.post(message.path, message.body)
        hearing.note(str(answer["event_id"]), str(answer.get("action", "")))
        if until(message, answer):
            return
