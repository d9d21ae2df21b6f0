"""A champion that declines lives in a world whose truth is known: what is learned from what it let through."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tests.conftest import START_US, memory_stores
from tests.declining import exploring, repack, send
from weighbridge.cases.card_fraud import case as card_fraud
from weighbridge.clock import DAY_US, ManualClock
from weighbridge.declare import Training, lightgbm
from weighbridge.kernel.metrics import average_precision
from weighbridge.learners.fit import fit
from weighbridge.learners.selection import varying
from weighbridge.loop.build import build, table_name
from weighbridge.loop.ingest import ingest
from weighbridge.loop.messages import messages
from weighbridge.loop.retrain import retrain
from weighbridge.loop.simulate import simulate
from weighbridge.loop.training.training_set import training_set
from weighbridge.serve.wiring import open_desk

HISTORY, LIVE, AFTER = 25, 40, 20  # days: labelled history, the champion decides, the retrained model is judged
MODEL = lightgbm(n_estimators=100)
ARRIVED = {"arrived": "arrived"}


def world_of(seed, events):
    """Return a use case and its world: patterns that the champion knows from the start."""
    days = HISTORY + LIVE + AFTER
    patterns = [p for p in card_fraud.simulate.patterns if not p.starts]
    simulation = replace(card_fraud.simulate, actors=events // 40, places=300, days=days, events=events, rate=0.03,
                         patterns=patterns)  # fmt: skip
    case = replace(card_fraud, models=(MODEL,), training=Training(validation="8d", bootstraps=20, history=f"{LIVE - 2}d"),
                   simulate=simulation)  # fmt: skip
    return case, simulate(case, seed=seed, start_us=START_US)


def until(table, day):
    return table.filter(pc.less(table["arrived"].cast(pa.int64()), START_US + day * DAY_US))


def learned(case, stores):
    """Return a model fitted on what the log knows now, and how many positives it saw."""
    build(case, stores, ManualClock(stores.log.head().arrived_us))
    data = training_set(case, stores)
    X, y, weight = (array[data.mature] for array in (data.vectors, data.labels, data.weight))
    return fit(case, MODEL, X, y, varying(X), weight), int(y.sum())


def judged(case, stores, fitted, truth):
    """Return a model's average precision on every event after the retraining, declined or not, by the truth."""
    build(case, stores, ManualClock(stores.log.head().arrived_us))
    table = stores.tables.get(table_name(case))
    table = table.filter(pc.greater_equal(table["event_us"], START_US + (HISTORY + LIVE) * DAY_US))
    vectors = np.stack([table[name].to_numpy() for name in case.feature_names], axis=1)
    y = np.array([truth[i] for i in table["event_id"].to_pylist()])
    return average_precision(y, fitted.log_odds(vectors))


def arm(case, world, labels, truth, folder):
    """Return what is learned where all events, and these labels, arrive."""
    stores, retrained = memory_stores(case, folder), ManualClock(START_US + (HISTORY + LIVE) * DAY_US)
    ingest(case, stores, retrained, until(world.events, HISTORY + LIVE), until(labels, HISTORY + LIVE), ARRIVED)
    fitted, positives = learned(case, stores)
    since = [
        t.filter(pc.greater_equal(t["arrived"].cast(pa.int64()), retrained.now_us())) for t in (world.events, labels)
    ]
    ingest(case, stores, ManualClock(START_US + 400 * DAY_US), *since, ARRIVED)
    return judged(case, stores, fitted, truth), positives


def lived(seed, events, explore, strict, folder):
    """Return average precision after retraining: explored, oracle, counting declines as good; and what was seen."""
    case, world = world_of(seed, events)
    truth = dict(zip(*(world.labels[c].to_pylist() for c in ("event_id", "label")), strict=True))
    stores, clock = memory_stores(case, folder), ManualClock(START_US + HISTORY * DAY_US)
    first = replace(case, training=replace(case.training, history=None))
    ingest(first, stores, clock, until(world.events, HISTORY), until(world.labels, HISTORY), ARRIVED)
    retrain(first, stores, clock)
    repack(case, stores, strict * 0.8, strict)
    case = exploring(case, explore)
    stream = messages(case, world, clock.now_us())
    at = START_US + (HISTORY + LIVE) * DAY_US
    desk = open_desk(case, stores, clock)
    decisions = send(desk, clock, [m for m in stream if m.arrived_us < at], selective=True)
    fitted, positives = learned(case, stores)
    decisions += send(desk, clock, [m for m in stream if m.arrived_us >= at], selective=True)
    desk.close()
    asked = {d.event_id for d in decisions if d.propensity is not None}
    through = [d for d in decisions if d.explored]
    declined = pc.is_in(world.labels["event_id"], pa.array(list(asked)))
    good = pc.if_else(declined, 0, world.labels["label"])
    naive = world.labels.set_column(1, "label", good)
    figures = {
        "explored": judged(case, stores, fitted, truth),
        "oracle": arm(case, world, world.labels, truth, folder)[0],
        "declines_as_good": arm(case, world, naive, truth, folder)[0],
        "declines": len(asked),
        "declined_positives": sum(truth[i] for i in asked),
        "through": len(through),
        "through_positives": sum(truth[d.event_id] for d in through),
        "positives_learned": positives,
        "events": len(decisions),
        "positives": sum(truth[d.event_id] for d in decisions),
    }
    return figures, case, stores
