"""History that comes piece by piece, labels that come later than their file, declarations that change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tests.conftest import CUT_US, memory_stores
from weighbridge.clock import DAY_US, ManualClock
from weighbridge.declare import log
from weighbridge.loop.ingest import ingest
from weighbridge.loop.messages import messages
from weighbridge.loop.promote import promote
from weighbridge.loop.retrain import retrain
from weighbridge.loop.run import run
from weighbridge.loop.train import train
from weighbridge.loop.training.training_set import training_set
from weighbridge.loop.verify import verify
from weighbridge.score.route import PRODUCTION
from weighbridge.serve.wiring import open_desk

ARRIVED = {"arrived": "arrived"}


@pytest.fixture
def labelled(world, history):
    """The history with its true labels in a column, as a file of last month would have them."""
    truth = dict(zip(*(world.labels[c].to_pylist() for c in ("event_id", "label")), strict=True))
    return history[0].append_column("is_fraud", [[truth[i] for i in history[0]["event_id"].to_pylist()]])


def test_stored_arrivals_are_those_of_the_file(small_case, stores, clock, history):
    ingest(small_case, stores, clock, *history, ARRIVED)
    events = stores.log.events()
    delays = events["arrived_us"].to_numpy() - events["event_us"].to_numpy()
    assert (delays >= 0).all()
    assert (delays > 60_000_000).sum() > 10  # some events of the simulated world are late
    assert (np.diff(events["arrived_us"].to_numpy()) >= 0).all()


def test_what_arrives_after_the_present_waits_or_is_rejected(small_case, stores, labelled):
    noon = CUT_US - 10 * DAY_US
    report = ingest(small_case, stores, ManualClock(noon), labelled, None, ARRIVED)
    arrived = labelled["arrived"].cast(pa.int64()).to_numpy()
    assert report.figures["reasons"]["arrived"] == (arrived > noon).sum()
    assert report.figures["labels_waiting"] > 0
    assert stores.log.head().arrived_us <= noon
    later = ingest(small_case, stores, ManualClock(CUT_US), labelled, None, ARRIVED)
    assert later.figures["accepted"] == (arrived > noon).sum()
    whole = memory_stores(small_case, stores.reports)
    ingest(small_case, whole, ManualClock(CUT_US), labelled, None, ARRIVED)
    ours, theirs = (s.log.labels().drop_columns(["seq"]).sort_by([("arrived_us", "ascending"), ("event_id", "ascending")])
                    for s in (stores, whole))  # fmt: skip
    assert ours == theirs


def test_labels_that_were_empty_at_first_are_taken_when_the_file_comes_again(small_case, stores, clock, labelled):
    place = labelled.column_names.index("is_fraud")
    empty = labelled.set_column(place, "is_fraud", pa.nulls(len(labelled), pa.int64()))
    assert ingest(small_case, stores, ManualClock(CUT_US), empty, None, ARRIVED).figures["labels"] == 0
    month = ManualClock(CUT_US + 30 * DAY_US)
    again = ingest(small_case, stores, month, labelled.slice(len(labelled) - 50), None, ARRIVED)
    assert again.figures["labels"] == 50
    assert again.figures["accepted"] == 0


def test_a_live_home_can_be_trained_while_traffic_goes_on(small_case, stores, clock, world, history):
    ingest(small_case, stores, clock, *history, ARRIVED)
    retrain(small_case, stores, clock)
    desk = open_desk(small_case, stores, clock)
    for message in messages(small_case, world, CUT_US)[:50]:
        clock.set(message.arrived_us)
        if message.path == "/predict":
            desk.decide(message.body, "t")
        else:
            desk.feedback(message.body)
    assert training_set(small_case, stores).columns.seq[-1] < stores.log.head().data_seq
    assert promote(small_case, stores, clock).figures["bundle"] == stores.registry.alias(PRODUCTION)


def test_a_long_pause_before_going_live_does_not_empty_training(small_case, stores, clock, world, history):
    ingest(small_case, stores, clock, *history, ARRIVED)
    retrain(small_case, stores, clock)
    clock.advance(200 * DAY_US)
    desk = open_desk(small_case, stores, clock)
    event = next(m.body for m in messages(small_case, world, CUT_US) if m.path == "/predict")
    desk.decide({**event, "event_id": "01KAJ0M3Q5X7Z9B1D3F5H7K9M2", "event_ts": "2026-09-02T00:00:00Z"}, "t")
    run(small_case, stores, clock, {}, only="build")
    assert train(small_case, stores, clock).figures["average_precision"] > 0


def test_training_rows_carry_the_labels_of_their_time(small_case, stores, clock, history, world):
    events, labels = history
    ids, now = labels["event_id"].to_pylist()[:30], pa.scalar(CUT_US - 1, pa.int64()).cast(pa.timestamp("us", "UTC"))
    turned = pa.table(
        {"event_id": ids, "label": [1 - v for v in labels["label"].to_pylist()[:30]], "arrived": [now] * 30}
    )
    ingest(small_case, stores, clock, events, pa.concat_tables([labels, turned.cast(labels.schema)]), ARRIVED)
    run(small_case, stores, clock, {}, only="build")
    data = training_set(small_case, stores)
    rows = np.flatnonzero(np.isin(stores.log.events()["event_id"].to_pylist(), ids) & data.split.train)
    assert len(rows)
    assert (data.known_then[rows] == 1 - data.labels[rows]).all()


def test_vectors_of_another_definition_are_told_apart(small_case, stores, clock, world, history):
    ingest(small_case, stores, clock, *history, ARRIVED)
    retrain(small_case, stores, clock)
    desk = open_desk(small_case, stores, clock)
    for message in [m for m in messages(small_case, world, CUT_US) if m.path == "/predict"][:20]:
        clock.set(message.arrived_us)
        desk.decide(message.body, "t")
    other = replace(small_case, features=[*small_case.vector, log("amount", name="again")])
    figures = verify(other, stores, clock).figures
    assert (figures["vectors"], figures["mismatches"], figures["other_definition"]) == (0, 0, 20)
    assert verify(small_case, stores, clock).figures["vectors"] == 20


def test_a_declaration_taken_back_promotes_its_own_bundle(small_case, stores, clock, history):
    ingest(small_case, stores, clock, *history, ARRIVED)
    run(small_case, stores, clock, {})
    first = stores.registry.alias(PRODUCTION)
    other = replace(small_case, models=[replace(small_case.models[1], seed=99)])
    run(other, stores, clock, {}, only="train")
    stores.registry.move(replace(stores.registry.moves()[0], bundle=stores.registry.bundles()[-1][0], before=first))
    assert stores.registry.alias(PRODUCTION) != first
    run(replace(small_case, gates=small_case.gates[:3]), stores, clock, {}, only="train")
    run(replace(small_case, gates=small_case.gates[:3]), stores, clock, {}, only="promote")
    chosen = stores.registry.alias(PRODUCTION)
    facts = {b: f for b, _, f in stores.registry.bundles()}[chosen]
    assert facts["case"] == replace(small_case, gates=small_case.gates[:3]).digest
    assert pc.max(stores.log.events()["seq"]).as_py() <= stores.log.head().seq
