"""The contract suite of the audit: it tells of every change, in the order of the changes, and each hash follows."""

from __future__ import annotations

import json

from weighbridge.errors import Conflict, StoreFailure
from weighbridge.ports import Audit, Keys, Log, Registry
from weighbridge.records import LabelRecord, Move, Note
from weighbridge.stores.tables import LABELS, event_table, in_order_of_arrival
from weighbridge.testing.contracts import sample_key
from weighbridge.testing.edit_contract import refuses, sample_decision, sample_edit, sample_event
from weighbridge.testing.samples import sample_contract


class AuditContract:
    """Audit, with the log, the registry and the keys that append to it."""

    def make(self) -> tuple[Audit, Log, Registry, Keys]:
        """Return an empty audit and empty stores, the log of `sample_contract`."""
        raise NotImplementedError

    def test_it_begins_empty(self) -> None:
        """No entry, and nothing broken."""
        trail, _, _, _ = self.make()
        assert (list(trail.entries()), trail.head().number, trail.broken_entry()) == ([], 0, None)

    def test_every_change_has_its_entry_in_order(self) -> None:
        """Labels, edits, notes, bundles, moves and keys; events and decisions are no changes."""
        trail, log, registry, keys = self.make()
        label, note = LabelRecord("e1", 1, 5_000, "desk", "ana"), Note("policy", {"rules": []}, 5_000, "ben")
        log.commit([(sample_event(1), sample_decision(1))], [label, sample_edit(2), note])
        registry.add("b", {"thresholds": {"review_at": 0.5}}, 1)
        registry.move(Move("production", "b", None, "me", "first", 6, ({"gate": "g"},)))
        keys.add(sample_key("i1", "a"))
        keys.revoke("a", "you", 7)
        told = [(e.number, e.seq, e.at_us, e.who, e.what, e.subject) for e in trail.entries()]
        assert told == [
            (1, 2, 5_000, "ana", "labels", "e1"), (2, 3, 2_000, "me", "lists", "blocked"),
            (3, 4, 5_000, "ben", "policy", ""), (4, None, 1, "weigh", "bundles", "b"),
            (5, 5, 6, "me", "move", "production"), (6, None, 1, "me", "keys", "a"), (7, None, 7, "you", "keys", "a"),
        ]  # fmt: skip
        details = [json.loads(e.detail) for e in trail.entries()]
        assert details[0] == {"label": 1, "source": "desk"}
        assert details[3]["facts"] == {"thresholds": {"review_at": 0.5}}
        assert (details[4]["bundle"], details[4]["gates"]) == ("b", [{"gate": "g"}])
        assert (details[5]["secret_sha256"], details[5]["scopes"]) == ("0" * 64, ["score"])
        assert (trail.head().number, trail.head().seq, trail.broken_entry()) == (7, log.head().seq, None)
        assert [e.number for e in trail.entries(after=5)] == [6, 7]
        assert trail.head().hash == list(trail.entries())[-1].hash

    def test_what_is_refused_is_not_told(self) -> None:
        """A change that fails leaves no entry."""
        trail, log, registry, keys = self.make()
        log.commit([(sample_event(1), None)])
        registry.add("b", {}, 1)
        registry.move(Move("production", "b", None, "me", "first", 6))
        keys.add(sample_key("i1", "a"))
        before = trail.head()
        refuses(Conflict, lambda: log.commit([(sample_event(1), None)], [sample_edit(1)]))
        refuses(Conflict, lambda: registry.move(Move("production", "b", None, "you", "late", 7)))
        refuses(Conflict, lambda: keys.add(sample_key("i2", "a")))
        assert (trail.head(), trail.broken_entry()) == (before, None)

    def test_history_is_one_entry(self) -> None:
        """An import with its counts and places; a conflict leaves none."""
        trail, log, _, _ = self.make()
        events = event_table(sample_contract(), [(0, sample_event(n)) for n in (1, 2)]).drop_columns(["seq"])
        labels = LABELS.empty_table().drop_columns(["seq"])
        numbered = in_order_of_arrival(log.head(), events, labels)
        log.import_history(*numbered, by="ana", at_us=9)
        (entry,) = trail.entries()
        assert (entry.what, entry.subject, entry.who, entry.at_us) == ("history", "import", "ana", 9)
        told = json.loads(entry.detail)
        assert (told["events"], told["labels"], told["first_seq"], told["last_seq"]) == (2, 0, 1, 2)
        assert len(told["added"]) == len(log.segments())
        refuses((Conflict, StoreFailure), lambda: log.import_history(*numbered))
        assert trail.head().number == 1
