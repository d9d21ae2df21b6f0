"""The contract suite of a registry bites: an engine with one fault fails at least one of its tests."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.stores.suites import failing
from weighbridge.errors import Conflict
from weighbridge.stores.memory import MemoryRegistry
from weighbridge.stores.memory_log import MemoryLog
from weighbridge.testing.contracts import RegistryContract
from weighbridge.testing.samples import sample_contract


class MovesUnseen(MemoryRegistry):
    """Nobody asks what the mover had seen."""

    def move(self, *moves):
        super().move(*(replace(m, before=self.alias(m.alias)) if m.alias != "canary" else m for m in moves))


class OverlooksTheShare(MemoryRegistry):
    """Compares bundles only."""

    def move(self, *moves):
        now = self.aliases()
        super().move(*(replace(m, share_before=now[m.alias].share) if m.alias in now else m for m in moves))


class MovesOneByOne(MemoryRegistry):
    def move(self, *moves):
        for move in moves:
            super().move(move)


class NotesFirst(MemoryRegistry):
    """What is refused is in the log all the same."""

    def move(self, *moves):
        self._log.commit([], [move.note for move in moves])
        try:
            log, self._log = self._log, MemoryLog(sample_contract())
            super().move(*moves)
        finally:
            self._log = log


class NotesNothing(MemoryRegistry):
    def move(self, *moves):
        log, self._log = self._log, MemoryLog(sample_contract())
        super().move(*moves)
        self._log = log


class NeverClears(MemoryRegistry):
    def move(self, *moves):
        before = self.aliases()
        super().move(*moves)
        self._aliases = {**{m.alias: before[m.alias] for m in moves if m.bundle is None}, **self._aliases}


class LosesSilently(MemoryRegistry):
    def move(self, *moves):
        try:
            super().move(*moves)
        except Conflict:
            return


class ForgetsShares(MemoryRegistry):
    def aliases(self):
        return {name: at._replace(share=None) for name, at in super().aliases().items()}


FAULTY = [
    MovesUnseen,
    OverlooksTheShare,
    MovesOneByOne,
    NotesFirst,
    NotesNothing,
    NeverClears,
    LosesSilently,
    ForgetsShares,
]


def over_a_log(engine):
    def make():
        log = MemoryLog(sample_contract())
        return engine(log), log

    return make


@pytest.mark.parametrize("engine", FAULTY, ids=lambda engine: engine.__name__)
def test_a_fault_is_found(engine):
    assert failing(RegistryContract(), over_a_log(engine))


def test_the_plain_engine_passes():
    assert failing(RegistryContract(), over_a_log(MemoryRegistry)) == []
