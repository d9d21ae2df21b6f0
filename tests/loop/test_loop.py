"""The verbs of the loop, on a small world in memory."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tests.conftest import CUT_US, START_US, memory_stores
from weighbridge.clock import DAY_US, ManualClock
from weighbridge.declare import Gate, Integer, value
from weighbridge.errors import Conflict, GateClosed, InputError
from weighbridge.kernel.columns import to_columns
from weighbridge.kernel.plan import compile_plan
from weighbridge.loop.build import build
from weighbridge.loop.gate import gate, parity_mismatches, resolve
from weighbridge.loop.ingest import ingest
from weighbridge.loop.messages import arrived_before, messages
from weighbridge.loop.promote import promote
from weighbridge.loop.retrain import retrain
from weighbridge.loop.run import run
from weighbridge.loop.simulate import simulate
from weighbridge.loop.train import train
from weighbridge.loop.training.training_set import training_set
from weighbridge.loop.watch import watch
from weighbridge.records import MOVED
from weighbridge.score.route import PRODUCTION
from weighbridge.serve.wiring import open_desk


def test_the_same_seed_makes_the_same_world(small_case, world):
    again = simulate(small_case, seed=3, start_us=START_US)
    assert again.events == world.events
    assert again.labels == world.labels
    assert simulate(small_case, seed=4, start_us=START_US).events != world.events


def test_the_world_keeps_its_declaration(small_case, world):
    share = pc.mean(world.labels["label"]).as_py()
    assert 0.01 < share < 0.07
    counts = Counter(world.scenario)
    assert set(counts) == {"", *(p.name for p in small_case.simulate.patterns)}
    arrived = world.events["arrived"].cast(pa.int64()).to_numpy()
    happened = world.events["event_ts"].cast(pa.int64()).to_numpy()
    assert (np.diff(arrived) >= 0).all()
    assert (arrived >= happened).all()
    late = next(p for p in small_case.simulate.patterns if p.starts)
    first = min(at for at, name in zip(happened, world.scenario, strict=True) if name == late.name)
    assert first >= START_US + late.starts * small_case.simulate.days * DAY_US
    known = dict(
        zip(world.labels["event_id"].to_pylist(), world.labels["arrived"].cast(pa.int64()).to_pylist(), strict=True)
    )
    assert all(known[i] >= at for i, at in zip(world.events["event_id"].to_pylist(), arrived, strict=True))


def test_history_goes_in_once_and_bad_rows_are_told(small_case, stores, clock, history):
    events, labels = history
    amount = events["amount"].to_pylist()
    amount[0], amount[1] = -5.0, 1.234
    broken = events.set_column(events.column_names.index("amount"), "amount", [amount])
    report = ingest(small_case, stores, clock, broken, labels, {"arrived": "arrived"})
    assert report.figures["rejected"] == report.figures["rows"] - report.figures["accepted"] + 2  # their labels too
    assert report.figures["reasons"] == {"at_least": 1, "decimals": 1, "event": 2}
    rejects = next(t for n, t in stores.tables._tables.items() if n.startswith("rejects/"))
    assert set(rejects.column_names) == {"source", "row", "field", "rule", "detail"}
    again = ingest(small_case, stores, clock, broken, labels, {"arrived": "arrived"})
    assert again.figures["accepted"] == 0
    assert again.figures["already_stored"] == report.figures["accepted"]
    assert len(stores.log.labels()) == report.figures["labels"]


def test_one_id_with_two_contents_is_rejected(small_case, stores, clock, history):
    events = history[0].slice(0, 3)
    other = events.set_column(events.column_names.index("amount"), "amount", [[1.0, 2.0, 3.0]])
    report = ingest(small_case, stores, clock, pa.concat_tables([events, other, events]), None, {"arrived": "arrived"})
    assert report.figures["accepted"] == 3
    assert report.figures["already_stored"] == 3
    assert report.figures["reasons"] == {"unique": 3}


def test_older_history_is_refused_and_nothing_is_lost(small_case, stores, clock, history):
    events, labels = history
    ingest(small_case, stores, clock, events.slice(500), None, {"arrived": "arrived"})
    before = stores.log.events()
    with pytest.raises(InputError, match="history can only be appended"):
        ingest(small_case, stores, clock, events, labels, {"arrived": "arrived"})
    assert stores.log.events() == before
    with pytest.raises(InputError, match="there is no such field"):
        ingest(small_case, stores, clock, events, labels, {"colour": "arrived"})


def test_labels_of_a_column_arrive_when_declared(small_case, stores, clock, history):
    events = history[0].append_column("is_fraud", [["1", "0", None, "maybe"] + [None] * (len(history[0]) - 4)])
    report = ingest(small_case, stores, clock, events, None, {"arrived": "arrived"})
    labels = stores.log.labels().to_pylist()
    assert [r["value"] for r in labels] == [1, 0]
    first = stores.log.find(labels[0]["event_id"])[1]
    assert labels[0]["arrived_us"] == first.event_us + 7 * DAY_US
    assert report.figures["labels"] == 2


def test_training_needs_fresh_vectors(small_case, stores, clock, history):
    with pytest.raises(InputError, match="holds no events yet"):
        build(small_case, stores, clock)
    ingest(small_case, stores, clock, history[0].slice(0, 900), None, {"arrived": "arrived"})
    with pytest.raises(InputError, match="no vectors were built yet; run `weigh run CASE build`"):
        training_set(small_case, stores)
    build(small_case, stores, clock)
    with pytest.raises(InputError, match="no label has arrived yet"):
        train(small_case, stores, clock)


def test_no_training_row_saw_a_label_before_it_arrived(small_case, trained):
    data = training_set(small_case, trained)
    columns = to_columns(compile_plan(small_case), trained.log.events(), trained.log.labels())
    arrived = dict(zip(columns.label_row.tolist(), trained.log.labels()["arrived_us"].to_pylist(), strict=True))
    begins = data.split.validation_from_us
    assert all(
        data.columns.event_us[row] <= begins - small_case.label.matures_us for row in np.flatnonzero(data.split.train)
    )
    assert all(arrived[row] <= begins for row in np.flatnonzero(data.split.train).tolist())
    assert (data.columns.event_us[data.split.validation] > begins).all()


def test_the_same_training_gives_the_same_bundle(small_case, trained, clock):
    before = trained.registry.bundles()
    assert train(small_case, trained, clock).figures["bundle"] == before[0][0]
    assert len(trained.registry.bundles()) == len(before)


def test_candidates_are_compared_with_intervals(trained):
    facts = trained.tracker.runs("train")[0][3]
    assert [c["model"] for c in facts["candidates"]] == ["logistic", "lightgbm"]
    for candidate in facts["candidates"]:
        low, high = candidate["interval"]
        assert low <= candidate["average_precision"] <= high
    assert max(c["average_precision"] for c in facts["candidates"]) == facts["average_precision"]


def test_gates_are_held_and_closed_gates_leave_production(small_case, trained, clock):
    assert parity_mismatches(small_case, trained, training_set(small_case, trained)) == 0
    held = gate(small_case, trained, clock)
    assert held.figures["passed"]
    strict = replace(small_case, gates=[Gate("average_precision", at_least=0.9999), Gate("brier", at_most=0.0)])
    closed = gate(strict, trained, clock, trained.registry.alias(PRODUCTION))
    assert not closed.figures["passed"]
    assert "closed: average_precision >= 0.9999, brier <= 0" in closed.sentence
    written = json.loads((trained.reports / f"gates-{closed.figures['bundle'][:12]}.json").read_text())
    assert [g["passed"] for g in written["gates"]] == [False, False]
    other = memory_stores(small_case, trained.reports)
    other.log.import_history(trained.log.events(), trained.log.labels())
    with pytest.raises(GateClosed, match="stays out of production"):
        retrain(strict, other, clock)
    assert other.registry.alias(PRODUCTION) is None


def test_a_column_that_leaks_the_label_is_refused(small_case, tmp_path, clock, world, history):
    leaky_contract = replace(
        small_case.events, fields=[*small_case.events.fields, Integer("scenario", at_least=0, at_most=1)]
    )
    leaky = replace(small_case, events=leaky_contract, features=[*small_case.vector, value("scenario")])
    stores = memory_stores(leaky, tmp_path)
    truth = dict(zip(*(world.labels[c].to_pylist() for c in ("event_id", "label")), strict=True))
    events = history[0].append_column("scenario", [[truth[i] for i in history[0]["event_id"].to_pylist()]])
    ingest(leaky, stores, clock, events, history[1], {"arrived": "arrived"})
    with pytest.raises(GateClosed, match="leaked target: ROC-AUC of one feature"):
        retrain(leaky, stores, clock)


def test_promotion_is_noted_and_happens_once(small_case, trained, clock):
    assert [b["bundle"] for _, _, b in trained.log.notes(MOVED)] == [trained.registry.alias(PRODUCTION)]
    assert "already" in promote(small_case, trained, clock).sentence
    bundle = trained.registry.alias(PRODUCTION)
    assert resolve(trained, bundle[:8]) == bundle
    with pytest.raises(InputError, match="names 0 registered bundles"):
        resolve(trained, "zz")
    move = trained.registry.moves()[0]
    assert move.bundle == bundle
    assert [g["passed"] for g in move.gates] == [True] * 5
    with pytest.raises(Conflict):
        trained.registry.move(replace(move, before="x"))


def test_stages_run_in_order_and_skip_what_has_not_changed(small_case, stores, clock, history):
    events, labels = history
    sources = {"ingest": lambda: ingest(small_case, stores, clock, events, labels, {"arrived": "arrived"})}
    first = run(small_case, stores, clock, sources)
    assert [r.verb for r in first] == ["ingest", "build", "validate", "train", "gate", "promote", "watch"]
    second = run(small_case, stores, clock, {})
    assert [r.verb for r in second if r.skipped] == ["build", "validate", "train", "gate"]
    assert "already" in second[4].sentence
    assert [r.skipped for r in run(small_case, stores, clock, {}, only="build", force=True)] == [False]
    with pytest.raises(InputError, match="has no stage 'dance'"):
        run(small_case, stores, clock, {}, only="dance")
    changed = replace(small_case, gates=[Gate("ece", at_most=0.5)])
    assert [r.verb for r in run(changed, stores, clock, {}) if r.skipped] == ["build"]


@pytest.mark.slow
def test_a_new_pattern_is_noticed_and_learned(small_case, world, tmp_path):
    """The closed loop in memory: the champion loses recall, is retrained on mature labels, and catches more."""
    stores, clock = memory_stores(small_case, tmp_path), ManualClock(CUT_US)
    begins = START_US + int(0.8 * 60 * DAY_US)
    clock.set(begins)
    ingest(
        small_case,
        stores,
        clock,
        *(arrived_before(t, begins) for t in (world.events, world.labels)),
        {"arrived": "arrived"},
    )
    retrain(small_case, stores, clock)
    assert watch(small_case, stores, clock).figures["severity"] == "not enough data"
    desk, noticed = open_desk(small_case, stores, clock), None
    old = desk.router.champion
    for number, message in enumerate(messages(small_case, world, begins)):
        clock.set(message.arrived_us)
        if message.path == "/predict":
            desk.decide(message.body, "t")
        else:
            desk.feedback(message.body)
        if noticed is None and number % 200 == 199 and watch(small_case, stores, clock).figures["losing"]:
            noticed = message.arrived_us
    assert noticed is not None
    report = watch(small_case, stores, clock, last="7d")
    assert report.figures["recall"] < report.figures["recall_reference"]
    assert_fresh(stores, report.figures)
    assert (stores.reports / "drift_detection_summary.json").exists()
    assert list((stores.reports / "drift_alerts").iterdir())
    retrain(replace(small_case, gates=[Gate("parity_mismatches", at_most=0)]), stores, clock, reason="test")
    assert desk.router.refresh(desk.submit_note)
    assert desk.router.champion.id != old.id


def assert_fresh(stores, figures):
    """Freshness is the age of an event when it was scored, its delay on the way included."""
    decisions, events = stores.log.decisions().to_pylist(), stores.log.events()
    happened = dict(zip(events["seq"].to_pylist(), events["event_us"].to_pylist(), strict=True))
    newest = max(d["decided_us"] for d in decisions)
    ages = [
        d["decided_us"] + d["latency_us"] - happened[d["seq"]]
        for d in decisions
        if d["decided_us"] > newest - 7 * DAY_US
    ]
    assert figures["freshness_s_max"] == max(ages) / 1e6
    assert figures["freshness_s_p99"] == pytest.approx(np.quantile(ages, 0.99) / 1e6)
    assert figures["freshness_s_p50"] <= figures["freshness_s_p99"]
