"""Puts simulated days together: a home with a history and two bundles, and the desk that serves opens over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from weighbridge.clock import DAY_US, ManualClock, iso_to_us
from weighbridge.declare import UseCase, lightgbm, logistic
from weighbridge.declare.simulation import Simulation
from weighbridge.loop.build import build
from weighbridge.loop.ingest import ingest
from weighbridge.loop.messages import arrived_before
from weighbridge.loop.simulate import simulate
from weighbridge.loop.train import train
from weighbridge.ports import Log, Stores
from weighbridge.records import PRODUCTION, Move
from weighbridge.score.decide import Desk
from weighbridge.serve.logs import log_to
from weighbridge.serve.wiring import find_case, open_checkpointed_desk, open_home
from weighbridge.testing.world.day import Day, Lived
from weighbridge.testing.world.script import lasting, script
from weighbridge.testing.world.seeds import Fell, live

START_US = iso_to_us("2026-03-02T00:00:00Z")
HISTORY_EVENTS = 1_500
STATE_BYTES = 1 << 30
TWO_MODELS = (logistic(), lightgbm(n_estimators=30))


def make_template(name: str, folder: Path) -> None:
    """Make the home that every day begins with: a history, and two bundles, one of them in production."""
    case = lasting(find_case(name), None)
    home, clock = open_home(case, folder, create=True, acknowledge="written"), ManualClock(START_US)
    began_us = START_US - case.simulate.days * DAY_US if isinstance(case.simulate, Simulation) else START_US
    world = simulate(case, seed=0, start_us=began_us, events=HISTORY_EVENTS)
    past = arrived_before(world.events, START_US), arrived_before(world.labels, START_US)
    with home.writing():
        ingest(case, home.stores, clock, *past, {"arrived": "arrived"})
    build(case, home.stores, clock)
    made = [train(replace(case, models=(m,)), home.stores, clock).figures["bundle"] for m in TWO_MODELS]
    home.stores.registry.move(Move(PRODUCTION, str(made[0]), None, "simulation", "the first", START_US))


def live_one(name: str, template: Path, events: int, seed: int) -> Lived | Fell:
    """Live the day of one seed in a copy of a template."""
    case = _declared(name, template.parent / "logs")
    acts = script(case, seed, START_US, events)

    def day_in(home: Path) -> Day:
        return Day(case, seed, partial(opened, case, home), home / "state" / "checkpoint")

    return live(template, seed, acts, day_in)


@cache
def _declared(name: str, logs: Path) -> UseCase:
    log_to(logs, "error")  # what faults leave in it is expected here
    return lasting(find_case(name), 1)


@contextmanager
def opened(
    case: UseCase, folder: Path, clock: ManualClock, wrapped: Callable[[Log], Log]
) -> Iterator[tuple[Stores, Desk]]:
    """Give the stores of a home, its log wrapped, and the desk over them, as `weigh serve` opens it."""
    home = open_home(case, folder, create=False, acknowledge="written")
    home = replace(home, stores=replace(home.stores, log=wrapped(home.stores.log)))
    with home.writing(), open_checkpointed_desk(case, home, clock, STATE_BYTES) as desk:
        yield home.stores, desk
