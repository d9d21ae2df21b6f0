"""Points an alias at a bundle that passed its gates, and production back at the one before; the router follows."""

from __future__ import annotations

from weighbridge.clock import Clock
from weighbridge.declare.case import UseCase
from weighbridge.errors import GateClosed, InputError
from weighbridge.loop.gate import gate, newest_bundle
from weighbridge.loop.report import Report, Run
from weighbridge.ports import Stores
from weighbridge.records import CANARY, PRODUCTION, Alias, Move
from weighbridge.score.bundle import load


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

    A canary that is promoted is no canary any more. The moves are noted in the log. Raises GateClosed with the gates
    that are closed, Conflict when somebody else moved the alias meanwhile; then nothing has changed.
    """
    run = Run("promote", stores, clock)
    chosen = bundle or newest_bundle(case, stores)
    load(chosen, case, stores.bundles, stores.signer)
    aliases = stores.registry.aliases()
    before = aliases[alias].bundle if alias in aliases else None
    if before == chosen:
        return run.finish(f"{chosen[:12]} is {alias} already", {"bundle": chosen, "alias": alias, "before": before})
    verdicts = []
    if alias == PRODUCTION:
        held = gate(case, stores, clock, chosen)
        verdicts = list(held.figures["gates"])
        if not held.figures["passed"]:
            told = f"bundle {chosen[:12]} stays out of production: {held.sentence}; see {stores.reports}"
            raise GateClosed(told, verdicts)
    move = Move(alias, chosen, before, by, reason, clock.now_us(), verdicts)
    ended = _ended(aliases.get(CANARY), move) if alias == PRODUCTION else []
    stores.registry.move(move, *ended)
    was = f", before {before[:12]}" if before else ""
    return run.finish(f"{chosen[:12]} is now {alias}{was}", {"bundle": chosen, "alias": alias, "before": before})


def rollback(case: UseCase, stores: Stores, clock: Clock, *, by: str = "weigh", reason: str = "rolled back") -> Report:
    """Point production back at the bundle before, if that verifies; no gate is asked, it has been there.

    A second rollback goes on to the one before that. Raises InputError when there was none, BundleRefused when it
    cannot decide any more, Conflict when somebody else moved production meanwhile; then nothing has changed.
    """
    run = Run("rollback", stores, clock)
    current, before = stores.registry.alias(PRODUCTION), bundle_before(stores)
    if before is None:
        raise InputError("no other bundle was in production before; promote one instead")
    load(before, case, stores.bundles, stores.signer)
    stores.registry.move(Move(PRODUCTION, before, current, by, reason, clock.now_us()))
    figures = {"bundle": before, "alias": PRODUCTION, "before": current}
    return run.finish(f"{before[:12]} is in production again, after {(current or '')[:12]}", figures)


def bundle_before(stores: Stores) -> str | None:
    """Return what a rollback goes to: the bundle before in production, steps that were taken back not counted."""
    stood: list[str] = []
    for move in stores.registry.moves():
        if move.alias != PRODUCTION or move.bundle is None:
            continue
        stood = stood or [move.before] if move.before else stood
        if stood[-2:-1] == [move.bundle]:
            stood.pop()
        else:
            stood.append(move.bundle)
    return stood[-2] if len(stood) > 1 else None


def _ended(canary: Alias | None, promoted: Move) -> list[Move]:
    if canary is None or canary.bundle != promoted.bundle:
        return []
    at = (promoted.by, "promoted to production", promoted.moved_us)
    return [Move(CANARY, None, canary.bundle, *at, share_before=canary.share)]
