"""Tables, registry, tracker, bundles, keys and what shadows said, in memory."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import pyarrow as pa

from weighbridge.errors import BundleRefused, Conflict, InputError
from weighbridge.ports import EventLog
from weighbridge.records import Alias, ApiKey, Move, ShadowRecord
from weighbridge.stores.changes import of_bundle, of_key, of_revocation
from weighbridge.stores.files import check_size
from weighbridge.stores.memory_audit import MemoryAudit
from weighbridge.stores.tables import SHADOWS


class MemoryTables:
    """TableStore in memory."""

    def __init__(self) -> None:
        self._tables: dict[str, pa.Table] = {}

    def put(self, name: str, table: pa.Table | pa.RecordBatchReader) -> None:
        """Store a table under a name."""
        self._tables[name] = table if isinstance(table, pa.Table) else table.read_all()

    def get(self, name: str) -> pa.Table | None:
        """Return a table, or None."""
        return self._tables.get(name)


class MemoryRegistry:
    """Registry in memory, beside the log that its moves are noted in."""

    def __init__(self, log: EventLog, audit: MemoryAudit | None = None) -> None:
        self._log, self._audit, self._lock = log, audit or MemoryAudit(), threading.Lock()
        self._bundles: dict[str, tuple[int, str]] = {}
        self._aliases: dict[str, Alias] = {}
        self._moves: list[Move] = []

    def add(self, bundle: str, facts: Mapping[str, Any], added_us: int) -> None:
        """Register a bundle."""
        if bundle not in self._bundles:
            self._audit.append([of_bundle(bundle, facts, added_us)])
            self._bundles[bundle] = (added_us, json.dumps(facts))

    def bundles(self) -> Sequence[tuple[str, int, Mapping[str, Any]]]:
        """Return (bundle, added_us, facts), oldest first."""
        return [(bundle, at, json.loads(facts)) for bundle, (at, facts) in self._bundles.items()]

    def alias(self, name: str) -> str | None:
        """Return the bundle an alias points at."""
        found = self._aliases.get(name)
        return found.bundle if found else None

    def aliases(self) -> Mapping[str, Alias]:
        """Return what every alias points at."""
        return dict(self._aliases)

    def move(self, *moves: Move) -> None:
        """Move aliases and note it in the log."""
        with self._lock:
            aliases = dict(self._aliases)
            for move in moves:
                if move.bundle is not None and move.bundle not in self._bundles:
                    raise InputError(f"bundle {move.bundle} is not registered")
                if aliases.pop(move.alias, None) != move.seen:
                    raise Conflict(f"alias {move.alias} was moved by somebody else; look again and retry")
                if move.bundle is not None:
                    aliases[move.alias] = Alias(move.bundle, move.share)
            self._log.commit([], [move.note for move in moves])
            self._aliases = aliases
            self._moves += moves

    def moves(self) -> Sequence[Move]:
        """Return every move, oldest first."""
        return list(self._moves)


class MemoryTracker:
    """Tracker in memory."""

    def __init__(self) -> None:
        self._runs: list[tuple[str, str, int, str]] = []
        self._ids, self._lock = set[str](), threading.Lock()

    def record(self, run: str, verb: str, started_us: int, facts: Mapping[str, Any]) -> None:
        """Store a finished run."""
        told = json.dumps(facts)
        with self._lock:
            if run in self._ids:
                raise Conflict(f"there is a run {run!r} already; give this one another id")
            self._ids.add(run)
            self._runs.append((run, verb, started_us, told))

    def runs(self, verb: str | None = None) -> Sequence[tuple[str, str, int, Mapping[str, Any]]]:
        """Return (run, verb, started_us, facts), oldest first."""
        return [(r, v, at, json.loads(facts)) for r, v, at, facts in self._runs if verb in (None, v)]


class MemoryBundles:
    """BundleStore in memory."""

    def __init__(self) -> None:
        self._bundles: dict[str, dict[str, bytes]] = {}

    def put(self, bundle: str, files: Mapping[str, bytes]) -> None:
        """Store a bundle's files."""
        self._bundles.setdefault(bundle, dict(files))

    def files(self, bundle: str, at_most: int | None = None) -> dict[str, bytes]:
        """Return a bundle's files by name."""
        if bundle not in self._bundles:
            raise BundleRefused(f"bundle {bundle[:12]} is not in this store; train again")
        check_size(bundle, sum(map(len, self._bundles[bundle].values())), at_most)
        return dict(self._bundles[bundle])


class MemoryKeys:
    """Keys in memory."""

    def __init__(self, audit: MemoryAudit | None = None) -> None:
        self._audit = audit or MemoryAudit()
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
        self._audit.append([of_key(key)])
        self._keys[key.id] = key
        self._version += 1

    def revoke(self, name: str, by: str, revoked_us: int) -> ApiKey:
        """Revoke the key of this name."""
        found = self._named(name)
        if found is None:
            raise InputError(f"there is no key {name!r} that is not revoked; `weigh keys` lists them")
        revoked = replace(found, revoked_us=revoked_us, revoked_by=by)
        self._audit.append([of_revocation(revoked)])
        self._keys[found.id] = revoked
        self._version += 1
        return revoked

    def _named(self, name: str) -> ApiKey | None:
        return next((k for k in self._keys.values() if k.name == name and k.revoked_us is None), None)


class MemoryShadows:
    """Shadows in memory."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], ShadowRecord] = {}

    def put(self, rows: Sequence[ShadowRecord]) -> None:
        """Store rows."""
        for row in rows:
            self._rows.setdefault((row.event_id, row.bundle), row)

    def about(self, bundle: str, event_ids: Sequence[str]) -> pa.Table:
        """Return what a bundle said about events."""
        found = (self._rows.get((event_id, bundle)) for event_id in event_ids)
        return pa.Table.from_pylist([asdict(row) for row in found if row], SHADOWS)

    def table(self) -> pa.Table:
        """Return all rows, oldest first."""
        return pa.Table.from_pylist([asdict(row) for row in self._rows.values()], SHADOWS)
