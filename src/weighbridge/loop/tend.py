"""Looks after the loop, one round at a time: watch, retrain when something asks for it, go on with a rollout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from weighbridge.clock import Clock
from weighbridge.declare.case import UseCase
from weighbridge.errors import Conflict, GateClosed
from weighbridge.loop.due import due
from weighbridge.loop.report import Progress, Report, Run, silent
from weighbridge.loop.retrain import Tell, retrain
from weighbridge.loop.rollout import rollout
from weighbridge.loop.rollouts.underway import underway
from weighbridge.loop.watch import watch
from weighbridge.ports import Stores
from weighbridge.records import PRODUCTION


def tend(
    case: UseCase, stores: Stores, clock: Clock, progress: Progress = silent, tell: Tell = lambda report: None
) -> Report:
    """Do one round, for a timer to call: watch, look at the rollout under way, else retrain when one is due.

    `tell` gets the reports of what was done. What a gate refuses, or somebody else did meanwhile, is part of the
    round: production stays as it was, the history says why, and the next round goes on. While a bundle is being rolled
    out no other is trained. Figures: `watch`, `rollout`, `retrain`, each a sentence or null, `severity`, `refused`.
    Raises what else stands in the way, such as InputError where there is nothing to train on.
    """
    run, told = Run("tend", stores, clock), dict[str, Any](watch=None, rollout=None, retrain=None, refused=None)

    def do(verb: str, step: Callable[[], Report]) -> None:
        try:
            report = step()
        except (GateClosed, Conflict) as refused:
            told[verb] = told["refused"] = str(refused)
            return
        told[verb] = report.sentence
        if verb == "watch":
            told["severity"] = report.figures["severity"]
        if not report.skipped:
            tell(report)

    if stores.registry.alias(PRODUCTION) is not None and len(stores.log.decisions()):
        do("watch", lambda: watch(case, stores, clock))
    if underway(stores) is not None:
        do("rollout", lambda: rollout(case, stores, clock))
    asked = due(case, stores, clock) if underway(stores) is None else None
    if asked is not None:
        why = {"trigger": asked.trigger, "reason": asked.reason}
        do("retrain", lambda: retrain(case, stores, clock, progress, tell, **why))
    return run.finish(
        "; ".join(filter(None, (told[v] for v in ("watch", "rollout", "retrain")))) or "nothing is due", told
    )
