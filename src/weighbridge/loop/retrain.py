"""Build, train, gate, promote: the whole loop once more on what is known now."""

from __future__ import annotations

from weighbridge.clock import Clock
from weighbridge.declare.case import UseCase
from weighbridge.loop.build import build
from weighbridge.loop.promote import promote
from weighbridge.loop.report import Progress, Report, Run, silent
from weighbridge.loop.train import train
from weighbridge.ports import Stores


def retrain(
    case: UseCase, stores: Stores, clock: Clock, progress: Progress = silent, *, reason: str = "on demand"
) -> list[Report]:
    """Return the reports of build, train and promote. Raises GateClosed when the new bundle does not pass."""
    run = Run("retrain", stores, clock)
    reports = [build(case, stores, clock), train(case, stores, clock, progress)]
    bundle = str(reports[1].figures["bundle"])
    reports.append(promote(case, stores, clock, bundle, by="weigh retrain", reason=reason))
    reports.append(run.finish(f"retrained: {reason}", {"bundle": bundle, "reason": reason}))
    return reports
