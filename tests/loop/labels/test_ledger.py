"""The ledger of labels: coverage, delay, corrections and conflicts, and the declared rule that resolves them."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import CUT_US, START_US, memory_stores
from tests.fixtures.tiny_fraud import case as tiny
from weighbridge.clock import DAY_US, ManualClock
from weighbridge.declare import Label, Source, log
from weighbridge.errors import DeclarationError
from weighbridge.kernel.split import latest_labels
from weighbridge.loop.build import build
from weighbridge.loop.labels.ledger import labels, ledger, trust_of
from weighbridge.loop.training.training_set import training_set
from weighbridge.records import EventRecord, LabelRecord
from weighbridge.stores.tables import LABELS

SOURCES = [Source("bank", priority=3, confidence=0.9), Source("desk", priority=1, confidence=0.99), Source("user")]


def told_of(records, events=4, as_of_days=10.0, resolve="latest"):
    """The ledger of events on days 0, 1, 2 ... and records (event, value, source, day of arrival), maturity two days."""
    label = Label("is_fraud", matures="2d", resolve=resolve, sources=SOURCES)
    case = replace(tiny, label=label, features=[log("amount")])
    stores = memory_stores(case, None)
    group = [(EventRecord(f"e{n}", START_US + n * DAY_US, START_US, ("c", "s", 100)), None) for n in range(events)]
    followers = [LabelRecord(f"e{e}", v, int(START_US + day * DAY_US), source) for e, v, source, day in records]
    stores.log.commit(group, followers)
    return ledger(case, stores, int(START_US + as_of_days * DAY_US))


def test_coverage_counts_mature_events_only():
    told = told_of([(0, 1, "bank", 1), (1, 0, "user", 5), (3, 0, "user", 3.5)], as_of_days=4)
    assert (told["events"], told["mature"], told["labelled"], told["positives"]) == (4, 3, 2, 1)
    assert told["coverage"] == 1 / 3  # e0; the label of e1 arrives later, e3 is young
    assert told_of([], as_of_days=1)["coverage"] is None
    by_day = {day["day"]: (day["labelled"], day["coverage"], day["mature"]) for day in told["by_day"]}
    assert by_day == {"2026-01-05": (1, 1.0, True), "2026-01-06": (0, 0.0, True), "2026-01-07": (0, 0.0, True),
                      "2026-01-08": (1, 1.0, False)}  # fmt: skip


def test_delay_is_from_the_event_to_its_first_label_and_by_source_to_each():
    told = told_of([(0, 1, "bank", 1), (0, 1, "desk", 9), (1, 0, "desk", 4), (2, 0, "bank", 1.5)])
    assert told["delay_days"] == {"p50": 1.0, "p90": 2.6, "p99": 2.96, "max": 3.0}
    assert told["by_source"]["desk"]["delay_days"]["max"] == 9.0
    assert told["by_source"]["bank"]["delay_days"]["p50"] == 0.25  # one came half a day before its event


def test_corrections_and_conflicts():
    told = told_of([(0, 1, "bank", 1), (0, 0, "bank", 2),  # a correction
                    (1, 1, "bank", 1), (1, 0, "desk", 2), (1, 1, "desk", 3),  # a conflict, settled by a correction
                    (2, 0, "bank", 1), (2, 0, "desk", 2), (2, 1, "user", 3), (9, 1, "user", 3)])  # fmt: skip
    assert (told["corrections"], told["conflicts"], told["conflicting_events"]) == (2, 2, 1)
    assert told["about_no_event"] == 1


@pytest.mark.parametrize(("resolve", "positives"), [("latest", 0), ("priority", 1), ("confidence", 2)])
def test_the_declared_rule_decides_what_counts(resolve, positives):
    records = [(0, 0, "bank", 1), (0, 1, "desk", 2), (0, 0, "user", 3), (1, 0, "desk", 1), (1, 1, "bank", 2),
               (1, 0, "user", 3), (2, 0, "bank", 1), (2, 1, "desk", 2), (2, 0, "user", 3)]  # fmt: skip
    assert told_of(records, resolve=resolve)["positives"] == positives


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1), st.sampled_from(["bank", "desk", "user", "nobody"])), max_size=20),
       st.sampled_from(["latest", "priority", "confidence"]))  # fmt: skip
def test_the_rule_equals_loops(records, resolve):
    label = Label("x", matures="1d", resolve=resolve, sources=SOURCES)
    best = [-1] * 5
    for event in range(5):
        trusted = 0.0
        for about, value, source in records:
            if about == event and (best[event] == -1 or label.trust(source) >= trusted):
                best[event], trusted = value, label.trust(source)
    rows = [
        {"seq": n, "event_id": f"e{a}", "value": v, "arrived_us": n, "source": s} for n, (a, v, s) in enumerate(records)
    ]
    trust = trust_of(label, pa.Table.from_pylist(rows, LABELS))
    row, value = (np.array([r[place] for r in records], dtype=np.int64) for place in (0, 1))
    assert latest_labels(row, value, 5, trust).tolist() == best


def test_training_learns_what_the_rule_says(small_case, trained, tmp_path):
    """The bank calls positive what a customer denies later: by priority the bank is believed."""
    case = replace(small_case, label=replace(small_case.label, resolve="priority", sources=SOURCES),
                   features=[f for f in small_case.features if "label" not in f.name])  # fmt: skip
    stores, records = memory_stores(case, tmp_path), trained.log.labels()
    denied = records.slice(0, 500)
    head = records["seq"][-1].as_py()
    denied = denied.set_column(0, "seq", pa.array(range(head + 10**6, head + 10**6 + 500)))
    denied = denied.set_column(2, "value", pa.array([1 - v for v in denied["value"].to_pylist()]))
    denied = denied.set_column(4, "source", pa.array(["user"] * 500))
    bank = records.set_column(4, "source", pa.array(["bank"] * len(records)))
    stores.log.import_history(trained.log.events(), pa.concat_tables([bank, denied]))
    build(case, stores, ManualClock(CUT_US))
    before = training_set(small_case, trained)
    assert (training_set(case, stores).labels == before.labels).all()
    latest = replace(case, label=small_case.label)
    assert (training_set(latest, stores).labels != before.labels).sum() == 500


def test_label_features_go_with_the_latest_only():
    label = Label("is_fraud", matures="2d", resolve="priority", sources=SOURCES)
    with pytest.raises(DeclarationError, match="counts the latest labels, and resolve='priority' another"):
        replace(tiny, label=label)
    for wrong in ({"resolve": "loudest"}, {"resolve": "priority"}, {"sources": [Source("a"), Source("a")]}):
        with pytest.raises(DeclarationError, match="label is_fraud"):
            Label("is_fraud", matures="2d", **wrong)
    for wrong in ({"name": ""}, {"name": "a", "confidence": 2}):
        with pytest.raises(DeclarationError):
            Source(**wrong)


def test_every_report_that_rests_on_labels_shows_them(small_case, trained):
    told = labels(small_case, trained, ManualClock(CUT_US))
    assert "mature events have a label; half within" in told.sentence
    assert json.loads((trained.reports / "labels.json").read_text())["coverage"] == told.figures["coverage"]
    bundle = trained.registry.bundles()[0][0][:12]
    for name in (f"training-{bundle}", f"gates-{bundle}"):
        shown = json.loads((trained.reports / f"{name}.json").read_text())["labels"]
        assert 0 < shown["coverage"] <= 1
        assert shown["delay_days"]["p50"] <= shown["delay_days"]["max"]
