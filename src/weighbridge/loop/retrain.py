"""Build, train, gate, promote: the whole loop once more on what is known now."""

from __future__ import annotations

from collections.abc import Callable

from weighbridge.clock import Clock
from weighbridge.declare.case import UseCase
from weighbridge.loop.build import build
from weighbridge.loop.promote import promote
from weighbridge.loop.report import Progress, Report, Run, silent
from weighbridge.loop.train import train
from weighbridge.ports import Stores


def retrain(
    case: UseCase,
    stores: Stores,
    clock: Clock,
    progress: Progress = silent,
    tell: Callable[[Report], object] = lambda report: None,
    *,
    reason: str = "on demand",
) -> Report:
    """Return the report of the whole; `tell` gets those of build, train and promote as they finish.

    Raises GateClosed when the new bundle does not pass; then production is as it was.
    """
    run = Run("retrain", stores, clock)
    tell(build(case, stores, clock, progress))
    trained = train(case, stores, clock, progress)
    tell(trained)
    bundle = str(trained.figures["bundle"])
    tell(promote(case, stores, clock, bundle, by="weigh retrain", reason=reason))
    return run.finish(f"bundle {bundle[:12]} took over: {reason}", {"bundle": bundle, "reason": reason})
