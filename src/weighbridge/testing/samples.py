"""A sample declaration that uses the whole vocabulary, and the plumbing to run records through every path."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from weighbridge.declare import (
    Category,
    Contract,
    Feature,
    Id,
    Integer,
    Key,
    Label,
    Money,
    Number,
    Time,
    UseCase,
    above,
    at_least,
    at_most,
    below,
    bucket,
    day_of_week,
    difference,
    differs,
    encode,
    equal,
    hour_of_day,
    is_between_hours,
    is_business_hours,
    is_missing,
    is_round,
    is_weekend,
    least_of,
    lightgbm,
    log,
    mean_of,
    most_of,
    ratio,
    value,
    zscore,
)
from weighbridge.kernel.arrays import Vectors
from weighbridge.kernel.columns import to_columns
from weighbridge.kernel.plan import compile_plan
from weighbridge.kernel.replay import replay
from weighbridge.records import EventRecord
from weighbridge.records import LabelRecord as LabelArrival
from weighbridge.stores.state import MemoryState
from weighbridge.stores.tables import LABELS, event_table
from weighbridge.testing.oracle import Event, LabelRecord


def sample_contract() -> Contract:
    """Return a contract with every kind of field."""
    return Contract(
        "payment",
        [
            Id("event_id"),
            Time("at", future="2h", late="3d"),
            Key("card"),
            Key("shop_id", pii="pseudonymised"),
            Money("amount", at_least=0, at_most=5_000),
            Number("score", at_least=-10, at_most=10, decimals=3, optional=True),
            Integer("items", at_least=0, at_most=99),
            Category("device", one_of=["ios", "android", "web"], optional=True),
        ],
    )


def sample_case() -> UseCase:
    """Return a use case that has every aggregate and every row feature."""
    contract = sample_contract()
    card, shop = contract.by("card"), contract.by("shop_id")
    windows = ["1h", "1d", "7d"]
    mean, std = card.mean("amount", last="7d", name="usual"), card.std("amount", last="7d", name="spread")
    features: list[Feature | Sequence[Feature]] = [
        card.count(last=windows), card.sum("amount", last=windows), card.mean("score", last=windows),
        card.std("amount", last=windows), card.std("score", last="7d"), card.min("score", last="7d"),
        card.max("amount", last=windows), card.quantile("amount", 0.5, last=windows),
        card.quantile("score", 0.9, last="7d"),
        card.distinct("shop_id", last=windows), card.distinct("device", last="7d"), card.since_last(within="7d"),
        card.seen_before("device", last="7d"), card.seen_before("items", last="1d"),
        card.count(last="7d", where=above("amount", 100)), card.count(last="7d", where=equal("device", "web")),
        card.mean("amount", last="7d", where=[at_least("items", 2), at_most("items", 50)]),
        card.max("score", last="7d", where=differs("device", "ios")),
        card.since_last(within="7d", where=below("amount", 9)),
        card.sum("amount", last="7d", until="1d"), card.distinct("items", last="7d", until="1h"),
        shop.count(last="1d"), shop.label_count(last=windows), shop.label_count(last="7d", of="positive"),
        shop.label_rate(last=windows), shop.label_rate(last="7d", until="1d"), shop.label_streak(last="7d"),
        shop.label_streak(last="7d", of="age"), shop.label_rate(last="7d", where=above("amount", 100)),
        zscore("amount", mean, std), ratio("amount", mean), difference("amount", mean), log("amount"), value("score"),
        is_round("amount"), is_round("amount", to=0.05, name="five_cents"), bucket("amount", [10, 100, 1000]),
        is_missing("score"), is_missing("device"), is_missing(mean), mean_of("score", "amount"),
        least_of("score", "items", mean), most_of("score", mean, name="larger"),
        encode("device"), hour_of_day(), hour_of_day(zone="Europe/Paris"), day_of_week(),
        is_weekend(zone="Asia/Kolkata"),
        is_business_hours(), is_between_hours(start=0, end=7),
    ]  # fmt: skip
    return UseCase(
        "sample",
        events=contract,
        features=features,
        label=Label("bad", matures="2d"),
        models=[lightgbm(n_estimators=20)],
    )


def replayed(case: UseCase, events: Sequence[Event], labels: Sequence[LabelRecord]) -> Vectors:
    """Return the vectors of all events by the replay kernel, float32[n, features]."""
    plan = compile_plan(case)
    return replay(plan, to_columns(plan, table_of(case, events), label_table_of(labels)))


def stepped(case: UseCase, events: Sequence[Event], labels: Sequence[LabelRecord]) -> Vectors:
    """Return the vectors of all events by the online path, one record at a time in the order of arrival."""
    state = MemoryState(compile_plan(case))
    found: list[Vectors] = []
    stored: dict[str, EventRecord] = {}
    records: list[Event | LabelRecord] = [*events, *labels]
    for record in sorted(records, key=lambda r: r.seq):
        if isinstance(record, Event):
            event = record_of(case, record)
            found.append(np.frombuffer(state.vector(event), dtype="<f4"))
            state.append(event)
            stored[event.event_id] = event
        else:
            label = LabelArrival(record.event_id, record.value, record.seq, "test")
            state.label(label, stored.get(record.event_id))
    return np.array(found, dtype=np.float32).reshape(-1, len(case.vector))


def record_of(case: UseCase, event: Event) -> EventRecord:
    """Return an oracle's event as the record a log holds; it arrives as early as its contract allows."""
    arrived_us = event.event_us - case.events.future_us
    return EventRecord(event.id, event.event_us, arrived_us, tuple(event.values[f.name] for f in case.events.payload))


def table_of(case: UseCase, events: Sequence[Event]) -> pa.Table:
    """Return an oracle's events as a log's table."""
    return event_table(case.events, [(e.seq, record_of(case, e)) for e in sorted(events, key=lambda e: e.seq)])


def label_table_of(labels: Sequence[LabelRecord]) -> pa.Table:
    """Return an oracle's label records as a log's table."""
    rows = [
        {"seq": r.seq, "event_id": r.event_id, "value": r.value, "arrived_us": r.seq, "source": "test"}
        for r in sorted(labels, key=lambda r: r.seq)
    ]
    return pa.Table.from_pylist(rows, LABELS)


def differing(left: Vectors, right: Vectors) -> int:
    """Return how many values of two arrays of vectors differ in their bits."""
    return int((left.view(np.uint32) != right.view(np.uint32)).sum())
