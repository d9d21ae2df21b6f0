"""Replays simulated traffic against the HTTP door: every event and every label at its own time."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.clock import ManualClock, us_to_iso
from weighbridge.declare.case import UseCase
from weighbridge.errors import StoreFailure
from weighbridge.loop.simulate import World


@dataclass(frozen=True)
class Message:
    """One request: when it arrives, where it goes, what it says."""

    arrived_us: int
    path: str
    body: dict[str, Any]


def arrived_before(table: pa.Table, at_us: int) -> pa.Table:
    """Return the rows of a simulated table that had arrived before a time."""
    return table.filter(pc.less(table["arrived"].cast(pa.int64()), at_us))


def messages(case: UseCase, world: World, from_us: int) -> list[Message]:
    """Return everything that arrives from a time on, in the order of arrival, labels before events."""
    found: list[tuple[int, int, Message]] = []
    events = world.events.filter(pc.greater_equal(world.events["arrived"].cast(pa.int64()), from_us))
    time_name = case.events.time.name
    for row in events.to_pylist():
        arrived_us = _us(row.pop("arrived"))
        body = {f.name: row[f.source] for f in case.events.fields}
        body[time_name] = us_to_iso(_us(body[time_name]))
        found.append((arrived_us, 1, Message(arrived_us, "/predict", body)))
    labels = world.labels.filter(pc.greater_equal(world.labels["arrived"].cast(pa.int64()), from_us))
    for row in labels.to_pylist():
        arrived_us = _us(row["arrived"])
        body = {"event_id": row["event_id"], "label": row["label"], "source": "simulation"}
        found.append((arrived_us, 0, Message(arrived_us, "/feedback", body)))
    return [message for _, _, message in sorted(found, key=lambda m: m[:2])]


def _us(moment: Any) -> int:  # noqa: ANN401 - a datetime of the table
    return int(moment.timestamp()) * 1_000_000 + int(moment.microsecond)


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

    `until` sees each message with its answer and says whether to stop.
    """
    due = time.perf_counter()
    for message in sent:
        if rate:
            due += 1.0 / rate
            time.sleep(max(0.0, due - time.perf_counter()))
        clock.set(message.arrived_us)
        if until(message, caller.post(message.path, message.body)):
            return
