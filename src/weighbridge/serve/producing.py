"""Publishes a stream at its pace: events as they are due, each label a while after its event, until it is stopped."""

from __future__ import annotations

import heapq
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any

from weighbridge.clock import Clock
from weighbridge.declare.actions import DECLINE
from weighbridge.declare.case import UseCase
from weighbridge.errors import InputError
from weighbridge.loop.produce import Happening
from weighbridge.ports.destinations import Destination
from weighbridge.score.decide import Desk

GROUP = "weighbridge.destinations"
STDOUT = "-"
LONGEST_WAIT = 3.0  # mean delays that a label takes at most
TRACE = "0" * 32


class ToDesk:
    """The home's own log: each event is decided as it comes."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def event(self, actor: str, body: Mapping[str, Any]) -> str:
        """Decide an event; return the action."""
        return self._desk.decide(body, TRACE).decision.action

    def label(self, body: Mapping[str, Any]) -> None:
        """Take in a label."""
        self._desk.feedback(body)

    def close(self) -> None:
        """Leave the desk to whoever opened it."""


def destination(address: str, case: UseCase, secret: str) -> Destination:
    """Return what an address means. Raises InputError for a scheme that nothing installed knows."""
    scheme = "stdout" if address == STDOUT else address.partition(":")[0]
    found = entry_points(group=GROUP, name=scheme)
    if not found or (address != STDOUT and ":" not in address):
        known = sorted({"-", *(f"{name}:" for name in entry_points(group=GROUP).names if name != "stdout")})
        raise InputError(f"--to {address!r} is no destination that is known here; use one of {', '.join(known)}")
    made: Destination = next(iter(found)).load()(address, case.name, secret)
    return made


@dataclass
class Published:
    """What was published so far."""

    events: int = 0
    labels: int = 0
    waiting: int = 0
    seconds: float = 0.0
    stopped: bool = False
    actions: Counter[str] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds if self.seconds else 0.0


def publish(
    case: UseCase, happening: Iterator[Happening], to: Destination, clock: Clock, *, rate: float, count: int | None,
    delay_seconds: float | None, told: Callable[[Published], None],
) -> Published:  # fmt: skip
    """Publish events at `rate` a second (0: as fast as they are taken), `count` of them or until somebody interrupts.

    With `delay_seconds`, the label of each follows after an exponential time of that mean, at most three times as long;
    that of an event which was declined never comes. The destination is closed at the end.
    """
    done, waiting, begun = Published(), list[tuple[float, int, dict[str, Any]]](), time.monotonic()
    due = begun
    try:
        while count is None or done.events < count:
            due = due + 1 / rate if rate else time.monotonic()
            _labels_until(due, waiting, to, done)
            _sleep_until(due)
            one = next(happening)
            body = one.body(case, clock.now_us())
            action = to.event(one.actor, body)
            done.events += 1
            done.actions[action or "published"] += 1
            if delay_seconds is not None and action != DECLINE:
                label = {"event_id": body[case.events.id.name], "label": one.positive, "source": "produce"}
                at = time.monotonic() + min(one.waits, LONGEST_WAIT) * delay_seconds
                heapq.heappush(waiting, (at, done.events, label))
            done.seconds = time.monotonic() - begun
            told(done)
        while waiting:
            _labels_until(waiting[0][0], waiting, to, done)
            told(done)
    except (KeyboardInterrupt, BrokenPipeError):
        done.stopped = True
    done.waiting = len(waiting)
    to.close()
    return done


def _labels_until(
    moment: float, waiting: list[tuple[float, int, dict[str, Any]]], to: Destination, done: Published
) -> None:
    """Publish the labels that are due until a moment, each at its time."""
    while waiting and waiting[0][0] <= moment:
        _sleep_until(waiting[0][0])
        to.label(waiting[0][2])
        heapq.heappop(waiting)
        done.labels += 1


def _sleep_until(moment: float) -> None:
    wait = moment - time.monotonic()
    if wait > 0:
        time.sleep(wait)
