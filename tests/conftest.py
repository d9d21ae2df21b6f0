from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from weighbridge.cases.card_fraud import case as card_fraud
from weighbridge.clock import DAY_US, ManualClock, iso_to_us
from weighbridge.declare import Training, lightgbm, logistic
from weighbridge.loop.ingest import ingest
from weighbridge.loop.messages import arrived_before
from weighbridge.loop.retrain import retrain
from weighbridge.loop.simulate import simulate
from weighbridge.records import PRODUCTION, Alias
from weighbridge.score.fallback import Decider
from weighbridge.testing.memory_stores import memory_stores

SOAK = bool(os.environ.get("WEIGHBRIDGE_SOAK"))
settings.register_profile(
    "short", max_examples=120, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
settings.register_profile("soak", max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
settings.load_profile("soak" if SOAK else "short")

START_US = iso_to_us("2026-01-05T00:00:00Z")
CUT_US = START_US + 40 * DAY_US


def pytest_collection_modifyitems(items):
    """The file that takes longest comes first, so that no core waits for it at the end.

    In the middle, where the second of two workers begins, come mutants, which run in plain Python: meanwhile the first one
    compiles the kernels, and not both the same.
    """
    first, plain, rest = [], [], []
    for item in items:
        kind = first if "test_docs.py" in item.nodeid else plain if "mutant" in item.fixturenames else rest
        kind.append(item)
    before = max(len(items) // 2 - len(first), 0)
    items[:] = [*first, *rest[:before], *plain, *rest[before:]]


@pytest.fixture(scope="session", autouse=True)
def patience():
    """No deadline passes in a test, however busy the machine is."""
    real = Decider.__init__

    def patient(self, *given):
        real(self, *given)
        self._deadline_ns = 3_600_000_000_000

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Decider, "__init__", patient)
        yield


@pytest.fixture(scope="session", autouse=True)
def leave_nothing_behind():
    """Folders that a test makes for itself go when the session ends."""
    folder = tempfile.mkdtemp(prefix="weighbridge-tests-")
    os.chmod(folder, 0o755)  # a database server that is tested runs as somebody else
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", folder)
        yield
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def once(tmp_path_factory):
    """Give the folder of a name that a function fills, once for all workers; who comes while it is filled waits."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root

    def folder_of(name, fill):
        folder = root / f"once-{name}"
        with (root / f"once-{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                begun = Path(tempfile.mkdtemp(dir=root))
                fill(begun)
                begun.rename(folder)
        return folder

    return folder_of


@pytest.fixture(scope="session")
def benched(once):
    """What `weigh bench --quick --json` told, which the page about benchmarks and its own test look at."""

    def measure(folder):
        words = [Path(sys.executable).with_name("weigh"), "bench", "--quick", "--json"]
        done = subprocess.run(words, capture_output=True, text=True, cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr
        assert list(folder.iterdir()) == []
        (folder / "told.json").write_text(done.stdout)

    return json.loads((once("bench", measure) / "told.json").read_text())


@pytest.fixture(scope="session")
def small_case():
    """Card fraud with two quick candidates, a small world and a loud late pattern."""
    patterns = [replace(p, share=5.0) if p.starts else p for p in card_fraud.simulate.patterns]
    return replace(
        card_fraud,
        models=(logistic(), lightgbm(n_estimators=40)),
        training=Training(validation="8d", bootstraps=20),
        simulate=replace(
            card_fraud.simulate, actors=300, places=80, days=60, events=12_000, rate=0.02, patterns=patterns
        ),
    )


@pytest.fixture(scope="session")
def world(small_case):
    return simulate(small_case, seed=3, start_us=START_US)


@pytest.fixture
def history(world):
    """Events and labels that had arrived after 40 of 60 days."""
    return arrived_before(world.events, CUT_US), arrived_before(world.labels, CUT_US)


@pytest.fixture
def clock():
    return ManualClock(CUT_US)


@pytest.fixture
def stores(small_case, tmp_path):
    return memory_stores(small_case, tmp_path / "reports")


@pytest.fixture(scope="session")
def trained(small_case, world, tmp_path_factory):
    """Memory stores with history, a bundle and it in production; shared, so tests only read from it."""
    made = memory_stores(small_case, tmp_path_factory.mktemp("reports"))
    clock = ManualClock(CUT_US)
    ingest(
        small_case,
        made,
        clock,
        arrived_before(world.events, CUT_US),
        arrived_before(world.labels, CUT_US),
        {"arrived": "arrived"},
    )
    retrain(small_case, made, clock)
    return made


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
