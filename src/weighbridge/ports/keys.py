"""What the platform asks of whatever keeps the keys to the HTTP door."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from weighbridge.records import ApiKey


class Keys(Protocol):
    """API keys. None is ever deleted: a home that has had a key stays closed to whoever has none."""

    def version(self) -> int:
        """Return a number that rises with every change, quick enough to be asked twice a second."""
        ...

    def all(self) -> Sequence[ApiKey]:
        """Return every key, oldest first, those that are revoked too."""
        ...

    def add(self, key: ApiKey) -> None:
        """Store a key. Raises Conflict when its id is stored, or its name belongs to a key that is not revoked."""
        ...

    def revoke(self, name: str, by: str, revoked_us: int) -> ApiKey:
        """Revoke the key of this name and return it; raises InputError when no such key is left to revoke."""
        ...
