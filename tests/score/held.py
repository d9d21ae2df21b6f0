"""A log that a test holds back or lets fail, and what it asks of a desk."""

from __future__ import annotations

import threading

from weighbridge.clock import iso_to_us
from weighbridge.errors import StoreFailure
from weighbridge.kernel.validate import parse_event

PATIENCE_SECONDS = 30


class HeldLog:
    """A log whose groups wait until they are let go, and fail when told to."""

    def __init__(self, log):
        self._log, self._gate, self._entered = log, threading.Semaphore(0), threading.Semaphore(0)
        self.groups, self.failing, self.holding = [], [], False

    def __getattr__(self, name):
        return getattr(self._log, name)

    def append(self, group, followers=()):
        if not self.holding:
            return self._log.append(group, followers)
        self._entered.release()
        assert self._gate.acquire(timeout=PATIENCE_SECONDS)
        self.groups.append((len(group), len(followers)))
        if self.failing and self.failing.pop(0):
            raise StoreFailure("disk is full")
        return self._log.append(group, followers)

    def reached(self):
        assert self._entered.acquire(timeout=PATIENCE_SECONDS)

    def let_go(self, groups):
        self._gate.release(groups)


def outcome(future):
    """What a future gives or raises."""
    return future.exception(PATIENCE_SECONDS) or future.result()


def probes(desk, events):
    read = [parse_event(desk.case.events, b, iso_to_us(b["event_ts"]), desk.stores.pseudonyms) for b in events]
    return [desk.histories.state.vector(event) for event in read]
