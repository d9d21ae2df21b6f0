from __future__ import annotations

from dataclasses import replace

import pytest

from tests.conftest import CUT_US, memory_stores
from tests.score.held import HeldLog
from weighbridge.loop.messages import messages
from weighbridge.records import Alias
from weighbridge.score import decide
from weighbridge.score.route import PRODUCTION
from weighbridge.serve.wiring import open_desk


@pytest.fixture(autouse=True)
def much_room(monkeypatch):
    """Let a test submit as much as it likes at once."""
    monkeypatch.setattr(decide, "MOST_PENDING", 4_096)


@pytest.fixture
def home(small_case, trained, tmp_path):
    """Fresh stores with the trained stores' history and bundle."""
    stores = memory_stores(small_case, tmp_path)
    stores.log.import_history(trained.log.events(), trained.log.labels())
    production = trained.registry.alias(PRODUCTION)
    stores.bundles.put(production, trained.bundles.files(production))
    stores.registry.add(production, trained.registry.bundles()[0][2], 0)
    stores.registry._aliases[PRODUCTION] = Alias(production)
    return stores


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
