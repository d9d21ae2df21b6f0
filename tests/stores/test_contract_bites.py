"""The contract suite of a log bites: an engine with one fault fails at least one of its tests."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

from tests.stores.suites import failing
from weighbridge.errors import Conflict
from weighbridge.records import Head, ListEdit
from weighbridge.stores.chain import GENESIS, link
from weighbridge.stores.memory_log import MemoryLog
from weighbridge.testing.log_contract import LogContract


class StoresAPart(MemoryLog):
    """A refused group leaves what stood before the fault."""

    def commit(self, group, followers=()):
        return [seq for entry in group for seq in super(StoresAPart, self).commit([entry])] + super().commit(
            [], followers
        )


class LosesLabels(MemoryLog):
    def commit(self, group, followers=()):
        return super().commit(group, followers if not group else ())


class FollowersGoFirst(MemoryLog):
    def commit(self, group, followers=()):
        seqs = super().commit([], followers)
        return super().commit(group) + seqs


class TakesAnyOrder(MemoryLog):
    def commit(self, group, followers=()):
        return super().commit(sorted(group, key=lambda entry: entry[0].event_id), followers)


class ChainsFromTheStart(MemoryLog):
    """Each group begins a chain of its own."""

    def commit(self, group, followers=()):
        seqs = super().commit(group, followers)
        before = GENESIS
        for seq, (event, decision) in zip(seqs, group, strict=False):
            if decision is not None:
                before = self._chained = link(before, seq, decision)
                self._decisions[event.event_id] = (seq, decision, before)
        return seqs


class OverwritesAnId(MemoryLog):
    def commit(self, group, followers=()):
        try:
            return super().commit(group, followers)
        except Conflict:
            return []


class ReadsOneTooMany(MemoryLog):
    def events(self, after=0):
        return super().events(max(after - 1, 0))


class ReadsAllLabels(MemoryLog):
    def labels(self, after=0):
        return super().labels()


class HeadStaysBehind(MemoryLog):
    def head(self):
        return replace(super().head(), arrived_us=0)


class NotesAreData(MemoryLog):
    def head(self):
        found = super().head()
        return Head(found.seq, found.seq, found.arrived_us)


class SealLosesTheNewest(MemoryLog):
    def seal(self, keep_hot):
        self._events = self.events().slice(0, len(self._events) - 1) if len(self._events) else self._events
        return 1


class KeepsForgottenLabels(MemoryLog):
    def forget(self, before_us):
        labels = self._labels
        count = super().forget(before_us)
        self._labels = labels
        return count


class ForgetsWaitingLabels(MemoryLog):
    def forget(self, before_us):
        count = super().forget(before_us)
        self._labels = [row for row in self._labels if row["event_id"] in self._places]
        return count


class KeepsForgottenDecisions(MemoryLog):
    def forget(self, before_us):
        decisions = dict(self._decisions)
        count = super().forget(before_us)
        self._decisions = decisions
        return count


class BreaksTheChainByForgetting(MemoryLog):
    def forget(self, before_us):
        count = super().forget(before_us)
        self._forgotten_chain = GENESIS
        return count


class LosesReasons(MemoryLog):
    def commit(self, group, followers=()):
        return super().commit(
            [(event, decision and replace(decision, reasons=None)) for event, decision in group], followers
        )


class FindsDecisionsByTheirEvent(MemoryLog):
    def decision_called(self, decision_id):
        return self.decision(decision_id.replace("d", "e"))


class KeepsForgottenDecisionIds(MemoryLog):
    def commit(self, group, followers=()):
        self.kept = {**getattr(self, "kept", {}), **{d.decision_id: d for _, d in group if d}}
        return super().commit(group, followers)

    def decision_called(self, decision_id):
        return self.kept.get(decision_id)


class KnowsAll(MemoryLog):
    def known(self, event_ids):
        return pa.array([True] * len(event_ids))


class EditsAreData(MemoryLog):
    def commit(self, group, followers=()):
        seqs = super().commit(group, followers)
        edits = [record for record in followers if isinstance(record, ListEdit)]
        if edits:
            self._head = Head(seqs[-1], seqs[-1], max(edit.arrived_us for edit in edits))
        return seqs


class EditsSurviveARefusal(MemoryLog):
    def commit(self, group, followers=()):
        super().commit([], [record for record in followers if isinstance(record, ListEdit)])
        return super().commit(group, [record for record in followers if not isinstance(record, ListEdit)])


class ForgetsEdits(MemoryLog):
    def forget(self, before_us):
        self._edits = [(seq, edit) for seq, edit in self._edits if edit.arrived_us >= before_us]
        return super().forget(before_us)


FAULTY = [
    StoresAPart, LosesLabels, FollowersGoFirst, TakesAnyOrder, ChainsFromTheStart, OverwritesAnId, ReadsOneTooMany,
    ReadsAllLabels, HeadStaysBehind, NotesAreData, SealLosesTheNewest, KeepsForgottenLabels, ForgetsWaitingLabels,
    KeepsForgottenDecisions, BreaksTheChainByForgetting, LosesReasons, FindsDecisionsByTheirEvent, KeepsForgottenDecisionIds,
    KnowsAll, EditsAreData, EditsSurviveARefusal, ForgetsEdits,
]  # fmt: skip


@pytest.mark.parametrize("engine", FAULTY, ids=lambda engine: engine.__name__)
def test_a_fault_is_found(engine):
    assert failing(LogContract(), engine)


def test_the_plain_engine_passes():
    assert failing(LogContract(), MemoryLog) == []
