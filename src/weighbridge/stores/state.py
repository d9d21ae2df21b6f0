"""The retained history of every key in memory, a function of the log."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.clock import duration_us
from weighbridge.declare.fields import Category
from weighbridge.errors import Rejected
from weighbridge.kernel.arrays import Ints
from weighbridge.kernel.columns import to_columns
from weighbridge.kernel.history import UNKNOWN
from weighbridge.kernel.plan import MISSING, Plan
from weighbridge.kernel.step import History, step
from weighbridge.records import EventRecord, LabelRecord, Stored

SWEEP_EVERY = 4_096


class MemoryState:
    """StateStore in memory: one sorted history for each key of each entity, and where each retained event lies."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._histories: list[dict[int, History]] = [{} for _ in plan.entities]
        self._unseen = [History.new(entity) for entity in plan.entities]
        self._codes: list[dict[str, int]] = [
            {text: code for code, text in enumerate(f.one_of)} if isinstance(f, Category) else {} for f in plan.payload
        ]
        self._coded = plan.coded | {p for p, f in enumerate(plan.payload) if isinstance(f, Category)}
        self._places: dict[str, tuple[int, int, tuple[int, ...]]] = {}
        self._early: dict[str, int] = {}  # labels of events still to come
        self._latest_us = 0
        self._appended = 0
        self._place = 0  # of the newest event in the order of arrival
        time = plan.case.events.time
        self._kept_us = max((e.span_us for e in plan.entities), default=0) + duration_us(time.late)

    def vector(self, event: EventRecord) -> bytes:
        """Return the vector of an event as of now, little-endian float32 bytes."""
        values = self._values(event.values)
        histories = [
            known.get(int(values[entity.key_field]), unseen)
            for entity, known, unseen in zip(self.plan.entities, self._histories, self._unseen, strict=True)
        ]
        for entity, history in zip(self.plan.entities, histories, strict=True):
            if history.n >= self.plan.events_per_key:
                history.evict(entity, self._latest_us - self._kept_us)
            if history.n >= self.plan.events_per_key:
                raise Rejected(entity.key, "events_per_key", f"it has {history.n} retained events, the declared bound")
        return step(self.plan, event.event_us, values, histories).tobytes()

    def append(self, event: EventRecord) -> None:
        """Take in an event."""
        self._take(event.event_id, event.event_us, self._values(event.values))
        self._latest_us = max(self._latest_us, event.arrived_us)
        self._appended += 1
        if self._appended % SWEEP_EVERY == 0:
            self._sweep()

    def retract(self, event: EventRecord) -> None:
        """Take back the newest event, whose commit failed."""
        event_us, place, keys = self._places.pop(event.event_id)
        for entity, known, key in zip(self.plan.entities, self._histories, keys, strict=True):
            label = known[key].remove(entity, event_us, place)
        if keys and label != UNKNOWN:
            self._early[event.event_id] = label

    def label(self, label: LabelRecord, event: EventRecord | None) -> None:
        """Take in a label record about a stored event, or about one still to come (None)."""
        if event is None:
            self._early[label.event_id] = label.value
            return
        place = self._places.get(label.event_id)
        if place is None:  # beyond retention: no vector can see it
            return
        event_us, event_seq, keys = place
        for known, key in zip(self._histories, keys, strict=True):
            known[key].label(event_us, event_seq, label.value)

    @property
    def waiting(self) -> int:
        """How many labels wait for their event."""
        return len(self._early)

    def load(self, events: pa.Table, labels: pa.Table) -> None:
        """Take in the log's tables, by seq; what is beyond retention is left out."""
        if len(events):
            self._latest_us = max(self._latest_us, pc.max(events["arrived_us"]).as_py())
        columns = to_columns(self.plan, events, labels)
        for place, field in enumerate(self.plan.payload):
            if place in self.plan.coded and not isinstance(field, Category):
                texts = events[field.name].combine_chunks().dictionary_encode()
                texts = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
                self._codes[place] = {text: code for code, text in enumerate(texts.dictionary.to_pylist())}
        kept = columns.event_us > self._latest_us - self._kept_us
        ids = events["event_id"].to_pylist()
        for row in np.flatnonzero(kept).tolist():
            self._take(ids[row], int(columns.event_us[row]), columns.values[row])
        stored = set(ids)
        for event_id, value in zip(labels["event_id"].to_pylist(), labels["value"].to_pylist(), strict=True):
            if event_id not in stored:
                self._early[event_id] = value
            elif event_id in self._places:
                event_us, place, keys = self._places[event_id]
                for known, key in zip(self._histories, keys, strict=True):
                    known[key].label(event_us, place, value)

    def _take(self, event_id: str, event_us: int, values: Ints) -> None:
        self._place += 1
        label = self._early.pop(event_id, UNKNOWN)
        keys = tuple(int(values[entity.key_field]) for entity in self.plan.entities)
        for entity, known, key in zip(self.plan.entities, self._histories, keys, strict=True):
            history = known.get(key)
            if history is None:
                history = known[key] = History.new(entity)
            history.add(entity, event_us, self._place, label, values)
        self._places[event_id] = (event_us, self._place, keys)

    def _values(self, stored: tuple[Stored, ...]) -> Ints:
        values = np.empty(len(stored), dtype=np.int64)
        for place, value in enumerate(stored):
            if isinstance(value, str):
                codes = self._codes[place]
                values[place] = codes.setdefault(value, len(codes)) if place in self._coded else 0
            else:
                values[place] = MISSING if value is None else value
        return values

    def _sweep(self) -> None:
        """Forget what no later decision can see: below latest arrival - longest window - allowed lateness."""
        before_us = self._latest_us - self._kept_us
        for entity, known in zip(self.plan.entities, self._histories, strict=True):
            for history in known.values():
                history.evict(entity, before_us)
            for key in [key for key, history in known.items() if history.n == 0]:
                del known[key]
        for event_id in [i for i, (event_us, _, _) in self._places.items() if event_us <= before_us]:
            del self._places[event_id]
