from __future__ import annotations

from dataclasses import replace

import pytest

from tests.conftest import CUT_US
from tests.score.held import HeldLog
from weighbridge.loop.messages import messages
from weighbridge.score import decide
from weighbridge.serve.wiring import open_desk


@pytest.fixture(autouse=True)
def much_room(monkeypatch):
    """Let a test submit as much as it likes at once."""
    monkeypatch.setattr(decide, "MOST_PENDING", 4_096)


@pytest.fixture
def stream(small_case, world):
    return messages(small_case, world, CUT_US)


@pytest.fixture
def held(small_case, home, clock):
    log = HeldLog(home.log)
    stores = replace(home, log=log)
    desk = open_desk(small_case, stores, clock)  # notes the policy
    log.holding = True
    yield desk, log, stores
    log.let_go(10_000)
    desk.close()


@pytest.fixture
def events(stream, clock):
    """Bodies that all happen, and arrive, at one time."""
    found = [m for m in stream if m.path == "/predict"][:300]
    clock.set(found[0].arrived_us + 1_000_000)
    return [{**m.body, "event_ts": found[0].body["event_ts"]} for m in found]
