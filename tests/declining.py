"""A home whose champion declines a lot, and traffic through its desk."""

from __future__ import annotations

from dataclasses import replace

from weighbridge.records import Alias
from weighbridge.score.bundle import load, pack
from weighbridge.score.route import PRODUCTION
from weighbridge.score.scorer import Thresholds


def repack(case, stores, review_at, decline_at):
    """Put the champion with other thresholds into production; return its new id."""
    old = load(stores.registry.alias(PRODUCTION), case, stores.bundles, stores.signer)
    limits = Thresholds(review_at, decline_at, old.thresholds.bands)
    facts = {name: fact for name, fact in old.facts.items() if name not in ("thresholds", "machine")}
    scorers, probes = (old.scorer, old.event_only), old.probes.vectors
    bundle, files = pack(case, scorers, limits, probes, facts, "card", stores.signer)
    stores.bundles.put(bundle, files)
    stores.registry.add(bundle, stores.registry.bundles()[0][2], 0)
    stores.registry._aliases[PRODUCTION] = Alias(bundle)
    return bundle


def exploring(case, explore, rules=()):
    """Return a use case that explores."""
    policy = replace(case.policy, explore=explore, rules=(*rules, *case.policy.rules))
    return replace(case, policy=policy)


def send(desk, clock, stream, selective=False):
    """Send messages at their times, and return the decisions; with `selective` no label of a declined event."""
    decisions = {}
    for message in stream:
        clock.set(max(message.arrived_us, clock.now_us()))
        if message.path == "/predict":
            answer = desk.decide(message.body, "t")
            decisions[answer.decision.event_id] = answer.decision
            continue
        about = decisions.get(message.body["event_id"])
        if not selective or about is None or about.action != "decline":
            desk.feedback(message.body)
    return list(decisions.values())
