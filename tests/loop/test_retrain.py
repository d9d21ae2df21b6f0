"""One retrain at a time and not too often, whatever asks for it and whoever dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import SOAK, memory_stores
from tests.fixtures.tiny_fraud import case as tiny
from weighbridge.clock import DAY_US, ManualClock, iso_to_us, us_to_iso
from weighbridge.declare import Expect, Gate, Retrain, Stage, Validation
from weighbridge.errors import Conflict, DeclarationError, GateClosed
from weighbridge.loop.due import due
from weighbridge.loop.history import history
from weighbridge.loop.ingest import ingest
from weighbridge.loop.retrain import BEGUN, VERB, retrain
from weighbridge.loop.simulate import simulate
from weighbridge.records import PRODUCTION
from weighbridge.serve.wiring import open_home

module = sys.modules["weighbridge.loop.retrain"]
ALARMS = 100
BEGINS_US = iso_to_us("2026-01-05T00:00:00Z")
NOW_US = BEGINS_US + 60 * DAY_US
ALARM = {"trigger": "drift", "reason": "alarm"}
PROCESS = Path(__file__).with_name("retrain_process.py")


@pytest.fixture(scope="module")
def world_of_tiny():
    return simulate(tiny, seed=5, start_us=BEGINS_US)


def filled(stores, world):
    ingest(tiny, stores, ManualClock(NOW_US), world.events, world.labels, {"arrived": "arrived"})
    return stores


@pytest.fixture
def memory(world_of_tiny, tmp_path):
    return filled(memory_stores(tiny, tmp_path / "reports"), world_of_tiny)


@pytest.fixture
def home(world_of_tiny, tmp_path):
    opened = open_home(tiny, tmp_path / "home", create=True, acknowledge="written")
    filled(opened.stores, world_of_tiny)
    return tmp_path / "home"


def entries(stores, verb=VERB):
    return [dict(facts) for _, _, _, facts in stores.tracker.runs(verb)]


def test_a_hundred_alarms_at_once_are_one_retrain(memory):
    clock = ManualClock(NOW_US)
    with ThreadPoolExecutor(ALARMS) as pool:
        reports = list(pool.map(lambda _: retrain(tiny, memory, clock, **ALARM), range(ALARMS)))
    assert [r.skipped for r in reports].count(False) == 1
    assert len(entries(memory)) == len(memory.tracker.runs("train")) == len(memory.registry.bundles()) == 1
    assert {r.figures["why"].split(",")[0] for r in reports if r.skipped} <= {
        "a retrain is running already", "the last one began at 2026-03-06T00:00:00.000000Z"}  # fmt: skip


def test_without_lock_and_cool_down_there_would_be_many(memory):
    class Open:
        def hold(self, name, owner):
            return memory.locks.hold(owner, owner)

    eager, clock = replace(tiny, retrain=Retrain(cooldown="0d")), ManualClock(NOW_US)

    def alarm(_):
        with suppress(Conflict):  # several promote at once
            retrain(eager, replace(memory, locks=Open()), clock, **ALARM)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(alarm, range(3)))
    assert len(entries(memory)) == 3


def started(home, alarms, now_us=NOW_US, **env):
    words = [sys.executable, "-m", "tests.loop.retrain_process", str(home), str(alarms), str(now_us)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=PROCESS.parents[2],
                            env={**os.environ, **env})  # fmt: skip


def answers(process):
    out, _ = process.communicate(timeout=240)
    assert process.returncode == 0, out
    return [json.loads(line) for line in out.splitlines()]


def test_a_hundred_alarms_over_processes_and_a_restart_are_one_retrain(home):
    processes = 4 if SOAK else 2
    running = [started(home, ALARMS // 2 // processes) for _ in range(processes)]
    told = [answer for process in running for answer in answers(process)]
    again = answers(started(home, ALARMS // 2, NOW_US + DAY_US // 2))  # all of them ended; within the cool-down
    assert [a["skipped"] for a in told].count(False) == 1
    assert all(a["skipped"] for a in again)
    stores = open_home(tiny, home, create=False).stores
    assert len(entries(stores)) == len(stores.tracker.runs("train")) == 1
    assert not retrain(tiny, stores, ManualClock(NOW_US + DAY_US), **ALARM).skipped


def test_the_lock_of_one_that_was_killed_is_taken_over(home):
    victim = started(home, 1, WEIGHBRIDGE_TEST_HANG="1")
    assert victim.stdout.readline() == "training\n"
    stores = open_home(tiny, home, create=False).stores
    assert retrain(tiny, stores, ManualClock(NOW_US)).figures["why"] == "a retrain is running already"
    victim.send_signal(signal.SIGKILL)
    victim.wait(20)
    (begun,) = entries(stores, BEGUN)
    report = retrain(tiny, stores, ManualClock(NOW_US + 1), **ALARM)
    assert report.figures["took_over"] == begun["run"]
    assert stores.registry.alias(PRODUCTION) == report.figures["bundle"]
    assert retrain(tiny, stores, ManualClock(NOW_US + 2), **ALARM).skipped
    told = [e["sentence"] for e in history(stores)]
    assert any("never ended" in s for s in told)
    assert any(f"after {begun['run']}, which died" in s for s in told)


def test_after_three_deaths_an_alarm_waits(memory):
    for number in range(3):
        facts = {"run": f"r{number}", "trigger": "drift", "reason": "x", "took_over": None}
        memory.tracker.record(f"r{number}-begun", BEGUN, NOW_US + number, facts)
        waits = retrain(tiny, replace(memory), ManualClock(NOW_US + 3), **ALARM).skipped if number == 2 else False
    assert waits
    assert not retrain(tiny, memory, ManualClock(NOW_US + 4)).skipped  # by hand
    assert entries(memory)[0]["took_over"] == "r2"


def test_a_refusal_is_in_the_history_and_cools_down_too(memory):
    strict, clock = replace(tiny, gates=[Gate("average_precision", at_least=0.9999)]), ManualClock(NOW_US)
    with pytest.raises(GateClosed):
        retrain(strict, memory, clock, **ALARM)
    (entry,) = entries(memory)
    assert (entry["trigger"], entry["decision"], entry["bundle"]) == (
        "drift",
        "refused",
        memory.registry.bundles()[0][0],
    )
    assert [g["passed"] for g in entry["gates"]] == [False]
    assert [s["step"] for s in entry["steps"]] == ["build", "validate", "train"]
    assert memory.registry.alias(PRODUCTION) is None
    assert retrain(tiny, memory, clock, **ALARM).skipped
    assert not retrain(tiny, memory, clock, reason="somebody asked").skipped
    what = [e["what"] for e in history(memory)]
    assert what.count("retrain") == what.count("retrain begun") == 2
    assert what.index("gate") < what.index("move") < len(what) - 1 - what[::-1].index("retrain")
    again = retrain(tiny, memory, clock, reason="once more")
    assert (again.figures["decision"], len(memory.registry.moves())) == ("unchanged", 1)


def test_data_that_break_the_declared_validation_are_not_trained_on(memory, monkeypatch):
    clock, read = ManualClock(NOW_US), []
    real = module.training_set
    monkeypatch.setattr(module, "training_set", lambda *given: read.append(1) or real(*given))
    odd = replace(tiny, validation=Validation(expect=[Expect("much", "rows > 1_000_000")]))
    for asked in (ALARM, {}):
        with pytest.raises(GateClosed, match=r"expect of raw events much: rows > 1_000_000"):
            retrain(odd, memory, clock, **asked)
    refused = entries(memory)[0]
    assert (refused["decision"], refused["bundle"]) == ("refused", None)
    assert "rows > 1_000_000: rows is" in refused["why"]
    assert [step["step"] for step in refused["steps"]] == ["build"]
    assert memory.registry.bundles() == [] == memory.tracker.runs("train")
    told = [e for e in history(memory) if e["what"] == "retrain"]
    assert all("production stays as it is" in e["sentence"] and "quality.html" in e["sentence"] for e in told)
    assert retrain(odd, memory, clock, **ALARM).skipped  # it cools down like any other
    careless = replace(odd, stages=[Stage("build"), Stage("train", ["build"]), Stage("promote", ["train"])])
    assert [s["step"] for s in retrain(careless, memory, clock).figures["steps"]] == ["build", "train", "promote"]
    read.clear()
    warned = replace(odd, validation=Validation(expect=[replace(odd.validation.expect[0], severity="warn")]))
    steps = [s["step"] for s in retrain(warned, memory, clock).figures["steps"]]
    assert (steps, len(read)) == (["build", "validate", "train", "promote"], 1)  # read once for both


def test_what_asks_for_a_retrain(memory):
    clock = ManualClock(NOW_US)
    asked = due(tiny, memory, clock)
    assert (asked.trigger, asked.reason) == ("schedule", "scheduled every 7d; none was trained yet")
    retrain(tiny, memory, clock, trigger=asked.trigger, reason=asked.reason)
    assert due(tiny, memory, clock) is None
    clock.advance(7 * DAY_US)
    assert due(tiny, memory, clock).trigger == "schedule"
    assert due(replace(tiny, retrain=Retrain(every=None)), memory, clock) is None

    def watched(severity, *, losing=False, bundle=None):
        clock.advance(1)
        facts = {"severity": severity, "losing": losing, "sentence": "told", "as_of": us_to_iso(clock.now_us()),
                 "bundle": bundle or memory.registry.alias(PRODUCTION)}  # fmt: skip
        memory.tracker.record(f"w{clock.now_us()}", "watch", clock.now_us(), facts)
        return due(replace(tiny, retrain=Retrain(every=None)), memory, clock)

    assert watched("moderate") is None
    memory.tracker.record("ahead", BEGUN, clock.now_us() + 400 * DAY_US, {"run": "ahead"})
    memory.tracker.record("ahead-train", "train", clock.now_us() + 400 * DAY_US, {})
    told = due(tiny, memory, clock)
    assert (told.trigger, told.reason.endswith("ahead of the clock, and does not count")) == ("schedule", True)
    short = replace(tiny, retrain=Retrain(every=None, cooldown="1h"))
    assert retrain(short, memory, clock, **ALARM).skipped is False  # its cool-down does not last until then
    assert due(tiny, memory, clock) is None
    assert watched("severe").trigger == watched("critical").trigger == "drift"
    assert watched("none", losing=True).trigger == "loss"
    assert watched("critical", bundle="another") is None
    assert watched("none") is None
    trained_us = NOW_US
    settled = replace(tiny, retrain=Retrain(every=None, matured=1))
    assert due(settled, memory, clock) is None
    first = memory.log.events().slice(0, 1).to_pylist()[0]
    from weighbridge.records import EventRecord, LabelRecord

    values = tuple(first[f.name] for f in tiny.events.payload)
    memory.log.commit(
        [(EventRecord("new", trained_us, trained_us, values), None)], [LabelRecord("new", 1, trained_us, "x")]
    )
    clock.set(trained_us + DAY_US)
    assert due(settled, memory, clock) is None  # young still
    clock.set(trained_us + 3 * DAY_US)
    assert due(settled, memory, clock).reason == "1 positive labels have settled since production was trained"
    memory.log.commit([], [LabelRecord("new", 0, clock.now_us(), "x")])
    assert due(settled, memory, clock) is None  # it was corrected


@pytest.mark.parametrize("wrong", [{"every": "soon"}, {"cooldown": "-1d"}, {"severity": "mild"}, {"matured": 0}])
def test_a_wrong_declaration_is_refused(wrong):
    with pytest.raises(DeclarationError, match="Retrain"):
        Retrain(**wrong)
