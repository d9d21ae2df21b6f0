"""The figures that gates look at beside the metrics of the validation set."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.clock import duration_us
from weighbridge.declare.case import UseCase
from weighbridge.declare.gates import Gate
from weighbridge.declare.watch import NONE
from weighbridge.errors import BundleRefused
from weighbridge.kernel.arrays import MISSING, Bools, Floats, Vectors
from weighbridge.loop.ingested import ingested
from weighbridge.loop.labels.ledger import ledger
from weighbridge.loop.rollouts.met import meant_for
from weighbridge.loop.slo import IMMATURE, MISSED, kept, said
from weighbridge.loop.training.training_set import TrainingSet
from weighbridge.loop.training.validated import validation_name
from weighbridge.loop.watching.drift import TOO_FEW, check_counted, clusters, judge, overall, sampled
from weighbridge.ports import Stores
from weighbridge.records import PRODUCTION
from weighbridge.score.bundle import Bundle, load
from weighbridge.stores.tables import vectors_of

ENOUGH_DECISIONS, ENOUGH_POSITIVES = 100, 10
TIMED, WARM = 400, 50
Z = 1.959964  # the normal quantile of a 95 % interval


class Measured(NamedTuple):
    """A figure and why it is so. `missing` says why there is none: "immature", not enough yet, or "not applicable"."""

    figure: float | None
    why: str = ""
    missing: str | None = None
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Evidence:
    """What a gate looks at: a candidate, and what had arrived by a moment, microseconds UTC."""

    case: UseCase
    stores: Stores
    candidate: Bundle
    as_of_us: int
    data: Callable[[], TrainingSet]

    def newest(self, last: str) -> Bools:
        """Return which rows happened within the last days, bool[n]."""
        event_us = self.data().columns.event_us
        return np.asarray(event_us > min(self.as_of_us, int(event_us.max())) - duration_us(last))

    def decisions(self, last: str, **chosen: str) -> pa.Table:
        """Return the decisions of the last days that one bundle or route made."""
        found = self.stores.log.decisions()
        found = found.filter(pc.greater(found["decided_us"], self.as_of_us - duration_us(last)))
        found = found.filter(pc.less_equal(found["decided_us"], self.as_of_us))
        for name, value in chosen.items():
            found = found.filter(pc.equal(found[name], value))
        return found

    def validated(self) -> tuple[TrainingSet, Bools, pa.Table] | None:
        """Return the data, which of their rows the candidate was validated on, and what it said on them."""
        said, data = self.stores.tables.get(validation_name(self.candidate.id)), self.data()
        if said is None:
            return None
        chosen = np.isin(data.columns.seq, said["seq"].to_numpy()) & (data.labels >= 0)
        first = np.searchsorted(said["seq"].to_numpy(), data.columns.seq[chosen])  # what speaks for many is there often
        return data, chosen, said.take(pa.array(first))


def immature(why: str) -> Measured:
    """Return that there is not enough to judge by yet."""
    return Measured(None, why, "immature")


def not_applicable(why: str) -> Measured:
    """Return that there is nothing to judge."""
    return Measured(None, why, "not applicable")


def feature_psi(evidence: Evidence, g: Gate) -> Measured:
    """Return by how much the feature that moved most over the last days did, beyond chance; 0 where none surely has.

    Against the reference of the candidate itself, on its selected features, as `watch` judges them.
    """
    facts, names, rows = evidence.candidate.facts, evidence.case.feature_names, evidence.newest(g.last)
    chosen = {name: facts["reference"]["features"][name] for name in facts["selected_features"]}
    values = evidence.data().vectors[rows][:, [names.index(name) for name in chosen]]
    return _drifted(evidence, chosen, values, rows, g)


def score_psi(evidence: Evidence, g: Gate) -> Measured:
    """Return by how much the candidate's score moved over the last days, beyond chance; 0 where it surely has not."""
    rows = evidence.newest(g.last)
    scores = evidence.candidate.scorer.probability(evidence.data().vectors[rows])
    return _drifted(
        evidence, {"score": evidence.candidate.facts["reference"]["scores"]}, scores.reshape(-1, 1), rows, g
    )


def _drifted(evidence: Evidence, profiles: dict[str, Any], values: Vectors | Floats, rows: Bools, g: Gate) -> Measured:
    if not len(values):
        return immature(f"no event in {g.last}")
    check_counted(evidence.candidate.version, profiles)
    groups = [group[rows] for group in clusters(evidence.case, evidence.data().columns.values)]
    moved = judge(evidence.case.watch, profiles, sampled(profiles, values, groups))
    if overall(moved) == TOO_FEW:
        least = evidence.case.watch.at_least
        return immature(f"{len(values)} events in {g.last}, or the reference, are too few, {least} are needed")
    worst = max((m for m in moved if m.severity != TOO_FEW), key=lambda m: (m.severity != NONE, m.effect))
    told = f"{worst.feature}, {len(values):,} events in {g.last}"
    return Measured(worst.effect if worst.severity != NONE else 0.0, told)


def flagged_shift(evidence: Evidence, g: Gate) -> Measured:
    """Return by how much the flagged share of what production decided would differ under the candidate."""
    stores, case = evidence.stores, evidence.case
    current = stores.registry.alias(PRODUCTION)
    if current is None or current == evidence.candidate.id:
        return not_applicable("nothing else is in production")
    try:
        production = load(current, case, stores.bundles, stores.signer)
    except BundleRefused as fault:
        return not_applicable(f"production cannot decide: {fault}")
    decided = evidence.decisions(g.last, bundle=current, degraded="[]")
    if len(decided) < ENOUGH_DECISIONS:
        return immature(
            f"{len(decided)} decisions of production in {g.last} are too few, {ENOUGH_DECISIONS} are needed"
        )
    ours = evidence.candidate.scorer.probability(vectors_of(decided)) >= evidence.candidate.thresholds.review_at
    theirs = decided["probability"].to_numpy() >= production.thresholds.review_at
    told = f"{ours.mean():.2%} flagged, {theirs.mean():.2%} by production, of {len(decided):,} decisions in {g.last}"
    return Measured(float(abs(ours.mean() - theirs.mean())), told)


def canary_errors(evidence: Evidence, g: Gate) -> Measured:
    """Return the share of events that met the candidate as a canary and that it could not score."""
    met = meant_for(evidence.stores.log, evidence.candidate.id, evidence.decisions(g.last))
    told = f"{met.failed:,} of {met.decisions:,} decisions as a canary"
    if not met.decisions:
        return not_applicable(f"it was no canary in {g.last}")
    if met.decisions < ENOUGH_DECISIONS:
        return immature(f"{met.decisions} decisions as a canary are too few, {ENOUGH_DECISIONS} are needed")
    return Measured(met.failed / met.decisions, told)


def rejected_share(evidence: Evidence, g: Gate) -> Measured:
    """Return the share of rejected rows of the files that were ingested."""
    since_us = evidence.as_of_us - duration_us(g.last)
    rows, rejected, runs = ingested(evidence.stores.tracker, since_us, evidence.as_of_us)
    if not rows:
        return not_applicable(f"no file was ingested in {g.last}")
    return Measured(rejected / rows, f"{rejected:,} of {rows:,} rows in {runs} files")


def objectives_missed(evidence: Evidence, g: Gate) -> Measured:
    """Return how many of the declared objectives the service misses. What cannot decide is not held to them."""
    case, stores = evidence.case, evidence.stores
    current = stores.registry.alias(PRODUCTION)
    if current is None:
        return not_applicable("nothing is in production")
    try:
        load(current, case, stores.bundles, stores.signer)
    except BundleRefused as fault:
        return not_applicable(f"production cannot decide: {fault}")
    found = kept(case, stores, evidence.as_of_us)
    told = "; ".join(map(said, found))
    if all(one["verdict"] == IMMATURE for one in found):
        return not_applicable(told)
    return Measured(float(sum(one["verdict"] == MISSED for one in found)), told)


def recall_gap(evidence: Evidence, g: Gate) -> Measured:
    """Return how much lower the recall of the worst slice is than that of all, with the interval of that slice's.

    What was explored counts as often as events it speaks for; the interval goes by Kish's effective number.
    """
    found = evidence.validated()
    if found is None:
        return immature("its validation is not in this home; train again")
    data, chosen, said = found
    names = [field.name for field in evidence.case.events.payload]
    values = data.columns.values[chosen, names.index(str(g.by))]
    one_of = getattr(evidence.case.events.field(str(g.by), g.title), "one_of", ())
    positive, weight = data.labels[chosen] == 1, data.weight[chosen]
    caught = positive & (said["probability"].to_numpy() >= evidence.candidate.thresholds.review_at)
    slices = {
        ("missing" if code == MISSING else one_of[code]): positive & (values == code)
        for code in np.unique(values[positive]).tolist()
    }
    judged = {name: _share(caught[own], weight[own]) for name, own in slices.items() if own.sum() >= ENOUGH_POSITIVES}
    if len(judged) < 2:
        return immature(f"{len(judged)} values of {g.by} have {ENOUGH_POSITIVES} positives or more, 2 are needed")
    overall, _ = _share(caught[positive], weight[positive])
    worst = min(judged, key=lambda name: judged[name][0])
    share, n = judged[worst]
    low, high = wilson(share * n, n)
    told = f"recall of {worst} {share:.2f} on {int(slices[worst].sum())} positives, of all {overall:.2f}"
    told += f"; {len(slices) - len(judged)} values have too few positives"
    return Measured(overall - share, told, None, (overall - high, overall - low))


def _share(hits: Bools, weight: Floats) -> tuple[float, float]:
    """Return the weighted share of hits, and Kish's effective number of rows."""
    return float(weight[hits].sum() / weight.sum()), float(weight.sum() ** 2 / (weight**2).sum())


def wilson(hits: float, n: float) -> tuple[float, float]:
    """Return the 95 % score interval of a share. Source: Wilson (1927).

    >>> [round(end, 4) for end in wilson(8, 10)]
    [0.4902, 0.9433]
    """
    centre, spread = hits + Z * Z / 2, Z * float(np.sqrt(hits * (n - hits) / n + Z * Z / 4))
    return (centre - spread) / (n + Z * Z), (centre + spread) / (n + Z * Z)


def label_coverage(evidence: Evidence, g: Gate) -> Measured:
    """Return the share of mature events with a label."""
    told = ledger(evidence.case, evidence.stores, evidence.as_of_us)
    if told["coverage"] is None:
        return immature("no event is mature yet")
    return Measured(told["coverage"], f"{told['mature']:,} mature events")


def latency_us(evidence: Evidence, g: Gate) -> Measured:
    """Return how long scoring one vector takes, microseconds, on this machine; the quantile that the gate names."""
    X = evidence.data().vectors
    rows = X[np.linspace(0, len(X) - 1, TIMED + WARM).astype(np.int64)]
    taken = []
    for vector in rows:
        begun = time.perf_counter_ns()
        evidence.candidate.scorer.probability(vector[np.newaxis])
        taken.append(time.perf_counter_ns() - begun)
    quantile = int(g.figure.removeprefix("latency_us_p")) / 100
    return Measured(float(np.quantile(taken[WARM:], quantile)) / 1e3, f"{TIMED} vectors, one by one, on this machine")


MEASURES: Mapping[str, Callable[[Evidence, Gate], Measured]] = {
    measure.__name__: measure
    for measure in (
        feature_psi, score_psi, flagged_shift, canary_errors, rejected_share, recall_gap, label_coverage,
        objectives_missed,
    )
} | dict.fromkeys(("latency_us_p95", "latency_us_p99"), latency_us)  # fmt: skip
Verdict = dict[str, Any]
