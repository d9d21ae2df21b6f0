"""The retained history of every key, a function of the log: in memory up to a budget, in a file beyond it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.declare.fields import Category
from weighbridge.errors import Rejected, StoreFailure
from weighbridge.identity import hash64
from weighbridge.kernel import step
from weighbridge.kernel.arena import TOP
from weighbridge.kernel.arrays import MISSING, Ints
from weighbridge.kernel.columns import ints, stored_values
from weighbridge.kernel.history import UNKNOWN
from weighbridge.kernel.plan import Plan
from weighbridge.ports import Find
from weighbridge.records import EventRecord, LabelRecord
from weighbridge.stores.checkpoint import read_checkpoint, write_checkpoint
from weighbridge.stores.codes import Codes
from weighbridge.stores.room import Room

BUDGET_BYTES = 1 << 30
FORMAT = 2  # of histories in an arena: a checkpoint of another format is not read
FORGET_EVERY, LOOKS = 16, 32  # events between two looks, and keys looked at: more than came, so that none pile up
RELEASE_EVERY = 4_096  # events between two releases of the memory of an arena in a file


class MemoryState:
    """StateStore of one process: every key's history in one arena.

    `budget_bytes` bounds the memory of the histories; beyond it they live in a file in `folder`. An event is told from
    others of its key and time by 64 bits of the BLAKE2b hash of its id.
    """

    def __init__(self, plan: Plan, budget_bytes: int = BUDGET_BYTES, folder: Path | None = None) -> None:
        self.plan = plan
        self._program, self._work = plan.program, step.Workspace(plan)
        self._room = Room(budget_bytes, folder)
        self._widen()
        self._entities = step.with_empty_histories(plan, self._room.words)
        self._keys = [entity.key_field for entity in plan.entities]
        self._roots = np.zeros((len(plan.entities), 64), dtype=np.int64)
        self._categories = {
            place: {text: code for code, text in enumerate(field.one_of)}
            for place, field in enumerate(plan.payload)
            if isinstance(field, Category)
        }
        self._codes = {place: Codes() for place in sorted(plan.coded - self._categories.keys())}
        self._early: dict[str, int] = {}  # labels of events still to come
        self._read: EventRecord | None = None  # the event whose values the workspace holds
        self._latest_us, self._appended = 0, 0
        self._kept_us = max((e.span_us for e in plan.entities), default=0) + plan.case.events.late_us

    @property
    def waiting(self) -> int:
        """How many labels wait for their event."""
        return len(self._early)

    @property
    def spilled(self) -> bool:
        """Whether the histories have outgrown their memory budget and live in a file."""
        return self._room.spilled

    @property
    def used_bytes(self) -> int:
        """Bytes that the histories take."""
        return self._room.used_bytes

    @property
    def _before_us(self) -> int:
        """What lies at or before this time no later decision can see."""
        return self._latest_us - self._kept_us

    def vector(self, event: EventRecord) -> bytes:
        """Return the vector of an event as of now, little-endian float32 bytes."""
        values, work, done = self._values(event), self._work, step.NO_ROOM
        if self.plan.partials:
            values[0, len(self.plan.payload) :] = event.partials
        work.event_us[0] = event.event_us
        while done == step.NO_ROOM:
            done = step.read(
                self._room.words, self._program, self._roots, self._entities, self._before_us,
                self.plan.events_per_key, work.event_us, values, work.raws, work.registers, work.vector,
            )  # fmt: skip
            if done == step.NO_ROOM:
                self._widen()
        if done != step.DONE:
            bound = self.plan.events_per_key
            raise Rejected(self.plan.entities[done].key, "events_per_key", f"it has {bound} retained events, the bound")
        return work.vector.tobytes()

    def append(self, event: EventRecord) -> None:
        """Take in an event. Raises StoreFailure, and changes nothing, when the state has no room on disk to grow."""
        values, label = self._values(event), self._early.get(event.event_id, UNKNOWN)
        latest_us = max(self._latest_us, event.arrived_us)
        while step.write(
            self._room.words, self._program, self._roots, self._entities, event.event_us, hash64(event.event_id),
            label, values[0], latest_us - self._kept_us,
        ) == step.NO_ROOM:  # fmt: skip
            self._widen()
        self._latest_us = latest_us
        if label != UNKNOWN:
            del self._early[event.event_id]
        for place, codes in self._codes.items():
            if event.values[place] is not None:
                codes.named(values.item(0, place), event.event_us)
        self._appended += 1
        if self._appended % FORGET_EVERY == 0:
            self._forget(LOOKS)
        if self._appended % RELEASE_EVERY == 0:
            self._room.release()

    def retract(self, event: EventRecord) -> None:
        """Take back the newest event, whose commit failed."""
        values = self._values(event)[0]
        label = step.take_back(
            self._room.words,
            self._program,
            self._roots,
            self._entities,
            event.event_us,
            hash64(event.event_id),
            values,
        )
        if label != UNKNOWN:
            self._early[event.event_id] = label

    def label(self, label: LabelRecord, event: EventRecord | None) -> None:
        """Take in a label record about a stored event, or about one still to come (None)."""
        if event is None:
            self._early[label.event_id] = label.value
            return
        for number, place in enumerate(self._keys):
            text = event.values[place]
            code = MISSING if text is None else self._codes[place].known(str(text))
            root = 0 if code is None else int(self._roots[number, step.place_of(code)])
            if root:
                step.relabel(
                    self._room.words, self._program, number, root, event.event_us, hash64(event.event_id), label.value
                )

    def load(self, events: pa.Table, labels: pa.Table, find: Find) -> None:
        """Take in the log's tables, by seq: all of them, or those behind a restored checkpoint.

        `find` returns (seq, event) of an id that is stored, for labels about events that are in already. What is beyond
        retention is left out.
        """
        if len(events):
            self._latest_us = max(self._latest_us, pc.max(events["arrived_us"]).as_py())
        known = dict(zip(labels["event_id"].to_pylist(), labels["value"].to_pylist(), strict=True))
        known = {**{i: v for i, v in self._early.items() if i not in known}, **known}
        kept = events.filter(pc.greater(events["event_us"], self._before_us))
        ids, event_us = kept["event_id"].to_pylist(), ints(kept["event_us"])
        values = stored_values(self.plan, kept, lambda place, texts: [self._codes[place].code(t) for t in texts])
        for place, codes in self._codes.items():
            present = values[:, place] != MISSING
            codes.named_by(values[present, place], event_us[present])
        self._widen_roots()
        identities = np.fromiter((hash64(i) for i in ids), dtype=np.int64, count=len(ids))
        started = np.fromiter((known.pop(i, UNKNOWN) for i in ids), dtype=np.int64, count=len(ids))
        row = 0
        while row < len(ids):
            row = step.write_many(
                self._room.words, self._program, self._roots, self._entities, event_us, identities, started, values, row
            )
            if row < len(ids):
                self._widen()
        self._early = {}
        here = pc.is_in(pa.array(known, pa.string()), value_set=events["event_id"].combine_chunks()).to_pylist()
        known = {i: v for (i, v), is_here in zip(known.items(), here, strict=True) if not is_here}
        for event_id, value in known.items():
            found = find(event_id)
            self.label(LabelRecord(event_id, value, 0, ""), found[1] if found else None)

    def sweep(self) -> None:
        """Forget all that no later decision can see; events do it bit by bit as they come."""
        self._forget(max((len(codes) for codes in self._codes.values()), default=0))
        step.forget_all(self._room.words, self._program, self._roots, self._before_us)

    def save(self, path: Path, seq: int) -> None:
        """Write a checkpoint of the state after the record at a place of the log. Raises StoreFailure."""
        self.sweep()
        facts = {
            "format": FORMAT, "state": self.plan.case.state_digest, "seq": seq, "latest_us": self._latest_us,
            "early": self._early,
            "texts": {str(place): codes.texts for place, codes in self._codes.items()},
        }  # fmt: skip
        newest = {f"newest_{place}": np.array(c.newest_us, dtype=np.int64) for place, c in self._codes.items()}
        words = self._room.words
        write_checkpoint(
            path, facts, {"words": words[: int(words[TOP])], "roots": self._roots, "entities": self._entities, **newest}
        )

    def restore(self, path: Path, head_seq: int) -> int:
        """Read a checkpoint into a new state; return its place in the log, which ends at `head_seq`.

        Raises StoreFailure when it is missing, torn, of another definition or format, or ahead of the log.
        """
        facts, arrays = read_checkpoint(path)
        if facts["seq"] > head_seq:
            raise StoreFailure(f"the checkpoint {path} is ahead of the log, which ends at {head_seq}")
        if facts["format"] != FORMAT or facts["state"] != self.plan.case.state_digest:
            raise StoreFailure(f"the checkpoint {path} is of another definition")
        words = arrays["words"]
        self._room.see_to(len(words))
        self._room.words[: len(words)] = words
        self._roots, self._entities = arrays["roots"], arrays["entities"]
        self._early, self._latest_us = facts["early"], facts["latest_us"]
        for place in self._codes:
            self._codes[place] = Codes(facts["texts"][str(place)], arrays[f"newest_{place}"].tolist())
        return int(facts["seq"])

    def _values(self, event: EventRecord) -> Ints:
        """Return an event's values as int64[1, f]; the array is used again for the next event."""
        values, codes, categories = self._work.values, self._codes, self._categories
        if event is self._read:
            return values
        self._read = event
        for place, value in enumerate(event.values):
            if value is None:
                values[0, place] = MISSING
            elif not isinstance(value, str):
                values[0, place] = value
            elif place in codes:
                code = values[0, place] = codes[place].code(value)
                if code + 1 >= self._roots.shape[1]:
                    self._widen_roots()
            else:
                values[0, place] = categories[place][value] if place in categories else 0
        return values

    def _widen_roots(self) -> None:
        most = max((len(self._codes[place]) for place in self._keys), default=0)
        if most >= self._roots.shape[1]:
            wider = np.zeros((len(self._keys), 2 * most), dtype=np.int64)
            wider[:, : self._roots.shape[1]] = self._roots
            self._roots = wider

    def _widen(self) -> None:
        """See to room for any one event."""
        self._room.see_to(int(step.words_needed(self._room.words, self._program, len(self.plan.entities))))

    def _forget(self, looks: int) -> None:
        """Forget keys and texts that no later decision can see, looking at so many of each field."""
        before_us = self._before_us
        for place, codes in self._codes.items():
            for code in codes.forgettable(before_us, looks):
                for number in [n for n, key in enumerate(self._keys) if key == place]:
                    step.forget(self._room.words, self._program, number, self._roots, code + 1, before_us)
                codes.forget(code)
