"""What is being rolled out, read from the log's notes of moves: nothing else is remembered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from weighbridge.ports import Stores
from weighbridge.records import CANARY, MOVED, PRODUCTION, SHADOW

BY = "rollout"  # who moves an alias here


@dataclass(frozen=True)
class Begun:
    """The beginning of a step: its place in the log, its time (microseconds UTC), and its share of the traffic."""

    seq: int
    at_us: int
    share: float


@dataclass(frozen=True)
class Underway:
    """A candidate on its way as `alias`, beside the champion; `steps` are those it has begun, oldest first.

    `by_hand`: somebody else pointed canary or shadow at it last. `outrun`: production moved since it began.
    """

    candidate: str
    alias: str
    champion: str
    steps: Sequence[Begun]
    by_hand: bool
    outrun: bool

    @property
    def share(self) -> float:
        """Its share of the traffic now, 0 for a shadow."""
        return self.steps[-1].share


def underway(stores: Stores) -> Underway | None:
    """Return what gets traffic or shadows beside the champion since when, None where nothing does.

    A canary comes before a shadow. What was there before it became the candidate does not count.
    """
    at: dict[str, tuple[str, float]] = {}
    candidate, steps, by, outrun = "", list[Begun](), "", False
    for seq, at_us, body in stores.log.notes(MOVED):
        alias = body["alias"]
        if alias == PRODUCTION:
            outrun = True
        if alias not in (CANARY, SHADOW):
            continue
        at.pop(alias, None)
        if body["bundle"] is not None:
            at[alias] = (body["bundle"], body["share"] or 0.0)
        now, share = at.get(CANARY) or at.get(SHADOW) or ("", 0.0)
        if now != candidate:
            candidate, steps, outrun = now, [], False
        if now and (not steps or steps[-1].share != share):
            steps.append(Begun(seq, at_us, share))
        if body["bundle"] is None or body["bundle"] == now:  # else it is about somebody else
            by = body["by"]
    aliases = stores.registry.aliases()
    alias = CANARY if CANARY in aliases else SHADOW
    if alias not in aliases or aliases[alias].bundle != candidate or PRODUCTION not in aliases:
        return None
    return Underway(candidate, alias, aliases[PRODUCTION].bundle, tuple(steps), by != BY, outrun)


def tried(stores: Stores, bundle: str) -> bool:
    """Whether a bundle was rolled out before, however that ended."""
    return any(body["bundle"] == bundle and body["by"] == BY for _, _, body in stores.log.notes(MOVED))
