"""Rules and thresholds over many events at once: the same action, event for event, as `Rulebook.verdict` gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.declare.actions import ACTIONS
from weighbridge.declare.case import UseCase
from weighbridge.kernel.arrays import Bools, Floats, Ints
from weighbridge.kernel.columns import ints
from weighbridge.score.masks import Asked, Entries, mask

APPROVE, REVIEW, DECLINE = range(3)  # places in ACTIONS


@dataclass(frozen=True)
class Ruled:
    """What rules made of events. action: int64[n], places in ACTIONS; held: bool[n, rules], which rules held.

    `free`: bool[n], where no rule decided and none asks for a decline: the thresholds had the word. floor: int64[n],
    the mildest action that the rules which held allow there.
    """

    action: Ints
    held: Bools
    free: Bools
    floor: Ints


class Ruling:
    """A use case's rules, ready for arrays, over the lists that edits change."""

    def __init__(self, case: UseCase, entries: Entries) -> None:
        policy = case.policy
        self._rules = list(zip(policy.rules, policy.conditions(case.events, case.feature_names), strict=True))
        self._entries = entries
        self.names = tuple(rule.name for rule in policy.rules)

    def decide(self, asked: Asked, base: Ints) -> Ruled:
        """Return what becomes of events. base: int64[n], the places in ACTIONS that the thresholds give."""
        n = len(asked)
        action, floor, decided = base.copy(), np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.bool_)
        held = np.zeros((n, len(self._rules)), dtype=np.bool_)
        for place, (rule, condition) in enumerate(self._rules):
            held[:, place] = mask(condition, asked, self._entries)
            code = ACTIONS.index(rule.action or rule.at_least or ACTIONS[0])
            now = held[:, place] & ~decided
            if rule.action is None:
                floor[now] = np.maximum(floor[now], code)
            else:
                action[now] = np.maximum(floor[now], code)
                decided |= now
        open_ = ~decided
        action[open_] = np.maximum(base[open_], floor[open_])
        return Ruled(action, held, open_ & (floor < DECLINE), floor)


def by_thresholds(probability: Floats, review_at: Floats, decline_at: Floats) -> Ints:
    """Return the places in ACTIONS that thresholds give, as `Thresholds.action` does: float64[n] all three."""
    return (probability >= review_at).astype(np.int64) + (probability >= decline_at)


def action_codes(decisions: pa.Table) -> Ints:
    """Return what was decided as places in ACTIONS, int64[n]."""
    return ints(pc.index_in(decisions["action"], value_set=pa.array(ACTIONS)))
