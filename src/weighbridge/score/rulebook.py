"""Rules, lists and thresholds together: from an event and a probability to an action and the rules that held."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import pyarrow as pa

from weighbridge.declare.actions import ACTIONS, DECLINE
from weighbridge.declare.case import UseCase
from weighbridge.declare.explore import Explore
from weighbridge.declare.policy import ListOf, Rule
from weighbridge.errors import InputError
from weighbridge.identity import describe
from weighbridge.kernel.arrays import Floats, Vectors
from weighbridge.kernel.columns import ints
from weighbridge.ports import LAST, EventLog, Stores
from weighbridge.records import DecisionRecord, EventRecord, ListEdit, Note, Stored
from weighbridge.score.condition import Holds, holds
from weighbridge.score.draw import Draw
from weighbridge.score.explore import Explorer, Recorded, spent_today
from weighbridge.score.scorer import Acting, Thresholds

NOTHING: Mapping[str, Any] = {"rules": [], "lists": []}  # what applies where nobody noted anything
POLICY = "policy"  # the kind of note that tells which rules and lists apply from its place on


class Verdict(NamedTuple):
    """An action, and the names of all rules that held, in the order they are declared.

    `propensity` is the chance with which a would-be decline was let through, None where it had none to be: see
    `declare.Explore`.
    """

    action: str
    rules: tuple[str, ...]
    propensity: float | None = None


class Rulebook:
    """A use case's rules, compiled once, over the lists that edits change. Edits come in the order of the log.

    `draw` is what a policy that explores asks.
    """

    def __init__(self, case: UseCase, draw: Draw | None = None) -> None:
        policy = case.policy
        self._most = {each.name: each.most for each in policy.lists}
        self.until_us: dict[str, dict[str, int]] = {name: {} for name in self._most}
        conditions = policy.conditions(case.events, case.feature_names)
        self._rules: list[tuple[Rule, Holds]] = [
            (rule, holds(condition, self.until_us)) for rule, condition in zip(policy.rules, conditions, strict=True)
        ]
        self._unpack = struct.Struct(f"<{len(case.feature_names)}f").unpack
        self.explorer = Explorer(case, draw) if policy.explore and draw else None

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

    def explored(self, verdict: Verdict, event_id: str, values: Sequence[Stored], arrived_us: int) -> Verdict:
        """Return a verdict once chance has had its say: where thresholds alone decline, it may let an event through.

        What is let through gets the mildest action that the rules which held allow.
        """
        if self.explorer is None or verdict.action != DECLINE:
            return verdict
        floor = ACTIONS[0]
        for rule, _ in self._rules:
            if rule.name in verdict.rules:
                if rule.action is not None or rule.at_least == DECLINE:
                    return verdict
                floor = _harder(floor, rule.at_least or floor)
        chance = self.explorer.propensity(values, arrived_us)
        through = chance > 0 and self.explorer.drawn(event_id)
        return Verdict(floor if through else verdict.action, verdict.rules, chance)

    def spend(self, event: EventRecord | Decidable, verdict: Verdict | DecisionRecord, *, back: bool = False) -> None:
        """Take in that an event was decided, or, with `back`, that it was not after all."""
        if self.explorer is None or verdict.propensity is None or verdict.action == DECLINE:
            return
        amount = self.explorer.amount_of(event.values) or 0
        self.explorer.spend(-amount if back else amount, event.arrived_us)


def _harder(one: str, other: str) -> str:
    return max(one, other, key=ACTIONS.index)


def current(case: UseCase, stores: Stores) -> Rulebook:
    """Return a use case's rules over its lists, and what it may still explore, as they are at the end of the log."""
    book, log = Rulebook(case, Draw(stores)), stores.log
    for _, edit in log.edits():
        book.apply(edit)
    if book.explorer:
        book.explorer.take(spent_today(log, book.explorer.amount, log.head().seq + 1))
    return book


def latest_us(log: EventLog) -> int:
    """Return the arrival of the newest event, label or edit of a list, microseconds UTC; 0 when there is none."""
    return max(log.head().arrived_us, *(edit.arrived_us for _, edit in log.edits()), 0)


def as_of(case: UseCase, stores: Stores, seq: int) -> Rulebook:
    """Return the rules and lists that applied at a place of the log, and what could be explored there."""
    log = stores.log
    note = next((body for place, _, body in reversed(log.notes(POLICY)) if place < seq), NOTHING)
    book = Rulebook(noted(case, note), Draw(stores, note))
    for place, edit in log.edits():
        if place < seq:
            book.apply(edit)
    if book.explorer:
        book.explorer.take(spent_today(log, book.explorer.amount, seq))
    return book


def announce(case: UseCase, stores: Stores, arrived_us: int) -> None:
    """Note in the log that these rules, lists and exploration, by the home's key, apply from now on, unless they do."""
    log, policy = stores.log, case.policy
    before = log.notes(POLICY)
    body = {"rules": describe(policy.rules), "lists": describe(policy.lists)}
    if policy.explore:
        body["explore"] = {**describe(policy.explore), "amount": policy.costs.amount, "key": stores.draws.key_id}
    if body != (before[-1][2] if before else NOTHING):
        log.commit([], [Note(POLICY, body, arrived_us, "the declaration")])


@dataclass(frozen=True)
class Decidable:
    """What a verdict is about: an event, its place and arrival, its stored values, its vector, what the model said."""

    seq: int
    event_id: str
    arrived_us: int
    values: Sequence[Stored]
    vector: bytes
    probability: float
    thresholds: Thresholds


def decidables(
    case: UseCase, events: pa.Table, vectors: Vectors, probability: Floats, thresholds: Thresholds
) -> Iterator[Decidable]:
    """Yield rows of events, by seq, with their vectors, float32[n, features], and probabilities, float64[n]."""
    told = (ints(events["seq"]).tolist(), events["event_id"].to_pylist(), ints(events["arrived_us"]).tolist())
    said = zip(*told, probability.tolist(), strict=True)
    values = zip(*(events[field.name].to_pylist() for field in case.events.payload), strict=True)
    for (seq, event_id, arrived_us, p), row, vector in zip(
        said, values, vectors.astype("<f4", copy=False), strict=True
    ):
        yield Decidable(seq, event_id, arrived_us, row, vector.tobytes(), p, thresholds)


def verdicts(case: UseCase, stores: Stores, events: Iterable[Decidable], *, as_noted: bool) -> list[Verdict]:
    """Return the verdicts on events, by seq, with every list as it was at the event's place in the log.

    The rules are the use case's own, or with `as_noted` those that the log says applied at that place. What an event of
    the log could explore follows from what the log says was let through before it; those beyond its end follow each
    other. Chance draws by the key of the event's place, whosever the rules are.
    """
    log, own = stores.log, Draw(stores)
    edits, notes, head = log.edits(), log.notes(POLICY), log.head().seq
    draws = [Draw(stores, body) for _, _, body in notes]
    book = Rulebook(case if not as_noted else noted(case, NOTHING), own)
    recorded = Recorded(log, book.explorer)
    found, taken, told = [], 0, 0
    for event in events:
        before = told
        while told < len(notes) and notes[told][0] < event.seq:
            told += 1
        if told > before and as_noted:
            book, taken = Rulebook(noted(case, notes[told - 1][2]), draws[told - 1]), 0
            recorded = Recorded(log, book.explorer)
        elif book.explorer and not as_noted:
            book.explorer.draw = draws[told - 1] if told and event.seq <= head else own
        while taken < len(edits) and edits[taken][0] < event.seq:
            book.apply(edits[taken][1])
            taken += 1
        recorded.reach(event.seq)
        verdict = book.verdict(event.thresholds, event.values, event.vector, event.probability, event.arrived_us)
        verdict = book.explored(verdict, event.event_id, event.values, event.arrived_us)
        if event.seq > head:
            book.spend(event, verdict)
        found.append(verdict)
    return found


def noted(case: UseCase, body: Mapping[str, Any]) -> UseCase:
    """Return a use case with the rules, the lists and the exploration of a note."""

    def members(described: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in described.items() if name != "type"}

    rules = [Rule(**members(rule)) for rule in body["rules"]]
    lists = [ListOf(**members(each)) for each in body["lists"]]
    policy, told = replace(case.policy, rules=rules, lists=lists, explore=None), dict(body.get("explore") or {})
    if told:
        told.pop("key", None)
        costs = replace(policy.costs, amount=told.pop("amount"))
        policy = replace(policy, costs=costs, explore=Explore(**members(told)))
    return replace(case, policy=policy)


def append_edit(case: UseCase, stores: Stores, edit: ListEdit) -> bool:
    """Append one edit to a log that nobody else writes to; return whether the value was on the list before.

    Raises InputError when the list is full.
    """
    log = stores.log
    book, edit = current(case, stores), replace(edit, arrived_us=max(latest_us(log), edit.arrived_us))
    book.check_room(edit)
    log.commit([], [edit])
    return book.apply(edit)
