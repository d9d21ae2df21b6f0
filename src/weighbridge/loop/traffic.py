"""Which bundles get traffic beside the one in production: a canary and its share, and a shadow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from weighbridge.clock import Clock
from weighbridge.declare.case import UseCase
from weighbridge.errors import InputError
from weighbridge.loop.gate import resolve
from weighbridge.loop.report import Report, Run
from weighbridge.ports import Stores
from weighbridge.records import CANARY, PRODUCTION, SHADOW, Alias, Move
from weighbridge.score.bundle import load

AS_IT_IS = "as it is"  # in place of a bundle's id: leave the alias where it points


@dataclass(frozen=True)
class Wish:
    """What traffic is to be: bundles by their ids or beginnings of them, None for none; `share` of 0 to 1."""

    canary: str | None = AS_IT_IS
    share: float | None = None
    shadow: str | None = AS_IT_IS


def traffic(stores: Stores) -> dict[str, Any]:
    """Return what gets traffic, as the registry has it."""
    aliases = stores.registry.aliases()
    canary = aliases.get(CANARY)
    return {
        "champion": aliases[PRODUCTION].bundle if PRODUCTION in aliases else None,
        "canary": {"bundle": canary.bundle, "share": canary.share} if canary else None,
        "shadow": aliases[SHADOW].bundle if SHADOW in aliases else None,
    }


def direct(case: UseCase, stores: Stores, clock: Clock, wish: Wish, *, by: str, reason: str) -> Report:
    """Point canary and shadow elsewhere, both or neither, if what they are to point at verifies.

    Raises InputError for what cannot be, BundleRefused, and Conflict when somebody else moved one meanwhile; then
    nothing has changed.
    """
    run = Run("traffic", stores, clock)
    aliases, said = stores.registry.aliases(), (by, reason, clock.now_us())
    moves = []
    for alias, wished in ((CANARY, _canary), (SHADOW, _shadow)):
        now = aliases.get(alias)
        wanted = wished(stores, now, wish)
        if wanted == now:
            continue
        if wanted is not None and (now is None or wanted.bundle != now.bundle):
            if aliases.get(PRODUCTION) == Alias(wanted.bundle):
                raise InputError(f"bundle {wanted.bundle[:12]} is in production already; name another for {alias}")
            load(wanted.bundle, case, stores.bundles, stores.signer)
        to, share = (wanted.bundle, wanted.share) if wanted else (None, None)
        before, share_before = (now.bundle, now.share) if now else (None, None)
        moves.append(Move(alias, to, before, *said, share=share, share_before=share_before))
    if moves:
        stores.registry.move(*moves)
    found = traffic(stores)
    return run.finish(told(found), found)


def _canary(stores: Stores, now: Alias | None, wish: Wish) -> Alias | None:
    if wish.share is not None and not 0 <= wish.share <= 1:
        raise InputError(f"{wish.share} is no share of the traffic; choose 0 to 1")
    named = now.bundle if now and wish.canary == AS_IT_IS else wish.canary
    bundle = None if named in (None, AS_IT_IS) else resolve(stores, str(named))
    if bundle is None:
        if wish.share is not None:
            raise InputError("a share needs a canary; name one, or leave the share out")
        return None
    share = wish.share if wish.share is not None else now.share if now and now.bundle == bundle else None
    if share is None:
        raise InputError("a new canary needs its share of the traffic, such as 0.05")
    return Alias(bundle, share)


def _shadow(stores: Stores, now: Alias | None, wish: Wish) -> Alias | None:
    if wish.shadow == AS_IT_IS:
        return now
    return None if wish.shadow is None else Alias(resolve(stores, wish.shadow))


def told(found: dict[str, Any]) -> str:
    """Return what gets traffic as one sentence."""
    canary, shadow = found["canary"], found["shadow"]
    parts = [f"{(found['champion'] or 'nothing')[:12]} in production"]
    parts += [f"canary {canary['bundle'][:12]} for {canary['share']:.2%}"] if canary else []
    parts += [f"shadow {shadow[:12]}"] if shadow else []
    return ", ".join(parts)
