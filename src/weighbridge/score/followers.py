"""Labels, edits of lists and notes: what stands behind the events of a group."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from weighbridge.errors import StoreFailure
from weighbridge.records import EventRecord, Follower, LabelRecord, ListEdit, Note
from weighbridge.score.feedback import RawLabel
from weighbridge.score.histories import Histories
from weighbridge.score.promise import Keeping, Promise
from weighbridge.score.rulebook import Rulebook

MOST_WAITING = 100_000  # labels that may wait for their event


@dataclass(frozen=True)
class Told:
    """A note, and what happens once it is durable."""

    note: Note
    then: Callable[[], None]


Raw = RawLabel | ListEdit | Told
Queue = deque[tuple[Raw, Promise]]


@dataclass(frozen=True)
class Taken:
    """A follower in the group that is being committed.

    `event` is the stored event that a label is about, if there is one; `then` is what follows a note.
    """

    record: Follower
    future: Promise
    event: EventRecord | None = None
    then: Callable[[], None] | None = None


def take(
    queue: Queue, most: int, arrived_us: int, earlier: Callable[[str], EventRecord | None], early: int, book: Rulebook
) -> list[Taken]:
    """Take up to `most` records from a queue, all with one arrival; one that there is no room for is refused.

    `earlier` finds the event of an id, `early` counts the labels that wait for theirs.
    """
    taken: list[Taken] = []
    while queue and len(taken) < most:
        raw, future = queue.popleft()
        with Keeping(future):
            if isinstance(raw, ListEdit):
                edit = replace(raw, arrived_us=arrived_us)
                book.check_room(edit, len(taken))
                taken.append(Taken(edit, future))
                continue
            if isinstance(raw, Told):
                taken.append(Taken(replace(raw.note, arrived_us=arrived_us), future, then=raw.then))
                continue
            event = earlier(raw.event_id)
            if event is None and early >= MOST_WAITING:
                raise StoreFailure(f"{MOST_WAITING:,} labels wait for events that have not come; send the events first")
            early += event is None
            taken.append(Taken(LabelRecord(raw.event_id, raw.value, arrived_us, raw.source, raw.by), future, event))
    return taken


def take_in(taken: Taken, state: Histories, book: Rulebook) -> bool:
    """Let what is committed count; return whether the label's event is known, or the value was on the list before."""
    if isinstance(taken.record, ListEdit):
        return book.apply(taken.record)
    if isinstance(taken.record, LabelRecord):
        state.label(taken.record, taken.event)
    elif taken.then is not None:
        taken.then()
    return taken.event is not None
