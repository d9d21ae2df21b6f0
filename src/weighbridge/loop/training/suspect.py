"""Looks for poison in training data before anything is fitted: each way to poison them has its figure and its bound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest

from weighbridge.clock import DAY_US, duration_us
from weighbridge.declare.case import UseCase
from weighbridge.declare.models import lightgbm
from weighbridge.errors import BundleRefused
from weighbridge.kernel import poisoning
from weighbridge.kernel.arrays import Floats
from weighbridge.kernel.columns import ints
from weighbridge.kernel.metrics import roc_auc
from weighbridge.kernel.plan import compile_plan
from weighbridge.kernel.replay import replay
from weighbridge.loop.training.training_set import TrainingSet
from weighbridge.loop.verify import whole_from_us
from weighbridge.ports import Stores
from weighbridge.records import PRODUCTION
from weighbridge.score.bundle import load

PROBE = lightgbm(n_estimators=60, name="probe")
SAMPLED = 2_000  # vectors that are made again
ENOUGH_POSITIVES = 20  # below, no share among the highest scores means anything
SURE = 0.001  # one-sided p-value below which fewer positives on top than in production's data count
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
    before = _of_production(case, stores)
    flipped, kept = _flipped(case, data, before)
    verdicts = [*flipped, _burst(case, data), _duplicates(case, data), _leak(case, data), _missing(case, data)]
    return Suspicion([*verdicts, *_time_travel(case, stores, data)], kept)


def _of_production(case: UseCase, stores: Stores) -> Mapping[str, Any]:
    """Return the figures that production keeps of its own data, none where nothing sound is in production."""
    current = stores.registry.alias(PRODUCTION)
    if current is None:
        return {}
    try:
        facts = load(current, case, stores.bundles, stores.signer).facts
    except BundleRefused:
        return {}
    return facts.get("training_data") or {}


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
    seen = np.unique(spoken[np.argsort(-score[spoken], kind="stable")[:rows]])  # each row once, for how many it speaks
    fewer = binomtest(int(y[seen].sum()), len(seen), expected, alternative="less").pvalue < SURE
    said = f"{hits} of the {rows} highest scores are positive, "
    said += f"{before['top_hits']} of {before['top_rows']} in production's data"
    bound = expected - bounds.hidden
    return [
        first,
        _verdict("flipped labels: hidden positives", hits / rows, bound, hits / rows >= bound or not fewer, said),
    ], kept


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
    who = (
        ""
        if sender < 0
        else f"source {names.dictionary[sender].as_py()!r} brought {share:.1%} on day {np.datetime64(today, 'D')}"
    )
    return _verdict("one-source burst: times a usual day", times, bounds.burst, passed, who)


def _duplicates(case: UseCase, data: TrainingSet) -> Verdict:
    share = poisoning.repeated(data.columns.values[data.mature], data.columns.event_us[data.mature], DAY_US)
    bound = case.training.poisoning.duplicates
    return _verdict("duplicates: share of rows", share, bound, share <= bound, "the same content within a day")


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


def _time_travel(case: UseCase, stores: Stores, data: TrainingSet) -> list[Verdict]:
    """Labels that arrived before their events, and vectors that are not what was known at their event's arrival."""
    columns, told, bound = data.columns, data.told, case.training.poisoning.early
    happened = columns.event_us[columns.label_row] - duration_us(case.events.time.future)
    early = float(np.mean(ints(told["arrived_us"]) < happened)) if len(told) else 0.0
    plan = compile_plan(case)
    sound = np.flatnonzero(data.mature & (columns.event_us >= whole_from_us(plan, stores)))
    wanted = np.zeros(len(columns), dtype=np.bool_)
    wanted[sound[np.linspace(0, len(sound) - 1, min(SAMPLED, len(sound))).astype(np.int64)]] = True
    again = replay(plan, columns, wanted, cores=stores.budget.cores).view(np.uint32)
    differing = int((again != data.vectors[wanted].view(np.uint32)).any(axis=1).sum())
    return [
        _verdict("time travel: labels before their events", early, bound, early <= bound, "share of all labels"),
        _verdict(
            "time travel: vectors of another time", differing, 0, differing == 0, f"of {int(wanted.sum()):,} made again"
        ),
    ]
