"""Whether a retrain is due, and why: drift, a loss of recall, labels that have settled, the schedule."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow.compute as pc

from weighbridge.clock import Clock, iso_to_us, us_to_iso
from weighbridge.declare.case import UseCase
from weighbridge.declare.retrain import NEVER, SEVERITIES
from weighbridge.loop.gate import named
from weighbridge.loop.labels.ledger import positive_ids
from weighbridge.loop.retrain import BEGUN, newest_us
from weighbridge.ports import Stores
from weighbridge.records import PRODUCTION


@dataclass(frozen=True)
class Due:
    """What asks for a retrain, and why, for the history."""

    trigger: str
    reason: str


def due(case: UseCase, stores: Stores, clock: Clock) -> Due | None:
    """Return the first declared trigger that holds, in the order loss, drift, labels, schedule; None when none does.

    A report of `watch` counts once: one that was made before the last retrain began asks for nothing. What is recorded
    ahead of the clock, by one that had leapt, holds nothing back.
    """
    last_us = newest_us(clock, (at for _, _, at, _ in stores.tracker.runs(BEGUN)))
    return _watched(case, stores, clock, last_us) or _settled(case, stores, clock) or _scheduled(case, stores, clock)


def _watched(case: UseCase, stores: Stores, clock: Clock, last_us: int | None) -> Due | None:
    told = [(iso_to_us(facts["as_of"]), facts) for _, _, _, facts in stores.tracker.runs("watch")]
    until_us = newest_us(clock, (at for at, _ in told)) or 0
    told = [entry for entry in told if entry[0] <= until_us]
    seen = sorted((entry for entry in told if last_us is None or entry[0] > last_us), key=lambda entry: entry[0])
    if not seen or case.retrain.severity == NEVER:
        return None
    at_us, facts = seen[-1]
    if facts["bundle"] != stores.registry.alias(PRODUCTION):
        return None  # it was about another champion
    why = f"watch at {us_to_iso(at_us)}: {facts['sentence']}"
    if facts["losing"]:
        return Due("loss", why)
    enough = SEVERITIES[SEVERITIES.index(case.retrain.severity) :]
    moved = facts["severity"] in enough or facts.get("concept", {}).get("severity") in enough
    return Due("drift", why) if moved else None


def _settled(case: UseCase, stores: Stores, clock: Clock) -> Due | None:
    if case.retrain.matured is None or stores.registry.alias(PRODUCTION) is None:
        return None
    trained_us = named(case, stores, None).trained_until_us
    events, labels = stores.log.events(), stores.log.labels()
    until_us = clock.now_us() - case.label.matures_us
    young = pc.and_(pc.greater(events["event_us"], trained_us), pc.less_equal(events["event_us"], until_us))
    ids = events["event_id"].filter(young)
    count = pc.sum(pc.is_in(positive_ids(case.label, labels), value_set=ids.combine_chunks())).as_py() or 0
    if count < case.retrain.matured:
        return None
    return Due("labels", f"{count:,} positive labels have settled since production was trained")


def _scheduled(case: UseCase, stores: Stores, clock: Clock) -> Due | None:
    every_us = case.retrain.every_us
    if every_us is None:
        return None
    ran = [at for kind in ("train", BEGUN) for _, _, at, _ in stores.tracker.runs(kind)]
    before_us = newest_us(clock, ran)
    if before_us is not None and clock.now_us() - before_us < every_us:
        return None
    since = "none was trained yet" if before_us is None else f"the last training was at {us_to_iso(before_us)}"
    if ran and max(ran) != before_us:
        since += f"; one is recorded at {us_to_iso(max(ran))}, ahead of the clock, and does not count"
    return Due("schedule", f"scheduled every {case.retrain.every}; {since}")
