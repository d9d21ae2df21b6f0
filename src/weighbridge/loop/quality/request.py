"""Bodies as callers send them: the same contract and the same rules as everywhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from weighbridge.declare.case import UseCase
from weighbridge.declare.validation import FIELD, REQUEST
from weighbridge.errors import Rejected
from weighbridge.kernel.conditions import Column
from weighbridge.kernel.validate import parse_event
from weighbridge.loop.quality.findings import Findings
from weighbridge.loop.quality.rules import expect_of_rows
from weighbridge.ports import Stores
from weighbridge.records import EventRecord

BODIES = "bodies"
Body = Mapping[str, object] | str  # a JSON object, or why it is none


def check_bodies(case: UseCase, stores: Stores, found: Findings, bodies: Sequence[Body], now_us: int) -> None:
    """Check the bodies of requests, as they would be decided now."""
    place, good, rows = (REQUEST, BODIES), [], []
    found.stages[REQUEST] = f"{len(bodies):,} bodies"
    for row, body in enumerate(bodies):
        try:
            good.append(parse_event(case.events, _whole(body), now_us, stores.pseudonyms))
            rows.append(row)
        except Rejected as rejected:
            found.add(place, "contract", rejected.field, f"{rejected.rule}: {rejected.detail}", ok=False,
                      figure=1.0, bound=0.0, rows=[row])  # fmt: skip
    if len(good) == len(bodies):
        found.add(place, "contract", "", f"all {len(bodies):,} bodies keep the contract", ok=True)
    ids = [event.event_id for event in good]
    twice = [rows[place_] for place_, each in enumerate(ids) if each in ids[:place_]]
    found.add(place, "unique", case.events.id.name, f"{len(twice):,} bodies have an id again", ok=not twice,
              figure=float(len(twice)), bound=0.0, rows=twice)  # fmt: skip
    expect_of_rows(case, found, place, FIELD, lambda name: _read(case, good, name), np.array(rows, dtype=np.int64))


def _whole(body: Body) -> Mapping[str, object]:
    if isinstance(body, str):
        raise Rejected("", "json", body)
    return body


def _read(case: UseCase, good: Sequence[EventRecord], name: str) -> Column:
    number = next(n for n, f in enumerate(case.events.payload) if f.name == name)
    values = [event.values[number] for event in good]
    field = case.events.payload[number]
    if not field.numeric:
        return pa.array(values, pa.string())
    return np.array([np.nan if v is None else float(v) / field.scale for v in values], dtype=np.float64)
