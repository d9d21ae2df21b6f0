"""Whose turn it is: how a desk puts work off, and hands what waits for a device to a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

from weighbridge.score.promise import Promise, ended, promise

Then = Callable[[BaseException | None], None]


class Turns(Protocol):
    """Where a desk's work is done. It is given one piece of work at a time."""

    def promise(self) -> Promise:
        """Return a future for a caller."""
        ...

    def outcome(self, promised: Promise) -> Awaitable[Any]:
        """Return what to await, on an event loop, for the outcome of a promise."""
        ...

    def soon(self, work: Callable[[], None]) -> None:
        """Do work when what has come by now is handled."""
        ...

    def beside(self, work: Callable[[], None], then: Then) -> None:
        """Do work that waits for a device, on a thread; then tell how it ended."""
        ...

    def long(self, work: Callable[[], None], then: Then) -> None:
        """Do long work on a thread that nothing else waits for; then tell how it ended."""
        ...

    def later(self, seconds: float, work: Callable[[], None]) -> None:
        """Do work after so many seconds."""
        ...

    def close(self) -> None:
        """Let go of the thread."""
        ...


class OnAThread:
    """All work is done on a thread of its own. Callers may be on any thread, and wait for what they are promised."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "desk")

    def promise(self) -> Promise:
        """Return a future that its caller can wait on but not cancel."""
        return promise()

    def outcome(self, promised: Promise) -> Awaitable[Any]:
        """Return an awaitable that follows the future of another thread."""
        assert isinstance(promised, Future)
        return asyncio.wrap_future(promised)

    def soon(self, work: Callable[[], None]) -> None:
        """Do it on the thread, at once when that is free."""
        self._thread.submit(work)

    def beside(self, work: Callable[[], None], then: Then) -> None:
        """Do both at once: this is the thread."""
        then(ended(work))

    def long(self, work: Callable[[], None], then: Then) -> None:
        """Do both on another thread."""
        threading.Thread(target=lambda: then(ended(work)), name="long", daemon=True).start()

    def later(self, seconds: float, work: Callable[[], None]) -> None:
        """Do it on another thread."""
        timer = threading.Timer(seconds, work)
        timer.daemon = True
        timer.start()

    def close(self) -> None:
        """Let go of the thread."""
        self._thread.shutdown()


class OnTheLoop:
    """All work is done on the running event loop, and so are all callers; only what waits for a device is not.

    Requests that came in one turn of the loop are stored together, and no thread takes the interpreter away.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, "desk")

    def promise(self) -> Promise:
        """Return a future of the loop."""
        return self._loop.create_future()

    def outcome(self, promised: Promise) -> Awaitable[Any]:
        """Return the future itself."""
        assert isinstance(promised, asyncio.Future)
        return promised

    def soon(self, work: Callable[[], None]) -> None:
        """Do it when the tasks that are ready now have run."""
        self._loop.call_soon(work)

    def beside(self, work: Callable[[], None], then: Then) -> None:
        """Work on the thread, tell on the loop."""
        done = self._thread.submit(work)
        done.add_done_callback(lambda f: self._loop.call_soon_threadsafe(then, f.exception()))

    def long(self, work: Callable[[], None], then: Then) -> None:
        """Work on another thread, tell on the loop."""

        def do() -> None:
            fault = ended(work)
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(then, fault)

        threading.Thread(target=do, name="long", daemon=True).start()

    def later(self, seconds: float, work: Callable[[], None]) -> None:
        """Do it on the loop."""
        self._loop.call_later(seconds, work)

    def close(self) -> None:
        """Let go of the thread."""
        self._thread.shutdown()
