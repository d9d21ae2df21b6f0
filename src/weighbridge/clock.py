"""Time as int64 microseconds UTC: clocks, durations ("30d") and ISO-8601 text."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Protocol

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
UNITS_US = {
    "w": 7 * DAY_US,
    "d": DAY_US,
    "h": 3_600 * SECOND_US,
    "min": 60 * SECOND_US,
    "s": SECOND_US,
    "ms": 1_000,
    "us": 1,
}
_DURATION = re.compile(r"([0-9]+)(us|ms|s|min|h|d|w)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """Anything that tells the present as microseconds UTC."""

    def now_us(self) -> int:
        """Return the present, microseconds since 1970-01-01 UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_us(self) -> int:
        """Return the machine's present in microseconds UTC."""
        return time.time_ns() // 1_000


class ManualClock:
    """A clock that moves only when told to; for tests and replays of simulated time.

    >>> clock = ManualClock(5)
    >>> clock.advance(3)
    >>> clock.now_us()
    8
    """

    def __init__(self, start_us: int = 0) -> None:
        self._now_us = start_us

    def now_us(self) -> int:
        """Return the time last set, microseconds UTC."""
        return self._now_us

    def set(self, now_us: int) -> None:
        """Move the clock to `now_us`, in either direction."""
        self._now_us = now_us

    def advance(self, by_us: int) -> None:
        """Move the clock by `by_us` microseconds."""
        self._now_us += by_us


def duration_us(text: str) -> int:
    """Return a duration such as "10min", "24h" or "30d" in microseconds.

    Raises ValueError when the text is not a whole number and a unit of `UNITS_US`.

    >>> duration_us("24h") == duration_us("1d")
    True
    """
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(
            f"{text!r} is not a duration; write a whole number and a unit, such as '10min', '24h' or '30d'"
        )
    return int(match[1]) * UNITS_US[match[2]]


def duration_text(us: int) -> str:
    """Return the shortest text of a duration; the inverse of `duration_us` for whole units.

    >>> duration_text(duration_us("24h")), duration_text(duration_us("90min"))
    ('1d', '90min')
    """
    for unit, size in UNITS_US.items():
        if unit != "w" and us % size == 0:
            return f"{us // size}{unit}"
    raise ValueError(f"{us!r} is not a whole number of microseconds")


def iso_to_us(text: str) -> int:
    """Return ISO-8601 text with an offset or "Z" as microseconds UTC.

    Raises ValueError when the text is not a time or names no offset.

    >>> iso_to_us("1970-01-01T00:00:01.5Z")
    1500000
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without an offset is ambiguous; add 'Z' or '+00:00'")
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * SECOND_US + delta.microseconds


def us_to_iso(us: int) -> str:
    """Return microseconds UTC as ISO-8601 text with "Z".

    >>> us_to_iso(1_500_000)
    '1970-01-01T00:00:01.500000Z'
    """
    seconds, rest = divmod(us, SECOND_US)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
