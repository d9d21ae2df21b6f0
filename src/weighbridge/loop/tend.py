"""Looks after the loop, one round at a time: go on with a rollout, watch, retrain when something asks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from weighbridge.clock import Clock
from weighbridge.declare.case import UseCase
from weighbridge.errors import Conflict, GateClosed, WeighbridgeError
from weighbridge.loop.due import due
from weighbridge.loop.report import Progress, Report, Run, silent
from weighbridge.loop.retrain import Tell, retrain
from weighbridge.loop.rollout import rollout
from weighbridge.loop.rollouts.underway import underway
from weighbridge.loop.watch import watch
from weighbridge.ports import Stores
from weighbridge.records import PRODUCTION

VERBS = ("rollout", "watch", "retrain")


def tend(
    case: UseCase, stores: Stores, clock: Clock, progress: Progress = silent, tell: Tell = lambda report: None
) -> Report:
    """Do one round, for a timer to call: look at the rollout under way, watch, else retrain when one is due.

    `tell` gets the reports of what was done. What a gate refuses, or somebody else did meanwhile, is part of the
    round: production stays as it was, the history says why, and the next round goes on. While a canary or a shadow is
    there, whoever pointed at it, no other bundle is trained, and the report says that one is due. A step that fails
    keeps no other step from being done; the first such fault is raised at the end. Figures: `rollout`, `watch`,
    `retrain`, each a sentence or null, `severity`, `refused`.
    """
    run, told, faults = Run("tend", stores, clock), dict[str, Any](dict.fromkeys((*VERBS, "refused"))), []

    def do(verb: str, step: Callable[[], Report]) -> None:
        try:
            report = step()
        except WeighbridgeError as fault:
            told[verb] = told["refused"] = str(fault)
            if not isinstance(fault, GateClosed | Conflict):
                faults.append(fault)
            return
        told[verb] = report.sentence
        if verb == "watch":
            told["severity"] = report.figures["severity"]
        if not report.skipped:
            tell(report)

    if underway(stores) is not None:
        do("rollout", lambda: rollout(case, stores, clock))
    if stores.registry.alias(PRODUCTION) is not None and len(stores.log.decisions()):
        do("watch", lambda: watch(case, stores, clock))
    asked, at = due(case, stores, clock), underway(stores)
    if asked is not None and at is not None:
        told["retrain"] = f"a retrain is due and waits until {at.candidate[:12]} is in production or out"
    elif asked is not None:
        why = {"trigger": asked.trigger, "reason": asked.reason}
        do("retrain", lambda: retrain(case, stores, clock, progress, tell, **why))
    report = run.finish("; ".join(told[verb] for verb in VERBS if told[verb]) or "nothing is due", told)
    if faults:
        raise faults[0]
    return report
