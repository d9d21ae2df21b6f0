"""Turns that somebody else deals out, one by one: no thread, no waiting, the same order every time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from weighbridge.score.promise import Promise, ended, promise
from weighbridge.score.turns import Then


class ByHand:
    """`Turns` of a desk. Work waits until it is told to go on; long work until it is told apart."""

    def __init__(self) -> None:
        self._next: deque[Callable[[], None]] = deque()
        self._long: deque[tuple[Callable[[], None], Then]] = deque()

    def promise(self) -> Promise:
        """Return a future that its caller can look at."""
        return promise()

    def outcome(self, promised: Promise) -> Awaitable[Any]:
        """Return an awaitable that follows it."""
        return asyncio.wrap_future(promised)

    def soon(self, work: Callable[[], None]) -> None:
        """Keep work for a later turn."""
        self._next.append(work)

    def beside(self, work: Callable[[], None], then: Then) -> None:
        """Keep work for a later turn; it tells in that turn how it ended."""
        self._next.append(lambda: then(ended(work)))

    def long(self, work: Callable[[], None], then: Then) -> None:
        """Keep long work until `long_turn`."""
        self._long.append((work, then))

    def later(self, seconds: float, work: Callable[[], None]) -> None:
        """Keep it like long work: how long a wait is, is for whoever deals out the turns."""
        self._long.append((lambda: None, lambda _: work()))

    def turn(self) -> bool:
        """Do the next work; return whether there was any."""
        if not self._next:
            return False
        self._next.popleft()()
        return True

    def settle(self) -> None:
        """Do all work that is not long."""
        while self.turn():
            pass

    def long_turn(self) -> bool:
        """Do the next long work; return whether there was any."""
        if not self._long:
            return False
        work, then = self._long.popleft()
        then(ended(work))
        return True

    def close(self) -> None:
        """Forget what nobody will do any more."""
        self._next.clear()
        self._long.clear()
