"""The shadow: scores what was decided off the response path, and stores what it would have decided."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from weighbridge.declare.case import UseCase
from weighbridge.ports import Stores
from weighbridge.records import EventRecord, ListEdit, ShadowRecord
from weighbridge.score.bundle import Bundle
from weighbridge.score.group import Group
from weighbridge.score.promise import ended
from weighbridge.score.rulebook import Rulebook, as_of

MOST_WAITING = 4_096  # events; what comes beyond is counted and passed over
BATCH = 64  # events scored and stored at once
PAUSE_SECONDS = 0.05


@dataclass(frozen=True)
class Seen:
    """An event that was decided and stored, and the bundle that shall score it too."""

    bundle: Bundle
    event: EventRecord
    vector: bytes


class Shadow:
    """A thread that begins with the first event offered to it. Rules and lists are those at the event's place.

    `scored` and `dropped` count events; `fault` is the newest of what kept some from being scored or stored.
    """

    def __init__(self, case: UseCase, stores: Stores) -> None:
        self._case, self._stores = case, stores
        self._queue: deque[Seen | ListEdit | None] = deque()  # None: something was left out
        self._gap, self._stop = True, threading.Event()
        self._thread: threading.Thread | None = None
        self._book: Rulebook | None = None
        self.scored = self.dropped = 0
        self.fault: BaseException | None = None

    def offer(self, bundle: Bundle | None, group: Group) -> None:
        """Take in a group that is stored, in the order of the log; nothing waits for anything."""
        if bundle is None:
            self._gap = True
            return
        whole = [Seen(bundle, s.event, s.decision.vector) for s in group.scored if not s.decision.degraded]
        edits: list[Seen | ListEdit] = [taken.record for taken in group.followers if isinstance(taken.record, ListEdit)]
        for record in [*whole, *edits]:
            if len(self._queue) >= MOST_WAITING:
                self.dropped += isinstance(record, Seen)
                self._gap |= isinstance(record, ListEdit)
                continue
            if self._gap:
                self._queue.append(None)
                self._gap = False
            self._queue.append(record)
        if self._thread is None and self._queue:
            self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Score what waits and end."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(PAUSE_SECONDS):
            self._work()
        self._work()

    def _work(self) -> None:
        while self._queue:
            batch: list[Seen] = []
            while self._queue and len(batch) < BATCH:
                record = self._queue.popleft()
                if isinstance(record, Seen) and (not batch or record.bundle is batch[0].bundle):
                    batch.append(record)
                    continue
                self._score(batch)
                batch = [record] if isinstance(record, Seen) else []
                if isinstance(record, ListEdit) and self._book is not None:
                    self._book.apply(record)
                elif record is None:
                    self._book = None
            self._score(batch)

    def _score(self, batch: Sequence[Seen]) -> None:
        """Score events of one bundle, and store what it would have decided; what cannot be is dropped, and noted so."""
        if not batch:
            return
        fault = ended(lambda: self._stores.shadows.put(self._rows(batch)))
        if fault is None:
            self.scored += len(batch)
        elif len(batch) > 1:
            for seen in batch:
                self._score([seen])
        else:
            self.dropped, self.fault = self.dropped + 1, fault
            ended(
                lambda: self._stores.shadows.put([ShadowRecord(batch[0].event.event_id, batch[0].bundle.id, None, "")])
            )

    def _rows(self, batch: Sequence[Seen]) -> list[ShadowRecord]:
        bundle, book = batch[0].bundle, self._book or self._as_of(batch[0].event)
        vectors = np.frombuffer(b"".join(seen.vector for seen in batch), dtype="<f4").reshape(len(batch), -1)
        rows = []
        for seen, p in zip(batch, bundle.scorer.probability(vectors).tolist(), strict=True):
            if not 0 <= p <= 1:
                rows.append(ShadowRecord(seen.event.event_id, bundle.id, None, ""))
                continue
            verdict = book.verdict(bundle.thresholds, seen.event.values, seen.vector, p, seen.event.arrived_us)
            rows.append(ShadowRecord(seen.event.event_id, bundle.id, p, verdict.action))
        return rows

    def _as_of(self, event: EventRecord) -> Rulebook:
        found = self._stores.log.find(event.event_id)
        self._book = as_of(self._case, self._stores, found[0] if found else 0)
        return self._book
