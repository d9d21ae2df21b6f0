"""The contract suites of keys and of the audit bite: an engine with one fault fails at least one of their tests."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.stores.suites import failing
from weighbridge.stores.memory import MemoryKeys, MemoryRegistry
from weighbridge.stores.memory_audit import MemoryAudit
from weighbridge.stores.memory_log import MemoryLog
from weighbridge.testing.audit_contract import AuditContract
from weighbridge.testing.contracts import KeyContract
from weighbridge.testing.samples import sample_contract


class SharesNames(MemoryKeys):
    def _named(self, name):
        return None


class KeepsAVersion(MemoryKeys):
    def version(self):
        return 0


class LosesRevocations(MemoryKeys):
    def revoke(self, name, by, revoked_us):
        return replace(super().revoke(name, by, revoked_us), revoked_us=None)


class ForgetsWhatWasRevoked(MemoryKeys):
    def all(self):
        return [key for key in super().all() if key.revoked_us is None]


class DropsWho(MemoryAudit):
    def append(self, changes, seq=0):
        super().append([replace(change, who="") for change in changes], seq)


class TellsBackwards(MemoryAudit):
    def append(self, changes, seq=0):
        super().append(changes[::-1], seq)


class TellsTheFirstOnly(MemoryAudit):
    def append(self, changes, seq=0):
        super().append(changes[:1], seq)


class ReadsFromTheStart(MemoryAudit):
    def entries(self, after=0):
        return super().entries(0)


class LosesTheHead(MemoryAudit):
    def head(self):
        return replace(super().head(), number=0)


class SeesNothingBroken(MemoryAudit):
    """It says that an empty trail is broken, and no other."""

    def broken_entry(self):
        return None if self._entries else 1


class TellsBeforeItIsDone(MemoryLog):
    """A refused group leaves its entries."""

    def commit(self, group, followers=()):
        self._audit.append([replace(c, seq=None) for c in _changes(followers)])
        return super().commit(group, followers)


def _changes(followers):
    from weighbridge.stores.changes import of_follower

    return [of_follower(0, record) for record in followers]


class TellsNoImport(MemoryLog):
    def import_history(self, events, labels, by="", at_us=None):
        audit, self._audit = self._audit, MemoryAudit()
        super().import_history(events, labels, by, at_us)
        self._audit = audit


def stores(audit=MemoryAudit, log=MemoryLog, keys=MemoryKeys):
    trail = audit()
    kept = log(sample_contract(), trail)
    return trail, kept, MemoryRegistry(kept, trail), keys(trail)


@pytest.mark.parametrize("engine", [SharesNames, KeepsAVersion, LosesRevocations, ForgetsWhatWasRevoked])
def test_a_fault_of_keys_is_found(engine):
    assert failing(KeyContract(), engine)


@pytest.mark.parametrize(
    "engine", [DropsWho, TellsBackwards, TellsTheFirstOnly, ReadsFromTheStart, LosesTheHead, SeesNothingBroken]
)
def test_a_fault_of_the_audit_is_found(engine):
    assert failing(AuditContract(), lambda: stores(audit=engine))


@pytest.mark.parametrize("engine", [TellsBeforeItIsDone, TellsNoImport])
def test_a_fault_of_a_log_that_tells_the_audit_is_found(engine):
    assert failing(AuditContract(), lambda: stores(log=engine))


def test_the_plain_engines_pass():
    assert failing(KeyContract(), MemoryKeys) == failing(AuditContract(), stores) == []
