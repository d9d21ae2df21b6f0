"""Which features have moved, from counts: significant after correction, and by more than chance would give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from weighbridge.declare.case import UseCase
from weighbridge.declare.fields import Key
from weighbridge.declare.watch import NONE, SEVERITIES, Watch
from weighbridge.errors import InputError
from weighbridge.kernel.arrays import MISSING, Ints
from weighbridge.kernel.clustered import (
    INDEPENDENT,
    MANY,
    Spread,
    spread,
    together,
)
from weighbridge.kernel.drift import (
    Counter,
    Profile,
    benjamini_hochberg,
    chi_square,
    coarse,
    coarser,
    kolmogorov_smirnov,
    psi,
)
from weighbridge.loop.watching.significance import chi_square_p_value, kolmogorov_p_value

TOO_FEW = "not enough data"


@dataclass(frozen=True)
class Sample:
    """What was counted of one feature: rows by fine bin, missing last, and their spread by every key."""

    counts: Ints
    spreads: Sequence[Spread] = (INDEPENDENT,)


def clusters(case: UseCase, values: Ints) -> list[Ints]:
    """Return the number of each row's cluster by every `Key` of the contract, int64[n] each; a missing key is its own.

    values: int64[n, payload], stored values. Rows of one card or one merchant are alike, and so tell less than as many
    rows that are independent.
    """
    found = []
    for place, field in enumerate(case.events.payload):
        if isinstance(field, Key):
            alone = values[:, place] == MISSING
            numbers = np.unique(values[:, place], return_inverse=True)[1].astype(np.int64)
            numbers[alone] = len(values) + np.arange(int(alone.sum()))
            found.append(np.unique(numbers, return_inverse=True)[1].astype(np.int64))
    return found


def check_counted(version: str, profiles: Mapping[str, Profile]) -> None:
    """Raise InputError where a bundle's reference is of an older form, without what its clusters take from it."""
    if not all("spreads" in one for one in profiles.values()):
        raise InputError(f"bundle {version} was made before its reference was counted; run `weigh retrain`")


def sampled(profiles: Mapping[str, Profile], values: npt.NDArray[Any], groups: Sequence[Ints]) -> dict[str, Sample]:
    """Count rows into the bins of profiles; values: float[n, profiles]; groups: as `clusters` gives them.

    Without groups rows count as independent.
    """
    places = Counter(list(profiles.values())).places(values)
    ordered = [(np.argsort(group, kind="stable"), np.r_[0, np.cumsum(np.bincount(group))]) for group in groups]
    found = {}
    for column, (name, one) in enumerate(profiles.items()):
        fine = places[:, column].astype(np.int64)
        known, cells = coarse(one, np.array(one["counts"], dtype=np.int64)) > 0, coarser(one)
        spreads = [spread(fine[order], starts, cells, known) for order, starts in ordered]
        found[name] = Sample(np.bincount(fine, minlength=len(one["edges"]) + 2), spreads or [INDEPENDENT])
    return found


@dataclass(frozen=True)
class Moved:
    """How far one feature has moved. The tests are None where a side has too few rows, or nothing to compare.

    `effect` is the index less `chance`, its mean where nothing has moved: (bins - 1) (1/n + 1/N), Yurdakul (2018), with
    rows divided by their design effects, and so are the tests: `design_effect` is that of the difference. `p_value` is
    twice the smaller of the two tests' (Bonferroni), `adjusted` the same after Benjamini-Hochberg over all features.
    `degrees` are those of freedom of the design effect: with few clusters it is an estimate, and the tests are wide.
    """

    feature: str
    severity: str
    rows: int
    reference_rows: int
    missing: float
    reference_missing: float
    design_effect: float
    psi: float
    chance: float
    effect: float
    degrees: float = MANY
    ks: float | None = None
    ks_p_value: float | None = None
    chi_square: float | None = None
    chi_square_p_value: float | None = None
    p_value: float | None = None
    adjusted: float | None = None


def judge(watch: Watch, reference: Mapping[str, Profile], window: Mapping[str, Sample]) -> list[Moved]:
    """Return how far every feature of the window has moved from its reference, the worst first."""
    found = [_measured(watch, name, reference[name], sample) for name, sample in window.items()]
    tested = [m for m in found if m.p_value is not None]
    adjusted = benjamini_hochberg(np.array([m.p_value for m in tested], dtype=np.float64))
    sure = {m.feature: q for m, q in zip(tested, adjusted.tolist(), strict=True)}
    judged = [_judged(watch, m, sure.get(m.feature)) for m in found]
    return sorted(judged, key=lambda m: (-_rank(m.severity), -m.effect))


def distribution(reference: Profile, sample: Sample) -> dict[str, Any]:
    """Return the bins of the index with their shares before and now, as JSON values, to be drawn."""
    edges = [f"{reference['edges'][place]:.4g}" for place in reference["bins"]]
    bins = [f"{a} to {b}" for a, b in zip(["…", *edges], [*edges, "…"], strict=True)] + ["missing"]
    shares = (coarse(reference, c) for c in (np.array(reference["counts"], dtype=np.int64), sample.counts))
    before, now = ((counts / max(int(counts.sum()), 1)).tolist() for counts in shares)
    return {"bins": bins, "reference_shares": before, "shares": now}


def overall(moved: list[Moved]) -> str:
    """Return the worst severity; "not enough data" where no feature has enough."""
    known = [m.severity for m in moved if m.severity != TOO_FEW]
    return max(known, key=_rank) if known else TOO_FEW


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else -1


def _judged(watch: Watch, m: Moved, adjusted: float | None) -> Moved:
    if min(m.rows, m.reference_rows) < watch.at_least:
        severity = TOO_FEW
    elif adjusted is None or adjusted > watch.false_discovery_rate:
        severity = NONE
    else:
        severity = watch.of_drift(m.effect)
    return replace(m, severity=severity, adjusted=adjusted)


def _measured(watch: Watch, name: str, reference: Profile, sample: Sample) -> Moved:
    counts, then = sample.counts, np.array(reference["counts"], dtype=np.int64)
    rows, before = int(counts.sum()), int(then.sum())
    e, a = coarse(reference, then), coarse(reference, counts)
    index, chance, design, spreads = 0.0, 0.0, 1.0, [INDEPENDENT]
    if rows and before:
        both = zip(sample.spreads, reference["spreads"], strict=True)
        spreads = [together(now, rows, Spread(*past), before) for now, past in both]
        design = max(s.design_effect for s in spreads)
        index = psi(e, a)
        chance = max(int(((e + a) > 0).sum()) - 1, 0) * design * (1 / rows + 1 / before)
    missing, was = float(counts[-1] / max(rows, 1)), float(then[-1] / max(before, 1))
    m = Moved(name, NONE, rows, before, missing, was, design, index, chance, max(index - chance, 0.0),
              min(s.degrees for s in spreads))  # fmt: skip
    return m if min(rows, before) < watch.at_least else _tested(m, reference, then, counts, spreads)


def _tested(m: Moved, reference: Profile, then: Ints, counts: Ints, spreads: Sequence[Spread]) -> Moved:
    """Add the tests: chi-square on the bins of the index, Kolmogorov-Smirnov where order means something.

    The p-value of each is the largest that any key gives.
    """
    p_values, e, a = [], coarse(reference, then), coarse(reference, counts)
    tests = [(s, *chi_square(e, a, s.design_effect)) for s in spreads]
    squared = [(chi_square_p_value(statistic, degrees, s), statistic) for s, statistic, degrees in tests if degrees]
    if len(squared) == len(tests):
        p_value, statistic = max(squared)
        p_values.append(p_value)
        m = replace(m, chi_square=statistic, chi_square_p_value=p_value)
    distance = float("nan") if reference["categorical"] else kolmogorov_smirnov(then, counts)
    if np.isfinite(distance):
        now, past = int(counts[:-1].sum()), int(then[:-1].sum())
        p_values.append(max(kolmogorov_p_value(distance, now * past / (now + past), s) for s in spreads))
        m = replace(m, ks=distance, ks_p_value=p_values[-1])
    return replace(m, p_value=min(1.0, len(p_values) * min(p_values))) if p_values else m
