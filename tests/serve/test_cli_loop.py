"""The commands about labels, gates and retraining, as a user meets them."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from tests.conftest import START_US
from tests.fixtures.tiny_fraud import case as tiny
from tests.serve.test_cli import CASE
from weighbridge.clock import DAY_US, ManualClock
from weighbridge.errors import InputError
from weighbridge.loop.ingest import ingest
from weighbridge.loop.retrain import retrain
from weighbridge.loop.simulate import simulate
from weighbridge.serve.cli import app
from weighbridge.serve.wiring import open_home


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with a world that was trained on long ago."""
    folder, world = tmp_path_factory.mktemp("loop") / "home", simulate(tiny, seed=7, start_us=START_US)
    stores, clock = (
        open_home(tiny, folder, create=True, acknowledge="written").stores,
        ManualClock(START_US + 60 * DAY_US),
    )
    ingest(tiny, stores, clock, world.events, world.labels, {"arrived": "arrived"})
    retrain(tiny, stores, clock)
    return folder


def asked(home, *words, case=CASE, code=0):
    done = CliRunner().invoke(app, [words[0], str(case), *words[1:], "--home", str(home)])
    assert done.exit_code == code, (done.stdout, done.exception)
    return done.stdout


def gated(tmp_path, gates):
    """The use case with other gates, in a file of its own."""
    path = tmp_path / "gated.py"
    path.write_text("from dataclasses import replace\nfrom weighbridge.declare import Gate\n"
                    f"from tests.fixtures.tiny_fraud import case as tiny\ncase = replace(tiny, gates=[{gates}])\n")  # fmt: skip
    return path


def test_labels_are_shown_by_source_and_day(home):
    text = asked(home, "labels", "--days", "3")
    assert "mature events have a label; half within" in text
    assert "source history:" in text
    assert sum(line.lstrip().startswith("2026-") for line in text.splitlines()) == 3
    then = json.loads(asked(home, "labels", "--json", "--as-of", "2026-01-20T00:00:00Z"))
    now = json.loads(asked(home, "labels", "--json"))
    assert then["as_of"].startswith("2026-01-20")
    assert 0 < then["records"] < now["records"]


@pytest.mark.parametrize("command", ["labels", "gate", "watch"])
def test_a_moment_that_has_not_come_is_refused(home, command):
    done = CliRunner().invoke(app, [command, str(CASE), "--as-of", "2999-01-01T00:00:00Z", "--home", str(home)])
    assert isinstance(done.exception, InputError)
    assert "has not come yet" in str(done.exception)


@pytest.mark.parametrize("command", ["gate", "promote"])
def test_a_bundle_without_a_name_is_none(home, command):
    done = CliRunner().invoke(app, [command, str(CASE), "--bundle", "", "--home", str(home)])
    assert isinstance(done.exception, InputError)
    assert "names 0 registered bundles" in str(done.exception)


def test_a_gate_says_pass_fail_or_not_yet(home, tmp_path):
    bundle = json.loads(asked(home, "registry", "--json"))["aliases"]["production"][:12]
    told = asked(home, "gate")
    assert told.splitlines()[0].split() == ["passed", "parity_mismatches", "<=", "0", "0.0000"]
    words = ("gate", "--bundle", bundle)
    impossible, unknown = 'Gate("average_precision", at_least=2)', 'Gate("score_psi", at_most=0.3, last="1s")'
    assert "CLOSED" in asked(home, *words, case=gated(tmp_path, impossible), code=1)
    assert "immature" in asked(home, *words, case=gated(tmp_path, unknown), code=3)
    asked(home, *words, case=gated(tmp_path, f"{impossible}, {unknown}"), code=1)


def test_a_timer_asks_whether_a_retrain_is_due(home):
    """Long ago on this machine's clock: the schedule asks once, then nothing does; the history tells of both."""
    told = asked(home, "retrain", "--if-due")
    assert "scheduled every 7d; the last training was at 2026-" in told
    assert "nothing asks for one" in asked(home, "retrain", "--if-due")
    assert json.loads(asked(home, "retrain", "--if-due", "--json")) == {"verb": "retrain", "due": False}
    entries = json.loads(asked(home, "history", "--json"))
    assert [e["trigger"] for e in entries if e["what"] == "retrain"] == ["on demand", "schedule"]
    assert [e["at"] for e in entries] == sorted(e["at"] for e in entries)
    assert "schedule: scheduled every 7d" in asked(home, "history")


def test_a_stage_that_has_not_changed_is_skipped_and_its_report_stays(home):
    first = asked(home, "run", "training").splitlines()
    report = home / "reports" / "stages" / "train.json"
    written = report.read_bytes(), report.stat().st_mtime_ns
    second = asked(home, "run", "training").splitlines()
    assert [line.split()[0] for line in first[:-1]] == ["build", "validate", "train", "gate", "promote"]
    assert [line.split()[1] for line in second[:-1]][:3] == ["skipped"] * 3
    assert "skipped" in second[-1]
    assert report.read_bytes() == written[0]
    told = json.loads(report.read_text())
    assert (told["stage"], told["use_case"]) == ("train", "tiny_fraud")
    assert told["figures"]["bundle"] in json.dumps(json.loads(asked(home, "registry", "--json")))


def test_stages_tell_their_table_and_when_they_last_ran(home):
    asked(home, "run", "build", "--force")
    table = {row["stage"]: row for row in json.loads(asked(home, "stages", "--json"))["stages"]}
    assert table["watch"]["schedule"] == "0 * * * *"
    assert table["ingest"]["reads"][0] == "data/raw/tiny_fraud_events.parquet"
    assert table["build"]["last_ran"] > "2026"
    assert table["simulate"]["last_ran"] is None
    assert asked(home, "stages").splitlines()[0].split()[:2] == ["stage", "after"]


def test_due_tells_by_its_exit_code(home, tmp_path):
    words = "from dataclasses import replace\nfrom weighbridge.declare import Retrain\nfrom tests.fixtures.tiny_fraud import case as tiny\n"
    never, always = tmp_path / "never.py", tmp_path / "always.py"
    never.write_text(words + 'case = replace(tiny, retrain=Retrain(every=None, severity="never"))\n')
    always.write_text(words + 'case = replace(tiny, retrain=Retrain(every="1s"))\n')
    assert "nothing asks" in asked(home, "due", case=never, code=3)
    assert json.loads(asked(home, "due", "--json", case=never, code=3)) == {"due": False}
    assert json.loads(asked(home, "due", "--json", case=always))["trigger"] == "schedule"
    skipped = asked(home, "run", "retrain", case=never)
    assert skipped.split()[:2] == ["retrain", "skipped"]
