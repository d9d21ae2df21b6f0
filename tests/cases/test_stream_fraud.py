"""Stream fraud: its contract to the letter, and the whole loop with the commands that every use case has."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx2 as httpx
import numpy as np
import pytest
from typer.testing import CliRunner

from tests.conftest import memory_stores
from weighbridge.cases.stream_fraud import case
from weighbridge.clock import DAY_US, ManualClock, iso_to_us, us_to_iso
from weighbridge.errors import InputError, Rejected
from weighbridge.identity import Pseudonyms, ulid_at
from weighbridge.kernel.validate import parse_event
from weighbridge.loop.build import build, table_name
from weighbridge.loop.gate import parity_mismatches
from weighbridge.loop.ingest import ingest
from weighbridge.loop.produce import happenings
from weighbridge.loop.simulate import simulate
from weighbridge.loop.training.training_set import training_set
from weighbridge.serve.cli import app
from weighbridge.serve.producing import destination, publish

WEIGH = Path(sys.executable).with_name("weigh")
SMALL = str(Path(__file__).parents[1] / "fixtures" / "small_stream.py")
NOW_US = iso_to_us("2026-05-01T12:00:00Z")
NAMES = Pseudonyms(b"k" * 32)
GOOD = {"event_id": ulid_at(NOW_US, b"0" * 10), "user_id": "user-17", "transaction_amount": 12.5, "country": "DE", "device": "web",
        "event_ts": us_to_iso(NOW_US)}  # fmt: skip


def test_a_transaction_that_keeps_the_contract_is_taken_pseudonymised():
    for changed in (
        {},
        {"transaction_amount": 0},
        {"transaction_amount": 5_000},
        {"event_ts": us_to_iso(NOW_US + 60_000_000)},
    ):
        event = parse_event(case.events, {**GOOD, **changed}, NOW_US, NAMES)
        assert event.values[0] == NAMES.of("user-17")


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("event_id", None, "required"), ("event_id", "01ARZ3NDEKTSV4RRFFQ69G5FA", "pattern"), ("event_id", "81ARZ3NDEKTSV4RRFFQ69G5FAV", "pattern"),
        ("user_id", "user-", "pattern"), ("user_id", "user-1x", "pattern"), ("user_id", "bob", "pattern"), ("transaction_amount", -0.01, "at_least"),
        ("transaction_amount", 5_000.01, "at_most"), ("transaction_amount", "12", "type"), ("transaction_amount", float("nan"), "finite"),
        ("country", "CH", "one_of"), ("country", "us", "one_of"), ("device", "fridge", "one_of"), ("event_ts", None, "required"),
        ("event_ts", "2026-05-01T12:00:00", "time"), ("event_ts", us_to_iso(NOW_US + 60_000_001), "future"),
        ("event_ts", us_to_iso(NOW_US - 601_000_000), "late"), ("label", 1, "known"),
    ],
)  # fmt: skip
def test_what_breaks_the_contract_is_refused_with_field_and_rule(field, value, rule):
    with pytest.raises(Rejected) as refused:
        parse_event(case.events, {**GOOD, field: value}, NOW_US, NAMES)
    assert (refused.value.field, refused.value.rule) == (field, rule)


def test_history_and_the_online_path_give_the_same_bits(tmp_path):
    stores, start_us = memory_stores(case, tmp_path), NOW_US - 100 * DAY_US
    world = simulate(case, seed=2, start_us=start_us, events=1_500)
    clock = ManualClock(NOW_US)
    ingest(case, stores, clock, world.events, world.labels, {"arrived": "arrived"})
    build(case, stores, clock)
    assert parity_mismatches(case, stores, training_set(case, stores)) == 0
    assert len(stores.tables.get(table_name(case))) > 1_400


def test_the_same_seed_is_the_same_stream_of_the_same_users():
    def first(seed, count=2_500):
        stream = happenings(case, seed)
        return [next(stream) for _ in range(count)]

    assert first(3) == first(3)
    assert first(3)[:50] != first(4)[:50]
    made = first(3)
    world = simulate(case, seed=3, start_us=0, events=9_000)
    habits = {}
    for row in world.events.to_pylist():
        habits.setdefault(row["user_id"], []).append(row["device"])
    usual = {user: max(set(devices), key=devices.count) for user, devices in habits.items() if len(devices) > 5}
    kept = [happening.fields["device"] == usual[happening.actor] for happening in made if happening.actor in usual]
    assert np.mean(kept) > 0.9
    assert 0 < sum(happening.positive for happening in made) < 250


class Heard:
    """A destination that keeps what comes, and declines every third event."""

    def __init__(self, breaks_after=None):
        self.events, self.labels, self.closed, self._breaks = [], [], False, breaks_after

    def event(self, actor, body):
        if self._breaks is not None and len(self.events) >= self._breaks:
            raise KeyboardInterrupt
        self.events.append(body)
        return "decline" if len(self.events) % 3 == 0 else "approve"

    def label(self, body):
        self.labels.append(body)

    def close(self):
        self.closed = True


def test_labels_follow_their_events_and_never_those_that_were_declined():
    heard = Heard()
    done = publish(
        case, happenings(case, 1), heard, ManualClock(NOW_US), rate=0, count=60, delay_seconds=0.01, told=lambda _: None
    )
    declined = {body["event_id"] for body in heard.events[2::3]}
    assert {label["event_id"] for label in heard.labels} == {body["event_id"] for body in heard.events} - declined
    assert (done.events, done.labels, done.waiting, heard.closed) == (60, 40, 0, True)
    assert all(parse_event(case.events, body, NOW_US, NAMES) for body in heard.events)
    assert len({body["event_id"] for body in heard.events}) == 60


def test_an_interrupt_stops_cleanly_and_says_what_was_not_due():
    heard = Heard(breaks_after=10)
    done = publish(
        case,
        happenings(case, 1),
        heard,
        ManualClock(NOW_US),
        rate=0,
        count=None,
        delay_seconds=3_600,
        told=lambda _: None,
    )
    assert (done.events, done.labels, done.stopped, heard.closed) == (10, 0, True, True)
    assert done.waiting == 7


def test_destinations_are_found_by_name(tmp_path):
    to = destination(f"file:{tmp_path / 'out.jsonl'}", case, "")
    to.event("u", GOOD)
    to.label({"event_id": "e", "label": 1, "source": "produce"})
    to.close()
    assert json.loads((tmp_path / "out.jsonl").read_text()) == GOOD
    assert json.loads((tmp_path / "out.labels.jsonl").read_text())["label"] == 1
    for address, says in (("pigeon://roof", "no destination that is known"), ("file:", "names no path"), ("http://", "no address of a door"),
                          ("stdout", "no destination"), ("http://u:p@host", "no address")):  # fmt: skip
        with pytest.raises(InputError, match=says):
            destination(address, case, "")


def weigh(*words, code=0):
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == code, (words, done.output, done.exception)
    return done.output


@pytest.mark.slow
def test_the_whole_loop_runs_with_the_same_commands(tmp_path, monkeypatch):
    """Simulate, ingest, build, validate, train, gate, promote, watch; then a stream into the home, and one over HTTP."""
    monkeypatch.chdir(tmp_path)
    weigh("simulate", SMALL, "--out", "raw", "--start", us_to_iso(time.time_ns() // 1_000 - 70 * DAY_US))
    files = (
        "raw/stream_fraud_events.parquet",
        "--labels",
        "raw/stream_fraud_labels.parquet",
        "--map",
        "arrived=arrived",
    )
    weigh("ingest", SMALL, *files)
    weigh("validate", SMALL, "raw", *files)
    said = weigh("run", SMALL)
    assert [
        verb for verb in ("build", "validate", "train", "gate", "promote", "watch") if f"\n{verb}" not in f"\n{said}"
    ] == []
    done = json.loads(
        weigh("produce", SMALL, "--count", 40, "--rate", 0, "--labels", "10ms", "--json").splitlines()[-1]
    )
    assert (done["events"], done["labels"]) == (40, 40 - done["actions"].get("decline", 0))
    assert json.loads(weigh("verify", SMALL, "--json"))["mismatches"] == 0
    server = subprocess.Popen(
        [str(WEIGH), "serve", SMALL, "--port", "0", "--acknowledge", "written"], stdout=subprocess.PIPE, text=True
    )
    try:
        address = server.stdout.readline().split()[0]
        sent = json.loads(
            weigh(
                "produce", SMALL, "--to", address, "--count", 30, "--rate", 0, "--labels", "1ms", "--json"
            ).splitlines()[-1]
        )
        assert sent["events"] == 30
        assert sum(sent["actions"].values()) == 30
        assert [one["verdict"] for one in httpx.get(f"{address}/health").json()["objectives"]] == ["immature"] * 3
        assert "another process" in str(CliRunner().invoke(app, ["produce", SMALL, "--count", "1"]).exception)
    finally:
        server.terminate()
        server.wait(30)
    assert json.loads(weigh("verify", SMALL, "--json"))["vectors"] == 70
    kept = json.loads(weigh("slo", SMALL, "--json", "--fail-on-missed"))["objectives"]
    assert [(one["of"], one["bad"]) for one in kept if one["objective"] != "latency"] == [(30, 0), (30, 0)]
    assert "does not answer" in str(
        CliRunner().invoke(app, ["produce", SMALL, "--to", address, "--count", "1"]).exception
    )


@pytest.mark.slow
def test_a_stream_on_stdout_ends_with_its_reader_and_with_an_interrupt(tmp_path):
    words = [str(WEIGH), "produce", "stream_fraud", "--to", "-", "--rate", "200"]
    stream = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
    assert json.loads(stream.stdout.readline())["user_id"].startswith("user-")
    stream.send_signal(signal.SIGINT)
    rest, said = stream.communicate(timeout=30)
    assert (stream.returncode, b"stopped" in said) == (0, True)
    assert all(json.loads(line) for line in rest.splitlines())
    gone = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    gone.stdout.readline()
    gone.stdout.close()
    said = gone.stderr.read()
    assert (gone.wait(30), "Traceback" in said) == (0, False)
