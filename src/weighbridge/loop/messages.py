"""What a simulated world sends: every event and every label, each at its own time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.clock import us_to_iso
from weighbridge.declare.actions import DECLINE
from weighbridge.declare.case import UseCase
from weighbridge.loop.simulate import World


@dataclass(frozen=True)
class Message:
    """One request: when it arrives, where it goes, what it says."""

    arrived_us: int
    path: str
    body: dict[str, Any]


class Hearing:
    """What a world hears of its events: a declined one did not happen, and its label never comes."""

    def __init__(self) -> None:
        self._declined: set[str] = set()

    def hears(self, message: Message) -> bool:
        """Return whether a message is sent at all."""
        return message.path != "/feedback" or message.body["event_id"] not in self._declined

    def note(self, event_id: str, action: str) -> None:
        """Take in what became of an event."""
        if action == DECLINE:
            self._declined.add(event_id)


def arrived_before(table: pa.Table, at_us: int) -> pa.Table:
    """Return the rows of a simulated table that had arrived before a time."""
    return table.filter(pc.less(table["arrived"].cast(pa.int64()), at_us))


def messages(case: UseCase, world: World, from_us: int) -> list[Message]:
    """Return everything that arrives from a time on, in the order of arrival, labels before events."""
    found: list[tuple[int, int, Message]] = []
    events = world.events.filter(pc.greater_equal(world.events["arrived"].cast(pa.int64()), from_us))
    time = case.events.time
    for row in events.to_pylist():
        arrived_us = _us(row.pop("arrived"))
        body = {f.name: row[f.source] for f in case.events.fields}
        if time is not None:
            body[time.name] = us_to_iso(_us(body[time.name]))
        found.append((arrived_us, 1, Message(arrived_us, "/predict", body)))
    labels = world.labels.filter(pc.greater_equal(world.labels["arrived"].cast(pa.int64()), from_us))
    for row in labels.to_pylist():
        arrived_us = _us(row["arrived"])
        body = {"event_id": row["event_id"], "label": row["label"], "source": "simulation"}
        found.append((arrived_us, 0, Message(arrived_us, "/feedback", body)))
    return [message for _, _, message in sorted(found, key=lambda m: m[:2])]


def _us(moment: Any) -> int:  # noqa: ANN401 - a datetime of the table
    return int(moment.timestamp()) * 1_000_000 + int(moment.microsecond)
