"""A history larger than memory, built part by part: its keys are dealt out to files, and its vectors put back in order.

Keys are independent, so each part is replayed by itself. What a part gives is dealt out again by the place of its rows
in the log, which is then read a second time, range by range, for ids and row features.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.errors import InputError
from weighbridge.identity import hash64
from weighbridge.kernel.arrays import Ints, Vectors
from weighbridge.kernel.columns import ints, stored_values, with_partials
from weighbridge.kernel.entity_plan import EntityPlan
from weighbridge.kernel.plan import Plan
from weighbridge.kernel.replay import NONE, Columns, finish_rows, replay_entity
from weighbridge.kernel.split import content
from weighbridge.loop.report import Progress
from weighbridge.ports import Budget, EventLog
from weighbridge.stores.buckets import Buckets
from weighbridge.stores.codes import Codes

RANGE = 32_768  # places of the log that are read, and written, at once
ROLLED = 8  # ranges whose rollups are computed at once
Rolled = Callable[[pa.Table], pa.Table]
Piece = tuple[pa.Table, Vectors, Ints]  # events, their vectors, and what `content_of_rows` says of their child rows
_COLUMNS = 2  # of a dealt event before its values: seq, event_us


def row_bytes(plan: Plan) -> int:
    """Return about how many bytes of memory one row of a part takes while it is built."""
    return 16 * (_COLUMNS + plan.width) + 12 * len(plan.vector) + 24 * len(plan.sides) + 64


def content_of_rows(plan: Plan, values: Ints) -> Ints:
    """Return what the partials of child rows, behind an event's values, add to the number of its content, int64[n]."""
    width = len(plan.payload)
    return content(values[:, width:], width)


def vectors_in_parts(
    plan: Plan,
    log: EventLog,
    head: int,
    parts: int,
    budget: Budget,
    progress: Progress,
    rolled: Rolled = lambda events: events,
) -> Iterator[Piece]:
    """Yield the log's events up to a place, range by range, with their vectors, float32[rows, features].

    `rolled` adds the partials of their child rows to events, `ROLLED` ranges at once. Raises InputError as `replay`
    does, StoreFailure when the disk has no room for the parts.
    """
    with tempfile.TemporaryDirectory(dir=budget.folder, prefix="build-") as folder:
        dealt = _Dealt(plan, log, head, parts, Path(folder))
        steps, done = dealt.ranges * 2 + parts * len(plan.entities), 0
        for number in range(dealt.ranges):
            dealt.deal(number)
            progress("reading", done := done + 1, steps)
        dealt.join_labels()
        for place in range(len(plan.entities)):
            for part in range(parts):
                dealt.replay(place, part, budget.cores)
                progress("replaying", done := done + 1, steps)
        for number in range(dealt.ranges):
            if number % ROLLED == 0:
                told = rolled(log.events(number * RANGE, min((number + ROLLED) * RANGE, head)))
            found = dealt.collect(number, told)
            progress("writing", done := done + 1, steps)
            if len(found[0]):
                yield found


class _Dealt:
    """The files of one build: events by part of their key, labels by part of their event's key, results by range."""

    def __init__(self, plan: Plan, log: EventLog, head: int, parts: int, folder: Path) -> None:
        self.plan, self.log, self.head, self.parts = plan, log, head, parts
        self.ranges = -(-head // RANGE)
        self._codes = {place: Codes() for place in plan.coded}
        self._labelled = [e for e in plan.entities if e.uses_labels]
        width = _COLUMNS + len(plan.payload)
        self._events = [Buckets(folder, f"events-{e.key}", width) for e in plan.entities]
        self._labels = [Buckets(folder, f"labels-{e.key}", 3) for e in plan.entities]
        self._results = [Buckets(folder, f"vectors-{e.key}", self._words(e)) for e in plan.entities]
        self._ids = Buckets(folder, "ids", 2 + len(self._labelled))
        self._label_ids = Buckets(folder, "label-ids", 3)

    def deal(self, number: int) -> None:
        """Deal one range of the log out."""
        events, values = self._range(number)
        seq = ints(events["seq"])
        rows = np.column_stack([seq, ints(events["event_us"]), values])
        for entity, buckets in zip(self.plan.entities, self._events, strict=True):
            buckets.add(values[:, entity.key_field] % self.parts, rows)
        if self._labelled:
            labels = self.log.labels(*self._edges(number))
            hashed = _identities(events["event_id"])
            keys = [values[:, entity.key_field] for entity in self._labelled]
            self._ids.add(hashed % self.parts, np.column_stack([hashed, seq, *keys]))
            hashed = _identities(labels["event_id"])
            told = np.column_stack([hashed, ints(labels["seq"]), ints(labels["value"])])
            self._label_ids.add(hashed % self.parts, told)

    def join_labels(self) -> None:
        """Give each label record the place of its event, and deal it out by the event's keys."""
        for part in range(self.parts if self._labelled else 0):
            ids, told = self._ids.rows(part), self._label_ids.rows(part)
            ids = ids[np.argsort(ids[:, 0], kind="stable")]
            if np.any(ids[1:, 0] == ids[:-1, 0]):
                raise InputError(
                    "two event ids have the same 64-bit hash; raise the memory budget to build in one part"
                )
            at = np.minimum(np.searchsorted(ids[:, 0], told[:, 0]), max(len(ids) - 1, 0))
            known = ids[at, 0] == told[:, 0] if len(ids) else np.zeros(len(told), dtype=np.bool_)
            at, told = at[known], told[known]
            for place, entity in enumerate(self._labelled):
                rows = np.column_stack([ids[at, 1], told[:, 1:]])
                self._labels[self.plan.entities.index(entity)].add(ids[at, 2 + place] % self.parts, rows)

    def replay(self, place: int, part: int, cores: int) -> None:
        """Compute an entity's aggregates for one part of its keys, and deal them out by range."""
        entity, rows, told = self.plan.entities[place], self._events[place].rows(part), self._labels[place].rows(part)
        told = told[np.argsort(told[:, 1], kind="stable")]
        columns = Columns(
            rows[:, 0].copy(), rows[:, 1].copy(), rows[:, _COLUMNS:].copy(), np.searchsorted(rows[:, 0], told[:, 0]),
            told[:, 1].copy(), told[:, 2].copy(),
        )  # fmt: skip
        vectors = np.zeros((len(rows), len(self.plan.vector) + 1), dtype=np.float32)  # one more to fill whole words
        sides = np.zeros((len(rows), len(self.plan.sides)), dtype=np.float64)
        replay_entity(self.plan, entity, columns, vectors, sides, cores)
        places, side_places = self._places(entity)
        words = np.ascontiguousarray(vectors[:, places]).view(np.int64)
        found = np.column_stack([rows[:, 0], words, np.ascontiguousarray(sides[:, side_places]).view(np.int64)])
        self._results[place].add((rows[:, 0] - 1) // RANGE, found)

    def collect(self, number: int, told: pa.Table) -> Piece:
        """Return the events of a range and their vectors; they are among those told, with their partials."""
        after, until = self._edges(number)
        events = told.filter((pc.field("seq") > after) & (pc.field("seq") <= until))
        values = with_partials(self.plan, events, stored_values(self.plan, events, self._code))
        seq = ints(events["seq"])
        vectors = np.zeros((len(seq), len(self.plan.vector) + 1), dtype=np.float32)
        sides = np.zeros((len(seq), len(self.plan.sides)), dtype=np.float64)
        for entity, buckets in zip(self.plan.entities, self._results, strict=True):
            found = buckets.rows(number)
            at, (places, side_places) = np.searchsorted(seq, found[:, 0]), self._places(entity)
            middle = 1 + len(places) // 2
            vectors[at[:, None], places] = np.ascontiguousarray(found[:, 1:middle]).view(np.float32)
            sides[at[:, None], side_places] = np.ascontiguousarray(found[:, middle:]).view(np.float64)
        whole = np.ascontiguousarray(vectors[:, :-1])
        finish_rows(self.plan, ints(events["event_us"]), values, NONE, sides, whole)
        return events, whole, content_of_rows(self.plan, values)

    def _edges(self, number: int) -> tuple[int, int]:
        return number * RANGE, min((number + 1) * RANGE, self.head)

    def _range(self, number: int) -> tuple[pa.Table, Ints]:
        events = self.log.events(*self._edges(number))
        return events, stored_values(self.plan, events, self._code)

    def _code(self, place: int, texts: Sequence[str]) -> list[int]:
        return [self._codes[place].code(text) for text in texts]

    def _places(self, entity: EntityPlan) -> tuple[Ints, Ints]:
        """Return an entity's places in the vector, an even number of them, and in the sides."""
        runs, sides = self.plan.targets(entity)
        places = [int(place) + k for _, place, length in runs for k in range(length)]
        places += [len(self.plan.vector)] * (len(places) % 2)
        return np.array(places, dtype=np.int64), sides[:, 1]

    def _words(self, entity: EntityPlan) -> int:
        places, sides = self._places(entity)
        return 1 + len(places) // 2 + len(sides)


def _identities(ids: pa.ChunkedArray) -> Ints:
    return np.fromiter((hash64(i) for i in ids.to_pylist()), dtype=np.int64, count=len(ids))
