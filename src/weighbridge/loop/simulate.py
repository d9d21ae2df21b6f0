"""Makes the world that a declaration's `Simulation` describes: events and labels, each with its own arrival."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from weighbridge.clock import DAY_US, SECOND_US, duration_us
from weighbridge.declare.case import UseCase
from weighbridge.declare.fields import Category, Field, Key, Numeric
from weighbridge.declare.simulation import Change, Pattern, Simulation
from weighbridge.errors import InputError
from weighbridge.identity import ulid_at
from weighbridge.kernel.arrays import Floats, Ints

HOURS = np.array([2, 1, 1, 1, 1, 2, 4, 6, 8, 9, 9, 10, 11, 10, 9, 9, 10, 11, 12, 11, 9, 7, 5, 3], dtype=float)
HABIT, LOYALTY = 0.97, 0.85  # how often an actor keeps to its own category, and to its own places
ROUND = 0.08  # how often an ordinary amount is a whole number


@dataclass(frozen=True)
class World:
    """What was simulated. events: the contract's columns and `arrived`; labels: event_id, label, arrived.

    `scenario` tells, for each event in order, which pattern made it ("" for none): truth, never an input.
    """

    events: pa.Table
    labels: pa.Table
    scenario: Sequence[str]


def simulate(case: UseCase, *, seed: int, start_us: int, events: int | None = None, part: int = 0) -> World:
    """Return a simulated world; the same declaration, seed, start, size and part give the same world.

    Parts of one seed are other events of the same actors and places, with the same habits.
    Raises InputError when the use case declares no simulation.
    """
    if not isinstance(case.simulate, Simulation):
        raise InputError(
            f"use case {case.name} declares no simulated stream; give it simulate=Simulation(...) or ingest a file"
        )
    return _Maker(case, case.simulate, seed, start_us, events or case.simulate.events, part).make()


@dataclass
class _Rows:
    """Events in the making: who, where, when, how much, and the other fields by name as codes or numbers."""

    actor: Ints
    place: Ints
    at_us: Ints
    amount: Floats
    other: dict[str, Floats]
    scenario: Ints


class _Maker:
    def __init__(self, case: UseCase, simulation: Simulation, seed: int, start_us: int, events: int, part: int) -> None:
        self.case, self.s, self.start_us, self.events = case, simulation, start_us, events
        self.rng = np.random.default_rng(seed)
        self.span_us = simulation.days * DAY_US
        rng, actors, places = self.rng, simulation.actors, simulation.places
        self.activity = rng.lognormal(0, 0.7, actors)
        self.activity /= self.activity.sum()
        self.spend = rng.normal(3.4, 0.6, actors)
        self.popularity = rng.zipf(1.6, places).clip(max=60).astype(float)
        self.popularity /= self.popularity.sum()
        self.favourites = rng.choice(places, (actors, 6), p=self.popularity)
        self.categories = [f for f in case.events.payload if isinstance(f, Category)]
        self.numbers = [f for f in case.events.payload if isinstance(f, Numeric) and f.name != simulation.amount]
        self.habits = {
            f.name: rng.integers(0, len(f.one_of), places if f.name in simulation.place_fields else actors)
            for f in self.categories
        }
        if part:
            self.rng = np.random.default_rng([seed, part])

    def make(self) -> World:
        base = self._ordinary(self.events)
        positives = self.s.rate * self.events
        parts = [base]
        for number, pattern in enumerate(self.s.patterns, start=1):
            wanted = round(pattern.share * positives * (1 - pattern.starts))
            if pattern.spreads is not None:
                self._taint(base, pattern, number, wanted)
            elif wanted:
                parts.append(self._episodes(pattern, number, wanted))
        return self._world(_join(parts))

    def _ordinary(self, n: int) -> _Rows:
        rng = self.rng
        actor = rng.choice(self.s.actors, n, p=self.activity)
        day = rng.integers(0, self.s.days, n)
        hour = rng.choice(24, n, p=HOURS / HOURS.sum())
        at_us = day * DAY_US + hour * 3_600 * SECOND_US + rng.integers(0, 3_600 * SECOND_US, n)
        return self._habitual(actor, at_us)

    def _habitual(self, actor: Ints, at_us: Ints) -> _Rows:
        """Events as these actors usually make them."""
        rng, n = self.rng, len(actor)
        loyal = self.favourites[actor, rng.integers(0, self.favourites.shape[1], n)]
        place = np.where(rng.random(n) < LOYALTY, loyal, rng.choice(self.s.places, n, p=self.popularity))
        amount = rng.lognormal(self.spend[actor], 0.55)
        amount = np.where(rng.random(n) < ROUND, np.ceil(amount), amount)
        other: dict[str, Floats] = {}
        for field in self.categories:
            owner = place if field.name in self.s.place_fields else actor
            habit = self.habits[field.name][owner]
            stays = (rng.random(n) < HABIT) | (field.name in self.s.place_fields)
            other[field.name] = np.where(stays, habit, rng.integers(0, len(field.one_of), n)).astype(float)
        for number in self.numbers:
            low, high = number.at_least or 0.0, 1.0 if number.at_most is None else number.at_most
            other[number.name] = rng.uniform(low, high, n)
        return _Rows(actor, place, at_us, amount, other, np.zeros(n, dtype=np.int64))

    def _taint(self, base: _Rows, pattern: Pattern, number: int, wanted: int) -> None:
        """Let places go bad for a while: a share of what passes through them goes wrong."""
        rng, length = self.rng, duration_us(pattern.spreads or "0s")
        owner = base.place if pattern.at != self.s.actor else base.actor
        weights = self.popularity if pattern.at != self.s.actor else self.activity
        marked = 0
        while marked < wanted:
            victim = rng.choice(len(weights), p=weights)
            first = rng.uniform(pattern.starts * self.span_us, self.span_us)
            passing = (owner == victim) & (base.at_us >= first) & (base.at_us < first + length) & (base.scenario == 0)
            rows = np.flatnonzero(passing & (rng.random(len(owner)) < pattern.taints))[: wanted - marked]
            part = _take(base, rows)
            self._change(part, pattern.changes)
            _put(base, rows, part, number)
            marked += max(len(rows), 1)  # an idle victim counts as one, so that this ends

    def _episodes(self, pattern: Pattern, number: int, wanted: int) -> _Rows:
        rng = self.rng
        sizes: list[int] = []
        while sum(sizes) < wanted:
            sizes.append(int(rng.integers(pattern.events[0], pattern.events[1] + 1)))
        episode = np.repeat(np.arange(len(sizes)), sizes)[:wanted]
        first = rng.uniform(pattern.starts * self.span_us, self.span_us, len(sizes))
        gaps = rng.exponential(duration_us(pattern.gap), len(episode))
        gaps[np.r_[True, episode[1:] != episode[:-1]]] = 0
        since = np.cumsum(gaps)
        starts = np.maximum.accumulate(np.where(gaps == 0, since, 0))
        at_us = (first[episode] + since - starts).astype(np.int64).clip(max=self.span_us - 1)
        actors = rng.integers(0, self.s.actors, len(sizes))
        actor = actors[episode] if pattern.at == self.s.actor else rng.integers(0, self.s.actors, len(episode))
        rows = self._habitual(actor, at_us)
        if pattern.at != self.s.actor:
            rows.place = rng.choice(self.s.places, len(sizes), p=self.popularity)[episode]
        self._change(rows, pattern.changes)
        rows.scenario[:] = number
        return rows

    def _change(self, rows: _Rows, changes: Sequence[Change]) -> None:
        rng, n = self.rng, len(rows.actor)
        for change in changes:
            field = self.case.events.field(change.field, "simulation")
            if change.how in ("times", "between", "choice"):
                drawn = rng.choice(change.values, n) if change.values else rng.uniform(change.low, change.high, n)
                old = rows.amount if field.name == self.s.amount else rows.other[field.name]
                old[:] = old * drawn if change.how == "times" else drawn
            elif isinstance(field, Key):
                rows.place[:] = rng.choice(self.s.places, n, p=self.popularity if change.how == "any" else None)
                self._move_place_fields(rows)
            elif isinstance(field, Category):
                size = len(field.one_of)
                habit = self.habits[field.name][rows.place if field.name in self.s.place_fields else rows.actor]
                step = rng.integers(1, size, n) if change.how == "fresh" else rng.integers(0, size, n)
                rows.other[field.name][:] = (habit + step) % size

    def _move_place_fields(self, rows: _Rows) -> None:
        for name in self.s.place_fields:
            rows.other[name][:] = self.habits[name][rows.place]

    def _world(self, rows: _Rows) -> World:
        rng = self.rng
        late_us = min(self.case.events.late_us, DAY_US)
        n = len(rows.actor)
        delay = np.where(
            rng.random(n) < self.s.late_share, rng.uniform(0, 0.9 * late_us, n), rng.uniform(0, 2 * SECOND_US, n)
        )
        arrived = rows.at_us + np.minimum(delay, 0.9 * late_us).astype(np.int64)
        order = np.argsort(arrived, kind="stable")
        rows, arrived = _take(rows, order), arrived[order] + self.start_us
        entropy = rng.bytes(10 * n)
        ids = [ulid_at(int(at), entropy[10 * i : 10 * i + 10]) for i, at in enumerate(rows.at_us + self.start_us)]
        columns = {"arrived": moments(arrived)}
        columns |= {f.source: self._column(f, rows, ids) for f in self.case.events.fields}
        matures = self.case.label.matures_us
        positive = rows.scenario > 0
        waits = np.minimum(rng.exponential(duration_us(self.s.delay), n), 0.99 * matures)
        known = np.maximum(rows.at_us + self.start_us + np.where(positive, waits, matures).astype(np.int64), arrived)
        by_arrival = np.argsort(known, kind="stable")
        labels = pa.table(
            {"event_id": pa.array(ids), "label": pa.array(positive.astype(np.int64)), "arrived": moments(known)}
        )
        names = ["", *(p.name for p in self.s.patterns)]
        scenario = [names[number] for number in rows.scenario]
        return World(pa.table(columns), labels.take(pa.array(by_arrival)), scenario)

    def _column(self, field: Field, rows: _Rows, ids: list[str]) -> pa.Array:
        if field is self.case.events.id:
            return pa.array(ids)
        if field is self.case.events.time:
            return moments(rows.at_us + self.start_us)
        if isinstance(field, Key):
            codes = rows.actor if field.name == self.s.actor else rows.place
            return pa.array([self.s.called(field.name, code) for code in codes.tolist()])
        if isinstance(field, Category):
            return pa.array(list(field.one_of)).take(pa.array(rows.other[field.name].astype(np.int64)))
        if isinstance(field, Numeric):
            values = rows.amount if field.name == self.s.amount else rows.other[field.name]
            stored = np.clip(np.rint(values * field.scale), *field.stored_bounds())
            return pa.array(stored / field.scale) if field.json_type == "number" else pa.array(stored.astype(np.int64))
        return pa.array([""] * len(ids))


def moments(us: Ints) -> pa.Array:
    """Return microseconds UTC as timestamps."""
    return pa.array(us, pa.int64()).cast(pa.timestamp("us", "UTC"))


def _take(rows: _Rows, chosen: Ints) -> _Rows:
    other = {name: values[chosen] for name, values in rows.other.items()}
    return _Rows(
        rows.actor[chosen], rows.place[chosen], rows.at_us[chosen], rows.amount[chosen], other, rows.scenario[chosen]
    )


def _put(rows: _Rows, chosen: Ints, part: _Rows, scenario: int) -> None:
    rows.place[chosen], rows.amount[chosen] = part.place, part.amount
    for name, values in part.other.items():
        rows.other[name][chosen] = values
    rows.scenario[chosen] = scenario


def _join(parts: list[_Rows]) -> _Rows:
    other = {name: np.concatenate([p.other[name] for p in parts]) for name in parts[0].other}
    actor, place, at_us, amount, scenario = (
        np.concatenate([getattr(p, name) for p in parts]) for name in ("actor", "place", "at_us", "amount", "scenario")
    )
    return _Rows(actor, place, at_us, amount, other, scenario)
