"""Training sees what had arrived, and no row of it a label before that arrived; a join by event time does."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import CUT_US, SOAK, START_US, memory_stores
from tests.fixtures.tiny_fraud import case as tiny
from weighbridge.clock import DAY_US, ManualClock
from weighbridge.declare.aggregates import Aggregate
from weighbridge.kernel.plan import compile_plan
from weighbridge.loop.build import build
from weighbridge.loop.train import train
from weighbridge.loop.training.event_time import event_time_vectors
from weighbridge.loop.training.training_set import training_set
from weighbridge.stores.tables import LABELS, event_schema, in_order_of_arrival

RATE = next(f for f in tiny.vector if isinstance(f, Aggregate) and f.of_labels)


def random_log(seed):
    """A log of 150 events over 40 days whose labels take up to 20 days, with corrections, late events, early labels."""
    rng, n = np.random.default_rng(seed), 150
    event_us = START_US + np.sort(rng.integers(0, 40 * DAY_US, n))
    arrived_us = event_us + np.where(rng.random(n) < 0.1, rng.integers(0, 2 * DAY_US, n), 0)
    values = {"card_id": [f"c{i}" for i in rng.integers(0, 9, n)], "shop_id": [f"s{i}" for i in rng.integers(0, 3, n)],
              "amount": rng.integers(1, 9_000, n)}  # fmt: skip
    ids = [f"e{i}" for i in range(n)]
    events = pa.table({"event_id": ids, "event_us": event_us, "arrived_us": arrived_us, **values})
    about = np.r_[rng.permutation(n)[: int(n * 0.9)], rng.integers(0, n, 20)]
    labels = pa.table({"event_id": [ids[i] for i in about], "value": rng.integers(0, 2, len(about)),
                       "arrived_us": event_us[about] + rng.integers(-DAY_US // 4, 20 * DAY_US, len(about)),
                       "source": ["x"] * len(about)})  # fmt: skip
    head = memory_stores(tiny, None).log.head()
    events, labels = in_order_of_arrival(head, events, labels)
    return events.cast(event_schema(tiny.events)), labels.cast(LABELS)


def rate_as_known(d, events, labels):
    """The label rate that the decision about an event saw: nested loops over what had arrived before it."""
    seen = []
    for e in events:
        inside = d["event_us"] - RATE.last_us < e["event_us"] <= d["event_us"] - RATE.until_us
        if e["seq"] < d["seq"] and e["shop_id"] == d["shop_id"] and inside:
            seen += [r["value"] for r in labels if r["event_id"] == e["event_id"] and r["seq"] < d["seq"]][-1:]
    return np.float32(sum(seen) / len(seen)) if seen else np.float32(np.nan)


def rows_ahead(data, vectors, events, labels):
    """How many rows that train saw a label before it arrived: in their vector, or as what they are to learn."""
    column, begins, found = tiny.feature_names.index(RATE.name), data.split.validation_from_us, 0
    for row in np.flatnonzero(data.split.train):
        d = events[row]
        own = [r["value"] for r in labels if r["event_id"] == d["event_id"] and r["arrived_us"] <= begins]
        honest = own[-1:] == [data.known_then[row]]
        found += not honest or vectors[row, column].tobytes() != rate_as_known(d, events, labels).tobytes()
    return found


def ahead_of(seed, folder):
    """(of ours, of a join by event time) on a random log."""
    events, labels = random_log(seed)
    stores = memory_stores(tiny, folder)
    stores.log.import_history(events, labels)
    build(tiny, stores, ManualClock(START_US + 60 * DAY_US))
    data = training_set(tiny, stores)
    told = events.to_pylist(), labels.to_pylist()
    return rows_ahead(data, data.vectors, *told), rows_ahead(
        data, event_time_vectors(compile_plan(tiny), data.columns), *told)  # fmt: skip


@settings(max_examples=1_000 if SOAK else 12)
@given(st.integers(0, 2**32 - 1))
def test_no_row_saw_a_label_before_it_arrived_and_a_join_would_have(tmp_path_factory, seed):
    ours, joined = ahead_of(seed, None)
    assert ours == 0
    assert joined > 0  # the negative control: what is counted can be there


def test_as_of_an_earlier_moment_nothing_later_is_there(small_case, trained):
    as_of_us = CUT_US - 5 * DAY_US
    data = training_set(small_case, trained, as_of_us)
    whole = training_set(small_case, trained)
    assert data.columns.event_us.max() <= as_of_us < whole.columns.event_us.max()
    assert max(data.told["arrived_us"].to_pylist()) <= as_of_us < max(whole.told["arrived_us"].to_pylist())
    assert data.until_us <= as_of_us - small_case.label.matures_us
    assert (data.columns.event_us[data.mature] <= data.until_us).all()
    here = np.isin(whole.columns.seq, data.columns.seq)
    assert (data.vectors.view(np.uint32) == whole.vectors[here].view(np.uint32)).all()


def test_the_report_shows_what_a_join_by_event_time_would_have_claimed(small_case, trained):
    bundle, _, _ = trained.registry.bundles()[0]
    told = json.loads((trained.reports / f"training-{bundle[:12]}.json").read_text())["event_time"]
    assert told["as_known"] == trained.tracker.runs("train")[0][3]["average_precision"]
    assert told["rows_ahead_as_known"] == 0 < told["rows_ahead"] < told["rows"]
    assert told["event_time_interval"][0] <= told["event_time"] <= told["event_time_interval"][1]
    card = trained.bundles.files(bundle)["card.md"].decode()
    assert f"a join by event time would have claimed {told['event_time']:.4f}" in card
    data = training_set(small_case, trained)
    joined = event_time_vectors(compile_plan(small_case), data.columns)
    stateless = list(small_case.stateless)
    assert (joined[:, stateless].view(np.uint32) == data.vectors[:, stateless].view(np.uint32)).all()


def test_the_claim_is_of_the_same_model_and_repeats(small_case, trained):
    again = train(small_case, trained, ManualClock(CUT_US)).figures["event_time"]
    assert again == trained.tracker.runs("train")[0][3]["event_time"]
