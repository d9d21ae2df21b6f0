"""Brings an MLflow up to date with a home: runs, moves, versions, what is told of them, aliases, in this order.

What is missing is found from the home's own records each time, so an outage, a crash half way or a hand in MLflow's
own UI is made good by the next call. Every part can be done twice and is then there once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from weighbridge.adapters.mlflow import lineage
from weighbridge.adapters.mlflow.connection import Address, Connection, connect, current, look
from weighbridge.adapters.mlflow.entries import Entry, Shown
from weighbridge.adapters.mlflow.registry import SHARE, MirroredRegistry, move_id
from weighbridge.adapters.mlflow.tracker import MlflowTracker, shown
from weighbridge.ports import Stores
from weighbridge.records import CANARY, Alias, Move

Run = tuple[str, str, int, Mapping[str, Any]]
Told = Callable[[str, int, int], None]  # (what, done, of)
GATES = "weigh.governance.gates"
LOCK = "mlflow"


@dataclass(frozen=True)
class Gap:
    """What an MLflow has not yet: how many runs, moves and bundles, and the names of aliases that point elsewhere."""

    runs: int
    moves: int
    bundles: int
    aliases: tuple[str, ...]

    @property
    def empty(self) -> bool:
        """Whether nothing is missing."""
        return not (self.runs or self.moves or self.bundles or self.aliases)


def gap(stores: Stores, address: Address) -> Gap:
    """Return what an MLflow lacks of a home; nothing is written. Raises StoreFailure, Conflict."""
    connection = look(address, stores.signer.key_id)
    if connection is None:
        aliases = tuple(sorted(stores.registry.aliases()))
        runs, moves, bundles = map(len, (stores.tracker.runs(), stores.registry.moves(), stores.registry.bundles()))
        return Gap(runs, moves, bundles, aliases)
    registry = MirroredRegistry(connection)
    known, there, wanted = registry.versions(), registry.aliases(), stores.registry.aliases()
    return Gap(
        MlflowTracker(connection).entries.behind(_ids(stores.tracker.runs())),
        registry.entries.behind(_move_ids(stores.registry.moves())),
        sum(bundle not in known for bundle, _, _ in stores.registry.bundles()),
        tuple(sorted(name for name in {*there, *wanted} if there.get(name) != wanted.get(name))),
    )


def follow(stores: Stores, address: Address, told: Told) -> Gap | None:
    """Write what an MLflow lacks; return what that was, None while another process of the home is at it.

    Raises StoreFailure when MLflow does not take it, Conflict when it mirrors another home; what was written stays.
    """
    with stores.locks.hold(LOCK, stores.signer.key_id) as held:
        if held is None:
            return None
        with current(address):
            return _Mirror(stores, connect(address, stores.signer.key_id), told).follow()


class _Mirror:
    def __init__(self, stores: Stores, connection: Connection, told: Told) -> None:
        self._stores, self._told = stores, told
        self._tracker, self._registry = MlflowTracker(connection), MirroredRegistry(connection)

    def follow(self) -> Gap:
        aliases = self._stores.registry.aliases()  # before the bundles, so that none points at one not seen
        runs, moves = self._runs(), self._moves()
        bundles = self._bundles()
        self._tag(aliases.get(CANARY))
        return Gap(runs, moves, bundles, self._point(aliases))

    def _runs(self) -> int:
        entries, runs = self._tracker.entries, self._stores.tracker.runs()
        missing = entries.behind(_ids(runs))
        reports = _reports(self._stores.reports) if missing else {}
        for done, (run, verb, at, facts) in enumerate(runs[len(runs) - missing :]):
            self._told("runs", done, missing)
            entries.add(Entry(run, verb, at, facts), self._shown(verb, facts, reports.get(run, {})))
        return missing

    def _shown(self, verb: str, facts: Mapping[str, Any], reports: Mapping[str, bytes]) -> Shown:
        plain = shown(facts) if "run" not in facts else Shown()  # what is about another run tells the same again
        files = {f"reports/{name}": content for name, content in reports.items()}
        bundle = str(facts.get("bundle")) if verb == "train" else None
        packed = lineage.files_of(self._stores, bundle) if bundle else None
        if bundle is None or packed is None:
            return replace(plain, files=files)
        made = json.loads(packed["facts.json"])
        return Shown(
            {**plain.params, **lineage.params_of(made)},
            {**plain.metrics, **lineage.metrics_of(made)},
            lineage.governance(self._stores, bundle, made),
            {**files, **lineage.artifacts_of(self._stores, bundle, packed)},
        )

    def _moves(self) -> int:
        moves = self._stores.registry.moves()
        missing = self._registry.entries.behind(_move_ids(moves))
        for place in range(len(moves) - missing, len(moves)):
            self._told("moves", place - len(moves) + missing, missing)
            self._registry.note(place, moves[place])
        return missing

    def _bundles(self) -> int:
        known, ours = self._registry.versions(), self._stores.registry.bundles()
        missing = [each for each in ours if each[0] not in known]
        for done, (bundle, added_us, facts) in enumerate(missing):
            self._told("bundles", done, len(missing))
            files = lineage.files_of(self._stores, bundle)
            tags = lineage.tags_of(self._stores, bundle, added_us, facts, files)
            run = self._tracker.entries.run_of(str(facts["run"])) if "run" in facts else None
            card = files["card.md"].decode() if files else ""
            self._registry.add(bundle, files, self._stores.signer.public, tags, run, card)
        return len(missing)

    def _tag(self, canary: Alias | None) -> None:
        """Set the tags that change after a version was made: the verdicts of its gates, a canary's share."""
        gated = {str(facts["bundle"]): facts["gates"] for _, _, _, facts in self._stores.tracker.runs("gate")}
        for bundle, version in self._registry.versions().items():
            wanted = {}
            if bundle in gated:
                wanted[GATES] = "; ".join(f"{v['gate']}: {v['verdict']}" for v in gated[bundle])
            if canary is not None and canary.bundle == bundle:
                wanted[SHARE] = repr(canary.share)
            for key, value in wanted.items():
                if version.tags.get(key) != value:
                    self._registry.tag(version, key, value)

    def _point(self, wanted: Mapping[str, Alias]) -> tuple[str, ...]:
        there, versions = self._registry.aliases(), self._registry.versions()
        moved = sorted(name for name in {*there, *wanted} if there.get(name) != wanted.get(name))
        for name in moved:
            self._registry.point(name, versions[wanted[name].bundle] if name in wanted else None)
        return tuple(moved)


def _ids(runs: Sequence[Run]) -> list[str]:
    return [str(run) for run, _, _, _ in runs]


def _move_ids(moves: Sequence[Move]) -> list[str]:
    return [move_id(place) for place in range(len(moves))]


def _reports(folder: Path) -> dict[str, dict[str, bytes]]:
    """Return the reports by the run that wrote them, which a report names, each with the page beside it."""
    found: dict[str, dict[str, bytes]] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            content = path.read_bytes()
            run = json.loads(content)["run"]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # replaced meanwhile, or a report of something else
        page = path.with_suffix(".html")
        beside = {page.name: page.read_bytes()} if page.is_file() else {}
        found.setdefault(str(run), {}).update({path.name: content, **beside})
    return found
