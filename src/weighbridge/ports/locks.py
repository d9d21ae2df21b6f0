"""What the platform asks of whatever lets one at a time do something."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Held:
    """A lock that is held. `left_by` is the owner who died with it, None where the last one gave it back."""

    left_by: str | None = None


class Locks(Protocol):
    """Locks by name, over all threads and processes of a home. Nobody waits for one."""

    def hold(self, name: str, owner: str) -> AbstractContextManager[Held | None]:
        """Hold a lock while the block runs, or give None at once where a living owner holds it.

        The lock of an owner who died, by whatever, is free.
        """
        ...
