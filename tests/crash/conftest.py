from __future__ import annotations

import shutil

import pytest

from tests.fixtures.tiny_fraud import case
from weighbridge.clock import DAY_US, ManualClock, SystemClock
from weighbridge.loop.ingest import ingest
from weighbridge.loop.retrain import retrain
from weighbridge.loop.simulate import simulate
from weighbridge.serve.wiring import open_home


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """A home of the tiny use case with history and a bundle in production; its world ended yesterday."""
    folder = tmp_path_factory.mktemp("crash") / "home"
    clock = ManualClock(SystemClock().now_us() - DAY_US)
    world = simulate(case, seed=5, start_us=clock.now_us() - 41 * DAY_US)
    home = open_home(case, folder, create=True)
    ingest(case, home.stores, clock, world.events, world.labels, {"arrived": "arrived"})
    retrain(case, home.stores, clock)
    return folder


@pytest.fixture
def home(prepared, tmp_path):
    """A copy of it of one's own."""
    return shutil.copytree(prepared, tmp_path / "home")
