"""The keys to the HTTP door, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from weighbridge.errors import Conflict, InputError
from weighbridge.records import ApiKey


class MemoryKeys:
    """Keys in memory."""

    def __init__(self) -> None:
        self._keys: dict[str, ApiKey] = {}  # by id
        self._version = 0

    def version(self) -> int:
        """Return how many changes there were."""
        return self._version

    def all(self) -> Sequence[ApiKey]:
        """Return every key, oldest first."""
        return list(self._keys.values())

    def add(self, key: ApiKey) -> None:
        """Store a key."""
        if key.id in self._keys or self._named(key.name):
            raise Conflict(f"there is a key {key.name!r} already; revoke it first, or choose another name")
        self._keys[key.id] = key
        self._version += 1

    def revoke(self, name: str, by: str, revoked_us: int) -> ApiKey:
        """Revoke the key of this name."""
        found = self._named(name)
        if found is None:
            raise InputError(f"there is no key {name!r} that is not revoked; `weigh keys` lists them")
        self._keys[found.id] = replace(found, revoked_us=revoked_us, revoked_by=by)
        self._version += 1
        return self._keys[found.id]

    def _named(self, name: str) -> ApiKey | None:
        return next((k for k in self._keys.values() if k.name == name and k.revoked_us is None), None)
