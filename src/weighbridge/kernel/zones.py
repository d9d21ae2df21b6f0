"""Offsets of time zones from UTC as sorted tables, so that a kernel needs no calendar library."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from weighbridge.clock import SECOND_US

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = datetime(1899, 12, 31, tzinfo=UTC)
_LAST = datetime(2201, 1, 1, tzinfo=UTC)  # event times lie between 1900 and 2200
_STEP = timedelta(days=3)  # no zone changes its offset twice in so short a time


def zone_table(zones: list[str]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return when each zone's offset changes and to what.

    times: int64[z, t], microseconds UTC, rising, padded with the largest int64; offsets: int64[z, t], microseconds,
    where offsets[z, i] holds from times[z, i] on. Between 1900 and 2200, as the IANA data on this machine say.
    """
    changes = [_changes(zone) if zone != "UTC" else [(0, 0)] for zone in zones]
    longest = max(map(len, changes))
    times = np.full((len(zones), longest), np.iinfo(np.int64).max)
    offsets = np.zeros((len(zones), longest), dtype=np.int64)
    for number, found in enumerate(changes):
        times[number, : len(found)] = [at for at, _ in found]
        offsets[number, : len(found)] = [offset for _, offset in found]
    times[:, 0] = np.iinfo(np.int64).min
    return times, offsets


@cache
def _changes(name: str) -> list[tuple[int, int]]:
    zone = ZoneInfo(name)
    found = [(round((_FIRST - _EPOCH).total_seconds()) * SECOND_US, _offset_us(zone, _FIRST))]
    before = _FIRST
    while before < _LAST:
        after = before + _STEP
        if _offset_us(zone, after) != found[-1][1]:
            low, high = before, after
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) // 2
                low, high = (middle, high) if _offset_us(zone, middle) == found[-1][1] else (low, middle)
            moment = high.replace(microsecond=0)
            found.append((round((moment - _EPOCH).total_seconds()) * SECOND_US, _offset_us(zone, after)))
        before = after
    return found


def _offset_us(zone: ZoneInfo, moment: datetime) -> int:
    offset = moment.astimezone(zone).utcoffset()
    return round(offset.total_seconds()) * SECOND_US if offset else 0
