"""Data that arrived at once: the whole loop on a stratified split, whose leaks are looked for and told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from tests.conftest import memory_stores
from weighbridge.clock import ManualClock, iso_to_us
from weighbridge.declare import (
    Category,
    Contract,
    Id,
    Label,
    Number,
    Text,
    Training,
    UseCase,
    lightgbm,
    logistic,
    value,
)
from weighbridge.errors import GateClosed
from weighbridge.kernel.split import Split
from weighbridge.loop.build import build
from weighbridge.loop.gate import gate
from weighbridge.loop.ingest import ingest
from weighbridge.loop.promote import promote
from weighbridge.loop.train import train
from weighbridge.loop.training import suspect as suspicion
from weighbridge.loop.training.folds import folds
from weighbridge.loop.training.training_set import training_set

CASE = UseCase(
    "loans_at_once",
    events=Contract("loan", [
        Id("id", whole=True), Number("x", at_least=-9, at_most=9, decimals=2), Number("z", at_least=-9, at_most=9),
        Category("kind", one_of=["a", "b"]), Text("note", optional=True)]),
    features=[value("x"), value("z")],
    label=Label("bad", matures="0s"),
    models=[logistic()],
    training=Training(metric="roc_auc", split="stratified", bootstraps=20, learning_curve=(0.5,)),
)  # fmt: skip
ROWS, COPIES = 4_000, 60


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(3)
    x, z = rng.normal(0, 1, ROWS).round(2), rng.normal(0, 1, ROWS)
    bad = rng.random(ROWS) < 1 / (1 + np.exp(1.5 - 1.5 * x))
    made = pa.table(
        {"id": np.arange(ROWS), "x": x, "z": z, "kind": rng.choice(["a", "b"], ROWS), "bad": bad.astype(int)}
    )
    copies = made.slice(0, COPIES).set_column(0, "id", pa.array(np.arange(ROWS, ROWS + COPIES)))
    return pa.concat_tables([made, copies])


@pytest.fixture(scope="module")
def taken(table, tmp_path_factory):
    stores, clock = (
        memory_stores(CASE, tmp_path_factory.mktemp("reports")),
        ManualClock(iso_to_us("2026-01-05T00:00:00Z")),
    )
    told = ingest(CASE, stores, clock, table)
    assert told.figures["without"] == ["note"]
    build(CASE, stores, clock)
    return stores, clock


def test_the_loop_closes_on_data_that_arrived_at_once(taken):
    stores, clock = taken
    report = train(CASE, stores, clock)
    assert 0.7 < report.figures["roc_auc"] < 0.9
    first = gate(CASE, stores, clock)
    assert first.figures["passed"], first.figures["gates"]
    promote(CASE, stores, clock)
    other = replace(CASE, models=(lightgbm(n_estimators=20),))
    train(other, stores, clock)
    against = next(v for v in gate(other, stores, clock).figures["gates"] if "worse than production" in v["gate"])
    assert against["figure"] is not None  # what both said of rows that neither had seen


def test_copies_stay_on_one_side_and_are_told(taken):
    data = training_set(CASE, taken[0])
    share = CASE.training.share
    assert abs(data.split.validation.sum() - share * (ROWS + COPIES)) < 4
    told = {v["gate"]: v for v in suspicion.suspect(CASE, taken[0], data).verdicts}
    assert told["split: copies on both sides"]["figure"] == 0
    assert f"{COPIES} of {ROWS + COPIES:,} rows repeat" in told["split: copies on both sides"]["why"]
    assert told["split: ids on both sides"]["passed"]


def test_a_split_by_rows_that_tears_copies_apart_is_refused(taken, monkeypatch):
    def torn(labels, group, labelled, share, known_us):
        validation = np.arange(len(labels)) >= ROWS  # the copies
        return Split(labelled & ~validation, labelled & validation, known_us)

    monkeypatch.setattr("weighbridge.loop.training.training_set.stratified_split", torn)
    with pytest.raises(GateClosed, match=f"split: copies on both sides {COPIES}"):
        train(CASE, *taken)


def test_another_text_is_other_content(table, tmp_path):
    stores = memory_stores(CASE, tmp_path)
    clock = ManualClock(iso_to_us("2026-01-05T00:00:00Z"))
    ingest(CASE, stores, clock, table.append_column("note", pa.array([f"n{n}" for n in range(ROWS + COPIES)])))
    build(CASE, stores, clock)
    told = {v["gate"]: v for v in suspicion.suspect(CASE, stores, training_set(CASE, stores)).verdicts}
    assert "0 of 4,060 rows repeat" in told["split: copies on both sides"]["why"]


def test_folds_are_of_the_training_rows_and_keep_copies_together(taken):
    data = training_set(CASE, taken[0])
    found = folds(CASE, data, 3)
    assert (sum(fold.judging.astype(int) for fold in found) == data.split.train).all()
    for fold in found:
        assert not np.intersect1d(data.content[fold.fitting], data.content[fold.judging]).size
        assert not (fold.fitting & data.split.validation).any()
