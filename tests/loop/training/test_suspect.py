"""Poisoned training data are refused, whoever poisons them and how strongly; clean ones pass."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tests.conftest import CUT_US, SOAK, START_US, memory_stores
from weighbridge.clock import DAY_US, ManualClock
from weighbridge.declare import Poisoning
from weighbridge.errors import DeclarationError, GateClosed
from weighbridge.kernel.columns import ints
from weighbridge.kernel.plan import compile_plan
from weighbridge.kernel.poisoning import NEW, burst, repeated, telling, top_hits
from weighbridge.kernel.replay import replay
from weighbridge.loop.build import build, table_name
from weighbridge.loop.history import history
from weighbridge.loop.ingest import ingest
from weighbridge.loop.messages import arrived_before
from weighbridge.loop.retrain import retrain
from weighbridge.loop.simulate import simulate
from weighbridge.loop.training.suspect import _duplicates, suspect
from weighbridge.loop.training.training_set import training_set
from weighbridge.records import PRODUCTION


def columns(table, **changed):
    for name, values in changed.items():
        place = table.column_names.index(name)
        table = table.set_column(place, table.schema.field(place), pa.array(values, table.schema.field(place).type))
    return table


def by_arrival(events, labels):
    """Number the records of both tables again by their arrival, labels before events."""
    arrived = np.r_[ints(labels["arrived_us"]), ints(events["arrived_us"])]
    seq = np.empty(len(arrived), dtype=np.int64)
    seq[np.lexsort((np.r_[np.zeros(len(labels)), np.ones(len(events))], arrived))] = 1 + np.arange(len(arrived))
    both = columns(labels, seq=seq[: len(labels)]), columns(events, seq=seq[len(labels) :])
    return both[1].sort_by("seq"), both[0].sort_by("seq")


# Each takes (events, labels, generator, strength) of a log and returns them poisoned.


def flip(events, labels, rng, strength):
    """Innocent events are called positive, a share of all."""
    value = ints(labels["value"])
    return events, columns(labels, value=np.where(rng.random(len(value)) < strength, 1, value))


def hide(events, labels, rng, strength):
    """Positive events are called innocent, a share of them."""
    value = ints(labels["value"])
    return events, columns(labels, value=np.where(rng.random(len(value)) < strength, 0, value))


def one_source(events, labels, rng, strength):
    """A new partner calls events of the past positive, within a few hours: so many for each positive there is."""
    count = int(ints(labels["value"]).sum() * strength)
    chosen = rng.choice(len(events) // 2, count, replace=False)
    at = int(ints(events["arrived_us"])[len(events) * 3 // 4] // DAY_US * DAY_US) + DAY_US // 4
    extra = pa.table({"seq": np.zeros(count, dtype=np.int64), "event_id": events["event_id"].take(chosen),
                      "value": np.ones(count, dtype=np.int64), "arrived_us": at + np.arange(count) * 10_000_000,
                      "source": ["partner"] * count}).cast(labels.schema)  # fmt: skip
    return by_arrival(events, pa.concat_tables([labels, extra]))


def duplicate(events, labels, rng, strength):
    """Positive events are sent again under new ids, so many times each, a second apart, with their labels."""
    positive = pc.is_in(
        events["event_id"], value_set=labels.filter(pc.equal(labels["value"], 1))["event_id"].combine_chunks()
    )
    chosen, label = events.filter(positive), {r["event_id"]: r for r in labels.to_pylist()}
    parts, told = [events], [labels]
    for number in range(1, strength + 1):
        ids = [f"{i}-{number}" for i in chosen["event_id"].to_pylist()]
        moved = {name: ints(chosen[name]) + number * 1_000_000 for name in ("event_us", "arrived_us")}
        parts.append(columns(chosen, event_id=ids, **moved))
        records = [label[i] for i in chosen["event_id"].to_pylist()]
        told.append(columns(pa.Table.from_pylist(records, labels.schema), event_id=ids))
    return by_arrival(pa.concat_tables(parts), pa.concat_tables(told))


def early(events, labels, rng, strength):
    """Labels say that they arrived a day before their events, a share of them."""
    happened = dict(zip(events["event_id"].to_pylist(), ints(events["event_us"]).tolist(), strict=True))
    before = np.array([happened[i] for i in labels["event_id"].to_pylist()]) - DAY_US
    cheat = rng.random(len(labels)) < strength
    return by_arrival(events, columns(labels, arrived_us=np.where(cheat, before, ints(labels["arrived_us"]))))


def invert(events, labels, rng, strength):
    """Every label says the opposite."""
    return events, columns(labels, value=1 - ints(labels["value"]))


# Each takes (case, data, generator, strength) and returns the vectors of a training set poisoned.


def leak(case, data, rng, strength):
    """A feature is the label, but for a share of noise."""
    X, noise = data.vectors.copy(), rng.random(len(data.labels)) < strength
    X[:, case.feature_names.index("is_weekend")] = np.where(noise, rng.random(len(noise)), data.labels)
    return X


def blank(case, data, rng, strength):
    """A feature goes missing in a share of the newest rows."""
    X, newest = data.vectors.copy(), np.arange(len(data.labels)) > len(data.labels) * 3 // 5
    X[newest & (rng.random(len(newest)) < strength), case.feature_names.index("amount_is_round")] = np.nan
    return X


def event_time(case, data, rng, strength):
    """A share of the vectors sees every label from its event on."""
    early_labels = replace(data.columns, label_seq=np.zeros_like(data.columns.label_seq))
    cheat = rng.random(len(data.labels)) < strength
    return np.where(cheat[:, None], replay(compile_plan(case), early_labels), data.vectors)


ON_LOG = [
    (flip, "flipped labels: separation", (0.02, 0.05, 0.3)),
    (hide, "flipped labels", (0.5, 0.6, 0.9)),
    (one_source, "one-source burst: times a usual day", (0.3, 1.0, 3.0)),
    (duplicate, "duplicates: share of rows", (2, 5, 10)),
    (early, "time travel: labels before their events", (0.02, 0.2)),
]
ON_VECTORS = [
    (leak, "leaked target: ROC-AUC of one feature", (0.0, 0.02)),
    (blank, "NaN column: rise of the missing share", (0.6, 1.0)),
    (event_time, "time travel: vectors of another time", (0.1, 1.0)),
]
SEEDS = range(10) if SOAK else range(1)
ATTACKS = [(attack, check, strength, seed) for seed in SEEDS
           for attack, check, strengths in [*ON_LOG, *ON_VECTORS] for strength in strengths]  # fmt: skip


def attacked(case, clean, attack, strength, seed, folder):
    """Stores whose log or vectors were poisoned, with the production of the clean ones."""
    rng, stores = np.random.default_rng(seed), memory_stores(case, folder)
    on_log = attack is invert or attack in [a for a, _, _ in ON_LOG]
    events, labels = clean.log.events(), clean.log.labels()
    stores.log.import_history(*(attack(events, labels, rng, strength) if on_log else (events, labels)))
    stores = replace(stores, bundles=clean.bundles, registry=clean.registry)
    build(case, stores, ManualClock(CUT_US))
    if not on_log:
        X, table = attack(case, training_set(case, stores), rng, strength), stores.tables.get(table_name(case))
        poisoned = columns(table, **dict(zip(case.feature_names, X.T, strict=True)))
        stores.tables.put(table_name(case), poisoned.replace_schema_metadata(table.schema.metadata))
    return stores


def test_there_are_twenty_attacks():
    assert len({(attack, strength, seed) for attack, _, strength, seed in ATTACKS}) >= 20


@pytest.mark.parametrize(("attack", "check", "strength", "seed"), ATTACKS,
                         ids=[f"{a.__name__}-{s}-{n}" for a, _, s, n in ATTACKS])  # fmt: skip
def test_an_attack_is_refused(small_case, trained, tmp_path, attack, check, strength, seed):
    stores = attacked(small_case, trained, attack, strength, seed, tmp_path)
    refused = suspect(small_case, stores, training_set(small_case, stores)).refused
    assert any(name.startswith(check) for name in refused)


@pytest.mark.parametrize("seed", range(3, 23) if SOAK else range(4, 5))
def test_clean_worlds_pass(small_case, trained, tmp_path, seed):
    """Beside production, which another world trained, before and after a loud new pattern began."""
    world = simulate(small_case, seed=seed, start_us=START_US)
    for cut_us in (CUT_US, START_US + 60 * DAY_US):
        stores, clock = memory_stores(small_case, tmp_path), ManualClock(cut_us)
        history = (arrived_before(t, cut_us) for t in (world.events, world.labels))
        ingest(small_case, stores, clock, *history, {"arrived": "arrived"})
        build(small_case, stores, clock)
        stores = replace(stores, bundles=trained.bundles, registry=trained.registry)
        assert suspect(small_case, stores, training_set(small_case, stores)).refused == []


def test_a_refusal_keeps_the_champion_and_is_told(small_case, trained, tmp_path):
    stores = attacked(small_case, trained, flip, 0.1, 1, tmp_path)
    champion, bundles = trained.registry.alias(PRODUCTION), len(trained.registry.bundles())
    with pytest.raises(GateClosed, match="look poisoned and were refused: flipped labels: separation"):
        retrain(small_case, stores, ManualClock(CUT_US), trigger="drift", reason="alarm")
    assert trained.registry.alias(PRODUCTION) == champion
    assert len(trained.registry.bundles()) == bundles
    (path,) = tmp_path.glob("training-data-*.json")
    told = json.loads(path.read_text())
    assert not told["passed"]
    failed = {c["gate"] for c in told["checks"] if not c["passed"]}
    assert failed == {"flipped labels: separation", "flipped labels: hidden positives"}
    entry = next(e for e in history(stores) if e["what"] == "retrain")
    assert (entry["trigger"], entry["decision"]) == ("drift", "refused")
    assert "look poisoned" in entry["why"]


def test_inverted_labels_are_refused(small_case, trained, tmp_path):
    """They separate as well as ever: only their number, and production's own model, tell."""
    stores = attacked(small_case, trained, invert, 1, 1, tmp_path)
    told = suspect(small_case, stores, training_set(small_case, stores))
    assert {"inverted labels: positive rate", "inverted labels: production's ROC-AUC"} <= set(told.refused)
    assert next(v for v in told.verdicts if v["gate"] == "flipped labels: separation")["figure"] > 0.7
    alone = replace(stores, registry=memory_stores(small_case, tmp_path / "alone").registry)
    first = suspect(small_case, alone, training_set(small_case, alone)).refused
    assert first == ["inverted labels: positive rate"]
    declared = replace(small_case, training=replace(small_case.training, poisoning=Poisoning(positives=1.0)))
    assert suspect(declared, alone, training_set(declared, alone)).refused == []


def test_what_repeats_by_nature_is_held_against_what_repeated_before(small_case, trained):
    """A contract without a fine field: logins of a few users, several a day."""
    data, rng = training_set(small_case, trained), np.random.default_rng(2)
    coarse = rng.integers(0, 60, (len(data.labels), 1))
    healthy = replace(data, columns=replace(data.columns, values=np.repeat(coarse, data.columns.values.shape[1], 1)))
    first, share = _duplicates(small_case, healthy, {})
    assert first["passed"]
    assert share > 0.5
    assert _duplicates(small_case, healthy, {"duplicates": share - 0.01})[0]["passed"]
    assert not _duplicates(small_case, healthy, {"duplicates": 0.1})[0]["passed"]
    same = replace(healthy.columns, event_us=healthy.columns.event_us // DAY_US * DAY_US)
    assert not _duplicates(small_case, replace(healthy, columns=same), {})[0]["passed"]


def test_a_batch_that_always_came_is_no_burst():
    def of(*parts):
        source, day = (np.concatenate([p[k] for p in parts]) for k in (0, 1))
        return burst(source, day, np.ones(len(day), dtype=np.bool_))

    def feed(source, days, each):
        return np.full(len(days) * each, source), np.repeat(days, each)

    months = [29, 59, 89]
    assert of(feed(0, range(90), 100), feed(1, months, 2_500))[0] < 2
    assert of(feed(0, [d for d in range(90) if d not in months], 100), feed(0, months, 3_000))[0] < 2
    assert of(feed(0, range(90), 100), feed(1, [89], 2_500))[0] == 25
    assert of(feed(0, range(29), 100), feed(0, [29], 3_000))[0] == 30
    many = of(feed(0, range(30), 100), *(feed(1 + s, [29], 60) for s in range(50)))  # each of 1 % alone
    assert many == (30.0, 0.5, NEW, 29)
    week = of(feed(0, range(29), 100), feed(0, range(29, 35), 3_000))  # day after day is no regular batch
    assert week[0] > 10


def test_the_bounds_are_declared(small_case, trained, tmp_path):
    """A bound that is opened lets the attack pass: it is this check that refuses it, and no other."""
    stores = attacked(small_case, trained, duplicate, 5, 1, tmp_path)
    told = suspect(small_case, stores, training_set(small_case, stores))
    assert "duplicates: share of rows" in told.refused
    training = replace(small_case.training, poisoning=Poisoning(duplicates=1.0))
    assert "duplicates: share of rows" not in suspect(
        replace(small_case, training=training), stores, training_set(small_case, stores)).refused  # fmt: skip
    for wrong in ({"leak": 1.5}, {"burst": 0.5}, {"early": float("nan")}, {"rate": 0.5}, {"positives": 2}):
        with pytest.raises(DeclarationError, match="Poisoning"):
            Poisoning(**wrong)


def test_figures_by_hand():
    y, score = np.array([1, 1, 1, 1, 0, 0, 0, 1]), np.array([9, 8, 1, 1, 1, 1, 10, 1])
    assert top_hits(y, score) == (0, 1)
    assert top_hits(np.r_[y, y], np.r_[score, score]) == (0, 2)
    source, day = np.array([0] * 12 + [1] * 30), np.r_[np.arange(12), np.full(30, 4)]
    everything = np.ones(42, dtype=np.bool_)
    assert burst(source, day, everything) == (30.0, 30 / 42, 1, 4)
    assert burst(source[:12], day[:12], everything[:12]) == (1.0, 1 / 12, 0, 0)
    assert burst(source[12:], day[12:], everything[12:])[2] == -1  # one file, nothing to compare with
    values, at = np.array([[1, 2], [1, 2], [1, 3], [1, 2]]), np.array([0, 5, 6, 20])
    assert repeated(values, at, 5) == 0.25
    assert repeated(values, at, 15) == 0.5
    X = np.array([[0, 1, np.nan], [1, 0, 5]], dtype=np.float32)
    assert telling(np.array([0, 1]), X).tolist() == [1.0, 1.0, 1.0]
    assert telling(np.array([0, 0]), X).tolist() == [0.5, 0.5, 0.5]
