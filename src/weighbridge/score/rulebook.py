"""Rules, lists and thresholds together: from an event and a probability to an action and the rules that held."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import pyarrow as pa

from weighbridge.declare.case import UseCase
from weighbridge.declare.policy import ACTIONS, ListOf, Rule
from weighbridge.errors import InputError
from weighbridge.identity import describe
from weighbridge.kernel.arrays import Floats, Vectors
from weighbridge.kernel.columns import ints
from weighbridge.ports import LAST, EventLog
from weighbridge.records import ListEdit, Note, Stored
from weighbridge.score.condition import Holds, holds
from weighbridge.score.scorer import Acting, Thresholds

POLICY = "policy"  # the kind of note that tells which rules and lists apply from its place on


class Verdict(NamedTuple):
    """An action, and the names of all rules that held, in the order they are declared."""

    action: str
    rules: tuple[str, ...]


class Rulebook:
    """A use case's rules, compiled once, over the lists that edits change. Edits come in the order of the log."""

    def __init__(self, case: UseCase) -> None:
        policy = case.policy
        self._most = {each.name: each.most for each in policy.lists}
        self.until_us: dict[str, dict[str, int]] = {name: {} for name in self._most}
        conditions = policy.conditions(case.events, case.feature_names)
        self._rules: list[tuple[Rule, Holds]] = [
            (rule, holds(condition, self.until_us)) for rule, condition in zip(policy.rules, conditions, strict=True)
        ]
        self._unpack = struct.Struct(f"<{len(case.feature_names)}f").unpack

    def apply(self, edit: ListEdit) -> bool:
        """Take in one edit; return whether the value was on the list. A list not declared any more is passed over."""
        entries = self.until_us.get(edit.name, {})
        before = entries.pop(edit.value, 0) > edit.arrived_us
        if edit.listed:
            entries[edit.value] = LAST if edit.until_us is None else edit.until_us
        return before

    def check_room(self, edit: ListEdit, waiting: int = 0) -> None:
        """Raise InputError when a list is full; entries that no later decision can see make room.

        `waiting` counts the edits that may still take room.
        """
        entries = self.until_us[edit.name]
        if not edit.listed or edit.value in entries or len(entries) + waiting < self._most[edit.name]:
            return
        for value in [value for value, until_us in entries.items() if until_us <= edit.arrived_us]:
            del entries[value]
        if len(entries) + waiting >= self._most[edit.name]:
            raise InputError(f"list {edit.name} holds {len(entries):,} values, its most=; remove some first")

    def verdict(
        self, thresholds: Acting, values: Sequence[Stored], vector: bytes, probability: float, arrived_us: int
    ) -> Verdict:
        """Return the action on an event that arrived then. values: as stored; vector: little-endian float32 bytes.

        Rules are read from the first to the last: the first that holds and has an action decides, else the thresholds
        do; the outcome is no milder than every `at_least` that was met on the way.
        """
        if not self._rules:
            return Verdict(thresholds.action(probability), ())
        features = self._unpack(vector)
        held = [rule for rule, condition in self._rules if condition(values, features, probability, arrived_us)]
        if not held:
            return Verdict(thresholds.action(probability), ())
        floor = ACTIONS[0]
        for rule in held:
            if rule.action is not None:
                return Verdict(_harder(rule.action, floor), tuple(r.name for r in held))
            floor = _harder(floor, rule.at_least or floor)
        return Verdict(_harder(thresholds.action(probability), floor), tuple(r.name for r in held))


def _harder(one: str, other: str) -> str:
    return max(one, other, key=ACTIONS.index)


def current(case: UseCase, log: EventLog) -> Rulebook:
    """Return a use case's rules over its lists as they are at the end of the log."""
    book = Rulebook(case)
    for _, edit in log.edits():
        book.apply(edit)
    return book


def latest_us(log: EventLog) -> int:
    """Return the arrival of the newest event, label or edit of a list, microseconds UTC; 0 when there is none."""
    return max(log.head().arrived_us, *(edit.arrived_us for _, edit in log.edits()), 0)


def as_of(case: UseCase, log: EventLog, seq: int) -> Rulebook:
    """Return the rules and lists that applied at a place of the log."""
    notes = [body for place, _, body in log.notes(POLICY) if place < seq]
    book = Rulebook(_noted(case, notes[-1] if notes else {"rules": [], "lists": []}))
    for place, edit in log.edits():
        if place < seq:
            book.apply(edit)
    return book


def announce(case: UseCase, log: EventLog, arrived_us: int) -> None:
    """Note in the log that these rules and lists apply from now on, unless they do already."""
    before = log.notes(POLICY)
    rules, lists = describe(case.policy.rules), describe(case.policy.lists)
    if (rules, lists) != ((before[-1][2]["rules"], before[-1][2]["lists"]) if before else ([], [])):
        log.commit([], [Note(POLICY, {"rules": rules, "lists": lists}, arrived_us, "the declaration")])


@dataclass(frozen=True)
class Decidable:
    """What a verdict is about: an event's place and arrival, its stored values, its vector, what the model said."""

    seq: int
    arrived_us: int
    values: Sequence[Stored]
    vector: bytes
    probability: float
    thresholds: Thresholds


def decidables(
    case: UseCase, events: pa.Table, vectors: Vectors, probability: Floats, thresholds: Thresholds
) -> Iterator[Decidable]:
    """Yield rows of events, by seq, with their vectors, float32[n, features], and probabilities, float64[n]."""
    said = zip(ints(events["seq"]).tolist(), ints(events["arrived_us"]).tolist(), probability.tolist(), strict=True)
    values = zip(*(events[field.name].to_pylist() for field in case.events.payload), strict=True)
    for (seq, arrived_us, p), row, vector in zip(said, values, vectors.astype("<f4", copy=False), strict=True):
        yield Decidable(seq, arrived_us, row, vector.tobytes(), p, thresholds)


def verdicts(case: UseCase, log: EventLog, events: Iterable[Decidable], *, as_noted: bool) -> list[Verdict]:
    """Return the verdicts on events, by seq, with every list as it was at the event's place in the log.

    The rules are the use case's own, or with `as_noted` those that the log says applied at that place.
    """
    edits, notes = log.edits(), log.notes(POLICY) if as_noted else []
    book = Rulebook(case if not as_noted else _noted(case, {"rules": [], "lists": []}))
    found, taken, noted = [], 0, 0
    for event in events:
        before = noted
        while noted < len(notes) and notes[noted][0] < event.seq:
            noted += 1
        if noted > before:
            book, taken = Rulebook(_noted(case, notes[noted - 1][2])), 0
        while taken < len(edits) and edits[taken][0] < event.seq:
            book.apply(edits[taken][1])
            taken += 1
        found.append(book.verdict(event.thresholds, event.values, event.vector, event.probability, event.arrived_us))
    return found


def _noted(case: UseCase, body: Mapping[str, Any]) -> UseCase:
    """Return a use case with the rules and lists of a note."""

    def members(described: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in described.items() if name != "type"}

    rules = [Rule(**members(rule)) for rule in body["rules"]]
    lists = [ListOf(**members(each)) for each in body["lists"]]
    return replace(case, policy=replace(case.policy, rules=rules, lists=lists))


def append_edit(case: UseCase, log: EventLog, edit: ListEdit) -> bool:
    """Append one edit to a log that nobody else writes to; return whether the value was on the list before.

    Raises InputError when the list is full.
    """
    book, edit = current(case, log), replace(edit, arrived_us=max(latest_us(log), edit.arrived_us))
    book.check_room(edit)
    log.commit([], [edit])
    return book.apply(edit)
