"""Follows the registry: what an alias points at is loaded, checked and warmed up before it decides or shadows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from weighbridge.declare.case import UseCase
from weighbridge.errors import BundleRefused, StoreFailure
from weighbridge.ports import Log, Stores
from weighbridge.records import CANARY, MOVED, PRODUCTION, SHADOW, Alias, EventRecord
from weighbridge.score.bundle import Bundle, load
from weighbridge.score.group import Group
from weighbridge.score.promise import Promise
from weighbridge.score.route import ROUTE, Arms, Route, Stuck, arms_noted
from weighbridge.score.shadow import Shadow

REFUSED = "refused"  # the kind of note that tells which bundle was not let in, and why
RETRY_SECONDS = 5.0  # a refused bundle may have been restored


@dataclass(frozen=True)
class Step:
    """Something to be noted in the log, and what happens at its place there."""

    kind: str
    body: Mapping[str, Any]
    then: Callable[[], None]


@dataclass(frozen=True)
class Refusal:
    """A bundle that was not let in, why, and when to look again, by `time.monotonic`."""

    bundle: str
    reason: str
    again_s: float
    noted: bool = False


class Router:
    """Holds the route that decides. A bundle that is refused leaves the last good champion, and no canary or shadow."""

    def __init__(self, case: UseCase, stores: Stores) -> None:
        self._case, self._stores = case, stores
        self._sticky = case.rollout.sticks_to(case.events)
        self._noted = next(iter([arms for _, arms in arms_noted(stores.log)][-1:]), Arms())
        self._told = _refusals_told(stores.log)
        self._ready: dict[str, Bundle] = {}
        self._refusals: dict[str, Refusal] = {}  # by alias
        self._preparing = threading.Lock()
        self._one_decides = False  # whether the registry has anything in production
        self.route, self.shadow = Route(), Shadow(case, stores)
        self.fault: BaseException | None = None  # the newest that a canary raised

    def choose(self, event: EventRecord) -> tuple[Bundle | None, str]:
        """Return the bundle that decides on an event, and its arm. Raises StoreFailure when none ever was to decide.

        None: one is to, and was refused.
        """
        found = self.route.choose(event)
        if found[0] is None and not self._one_decides:
            raise StoreFailure("no bundle is in production; train and promote one with `weigh run`")
        return found

    def failed(self, fault: BaseException | None) -> None:
        """Keep what a canary raised, for whoever tells it."""
        self.fault = fault or self.fault

    def settled(self, group: Group, fault: BaseException | None) -> None:
        """Let the shadow have a group that is stored, which it is without a fault."""
        if fault is None:
            self.shadow.offer(self.route.shadow, group)

    @property
    def champion(self) -> Bundle | None:
        """The bundle in production that decides now, or None."""
        return self.route.champion

    @property
    def refusal(self) -> str | None:
        """Why the bundle that the registry has in production is not serving, or None."""
        found = self._refusals.get(PRODUCTION)
        return found.reason if found else None

    def prepare(self) -> list[Step]:
        """Look at the registry, make ready what decides next, and return what to note and do, in this order.

        It takes as long as loading does: not for the thread that decides.
        """
        with self._preparing:
            aliases = self._stores.registry.aliases()
            route = self._wanted(aliases)
            steps = list(self._refused())
            if route.arms != self.route.arms:
                if route.arms == self._noted:
                    self._take(route)
                else:
                    steps.append(Step(ROUTE, route.arms.body(), lambda: self._take(route)))
            return steps

    def refresh(self, note: Callable[[str, Mapping[str, Any], Callable[[], None]], Promise]) -> bool:
        """Follow the registry, noting it by a desk's `submit_note`; return whether another route decides now.

        For a thread that may wait; an event loop prepares on a thread and notes by itself.
        """
        before = self.route
        for step in self.prepare():
            note(step.kind, step.body, step.then).result()
        return self.route is not before

    def _take(self, route: Route) -> None:
        self.route, self._noted = route, route.arms

    def _wanted(self, aliases: Mapping[str, Alias]) -> Route:
        self._one_decides = PRODUCTION in aliases
        found = {alias: self._look(alias, aliases.get(alias)) for alias in (PRODUCTION, CANARY, SHADOW)}
        champion, canary, shadow = found[PRODUCTION] or self._last_good(), found[CANARY], found[SHADOW]
        if champion is None or (canary and canary.id == champion.id):
            canary = None
        ready = {bundle.id: bundle for bundle in (champion, canary, shadow) if bundle}
        self._ready = ready
        arms = Arms(
            champion=champion.id if champion else None,
            canary=canary.id if canary else None,
            share=aliases[CANARY].share if canary else None,
            shadow=shadow.id if shadow else None,
            sticky=self._sticky,
            key=self._key(canary.id) if canary else None,
        )
        return Route(arms, ready, Stuck(self._case.events, self._sticky, self._stores.draws))

    def _key(self, canary: str) -> str | None:
        """Return the id of the key that draws a canary's cards: while it lasts the one that did, if it is here."""
        own, noted = self._stores.draws.key_id, self._noted
        return None if noted.canary == canary and noted.key is None else own

    def _look(self, alias: str, at: Alias | None) -> Bundle | None:
        """Return the bundle that an alias points at, ready to decide, or None."""
        before = self._refusals.get(alias)
        if at is None:
            self._refusals.pop(alias, None)
            self._told.pop(alias, None)  # whoever points there again wants to hear it again
            return None
        if before and before.bundle == at.bundle and time.monotonic() < before.again_s:
            return None
        try:
            bundle = self._ready.get(at.bundle) or self.warmed(at.bundle)
        except BundleRefused as fault:
            refusal = Refusal(at.bundle, str(fault), time.monotonic() + RETRY_SECONDS)
            same = before is not None and (before.bundle, before.reason) == (refusal.bundle, refusal.reason)
            self._refusals[alias] = replace(refusal, noted=bool(before and before.noted and same))
            return None
        self._refusals.pop(alias, None)
        return bundle

    def _last_good(self) -> Bundle | None:
        """Return the champion that decides now; when none does yet, the one that the log says did last."""
        if self.champion or PRODUCTION not in self._refusals or not self._noted.champion:
            return self.champion
        try:
            return self._ready.get(self._noted.champion) or self.warmed(self._noted.champion)
        except BundleRefused:
            return None

    def _refused(self) -> Iterator[Step]:
        for alias, refusal in self._refusals.items():
            body = {"alias": alias, "bundle": refusal.bundle, "reason": refusal.reason}
            if not refusal.noted and body != self._told.get(alias):
                yield Step(REFUSED, body, lambda alias=alias, body=body: self._tell(alias, body))  # type: ignore[misc]

    def _tell(self, alias: str, body: Mapping[str, Any]) -> None:
        self._told[alias] = body
        self._refusals[alias] = replace(self._refusals[alias], noted=True)

    def warmed(self, wanted: str) -> Bundle:
        """Return a bundle after every check, with every path of it run once. Raises BundleRefused."""
        bundle = load(wanted, self._case, self._stores.bundles, self._stores.signer)
        bundle.reasoner.top(bundle.probes.vectors[-1].tobytes())
        slowest_ms = self._case.rollout.slowest_ms
        if bundle.probes.median_us(bundle.scorer) > slowest_ms * 1_000:
            raise BundleRefused(  # without the figure: the same fault has the same reason at every try
                f"bundle {bundle.version} takes longer than the {slowest_ms:g} ms allowed for one event; "
                "make a smaller model, or declare Rollout(slowest_ms=...)"
            )
        return bundle


def _refusals_told(log: Log) -> dict[str, Mapping[str, Any]]:
    """Return the newest refusal that the log notes for each alias since it was moved last."""
    moves = ((seq, body["alias"], None) for seq, _, body in log.notes(MOVED))
    refusals = ((seq, body["alias"], body) for seq, _, body in log.notes(REFUSED))
    newest = {alias: body for _, alias, body in sorted([*moves, *refusals], key=lambda note: note[0])}
    return {alias: body for alias, body in newest.items() if body is not None}
