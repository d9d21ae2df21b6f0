"""The part of a log's contract suite that is about edits of lists, and the records that all of it uses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from weighbridge.declare import Contract
from weighbridge.errors import Conflict
from weighbridge.ports import Log
from weighbridge.records import DecisionRecord, EventRecord, LabelRecord, ListEdit, Reason
from weighbridge.testing.samples import sample_contract


def refuses(error: type[Exception] | tuple[type[Exception], ...], call: Callable[[], Any]) -> None:
    """Assert that a call raises an error."""
    try:
        call()
    except error:
        return
    raise AssertionError(f"{error} was not raised")


def sample_event(number: int, arrived_us: int = 0) -> EventRecord:
    """Return an event of `sample_contract`, with a missing value in it."""
    values = ("c1", "s1", 100 + number, None, 3, "web")
    return EventRecord(f"e{number}", 1_000 * number, arrived_us or 1_000 * number, values)


def sample_decision(number: int) -> DecisionRecord:
    """Return a decision about `sample_event(number)`; every fourth was made without a model."""
    if number % 4 == 0:
        return replace(
            sample_decision(number + 1), decision_id=f"d{number}", event_id=f"e{number}", bundle="", probability=None,
            degraded=("model",), route="rules", reasons=None,
        )  # fmt: skip
    return DecisionRecord(
        f"d{number}",
        f"e{number}",
        "b" * 64,
        b"\x00\x00\xc0\x7f" * 3,
        0.25,
        "low",
        "approve",
        ("first", "second"),
        (),
        1_000 * number,
        17,
        "t",
        (Reason("a", 0.1 + number, None, "„a“ is missing"), Reason("b", 5e-324, 0.5, "b")) if number % 2 else None,
    )


def sample_edit(number: int) -> ListEdit:
    """Return an edit of a list: every third one takes a value off, every second has an end."""
    until_us = 9_000 if number % 2 else None
    return ListEdit("blocked", f"v{number % 4}", number % 3 != 0, until_us, "me", f"reason {number}", 1_000 * number)


class EditContract:
    """Edits of lists in a log."""

    def make(self, contract: Contract) -> Log:
        """Return an empty log."""
        raise NotImplementedError

    def log(self) -> Log:
        """Return an empty log of the sample contract."""
        return self.make(sample_contract())

    def test_edits_stand_behind_the_events_and_labels_of_their_group(self) -> None:
        """They take places of the one order, come back as they were, and leave the newest event's place and arrival."""
        log = self.log()
        group = [(sample_event(n), sample_decision(n)) for n in (1, 2)]
        seqs = log.commit(group, [LabelRecord("e1", 1, 3_000, "x"), sample_edit(7), sample_edit(4)])
        assert len(seqs) == 5
        assert seqs == sorted(set(seqs))
        assert log.edits() == [(seqs[3], sample_edit(7)), (seqs[4], sample_edit(4))]
        assert (log.head().seq, log.head().data_seq, log.head().arrived_us) == (seqs[4], seqs[2], 3_000)
        assert log.labels()["seq"].to_pylist() == [seqs[2]]
        (alone,) = log.commit([], [sample_edit(5)])
        assert alone == log.head().seq
        assert (log.head().data_seq, log.head().arrived_us) == (seqs[2], 3_000)
        (after,) = log.commit([(sample_event(3), None)])
        assert after == log.head().data_seq > alone
        assert log.edits()[-1] == (alone, sample_edit(5))

    def test_edits_of_a_refused_group_leave_no_trace(self) -> None:
        """A group with a known id stores none of its edits."""
        log = self.log()
        log.commit([(sample_event(1), None)])
        before = log.head()
        refuses(Conflict, lambda: log.commit([(sample_event(1), None)], [sample_edit(1)]))
        assert (log.edits(), log.head()) == ([], before)

    def test_edits_are_neither_sealed_nor_forgotten(self) -> None:
        """However old: what is on a list stays there, and past decisions stay explicable."""
        log = self.log()
        for number in range(1, 7):
            log.commit([(sample_event(number), sample_decision(number))], [sample_edit(number)])
        edits = log.edits()
        assert [edit for _, edit in edits] == [sample_edit(number) for number in range(1, 7)]
        for keep_hot in (3, 0):
            log.seal(keep_hot)
            assert log.edits() == edits
        assert log.forget(4_500) > 0
        assert log.edits() == edits
        log.commit([(replace(sample_event(9), event_id="new"), None)], [sample_edit(8)])
        assert [edit for _, edit in log.edits()][-1] == sample_edit(8)
