"""Makes a decision of the past again, from the log and with the bundle that decided, and compares every part."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from weighbridge.declare.case import UseCase
from weighbridge.loop.explain import same_reasons
from weighbridge.loop.replays.past import Past, look_back
from weighbridge.ports import Stores
from weighbridge.records import DecisionRecord
from weighbridge.score.answer import decision_of
from weighbridge.score.route import Stuck, arms_noted
from weighbridge.score.rulebook import Rulebook, as_of


@dataclass(frozen=True)
class Check:
    """One part of a decision: the same to the bit, other, or (None) not comparable; `says` tells what or why."""

    part: str
    same: bool | None
    says: str


@dataclass(frozen=True)
class Reproduction:
    """A decision made again."""

    past: Past
    checks: tuple[Check, ...]

    @property
    def differs(self) -> bool:
        """Whether any part came out otherwise."""
        return any(check.same is False for check in self.checks)

    def body(self) -> dict[str, Any]:
        """Return it as JSON members."""
        decision = self.past.decision
        return {
            "decision_id": decision.decision_id,
            "event_id": decision.event_id,
            "bundle": decision.bundle,
            "same": not self.differs,
            "checks": [asdict(check) for check in self.checks],
        }


def reproduce(case: UseCase, stores: Stores, decision: DecisionRecord) -> Reproduction:
    """Make a stored decision again. Raises BundleRefused when the bundle that decided cannot be read any more.

    Vectors, probabilities and contributions are compared bit by bit. Where the vector cannot be recomputed, the stored
    one is used for the rest.
    """
    past = look_back(case, stores, decision)
    if decision.degraded:
        return Reproduction(past, (Check("vector", None, past.why),))
    vector = past.vector if past.recomputed is None else past.recomputed
    rules, arm = _rules(case, stores, past), decision.route
    again = decision_of(past.bundle, rules, past.event, vector, decision.trace_id, 0, arm)
    checks, parts = (
        [_vector(past), _route(case, stores, past)],
        ["decision_id", "probability", "level", "action", "rules"],
    )
    if decision.propensity is not None or again.propensity is not None:
        parts.append("propensity")
    if decision.rules and not past.bundle.reasoner.of_case:
        parts = parts[:3]
        checks.append(Check("action", None, "the declaration has other features now than its rules asked for"))
    if decision.propensity is not None and rules.explorer is not None and rules.explorer.draw.elsewhere:
        says = f"drawn by key {rules.explorer.draw.key_id}, which is not this home's: taken as recorded"
        checks.append(Check("draw", None, says))
    for part in parts:
        told, now = getattr(decision, part), getattr(again, part)
        checks.append(Check(part, told == now, str(told) if told == now else f"{told}, and now {now}"))
    return Reproduction(past, (*checks, *_reasons(past, vector)))


def _rules(case: UseCase, stores: Stores, past: Past) -> Rulebook:
    """Return the rules and lists of the time; none where the declaration has other features now."""
    if not past.bundle.reasoner.of_case:
        return Rulebook(replace(case, policy=replace(case.policy, rules=[], lists=[], explore=None)))
    found = stores.log.find(past.event.event_id)
    return as_of(case, stores, found[0] if found else 0)


def _route(case: UseCase, stores: Stores, past: Past) -> Check:
    """Compare the arm and its bundle with what the log says the route was, at the event's place.

    An arm that another home's key drew stays what it was.
    """
    decision, found = past.decision, stores.log.find(past.event.event_id)
    arms = [arms for seq, arms in arms_noted(stores.log) if found and seq < found[0]]
    if not arms:
        return Check("route", None, "the log does not say which bundles decided then")
    arm = Stuck(case.events, arms[-1].sticky, stores.draws).arm(arms[-1], past.event) or decision.route
    again, told = (arm, arms[-1].bundle(arm)), (decision.route, decision.bundle)
    says, now = (f"{way}, {(bundle or 'nothing')[:12]}" for way, bundle in (told, again))
    return Check("route", told == again, says if told == again else f"{says}, and by the log {now}")


def _vector(past: Past) -> Check:
    if past.recomputed is None:
        return Check("vector", None, f"not recomputed, the stored one is used: {past.why}")
    count = len(past.recomputed) // 4
    if past.decision.vector == past.recomputed:
        return Check("vector", True, f"{count} values recomputed from the log")
    return Check("vector", False, f"{past.differing} of {count} values differ from the log")


def _reasons(past: Past, vector: bytes) -> list[Check]:
    told = past.decision.reasons
    if told is None:
        return [Check("reasons", None, "none were told with it; `weigh explain` gives them")]
    again = past.bundle.reasoner.top(vector)
    if not same_reasons(told, again):
        return [Check("reasons", False, f"{_named(told)}, and now {_named(again)}")]
    worded = [a.sentence for a in told] == [b.sentence for b in again]
    return [Check("reasons", True, _named(told) + ("" if worded else "; the declaration words them otherwise now"))]


def _named(reasons: tuple[Any, ...]) -> str:
    return ", ".join(f"{r.feature} {r.contribution:+.4g}" for r in reasons) or "none"
