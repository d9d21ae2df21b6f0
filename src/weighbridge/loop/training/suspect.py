"""Looks for poison in training data before anything is fitted: each way to poison them has its figure and its bound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest

from weighbridge.clock import DAY_US, SECOND_US
from weighbridge.declare.case import UseCase
from weighbridge.declare.models import lightgbm
from weighbridge.errors import BundleRefused
from weighbridge.kernel import poisoning
from weighbridge.kernel.arrays import Floats
from weighbridge.kernel.columns import ints
from weighbridge.kernel.metrics import roc_auc
from weighbridge.kernel.plan import compile_plan
from weighbridge.kernel.replay import replay
from weighbridge.kernel.split import on_both_sides
from weighbridge.loop.training.training_set import TrainingSet, with_child_rows
from weighbridge.loop.trials.outcome import at_most_again
from weighbridge.loop.verify import whole_from_us
from weighbridge.ports import Stores
from weighbridge.records import PRODUCTION
from weighbridge.score.bundle import Bundle, load

PROBE = lightgbm(n_estimators=60, name="probe")
SAMPLED = 2_000  # vectors that are made again
ENOUGH_POSITIVES = 20  # below, no share among the highest scores means anything
SURE = 0.001  # one-sided p-value below which fewer positives on top than in production's data count
COPIES = 0.5  # share of rows of one second and content that nothing in production has to be compared with
DENSER = 1.5  # events of one content come in so much quicker a succession before they are too many
NEWEST = 4  # the newest part of the rows is one in so many
Verdict = dict[str, Any]


@dataclass(frozen=True)
class Suspicion:
    """What the checks say: a verdict each, and the figures that a bundle keeps for its successor."""

    verdicts: list[Verdict]
    kept: dict[str, Any]

    @property
    def refused(self) -> list[str]:
        """The names of the checks that failed."""
        return [v["gate"] for v in self.verdicts if not v["passed"]]


def suspect(case: UseCase, stores: Stores, data: TrainingSet) -> Suspicion:
    """Hold the rows that a model would be fitted on against the declared bounds, beside the data of production."""
    champion = _champion(case, stores)
    before: Mapping[str, Any] = (champion.facts.get("training_data") if champion else None) or {}
    flipped, kept = _flipped(case, data, before)
    inverted, rate = _inverted(case, data, champion, before)
    repeated, share = _duplicates(case, data, before)
    verdicts = [*flipped, *inverted, _burst(case, data), repeated, _leak(case, data), _missing(case, data)]
    verdicts += _sides(data)
    return Suspicion([*verdicts, *_time_travel(case, stores, data)], kept | rate | {"duplicates": share})


def _champion(case: UseCase, stores: Stores) -> Bundle | None:
    """Return what is in production, None where nothing sound is."""
    current = stores.registry.alias(PRODUCTION)
    try:
        return load(current, case, stores.bundles, stores.signer) if current else None
    except BundleRefused:
        return None


def _verdict(name: str, figure: float | None, bound: float, passed: bool, why: str) -> Verdict:
    return {"gate": name, "figure": figure, "bound": bound, "passed": bool(passed), "why": why}


def _flipped(case: UseCase, data: TrainingSet, before: Mapping[str, Any]) -> tuple[list[Verdict], dict[str, Any]]:
    """Two figures of a model that is asked about the half it has not seen.

    Noise among the negatives takes its separation; hidden positives are negatives among its highest scores.
    """
    bounds, y = case.training.poisoning, data.labels[data.mature]
    score = _cross_fitted(case, data)
    if score is None:
        told = f"{int(y.sum())} positives are too few to tell, {ENOUGH_POSITIVES} are needed"
        told += ", and production's data had them" if before else ""
        return [_verdict("flipped labels: separation", None, bounds.separation, not before, told)], {}
    spoken = np.searchsorted(np.flatnonzero(data.mature), data.places(data.mature))  # explored rows stand for others
    separation, (hits, rows) = roc_auc(y, score), poisoning.top_hits(y[spoken], score[spoken])
    least, usual = bounds.separation, before.get("separation")
    if usual is not None:
        least = max(least, usual - bounds.separation_loss)
    said = "nothing in production to compare with" if usual is None else f"production's data gave {usual:.3f}"
    first = _verdict("flipped labels: separation", separation, least, separation >= least, said)
    kept = {"separation": separation, "top_hits": hits, "top_rows": rows}
    if not before.get("top_rows"):
        return [first], kept
    expected = (before["top_hits"] + 0.5) / (before["top_rows"] + 1.0)  # Jeffreys: a share of 1 is not certain
    top = np.unique(spoken[np.argsort(-score[spoken], kind="stable")[:rows]], return_counts=True)[1]
    effective = rows**2 / float((top**2).sum())  # Kish's number of rows
    fewer = at_most_again(hits / rows, effective, before["top_hits"], before["top_rows"]) < SURE
    said = f"{hits} of the {rows} highest scores are positive, "
    said += f"{before['top_hits']} of {before['top_rows']} in production's data"
    bound = expected - bounds.hidden
    return [
        first,
        _verdict("flipped labels: hidden positives", hits / rows, bound, hits / rows >= bound or not fewer, said),
    ], kept


def _inverted(
    case: UseCase, data: TrainingSet, champion: Bundle | None, before: Mapping[str, Any]
) -> tuple[list[Verdict], dict[str, Any]]:
    """Labels that mean the opposite separate as well as ever; how many are positive, and production's model, tell."""
    bounds, y = case.training.poisoning, data.labels[data.places(data.mature)]
    hits, rows = int(y.sum()), len(y)
    rate, usual = hits / rows, before.get("positive_rate")
    kept = {"positive_rate": rate, "positive_rows": rows}
    name = "inverted labels: positive rate"
    if usual is None:
        told = "nothing in production to compare with; Poisoning(positives=) declares more"
        verdicts = [_verdict(name, rate, bounds.positives, rate <= bounds.positives, told)]
    else:
        expected = (usual * before["positive_rows"] + 0.5) / (before["positive_rows"] + 1.0)
        bound = min(expected * bounds.rate, 1.0) if rate > expected else expected / bounds.rate
        sound = rate <= bound if rate > expected else rate >= bound
        sure = binomtest(hits, rows, bound, alternative="greater" if rate > expected else "less").pvalue < SURE
        verdicts = [_verdict(name, rate, bound, sound or not sure, f"production's data had {usual:.4f}")]
    if champion is not None:
        verdicts.append(_of_champion(case, data, champion))
    return verdicts, kept


def _of_champion(case: UseCase, data: TrainingSet, champion: Bundle) -> Verdict:
    """Hold production's own model against the labels that matured since it was trained, or all where those are few."""
    least, name = case.training.poisoning.separation, "inverted labels: production's ROC-AUC"
    since = data.mature & (data.columns.event_us > champion.trained_until_us)
    few = min((data.labels[since] == 1).sum(), (data.labels[since] == 0).sum()) < ENOUGH_POSITIVES
    rows = data.places(data.mature if few else since)
    y = data.labels[rows]
    if min(y.sum(), len(y) - y.sum()) < ENOUGH_POSITIVES:
        return _verdict(name, None, least, True, f"of one class there are fewer than {ENOUGH_POSITIVES}")
    auc = roc_auc(y, champion.scorer.probability(data.vectors[rows]))
    return _verdict(name, auc, least, auc >= least, f"on {len(y):,} {'' if few else 'new '}labels")


def _cross_fitted(case: UseCase, data: TrainingSet) -> Floats | None:
    """Return the score of each mature row by a model of the other half, float64[n]; None where one cannot be fitted."""
    from weighbridge.learners.fit import fit
    from weighbridge.learners.selection import varying

    X, y, weight = data.vectors[data.mature], data.labels[data.mature], data.weight[data.mature]
    first = poisoning.halves(data.columns.seq[data.mature])
    if y.sum() < ENOUGH_POSITIVES or not all(0 < y[half].sum() < half.sum() for half in (first, ~first)):
        return None
    selected, score = varying(X), np.empty(len(y))
    for half in (first, ~first):
        score[half] = fit(case, PROBE, X[~half], y[~half], selected, weight[~half]).log_odds(X[half])
    return score


def _burst(case: UseCase, data: TrainingSet) -> Verdict:
    bounds, told = case.training.poisoning, data.told
    names = told["source"].combine_chunks().dictionary_encode()
    source, day = np.asarray(names.indices, dtype=np.int64), ints(told["arrived_us"]) // DAY_US
    worst = max(
        (
            poisoning.burst(source, day, chosen)
            for chosen in (np.ones(len(day), dtype=np.bool_), ints(told["value"]) == 1)
        ),
        key=lambda found: (found[1] > bounds.burst_share, found[0]),
    )
    times, share, sender, today = worst
    passed = times < bounds.burst or share <= bounds.burst_share
    of = "new sources together" if sender == poisoning.NEW else ""
    of = f"source {names.dictionary[sender].as_py()!r}" if sender >= 0 else of
    who = f"{of} brought {share:.1%} on day {np.datetime64(today, 'D')}" if today >= 0 else ""
    return _verdict("one-source burst: times a usual day", times, bounds.burst, passed, who)


def _duplicates(case: UseCase, data: TrainingSet, before: Mapping[str, Any]) -> tuple[Verdict, float]:
    """Hold repeated content against what production's data had of it; without those only copies to the second tell.

    Healthy rows repeat where no field tells much. Quicker traffic repeats more: with arrivals of one content a Poisson
    process, the share 1 - exp(-rate) is allowed for DENSER times the rate.
    """
    values, event_us = data.columns.values[data.mature], data.columns.event_us[data.mature]
    share, usual, name = (
        poisoning.repeated(values, event_us, DAY_US),
        before.get("duplicates"),
        "duplicates: share of rows",
    )
    if usual is None:
        copies = poisoning.repeated(values, event_us // SECOND_US, 0)
        told = "the same content in the same second; nothing in production to compare with"
        return _verdict(name, copies, COPIES, copies <= COPIES, told), share
    bound = max(usual + case.training.poisoning.duplicates, 1 - (1 - usual) ** DENSER)
    told = f"the same content within a day, {usual:.3f} in production's data"
    return _verdict(name, share, bound, share <= bound, told), share


def _leak(case: UseCase, data: TrainingSet) -> Verdict:
    found = poisoning.telling(data.known_then[data.split.train], data.vectors[data.split.train])
    worst, bound = int(np.argmax(found)), case.training.poisoning.leak
    return _verdict("leaked target: ROC-AUC of one feature", float(found[worst]), bound, found[worst] <= bound,
                    case.feature_names[worst])  # fmt: skip


def _missing(case: UseCase, data: TrainingSet) -> Verdict:
    X = data.vectors[data.mature]
    cut = len(X) - len(X) // NEWEST
    rise = poisoning.missing(X[cut:]) - poisoning.missing(X[:cut])
    worst, bound = int(np.argmax(rise)), case.training.poisoning.missing
    return _verdict("NaN column: rise of the missing share", float(rise[worst]), bound, rise[worst] <= bound,
                    case.feature_names[worst])  # fmt: skip


def _sides(data: TrainingSet) -> list[Verdict]:
    """Rows of a stratified split that stand on both sides: an id, or the same content under another id."""
    if data.content is None:
        return []
    ids, copies = on_both_sides(data.columns.seq, data.split), on_both_sides(data.content, data.split)
    held = data.content[data.mature]
    told = f"{len(held) - len(np.unique(held)):,} of {len(held):,} rows repeat another's content"
    return [
        _verdict("split: ids on both sides", ids, 0, ids == 0, "of training and validation"),
        _verdict("split: copies on both sides", copies, 0, copies == 0, told),
    ]


def _time_travel(case: UseCase, stores: Stores, data: TrainingSet) -> list[Verdict]:
    """Labels that arrived before their events, and vectors that are not what was known at their event's arrival."""
    columns, told, bound = data.columns, data.told, case.training.poisoning.early
    happened = columns.event_us[columns.label_row] - case.events.future_us
    early = float(np.mean(ints(told["arrived_us"]) < happened)) if len(told) else 0.0
    plan = compile_plan(case)
    sound = np.flatnonzero(data.mature & (columns.event_us >= whole_from_us(plan, stores)))
    wanted = np.zeros(len(columns), dtype=np.bool_)
    wanted[sound[np.linspace(0, len(sound) - 1, min(SAMPLED, len(sound))).astype(np.int64)]] = True
    whole = with_child_rows(case, stores, data, wanted)
    again = replay(plan, whole, wanted, cores=stores.budget.cores).view(np.uint32)
    differing = int((again != data.vectors[wanted].view(np.uint32)).any(axis=1).sum())
    return [
        _verdict("time travel: labels before their events", early, bound, early <= bound, "share of all labels"),
        _verdict(
            "time travel: vectors of another time", differing, 0, differing == 0, f"of {int(wanted.sum()):,} made again"
        ),
    ]
