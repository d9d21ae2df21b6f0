"""An outcome that comes later: the future that a caller waits on, and how a fault gets into it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Any

Promise = Future[Any] | asyncio.Future[Any]  # of a thread, or of an event loop


def promise() -> Future[Any]:
    """Return a future that its caller can wait on but not cancel: what was scored is committed or taken back whole."""
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    return future


def deliver(future: Promise, outcome: object, fault: BaseException | None) -> None:
    """Give a future its outcome, or the fault instead; one that nobody waits for any more is passed over."""
    if future.done():
        return
    if fault is None:
        future.set_result(outcome)
    else:
        future.set_exception(fault)


def ended(work: Callable[[], None]) -> BaseException | None:
    """Do work; return what it raised, or None."""
    with Catching() as caught:
        work()
    return caught.fault


class Keeping:
    """Delivers what a block raises to whoever waits on a future, as an executor does; the block's thread goes on."""

    def __init__(self, future: Promise) -> None:
        self._future = future

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if fault is not None:
            deliver(self._future, None, fault)
        return fault is not None


class Catching:
    """Keeps what a block raises in `fault`; the block's thread goes on."""

    def __init__(self) -> None:
        self.fault: BaseException | None = None

    def __enter__(self) -> Catching:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self.fault = fault
        return fault is not None
