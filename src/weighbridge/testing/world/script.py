"""What happens in a simulated day, in order: a function of the declaration and a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from weighbridge.clock import DAY_US, iso_to_us, us_to_iso
from weighbridge.declare.case import UseCase
from weighbridge.declare.explore import Explore
from weighbridge.declare.fields import Numeric
from weighbridge.declare.simulation import Simulation
from weighbridge.errors import InputError
from weighbridge.loop.messages import Message, messages
from weighbridge.loop.simulate import simulate

MINUTE_US = 60_000_000
ACTORS, PLACES = 40, 12  # few, so that they meet often
NEVER = "1000d"
LIMITS = 0.01, 0.02  # of review and decline, where none are declared: many are declined
SHARE = 0.9  # so that the cap is reached, and what did not happen takes room from what would
SPENDS, SPENDS_MONEY = 2, 200  # a day, on exploration where none is declared: some days reach it


@dataclass(frozen=True)
class Act:
    """Something that happens at a time, microseconds UTC; `what` is what its kind needs."""

    at_us: int
    kind: str
    what: Any = None


def lasting(case: UseCase, days: int | None) -> UseCase:
    """Return a use case whose simulated world is small, and as many days long (None: as declared).

    No answer of it hurries for a real clock. It declines and explores as it declares, or else a lot of what is sent,
    and under a small cap. Raises InputError when it declares no simulation.
    """
    if not isinstance(case.simulate, Simulation):
        raise InputError(f"use case {case.name} declares no simulation; give it simulate=Simulation(...)")
    world = replace(case.simulate, actors=ACTORS, places=PLACES, days=days or case.simulate.days)
    fallback = replace(case.policy.fallback, deadline=NEVER)
    rollout = replace(case.rollout, slowest_ms=1e9)
    cap = SPENDS if case.policy.costs.amount is None else SPENDS_MONEY
    explore = case.policy.explore or Explore(share=SHARE, spend_per_day=cap)
    policy = replace(case.policy, fallback=fallback, explore=explore)
    if policy.review_at is None and policy.decline_at is None:
        policy = replace(policy, review_at=LIMITS[0], decline_at=LIMITS[1])
    return replace(case, simulate=world, policy=policy, rollout=rollout)


def script(case: UseCase, seed: int, start_us: int, events: int) -> list[Act]:
    """Return the acts of one day from `start_us` on, by time. case: as `lasting` returns it."""
    rng = random.Random(f"day {seed}")  # noqa: S311 - chance that can be had again
    sent = messages(case, simulate(case, seed=seed, start_us=start_us, events=events), start_us)
    scored = [message for message in sent if message.path == "/predict"]
    acts = [act for message in scored for act in _about(case, rng, message)]
    acts += [Act(at_us, kind, what) for at_us, kind, what in _beside(case, rng, start_us, scored)]
    return sorted(acts, key=lambda act: act.at_us)


def _about(case: UseCase, rng: random.Random, message: Message) -> Iterator[Act]:
    """Yield an event as it comes in: late, early, broken, twice, or with other content; and its labels."""
    time, body, at_us = case.events.time, message.body, message.arrived_us
    late_us, future_us, chance = case.events.late_us, case.events.future_us, rng.random()
    if chance < 0.04:
        at_us += int(rng.uniform(0, 0.9) * late_us)  # behind others, and in time
    elif chance < 0.055:
        at_us += late_us + int(rng.expovariate(1 / (30 * MINUTE_US))) + MINUTE_US
    elif chance < 0.07 and time is not None:
        ahead_us = int(rng.uniform(0, 2) * future_us)
        body = {**body, time.name: us_to_iso(iso_to_us(body[time.name]) + ahead_us)}
    elif chance < 0.08:
        body = {**body, "nobody declared this": 1} if rng.random() < 0.5 else {case.events.id.name: body["event_id"]}
    yield Act(at_us, "event", body)

    def soon(mean_min: float) -> int:
        return at_us + int(rng.expovariate(1 / (mean_min * MINUTE_US)))

    if rng.random() < 0.08:
        yield Act(soon(3), "event", body)
    if rng.random() < 0.02:
        yield Act(soon(3), "event", _other(case, rng, message.body))
    if rng.random() < 0.3:
        value = int(rng.random() < 0.2)
        told_us = soon(90) - 5 * MINUTE_US  # some before their event
        yield Act(told_us, "label", {"event_id": body["event_id"], "label": value})
        if rng.random() < 0.2:
            yield Act(told_us + soon(60) - at_us, "label", {"event_id": body["event_id"], "label": rng.randint(0, 1)})


def _other(case: UseCase, rng: random.Random, body: dict[str, Any]) -> dict[str, Any]:
    """Return an event of the same id that says something else."""
    for field in case.events.payload:
        if isinstance(field, Numeric) and isinstance(body.get(field.name), int | float):
            return {**body, field.name: 1 if body[field.name] != 1 else 2}
    time = case.events.time
    return body if time is None else {**body, time.name: us_to_iso(iso_to_us(body[time.name]) - rng.randint(1, 1000))}


def _beside(
    case: UseCase, rng: random.Random, start_us: int, scored: Sequence[Message]
) -> Iterator[tuple[int, str, Any]]:
    """Yield what happens beside the events: edits of lists, changes of the route, faults, restarts."""

    def whenever() -> int:
        return start_us + int(rng.random() * DAY_US)

    for each in case.policy.lists:
        for _ in range(6):
            value = rng.choice(scored).body.get(each.field)
            action = "add" if rng.random() < 0.7 else "remove"
            yield whenever(), "edit", {"list": each.name, "value": value, "action": action, "by": "simulation",
                                       "why": "it happens"}  # fmt: skip
    for _ in range(rng.randint(2, 6)):
        yield whenever(), "move", rng.choice(["other champion", "canary", "canary", "no canary", "shadow"])
    for _ in range(48):
        yield whenever(), "follow", None
    for _ in range(rng.randint(1, 4)):
        yield whenever(), "write fails", rng.randint(1, 3)
    for _ in range(rng.randint(4, 12)):
        yield rng.choice(scored).arrived_us, "write fails", 1  # of what has just been scored
    for _ in range(rng.randint(1, 2)):
        yield whenever(), "crash", (rng.choice(["before", "after"]), rng.random() < 0.3)
    for kind in ("restart", "state away", "seal"):
        if rng.random() < 0.6:
            yield whenever(), kind, None
    if rng.random() < 0.5:
        yield whenever(), "clock back", rng.randint(1, 10) * MINUTE_US
    yield whenever(), "verify", None
