"""The stage table refuses what no scheduler could run, and is what the sources ask for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from weighbridge.cases.card_fraud import case
from weighbridge.cases.home_credit import case as home_credit
from weighbridge.declare import Stage, nightly_stages, standard_stages
from weighbridge.errors import DeclarationError
from weighbridge.loop.run import chosen


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda: Stage("train", schedule="daily"), "no cron line"),
        (lambda: Stage("train", schedule="0 3 * *"), "no cron line"),
        (lambda: Stage("train", schedule="0 3 * * 0; rm -rf /"), "no cron line"),
        (lambda: Stage("train", schedule="0 3 * * 0\n"), "no cron line"),
        (lambda: Stage("train", after="build"), "after= is one text"),
        (lambda: Stage("train", pipeline="my pipeline"), "is no name"),
        (lambda: Stage("ingest", reads=["/etc/passwd"]), "no path within the project"),
        (lambda: Stage("ingest", reads=["../x.csv"]), "no path within the project"),
        (lambda: Stage("ingest", reads=["data/{user}.csv"]), "no path within the project"),
        (lambda: Stage("ingest", reads=["a b"]), "no path within the project"),
        (lambda: Stage("train", retries=-1), "retries=-1"),
        (lambda: Stage("train", timeout="soon"), "timeout="),
        (lambda: Stage("train", timeout="0s"), "no time at all"),
        (lambda: replace(case, stages=[Stage("build"), Stage("build")]), "stands twice"),
        (lambda: replace(case, stages=[Stage("build", schedule="0 1 * * *"), Stage("train")]), "two schedules"),
        (lambda: replace(case, stages=[Stage("build", pipeline="train"), Stage("train")]), "called like a stage"),
    ],
)  # fmt: skip
def test_what_no_scheduler_could_run_is_refused(made, says):
    with pytest.raises(DeclarationError, match=says):
        made()


@pytest.mark.parametrize("field", ["60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *", "* * * * 7", "*/0 * * * *",
                                   "5-1 * * * *", "0,60 * * * *", "0-70 * * * *", "*/99 * * * *", "٣ * * * *"])  # fmt: skip
def test_a_schedule_that_never_comes_is_refused(field):
    with pytest.raises(DeclarationError, match="no cron line"):
        Stage("train", schedule=field)


@pytest.mark.parametrize("line", ["*/15 * * * *", "0 2 1-7 * 1-5", "0,30 8-18/2 * 1,7 *", "59 23 31 12 6", "0 0 1 1 0"])
def test_a_schedule_within_its_bounds_is_taken(line):
    assert Stage("train", schedule=line).schedule == line


def test_the_standard_table_is_data_daily_training_on_sunday_watch_hourly():
    pipelines = {stage.pipeline: stage.schedule for stage in standard_stages()}
    assert pipelines == {"data": "0 2 * * *", "training": "0 3 * * 0", "watch": "0 * * * *", "retrain": None}
    assert {(s.pipeline, s.schedule) for s in nightly_stages()} == {("nightly", "0 1 * * *")}


def test_home_credit_goes_from_its_files_to_production_and_says_what_is_stale():
    order = ["ingest", "build", "validate", "train", "gate", "promote", "watch", "freshness"]
    assert [s.verb for s in chosen(home_credit, "nightly")] == order
    assert {s.schedule for s in home_credit.stages} == {"0 1 * * *"}
    assert {f.of for f in home_credit.sources} == {"events", *(child.name for child in home_credit.children)}


def test_a_case_that_simulates_nothing_has_no_such_stage():
    without = replace(case, simulate=None)
    assert [s.verb for s in case.stages if s not in without.stages] == ["simulate", "ingest"]
    assert without.stages[0].after == ()


def test_a_name_means_a_stage_or_a_pipeline():
    assert [s.verb for s in chosen(case, "training")] == ["build", "validate", "train", "gate", "promote"]
    assert [s.verb for s in chosen(case, "watch")] == ["watch"]
    assert [s.verb for s in chosen(case, None)] == ["ingest", "build", "validate", "train", "gate", "promote", "watch"]


def test_paths_name_the_use_case_they_belong_to():
    renamed = replace(case, name="cards")
    assert renamed.stages[1].of(renamed.name).reads[0] == "data/raw/cards_events.parquet"
