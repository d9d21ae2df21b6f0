"""Rows drawn from a contract alone, valid and seeded, for a use case that simulates no world of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from weighbridge.clock import DAY_US
from weighbridge.declare import Category, Id, Key, Money, Number, Time, UseCase
from weighbridge.declare.fields import Field, Numeric, Text
from weighbridge.errors import InputError
from weighbridge.identity import ulid_at
from weighbridge.kernel.arrays import Floats, Ints
from weighbridge.loop.simulate import World, moments, simulate

MEMBERS = 40  # of a key
HALF_YEAR_US = 180 * DAY_US


def world_of(case: UseCase, *, seed: int, start_us: int, events: int) -> World:
    """Return the world that a use case simulates, else rows drawn from its contract, positive where numbers are high.

    Raises InputError for a field whose pattern nothing is known to match.
    """
    if case.simulate is not None:
        return simulate(case, seed=seed, start_us=start_us, events=events)
    rng = np.random.default_rng(seed)
    at_us = start_us + np.sort(rng.integers(0, HALF_YEAR_US, events))
    columns: dict[str, Any] = {}
    drawn = np.zeros(events)
    for field in case.events.fields:
        if isinstance(field, Time):
            columns[field.source] = moments(at_us)
        elif isinstance(field, Numeric):
            share = rng.beta(2, 5, events)
            drawn += share
            columns[field.source] = _numbers(field, share)
        else:
            columns[field.source] = pa.array(_texts(field, rng, at_us))
    columns["arrived"] = moments(at_us)
    positive = drawn + rng.normal(0, 0.1, events) > np.quantile(drawn, 0.85)
    known = moments(at_us + case.label.matures_us)
    ids = columns[case.events.id.source]
    labels = pa.table({"event_id": ids, "label": pa.array(positive.astype(np.int64)), "arrived": known})
    return World(pa.table(columns), labels, [""] * events)


def _numbers(field: Numeric, share: Floats) -> pa.Array:
    low = field.at_least if field.at_least is not None else min(0.0, field.at_most or 0.0)
    high = field.at_most if field.at_most is not None else low + 1_000.0
    values = low + share * (high - low)
    if isinstance(field, Money | Number):
        return pa.array(np.clip(np.round(values, field.decimals), low, high))
    return pa.array(np.floor(values).astype(np.int64))


def _texts(field: Field, rng: np.random.Generator, at_us: Ints) -> list[str]:
    rows = len(at_us)
    if isinstance(field, Category):
        return [str(field.one_of[n]) for n in rng.integers(0, len(field.one_of), rows)]
    if isinstance(field, Id) and field.ulid:
        entropy = rng.bytes(10 * rows)
        return [ulid_at(int(at), entropy[10 * n : 10 * n + 10]) for n, at in enumerate(at_us)]
    if isinstance(field, Text) and field.pattern:
        raise InputError(f"field {field.name} has a pattern; give the use case simulate=, or override world()")
    numbers = rng.permutation(rows) if isinstance(field, Id) else rng.integers(0, MEMBERS, rows)
    prefix = "" if isinstance(field, Text) and field.whole else "m" if isinstance(field, Key) else "e"
    return [f"{prefix}{n + 1}" for n in numbers]
