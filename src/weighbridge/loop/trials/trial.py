"""Decides the past again as something else would have: another policy, bundle, threshold, rule or list entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.clock import DAY_US
from weighbridge.declare.case import UseCase
from weighbridge.declare.fallback import TEST
from weighbridge.declare.policy import Policy, Rule
from weighbridge.errors import BundleRefused, InputError
from weighbridge.identity import describe
from weighbridge.kernel.arrays import Bools, Floats, Ints, Vectors
from weighbridge.kernel.columns import ints
from weighbridge.ports import Stores
from weighbridge.records import Stored
from weighbridge.score.bundle import Bundle, load
from weighbridge.score.draw import Draw
from weighbridge.score.explore import Explorer, spent_today
from weighbridge.score.masks import Asked, Entries
from weighbridge.score.rulebook import NOTHING, POLICY, noted
from weighbridge.score.ruling import DECLINE, Ruled, Ruling, action_codes, by_thresholds
from weighbridge.score.scorer import Thresholds
from weighbridge.stores.tables import text_of


@dataclass(frozen=True)
class Trial:
    """What is tried; what is left out is as it was live, place by place of the log.

    `policy` replaces the rules, lists and exploration of the time, and the thresholds where it declares them; `bundle`
    scores instead of those that did. On top of that come thresholds, `rules` that are read first, names of rules that
    are left out, and values (as stored) that are on a list all the time.
    """

    policy: Policy | None = None
    bundle: Bundle | None = None
    review_at: float | None = None
    decline_at: float | None = None
    rules: Sequence[Rule] = ()
    without: Sequence[str] = ()
    listed: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def thresholds(self, own: Thresholds) -> tuple[float, float]:
        """Return (review_at, decline_at) where a bundle has its own. Raises InputError when they cross."""
        declared = self.policy or Policy()
        review = self.review_at if self.review_at is not None else declared.review_at
        decline = self.decline_at if self.decline_at is not None else declared.decline_at
        review, decline = own.review_at if review is None else review, own.decline_at if decline is None else decline
        if review > decline:
            raise InputError(f"review at {review:g} would be above decline at {decline:g}; try both, or another")
        return review, decline

    def says(self) -> dict[str, Any]:
        """Return what is tried as JSON members, without what is personal."""
        return {
            "policy": self.policy is not None,
            "bundle": self.bundle.id if self.bundle else None,
            "review_at": self.review_at,
            "decline_at": self.decline_at,
            "rules": [describe(rule) for rule in self.rules],
            "without": list(self.without),
            "listed": {name: len(values) for name, values in self.listed.items()},
        }


@dataclass(frozen=True)
class Tried:
    """What a trial makes of decisions. action: int64[n], places in ACTIONS; probability: float64[n], NaN for none.

    kept: bool[n], decisions that are as they were: degraded ones, tests, and those of other features or of a bundle
    that cannot be read. ruled_otherwise: how many have other rules that held, or another chance of being let through.
    """

    action: Ints
    probability: Floats
    kept: Bools
    ruled_otherwise: int


class Replay:
    """Goes through the log by seq, from a place on, and decides with a trial."""

    def __init__(self, case: UseCase, stores: Stores, trial: Trial, begin: int) -> None:
        self._case, self._stores, self._trial, self._begin = case, stores, trial, begin
        self._notes = stores.log.notes(POLICY)
        self._entries = Entries(stores.log.edits(), {name: frozenset(v) for name, v in trial.listed.items()})
        self._known = {name for name, _, facts in stores.registry.bundles() if facts["vector"] == case.vector_digest}
        self._explorer: Explorer | None = None
        self._through: list[tuple[int, list[Stored]]] = []  # what the trial let through on its newest day
        self._ruling, self._limits = cache(self._ruling_at), cache(self._limits_of)
        self.rules: set[str] = set()  # names of all that were in force somewhere, before any was left out

    def decide(self, events: pa.Table, decisions: pa.Table) -> Tried:
        """Return what the trial makes of decisions and their events, row by row the same, by seq."""
        live, p, review, decline = (
            action_codes(decisions),
            _floats(decisions["probability"]),
            *self._thresholds(decisions),
        )
        vectors, sound = _vectors(decisions, len(self._case.feature_names))
        kept = ~sound | np.isnan(review) | _equal(decisions["route"], TEST) | ~_equal(decisions["degraded"], "[]")
        if self._trial.bundle and len(p):
            p = np.where(kept, p, self._trial.bundle.scorer.probability(vectors))
        asked, base = Asked(events, vectors, p), by_thresholds(p, review, decline)
        action, otherwise = live.copy(), 0
        places = np.searchsorted([seq for seq, _, _ in self._notes], ints(events["seq"]))
        for place in np.unique(places).tolist():
            first, end = np.searchsorted(places, [place, place + 1]).tolist()
            part = slice(first, end)
            case, ruling, draw = self._ruling(place)
            ruled = ruling.decide(asked.part(first, end), base[part])
            chance = self._let_through(
                self._exploring(case, draw), ruled, kept[part],
                events.slice(first, end - first), decisions.slice(first, end - first),
            )  # fmt: skip
            told = _told(ruling.names, ruled, chance, decisions.slice(first, end - first))
            action[part] = np.where(kept[part], live[part], ruled.action)
            otherwise += int((told & ~kept[part]).sum())
        return Tried(action, p, kept, otherwise)

    def _ruling_at(self, place: int) -> tuple[UseCase, Ruling, Draw]:
        """Return the policy tried behind a note of the log: a use case with it, its rules for arrays, its chance."""
        trial, body = self._trial, self._notes[place - 1][2] if place else NOTHING
        policy = trial.policy or noted(self._case, body).policy
        self.rules |= {rule.name for rule in policy.rules}
        rules = [*trial.rules, *(rule for rule in policy.rules if rule.name not in trial.without)]
        more = [each for each in self._case.policy.lists if each.name not in {own.name for own in policy.lists}]
        case = replace(self._case, policy=replace(policy, rules=rules, lists=[*policy.lists, *more]))
        return case, Ruling(case, self._entries), Draw(self._stores, body)

    def _thresholds(self, decisions: pa.Table) -> tuple[Floats, Floats]:
        """Return review_at and decline_at of every decision, NaN where the trial cannot decide it."""
        names = decisions["bundle"].combine_chunks().dictionary_encode()
        limits = [self._limits(name) for name in names.dictionary.to_pylist()]
        codes = names.indices.to_numpy()
        review, decline = np.array(limits, dtype=np.float64).reshape(-1, 2)[codes].T
        return review, decline

    def _limits_of(self, bundle: str) -> tuple[float, float]:
        if bundle not in self._known:
            return np.nan, np.nan
        try:
            deciding = self._trial.bundle or load(bundle, self._case, self._stores.bundles, self._stores.signer)
        except BundleRefused:
            return np.nan, np.nan
        return self._trial.thresholds(deciding.thresholds)

    def _let_through(
        self, explorer: Explorer | None, ruled: Ruled, kept: Bools, events: pa.Table, decisions: pa.Table
    ) -> Floats:
        """Let chance have its say on what the thresholds decline; return its propensity, NaN where it has none."""
        chance = np.full(len(kept), np.nan)
        if explorer is None:
            return chance
        asked = ruled.free & (ruled.action == DECLINE) & ~kept
        spent = kept & ~np.isnan(_floats(decisions["propensity"])) & (action_codes(decisions) != DECLINE)
        rows = np.flatnonzero(asked | spent)
        columns = [events.take(pa.array(rows))[f.name].to_pylist() for f in self._case.events.payload]
        arrived, ids = ints(events["arrived_us"])[rows].tolist(), events["event_id"].take(pa.array(rows)).to_pylist()
        for number, row in enumerate(rows.tolist()):
            values = [column[number] for column in columns]
            through = bool(spent[row])
            if asked[row]:
                chance[row] = explorer.propensity(values, arrived[number])
                through = chance[row] > 0 and explorer.drawn(ids[number])
                ruled.action[row] = ruled.floor[row] if through else DECLINE
            if through:
                explorer.spend(explorer.amount_of(values) or 0, arrived[number])
                if self._through and self._through[-1][0] // DAY_US < arrived[number] // DAY_US:
                    self._through.clear()
                self._through.append((arrived[number], values))
        return chance

    def _exploring(self, case: UseCase, draw: Draw) -> Explorer | None:
        """Return what explores by a policy, knowing what was let through on the day before it came into force.

        That is counted as this policy counts: up to the trial's begin by the log, and from there by the trial itself.
        """
        if case.policy.explore is None:
            return None
        if self._explorer is None or self._explorer.of != (case.policy.explore, case.policy.costs.amount):
            self._explorer = Explorer(case, draw)
            self._explorer.take(spent_today(self._stores.log, self._explorer.amount, self._begin))
            for arrived_us, values in self._through:
                self._explorer.spend(self._explorer.amount_of(values) or 0, arrived_us)
        self._explorer.draw = draw
        return self._explorer


def _told(names: Sequence[str], ruled: Ruled, chance: Floats, decisions: pa.Table) -> Bools:
    """Return where other rules hold than were told, or chance had another say."""
    sets, which = np.unique(ruled.held, axis=0, return_inverse=True)
    texts = [text_of([name for name, held in zip(names, row, strict=True) if held]) for row in sets]
    again = pa.array(texts, pa.string()).take(pa.array(which.ravel()))
    other = np.asarray(pc.not_equal(decisions["rules"].combine_chunks(), again).to_numpy(zero_copy_only=False))
    told = _floats(decisions["propensity"])
    return np.asarray(other | ~((told == chance) | (np.isnan(told) & np.isnan(chance))), dtype=np.bool_)


def _vectors(decisions: pa.Table, width: int) -> tuple[Vectors, Bools]:
    """Return the stored vectors, float32[n, width], and which are of that width; the others are zeros."""
    stored = decisions["vector"].to_pylist()
    sound = np.array([len(vector) == 4 * width for vector in stored], dtype=np.bool_)
    if not sound.all():
        stored = [vector if ok else bytes(4 * width) for vector, ok in zip(stored, sound.tolist(), strict=True)]
    return np.frombuffer(b"".join(stored), dtype="<f4").reshape(-1, width).astype(np.float32, copy=False), sound


def _floats(column: pa.ChunkedArray) -> Floats:
    return np.array(column.fill_null(np.nan).to_numpy(), dtype=np.float64)


def _equal(column: pa.ChunkedArray, value: str) -> Bools:
    return np.asarray(pc.equal(column, value).to_numpy(), dtype=np.bool_)
