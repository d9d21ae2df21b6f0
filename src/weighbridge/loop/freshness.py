"""Tells how old the newest event and the newest arrival of each source are, against what is declared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weighbridge.clock import SECOND_US, Clock, duration_us, us_to_iso
from weighbridge.declare.case import UseCase
from weighbridge.declare.sources import EVENTS, LABELS
from weighbridge.errors import GateClosed
from weighbridge.loop.collect import VERB
from weighbridge.loop.given import newest
from weighbridge.loop.report import Report, Run, write_report
from weighbridge.ports import Stores

LOOKED_AT = 10_000  # places at the log's end


def freshness(case: UseCase, stores: Stores, clock: Clock) -> Report:
    """Write reports/freshness.json: of each declared source its newest event and arrival, their age, and whether it is
    stale; and the same of the log, whoever wrote to it.

    A source is stale when the newest event it gave (of labels the newest arrival, of a child table the last time it had
    changed) is older than its `fresh`, or when it gave none. The log is stale when its newest event is older than the
    shortest `fresh` of a source of events.
    """
    run, now_us = Run("freshness", stores, clock), clock.now_us()
    known: dict[str, dict[str, int]] = {}
    for _, _, at_us, facts in stores.tracker.runs(VERB):
        last = known.setdefault(facts["source"], {})
        last["changed"] = at_us
        for name in ("event", "arrival"):
            last[name] = max(last.get(name, 0), facts.get(f"newest_{name}_us") or 0)
    told = {feed.name: _age(feed.of, known.get(feed.name, {}), feed.fresh, now_us) for feed in case.sources}
    declared = [feed.fresh for feed in case.sources if feed.of == EVENTS and feed.fresh is not None]
    log = _age(EVENTS, _of_log(stores), min(declared, key=duration_us, default=None), now_us)
    stale = [name for name, facts in (*told.items(), ("log", log)) if facts["stale"]]
    figures = {"at": us_to_iso(now_us), "sources": told, "log": log, "stale": stale}
    path = write_report(stores.reports, "freshness", {"use_case": case.name, **figures})
    listed = "; ".join(f"{name} {_said(facts)}" for name, facts in (*told.items(), ("log", log)))
    return run.finish(listed, {**figures, "report": str(path)})


def fresh(case: UseCase, stores: Stores, clock: Clock) -> Report:
    """Return the report of `freshness`; raises GateClosed when something is stale."""
    report = freshness(case, stores, clock)
    if report.figures["stale"]:
        raise GateClosed(f"stale: {', '.join(report.figures['stale'])}: {report.sentence}")
    return report


def _of_log(stores: Stores) -> dict[str, int]:
    """Return the newest event among the last of the log, and the newest arrival."""
    head = stores.log.head()
    last = newest(stores.log.events(max(head.seq - LOOKED_AT, 0)), "event_us")
    return {"event": last or 0, "arrival": head.arrived_us if head.data_seq else 0}


def _age(table: str, known: Mapping[str, int], fresh: str | None, now_us: int) -> dict[str, Any]:
    last_us = known.get("event" if table == EVENTS else "arrival" if table == LABELS else "changed") or None
    age = None if last_us is None else (now_us - last_us) // SECOND_US
    stale = fresh is not None and (age is None or age * SECOND_US > duration_us(fresh))
    times = {name: us_to_iso(at) if (at := known.get(name)) else None for name in ("event", "arrival", "changed")}
    return {
        "newest_event": times["event"], "newest_arrival": times["arrival"], "changed": times["changed"],
        "age_seconds": age, "fresh": fresh, "stale": stale,
    }  # fmt: skip


def _said(facts: Mapping[str, Any]) -> str:
    age = "nothing came" if facts["age_seconds"] is None else f"{facts['age_seconds'] / 3_600:,.1f} h old"
    limit = "" if facts["fresh"] is None else f" of {facts['fresh']}"
    return f"{age}{limit}{', stale' if facts['stale'] else ''}"
