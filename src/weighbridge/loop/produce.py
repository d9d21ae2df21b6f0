"""A stream without an end: what the actors of a simulated world do, with its truth, and not yet any time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from weighbridge.clock import us_to_iso
from weighbridge.declare.case import UseCase
from weighbridge.declare.simulation import Simulation
from weighbridge.errors import InputError
from weighbridge.identity import ulid_at
from weighbridge.loop.simulate import simulate

PART = 2_000  # events that are made at once


@dataclass(frozen=True)
class Happening:
    """One event to come: its fields but id and time, what names its actor, and its truth.

    `waits` is how many mean delays its label takes, from an exponential distribution.
    """

    fields: dict[str, Any]
    actor: str
    positive: int
    waits: float
    entropy: bytes

    def body(self, case: UseCase, at_us: int) -> dict[str, Any]:
        """Return the event as a caller sends it when it happens then, microseconds UTC."""
        time = case.events.time
        moment = {} if time is None else {time.name: us_to_iso(at_us)}
        said = {case.events.id.name: ulid_at(at_us, self.entropy), **self.fields, **moment}
        return {f.name: said[f.name] for f in case.events.fields if f.name in said}


def happenings(case: UseCase, seed: int, *, late_patterns: bool = False) -> Iterator[Happening]:
    """Yield events for ever; the same declaration and seed give the same ones.

    They are of the actors whom `simulate` makes from this seed, with their habits. Patterns that are declared to start
    late are in it only with `late_patterns`. Raises InputError when the use case declares no simulated stream.
    """
    world = case.simulate
    if not isinstance(world, Simulation):
        raise InputError(f"use case {case.name} declares no simulated stream; give it simulate=Simulation(...)")
    patterns = [replace(p, starts=0.0) for p in world.patterns if late_patterns or not p.starts]
    changed = replace(case, simulate=replace(world, days=1, patterns=patterns))
    part = 0
    while True:
        part += 1
        yield from _part(changed, world.actor, seed, part)


def _part(case: UseCase, actor: str, seed: int, part: int) -> Iterator[Happening]:
    made, own = simulate(case, seed=seed, start_us=0, events=PART, part=part), {case.events.id.name}
    own |= {case.events.time.name} if case.events.time else set()
    truth = dict(zip(made.labels["event_id"].to_pylist(), made.labels["label"].to_pylist(), strict=True))
    rng = np.random.default_rng([seed, part, 1])
    waits = rng.exponential(1.0, len(made.events))
    entropy = rng.bytes(10 * len(made.events))
    for number, row in enumerate(made.events.to_pylist()):
        fields = {f.name: row[f.source] for f in case.events.fields if f.name not in own}
        positive = int(truth[row[case.events.id.source]])
        drawn = entropy[10 * number : 10 * number + 10]
        yield Happening(fields, str(fields[actor]), positive, float(waits[number]), drawn)
