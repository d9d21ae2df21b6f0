"""What every engine of `Locks` must do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from weighbridge.errors import GateClosed
from weighbridge.ports import Locks
from weighbridge.ports.locks import Held
from weighbridge.testing.edit_contract import refuses

THREADS = 16


class LocksContract:
    """Locks."""

    def make(self) -> Locks:
        """Return locks that nobody holds."""
        raise NotImplementedError

    def test_one_at_a_time_holds_a_lock(self) -> None:
        """The others are told at once; another name is another lock; afterwards it is free."""
        locks = self.make()
        with locks.hold("a", "me") as mine, locks.hold("a", "you") as yours, locks.hold("b", "you") as other:
            assert (mine, yours, other) == (Held(), None, Held())
        with locks.hold("a", "you") as again:
            assert again == Held()

    def test_of_many_threads_one_gets_it(self) -> None:
        """All try while none has let go."""
        locks, ready, tried = self.make(), Barrier(THREADS), Barrier(THREADS)

        def attempt(number: int) -> bool:
            ready.wait()
            with locks.hold("a", str(number)) as held:
                tried.wait()
                return held is not None

        with ThreadPoolExecutor(THREADS) as pool:
            assert sum(pool.map(attempt, range(THREADS))) == 1

    def test_a_fault_lets_go_of_it(self) -> None:
        """Whoever fails has not died with it."""
        locks = self.make()

        def fails() -> None:
            with locks.hold("a", "me"):
                raise GateClosed("closed")

        refuses(GateClosed, fails)
        with locks.hold("a", "you") as held:
            assert held == Held()
