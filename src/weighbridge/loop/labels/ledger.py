"""The ledger of labels: what is known of which events, from where, how late, and where sources disagree."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.clock import DAY_US, Clock, us_to_iso
from weighbridge.declare.case import UseCase
from weighbridge.declare.labels import Label
from weighbridge.kernel.arrays import Bools, Floats, Ints
from weighbridge.kernel.columns import ints
from weighbridge.kernel.split import latest_labels
from weighbridge.loop.labels.label import WAITING
from weighbridge.loop.report import Report, Run, write_report
from weighbridge.ports import Stores

LEVELS = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0))
DAYS_SHOWN = 400  # of coverage by day, the newest


def trust_of(label: Label, records: pa.Table) -> Floats:
    """Return how much each record's source is believed by the declared rule, float64[m]."""
    names = records["source"].combine_chunks().dictionary_encode()
    by_source = np.array([label.trust(source) for source in names.dictionary.to_pylist()], dtype=np.float64)
    return by_source[np.asarray(names.indices, dtype=np.int64)] if len(records) else np.zeros(0)


def positive_ids(label: Label, records: pa.Table) -> pa.Array:
    """Return the ids of events that these records, by the declared rule, say are positive, each once."""
    about = records["event_id"].combine_chunks().dictionary_encode()
    row = np.asarray(about.indices, dtype=np.int64)
    y = latest_labels(row, ints(records["value"]), len(about.dictionary), trust_of(label, records))
    return about.dictionary.filter(pa.array(y == 1))


def ledger(case: UseCase, stores: Stores, as_of_us: int) -> dict[str, Any]:
    """Return what had arrived by a moment, microseconds UTC.

    `coverage` is the share of mature events with a label, None without a mature event. `delay_days` is from an event to
    its first label, `by_source` from an event to each record of a source. A record about an event that has a record
    already is a `correction` where its own source says otherwise than before, a `conflict` where another source does;
    `conflicting_events` are those about which the last words of two sources differ now. `by_day` is by day of event.
    """
    events, records = (
        t.filter(pc.less_equal(t["arrived_us"], as_of_us)) for t in (stores.log.events(), stores.log.labels())
    )
    about = pc.index_in(records["event_id"], value_set=events["event_id"].combine_chunks())
    records = records.append_column("row", about)
    orphans = records["row"].null_count
    records = records.filter(pc.is_valid(records["row"]))
    row, value, arrived_us = (ints(records[name]) for name in ("row", "value", "arrived_us"))
    event_us = ints(events["event_us"])
    labels = latest_labels(row, value, len(events), trust_of(case.label, records))
    mature = event_us <= as_of_us - case.label.matures_us
    delay = (arrived_us - event_us[row]) / DAY_US
    first = np.zeros(len(row), dtype=np.bool_)
    first[np.unique(row, return_index=True)[1]] = True
    names = records["source"].combine_chunks().dictionary_encode()
    source = np.asarray(names.indices, dtype=np.int64)
    return {
        "as_of": us_to_iso(as_of_us),
        "resolve": case.label.resolve,
        "events": len(events),
        "records": len(records),
        "about_no_event": orphans,
        "labelled": int((labels >= 0).sum()),
        "positives": int((labels == 1).sum()),
        "mature": int(mature.sum()),
        "coverage": float((labels[mature] >= 0).mean()) if mature.any() else None,
        "delay_days": _quantiles(delay[first]),
        **_disagreements(row, value, source),
        "by_source": {
            str(name): _of_source(case, str(name), value[source == code], delay[source == code])
            for code, name in enumerate(names.dictionary.to_pylist())
        },
        "by_day": _by_day(event_us, labels, mature),
    }


def _quantiles(delay: Floats) -> dict[str, float | None]:
    return {name: round(float(np.quantile(delay, level)), 4) if len(delay) else None for name, level in LEVELS}


def _of_source(case: UseCase, name: str, value: Ints, delay: Floats) -> dict[str, Any]:
    figures = {"records": len(value), "positives": int(value.sum()), "delay_days": _quantiles(delay)}
    return figures | {"trust": case.label.trust(name)}


def _disagreements(row: Ints, value: Ints, source: Ints) -> dict[str, int]:
    """Return corrections, conflicts and conflicting events; records in the order of arrival."""
    order = np.lexsort((np.arange(len(row)), source, row))  # stable: by event, source, arrival
    same = (np.diff(row[order]) == 0) & (np.diff(source[order]) == 0)
    corrections = int((same & (np.diff(value[order]) != 0)).sum())
    conflicts, said = 0, dict[tuple[int, int], int]()
    by_event: dict[int, set[int]] = {}
    repeated = np.isin(row, np.unique(row[order][1:][np.diff(row[order]) == 0])) if len(row) else row == 0
    for r, v, s in zip(*(column[repeated].tolist() for column in (row, value, source)), strict=True):
        others = {said[r, other] for other in by_event.get(r, set()) if other != s}
        conflicts += bool(others - {v})
        said[r, s] = v
        by_event.setdefault(r, set()).add(s)
    disputed = sum(len({said[r, s] for s in sources}) > 1 for r, sources in by_event.items())
    return {"corrections": corrections, "conflicts": conflicts, "conflicting_events": disputed}


def _by_day(event_us: Ints, labels: Ints, mature: Bools) -> list[dict[str, Any]]:
    days, place = np.unique(event_us // DAY_US, return_inverse=True)
    counts = [np.bincount(place, weights=chosen, minlength=len(days)) for chosen in (labels >= 0, labels == 1, mature)]
    table = np.stack([np.bincount(place, minlength=len(days)), *counts], axis=1).astype(np.int64)[-DAYS_SHOWN:]
    return [
        {"day": str(np.datetime64(int(day), "D")), "events": int(n), "labelled": int(known), "positives": int(positive),
         "coverage": round(int(known) / int(n), 4), "mature": bool(old == n)}
        for day, (n, known, positive, old) in zip(days[-DAYS_SHOWN:].tolist(), table, strict=True)
    ]  # fmt: skip


def coverage(case: UseCase, stores: Stores, as_of_us: int) -> dict[str, Any]:
    """Return what every report of a verb that rests on labels says of them."""
    told = ledger(case, stores, as_of_us)
    names = ("as_of", "coverage", "mature", "labelled", "positives", "delay_days", "corrections", "conflicting_events")
    return {name: told[name] for name in names}


def labels(case: UseCase, stores: Stores, clock: Clock, as_of_us: int | None = None) -> Report:
    """Report the ledger as of a moment (default: now), as `labels.json` in the reports too."""
    run = Run("labels", stores, clock)
    figures = ledger(case, stores, clock.now_us() if as_of_us is None else as_of_us)
    waiting = stores.tables.get(WAITING)
    figures["waiting"] = 0 if waiting is None else len(waiting)
    write_report(stores.reports, "labels", {**figures, "run": run.id})
    return run.finish(sentence(figures), figures)


def sentence(figures: dict[str, Any]) -> str:
    """Return coverage, delay and disagreements in one sentence."""
    if figures["coverage"] is None:
        share = "no event is mature yet"
    else:
        share = f"{figures['coverage']:.1%} of {figures['mature']:,} mature events have a label"
    late = figures["delay_days"]["p50"]
    delay = "" if late is None else f"; half within {late:.1f} days, 99 % within {figures['delay_days']['p99']:.1f}"
    disputed = f"{figures['corrections']:,} corrections, sources disagree on {figures['conflicting_events']:,} events"
    return f"{share}{delay}; {disputed}"
