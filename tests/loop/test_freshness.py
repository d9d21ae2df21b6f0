"""How old each source is, by its newest event, whatever else the log took in."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.conftest import START_US, memory_stores
from tests.fixtures.tiny_fraud import case as tiny
from weighbridge.adapters.outside import World
from weighbridge.clock import DAY_US, ManualClock
from weighbridge.declare import Feed, Stage
from weighbridge.errors import GateClosed
from weighbridge.loop.collect import collect
from weighbridge.loop.freshness import freshness
from weighbridge.loop.run import run
from weighbridge.loop.simulate import simulate
from weighbridge.stores.sources import write_file


@pytest.fixture
def case(tmp_path):
    world = simulate(tiny, seed=5, start_us=START_US, events=120)
    write_file(tmp_path / "events.csv", world.events)
    write_file(tmp_path / "labels.csv", world.labels)
    feeds = [
        Feed("payments", str(tmp_path / "events.csv"), fresh="2d"),
        Feed("outcomes", str(tmp_path / "labels.csv"), of="labels", fresh="90d"),
        Feed("silent", str(tmp_path / "labels.csv"), of="labels"),
    ]
    return replace(tiny, sources=feeds[:2]), replace(tiny, sources=feeds)


def test_a_source_is_stale_once_its_newest_event_is_older_than_declared(case, tmp_path):
    case, with_silent = case
    stores, clock = memory_stores(case, tmp_path / "reports"), ManualClock(START_US + 100 * DAY_US)
    before = freshness(case, stores, clock).figures
    assert before["stale"] == ["payments", "outcomes", "log"]
    collect(case, stores, clock, World({}), tmp_path / "raw", {})
    newest = max(stores.log.events()["event_us"].to_pylist())
    for age, stale in ((2 * DAY_US, []), (2 * DAY_US + 1_000_000, ["payments", "log"])):
        clock.set(newest + age)
        report = freshness(with_silent, stores, clock)
        assert report.figures["stale"] == stale
        assert report.figures["sources"]["payments"]["age_seconds"] == age // 1_000_000
    told = json.loads((tmp_path / "reports" / "freshness.json").read_text())
    assert told["sources"]["silent"]["newest_arrival"] is None
    assert told["sources"]["payments"]["stale"] is True


def test_the_stage_fails_behind_all_others_and_only_where_something_was_fetched(case, tmp_path):
    case = replace(case[0], stages=[Stage("ingest"), Stage("build", ["ingest"]), Stage("freshness", ["ingest"])])
    stores, clock, told = memory_stores(case, tmp_path / "reports"), ManualClock(START_US + 100 * DAY_US), []
    sources = {"ingest": lambda: collect(case, stores, clock, World({}), tmp_path / "raw", {})}

    def verbs(given, **options):
        told.clear()
        try:
            run(case, stores, clock, given, tell=told.append, **options)
        except GateClosed as closed:
            return [report.verb for report in told], str(closed)
        return [report.verb for report in told], None

    done, why = verbs(sources)
    assert done == ["ingest", "build"]
    assert why.startswith("stale: payments, log: payments ")
    assert verbs({}) == (["build"], None)
    assert "stale" in verbs({}, only="freshness")[1]
    clock.set(max(stores.log.events()["event_us"].to_pylist()) + DAY_US)
    assert verbs(sources) == (["ingest", "build", "freshness"], None)
