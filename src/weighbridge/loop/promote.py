"""Points an alias at a bundle that passed its gates; the router follows."""

from __future__ import annotations

from weighbridge.clock import Clock
from weighbridge.declare.case import UseCase
from weighbridge.errors import GateClosed
from weighbridge.loop.gate import gate, newest_bundle
from weighbridge.loop.report import Report, Run
from weighbridge.ports import Stores
from weighbridge.records import Move
from weighbridge.score.bundle import load
from weighbridge.score.route import PRODUCTION


def promote(
    case: UseCase,
    stores: Stores,
    clock: Clock,
    bundle: str | None = None,
    *,
    alias: str = PRODUCTION,
    by: str = "weigh",
    reason: str = "promoted",
) -> Report:
    """Move an alias to a bundle (default: the newest), if the bundle verifies and, for production, its gates are open.

    The move is noted in the log. Raises GateClosed with the gates that are closed, Conflict when somebody else moved
    the alias meanwhile; then nothing has changed.
    """
    run = Run("promote", stores, clock)
    chosen = bundle or newest_bundle(case, stores)
    load(chosen, case, stores.bundles, stores.signer)
    before = stores.registry.alias(alias)
    if before == chosen:
        return run.finish(f"{chosen[:12]} is {alias} already", {"bundle": chosen, "alias": alias, "before": before})
    verdicts = []
    if alias == PRODUCTION:
        held = gate(case, stores, clock, chosen)
        verdicts = list(held.figures["gates"])
        if not held.figures["passed"]:
            raise GateClosed(f"bundle {chosen[:12]} stays out of production: {held.sentence}; see {stores.reports}")
    stores.registry.move(Move(alias, chosen, before, by, reason, clock.now_us(), verdicts))
    figures = {"bundle": chosen, "alias": alias, "before": before}
    was = f", before {before[:12]}" if before else ""
    return run.finish(f"{chosen[:12]} is now {alias}{was}", figures)
