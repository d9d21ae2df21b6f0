"""Things of one kind, in order, as runs of MLflow: each with its exact facts, each written once however often tried."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from mlflow.entities import Metric, Param, Run, RunTag

from weighbridge.adapters.mlflow.connection import Connection, reaching
from weighbridge.errors import Conflict

KIND, PLACE, ID, VERB, STARTED, ABOUT = (
    f"weigh.{name}" for name in ("kind", "place", "id", "verb", "started_us", "about")
)
PARENT = "mlflow.parentRunId"
FACTS = "facts.json"
MOST_PER_BATCH, LONGEST_VALUE, LONGEST_NAME = 100, 6_000, 250  # MLflow's own bounds
NOT_IN_NAMES = re.compile(r"[^\w\-. ]+")
PAGE = 1_000
T = TypeVar("T")


@dataclass(frozen=True)
class Entry:
    """One thing: its id, what it is (a verb), when it began (microseconds UTC), and facts that JSON can hold."""

    id: str
    verb: str
    started_us: int
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Shown:
    """What people see of an entry besides its facts: `files` are artifacts by path, `children` entries of its kind."""

    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    children: Sequence[str] = ()


class Entries:
    """Entries of one kind. How many there are, and the id of the last, is a tag of the experiment, written last.

    An entry that was half written when its writer died is written again, into the same run of MLflow.
    """

    def __init__(self, connection: Connection, kind: str) -> None:
        self._connection, self._kind = connection, kind
        count, _, last = connection.tags.get(self._tag, "0 ").partition(" ")
        self._count, self._last = int(count), last

    def __len__(self) -> int:
        return self._count

    def behind(self, ids: Sequence[str]) -> int:
        """Return how many of all ids, oldest first, are not here yet. Raises Conflict when these are others."""
        if self._count > len(ids) or (self._count and ids[self._count - 1] != self._last):
            raise Conflict(
                f"MLflow has {self._count} {self._kind}s that are not those of this home, which was perhaps restored "
                "from a copy; set another WEIGH_MLFLOW_NAME to mirror it anew"
            )
        return len(ids) - self._count

    def add(self, entry: Entry, shown: Shown) -> str:
        """Write the next entry; return the id of its run in MLflow.

        Raises StoreFailure, and then it counts as missing; Conflict when an entry of its id is here already.
        """
        client, place, begun_ms = self._connection.client, self._count + 1, max(entry.started_us // 1_000, 0)
        seconds = float(entry.facts.get("seconds", 0.0))
        with reaching(self._connection.address):
            begun = next(self._where(ID, entry.id), None)
            if begun is not None and int(begun.data.tags[PLACE]) <= self._count:
                raise Conflict(f"there is a {self._kind} {entry.id!r} already; give this one another id")
            run = str(begun.info.run_id) if begun is not None else None
            if run is None:
                tags = self._tags(entry, place)
                name = entry.verb if ABOUT in tags else f"{entry.verb} {entry.id[-6:]}"
                made = client.create_run(self._connection.experiment, begun_ms, tags, name)
                run = str(made.info.run_id)
            self._write(run, begun_ms, entry, shown)
            self._nest(run, entry, shown)
            client.set_terminated(run, "FINISHED", begun_ms + int(seconds * 1_000))
            self._connection.tag(self._tag, f"{place} {entry.id}")
        self._count, self._last = place, entry.id
        return run

    def all(self) -> Iterator[Entry]:
        """Yield every entry, oldest first."""
        with reaching(self._connection.address):
            for run in self._runs(f"tags.`{KIND}` = '{self._kind}'"):
                tags = run.data.tags
                if int(tags[PLACE]) > self._count:
                    return  # half written
                yield Entry(tags[ID], tags[VERB], int(tags[STARTED]), self._facts(run.info.run_id))

    def run_of(self, id_: str) -> str | None:
        """Return the run of MLflow that holds an entry, or a part of it, or None. Raises StoreFailure."""
        with reaching(self._connection.address):
            found = next(self._where(ID, id_), None)
        return None if found is None else str(found.info.run_id)

    @property
    def _tag(self) -> str:
        return f"weigh.{self._kind}s"

    def _where(self, tag: str, value: str) -> Iterator[Run]:
        return self._runs(f"tags.`{KIND}` = '{self._kind}' and tags.`{tag}` = '{value}'")

    def _runs(self, having: str) -> Iterator[Run]:
        client, order, token = self._connection.client, [f"tags.`{PLACE}` ASC"], None
        while True:
            page = client.search_runs(
                [self._connection.experiment], having, max_results=PAGE, order_by=order, page_token=token
            )
            yield from page
            token = page.token
            if not token:
                return

    def _tags(self, entry: Entry, place: int) -> dict[str, str]:
        named = {KIND: self._kind, PLACE: f"{place:012d}", ID: entry.id, VERB: entry.verb}
        about = {ABOUT: str(entry.facts["run"])} if "run" in entry.facts else {}
        sentence = _text(str(entry.facts.get("sentence", "")))
        return {**named, STARTED: str(entry.started_us), **about, "mlflow.note.content": sentence}

    def _nest(self, run: str, entry: Entry, shown: Shown) -> None:
        """Put the entry's children, and whatever is about it, below it, and itself below what it is about."""
        below = [*map(self.run_of, shown.children), *(found.info.run_id for found in self._where(ABOUT, entry.id))]
        for child in filter(None, below):
            self._connection.client.set_tag(child, PARENT, run)
        above = self.run_of(str(entry.facts["run"])) if "run" in entry.facts else None
        if above is not None:
            self._connection.client.set_tag(run, PARENT, above)

    def _facts(self, run: str) -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            path = self._connection.client.download_artifacts(run, FACTS, folder)
            return dict(json.loads(Path(path).read_text()))

    def _write(self, run: str, at_ms: int, entry: Entry, shown: Shown) -> None:
        client = self._connection.client
        params = [Param(k, _text(v)) for k, v in _named(shown.params).items()]
        tags = [RunTag(k, _text(v)) for k, v in _named(shown.tags).items()]
        metrics = [Metric(k, v, at_ms, 0) for k, v in _named(shown.metrics).items()]
        for begin in range(0, max(len(params), len(tags), len(metrics)), MOST_PER_BATCH):
            part = slice(begin, begin + MOST_PER_BATCH)
            client.log_batch(run, metrics[part], params[part], tags[part])
        with tempfile.TemporaryDirectory() as folder:
            for name, content in {FACTS: json.dumps(dict(entry.facts)).encode(), **shown.files}.items():
                (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
                (Path(folder) / name).write_bytes(content)
            client.log_artifacts(run, folder)


def _named(values: Mapping[str, T]) -> dict[str, T]:
    """Return values under names that MLflow takes; of several that become one name, the last."""
    told = {k.replace("<=", "at most").replace(">=", "at least"): v for k, v in values.items()}
    return {NOT_IN_NAMES.sub("_", k).lstrip(".")[:LONGEST_NAME] or "_": v for k, v in told.items()}


def _text(value: str) -> str:
    return value.replace("\0", "\ufffd")[:LONGEST_VALUE]  # PostgreSQL keeps no NUL
