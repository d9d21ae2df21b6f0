"""Holds what is known of a candidate against the declared guardrails: broken for sure, or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.declare.case import UseCase
from weighbridge.declare.rollout import Rollout
from weighbridge.kernel.arrays import Floats
from weighbridge.kernel.sequential import confidence_sequence, log_evidence
from weighbridge.loop.labels.ledger import positive_ids
from weighbridge.loop.rollouts.evidence import BOTH, GUARDS, RECALL, Guard, Sums, added, differences, said_by, summed
from weighbridge.loop.rollouts.met import arms
from weighbridge.ports import LAST, Log, Stores
from weighbridge.score.bundle import Bundle

REPLAYED = 20_000  # the newest places of the log that a candidate decides again before it shadows
AT_ONCE = 16_384
MOST_POINTS = 120
Verdict = dict[str, Any]


def verdicts(sums: Mapping[str, Sums], declared: Rollout) -> list[Verdict]:
    """Return the verdict on each guard that has outcomes.

    `passed` is False once the evidence against the bound has ever reached 1 / alpha, after any interval: alpha is half
    of the declared one (the other half is for the offline replay), divided by the number of guards. `within`: whether
    the mean so far keeps to the bound. `interval` is a confidence sequence of the mean at this alpha.
    """
    return [
        _verdict(guard, sums[guard.name], declared) for guard in GUARDS if guard.name in sums and sums[guard.name].count
    ]


def paths(sums: Mapping[str, Sums], declared: Rollout) -> dict[str, Verdict]:
    """Return for each guard with outcomes how it came about, for a drawing: at most MOST_POINTS of its intervals.

    Lists by interval: count of outcomes so far, mean, low and high of the confidence sequence, evidence_log10.
    """
    found, needed = {}, evidence_needed(declared)
    for guard in GUARDS:
        if guard.name not in sums or not sums[guard.name].count:
            continue
        own, bound = sums[guard.name], guard.bound(declared.guardrails)
        low, high = confidence_sequence(own.n, own.total, own.squares, guard.low, 1.0, 10**-needed)
        seen = np.cumsum(own.n)
        chosen = np.unique(np.linspace(0, len(seen) - 1, MOST_POINTS).astype(int))
        columns = {
            "count": seen, "mean": np.cumsum(own.total) / seen, "low": low, "high": high,
            "evidence_log10": log_evidence(own.growth) / np.log(10),
        }  # fmt: skip
        found[guard.name] = {name: column[chosen].tolist() for name, column in columns.items()}
        found[guard.name] |= {"bound": bound, "needed_log10": needed}
    return found


def evidence_needed(declared: Rollout) -> float:
    """Return the logarithm (base 10) of the evidence at which a guard breaks."""
    return float(np.log10(2 * len(GUARDS) / declared.alpha))


def broken(found: Sequence[Verdict]) -> str:
    """Return the guards that broke, with figure and bound, as one phrase; empty when none did."""
    return "; ".join(f"{v['gate']}: {v['figure']:.4g} {v['why']}" for v in found if not v["passed"])


def _verdict(guard: Guard, sums: Sums, declared: Rollout) -> Verdict:
    bound, needed = guard.bound(declared.guardrails), evidence_needed(declared)
    reached = float(np.max(log_evidence(sums.growth)) / np.log(10))
    low, high = confidence_sequence(sums.n, sums.total, sums.squares, guard.low, 1.0, 10**-needed)
    mean = sums.mean or 0.0
    return {
        "gate": f"{guard.name} at most {bound:g}",
        "guard": guard.name,
        "figure": mean,
        "bound": bound,
        "verdict": "passed" if reached < needed else "closed",
        "passed": reached < needed,
        "within": mean <= bound,
        "count": sums.count,
        "interval": [float(low[-1]), float(high[-1])],
        "evidence_log10": reached,
        "needed_log10": needed,
        "why": f"on {sums.count:,} outcomes, evidence 10^{reached:.1f} of 10^{needed:.1f}",
    }


def recall(case: UseCase, log: Log, candidate: Bundle, champion: Bundle, after: int) -> tuple[Floats, int]:
    """Return what the champion flags less what the candidate flags of matured positives behind a place, each -1 to 1.

    Of positives that either would decline, labels are known from one side only: they do not count, nor do events of the
    time that either was fitted on. The second value is how many matured positives these are.
    """
    head_us, positive = log.head().arrived_us, positive_ids(case.label, log.labels())
    fitted_us = max(candidate.trained_until_us, champion.trained_until_us)
    found, apart = [np.empty(0)], 0
    for first in range(after, log.head().seq, AT_ONCE):
        decisions = log.decisions(first, first + AT_ONCE)
        met = arms(decisions, candidate.id, champion.id)
        mature = pc.less_equal(decisions["decided_us"], head_us - case.label.matures_us)
        known = pc.and_(mature, pc.is_in(decisions["event_id"], value_set=positive))
        decisions = decisions.filter(pc.and_(pa.array(met.canary | met.champion), known))
        events = log.events(first, first + AT_ONCE)
        fitted = events["seq"].filter(pc.less_equal(events["event_us"], fitted_us)).combine_chunks()
        before = pc.is_in(decisions["seq"], value_set=fitted)
        apart += pc.sum(before).as_py() or 0
        decisions = decisions.filter(pc.invert(before))
        ours, theirs = said_by(candidate, decisions), said_by(champion, decisions)
        kept = (ours < candidate.thresholds.decline_at) & (theirs < champion.thresholds.decline_at)
        missed = (theirs >= champion.thresholds.review_at).astype(float) - (ours >= candidate.thresholds.review_at)
        found.append(missed[kept])
    return np.concatenate(found), apart


def recall_sums(x: Floats, declared: Rollout) -> Sums:
    """Return the sums of what `recall` found, all in one interval."""
    return added(summed(iter([(RECALL, x, np.zeros(len(x), dtype=np.int64))]), declared.guardrails))[RECALL.name]


def replay(case: UseCase, stores: Stores, candidate: Bundle, champion: Bundle) -> list[Verdict]:
    """Let a candidate decide again what the champion decided last, and return the verdicts: before it meets anybody."""
    after = max(stores.log.head().seq - REPLAYED, 0)
    decisions = stores.log.decisions(after, LAST)
    ours = decisions.filter(pa.array(arms(decisions, candidate.id, champion.id).champion))
    once = np.zeros(len(ours), dtype=np.int64)
    pairs = differences(candidate, champion, said_by(candidate, ours), ours["probability"].to_numpy(), once)
    sums = added(summed(pairs, case.rollout.guardrails))
    found = verdicts({guard.name: sums[guard.name] for guard in BOTH}, case.rollout)
    return [*found, _missed(recall(case, stores.log, candidate, champion, after), case.rollout)]


def _missed(found: tuple[Floats, int], declared: Rollout) -> Verdict:
    """Return the verdict on recall, also where nothing is left to judge by."""
    x, apart = found
    told = f"{apart:,} positives that a bundle was fitted on are counted apart" if apart else ""
    judged = verdicts({RECALL.name: recall_sums(x, declared)}, declared)
    if judged:
        return {**judged[0], "apart": apart, "why": "; ".join(part for part in (judged[0]["why"], told) if part)}
    bound = RECALL.bound(declared.guardrails)
    why = "; ".join(part for part in ("nothing to judge by", told) if part)
    return {
        "gate": f"{RECALL.name} at most {bound:g}", "guard": RECALL.name, "figure": None, "bound": bound,
        "interval": None, "verdict": "immature", "passed": False, "count": 0, "apart": apart, "why": why,
    }  # fmt: skip
