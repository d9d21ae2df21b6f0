"""What a candidate must show before it may be promoted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from weighbridge.declare.fields import check_duration, refuse

METRICS = (
    "average_precision", "roc_auc", "recall_at_precision_90", "f1", "card_precision_at_k", "brier", "ece", "net_cost",
)  # fmt: skip
LOWER_IS_BETTER = ("brier", "ece", "net_cost")
OBJECTIVES_MISSED = "objectives_missed"
OF_WINDOW = ("feature_psi", "score_psi", "flagged_shift", "canary_errors", "rejected_share")
CHECKS = (
    "parity_mismatches", "leakiest_feature_auc", "recall_gap", "label_coverage", "latency_us_p95", "latency_us_p99",
    OBJECTIVES_MISSED, *OF_WINDOW, *METRICS,
)  # fmt: skip
RIVALS = ("production", "staging")


@dataclass(frozen=True)
class Gate:
    """One bound on one figure of the candidate.

    A metric is that of the validation set. `no_worse_by` compares it with what `against` points at instead, in pairs on
    rows that the rival was not trained on, validation's and those that were decided and have matured since (the worse
    counts), by a paired bootstrap over days: the gate closes when the candidate is worse by more than this for sure
    (the whole 95 % interval of the difference lies below), with `sure=True` unless it is surely no worse (the whole
    interval lies above).

    Over the `last` days: `feature_psi`, by how much the selected feature that moved most did, as a PSI beyond chance
    against the candidate's own reference, 0 where none surely has, as `Watch` judges it; `score_psi`, the score;
    `flagged_shift`, by how much the share of flagged events differs from production's when the candidate is asked about
    what production decided; `canary_errors`, the share of its decisions as a canary that were degraded;
    `rejected_share`, of the rows that were ingested.

    `objectives_missed`: how many of the declared `Objectives` the service misses, over their own window: while a
    promise is broken nothing new is released. It does not apply while too little was asked, or production cannot
    decide.

    `recall_gap`: how much lower the recall of the worst value of the Category `by` is than that of all (equal
    opportunity, Hardt et al. 2016); it closes when that is sure at 95 % (Wilson 1927). `label_coverage`: the share of
    mature events with a label. `latency_us_p95`, `latency_us_p99`: of scoring one vector, measured here.
    `parity_mismatches`: values that differ between replay and the online path. `leakiest_feature_auc`: the best a
    single feature does.
    """

    figure: str
    at_least: float | None = None
    at_most: float | None = None
    no_worse_by: float | None = None
    against: str = RIVALS[0]
    sure: bool = False
    by: str | None = None
    last: str = "7d"

    def __post_init__(self) -> None:
        place = f"gate {self.figure}"
        if self.figure not in CHECKS:
            raise refuse(place, "this figure is unknown", f"use one of {CHECKS}")
        bounds = [b for b in (self.at_least, self.at_most, self.no_worse_by) if b is not None]
        if len(bounds) != 1:
            raise refuse(place, f"it has {len(bounds)} bounds", "give exactly one of at_least, at_most, no_worse_by")
        if not bounds[0] == bounds[0]:
            raise refuse(place, "its bound is no number", "give a number")
        if self.no_worse_by is not None and self.figure not in METRICS:
            raise refuse(place, "this figure has no production value to compare with", "use at_least or at_most")
        if self.against not in RIVALS:
            raise refuse(place, f"against={self.against!r} is no alias to compare with", f"use one of {RIVALS}")
        if (self.by is None) == (self.figure == "recall_gap"):
            raise refuse(
                place, "by= goes with recall_gap", "name the Category whose values are compared, or leave it out"
            )
        if not check_duration(place, "last", self.last):
            raise refuse(place, "last= is no time at all", "give a window such as '7d'")

    @property
    def bound(self) -> float:
        """The bound, whichever was given; of a comparison the least difference that is allowed."""
        if self.no_worse_by is not None:
            return -self.no_worse_by
        return self.at_least if self.at_least is not None else float(self.at_most or 0.0)

    @property
    def title(self) -> str:
        """What it asks for, in words."""
        if self.no_worse_by is not None:
            surely = "surely " if self.sure else ""
            return f"{self.figure} {surely}at most {self.no_worse_by:g} worse than {self.against}"
        of = f" by {self.by}" if self.by else ""
        return f"{self.figure}{of} {'>=' if self.at_least is not None else '<='} {self.bound:g}"


def standard_gates(metric: str = "average_precision") -> Sequence[Gate]:
    """Return the gates every use case should have.

    Parity, no leak, calibration, no worse than production, and no errors as a canary. Drift is left to be declared,
    such as Gate("score_psi", at_most=0.30): while windows still fill, a home's first months drift by nature.
    """
    return (
        Gate("parity_mismatches", at_most=0),
        Gate("leakiest_feature_auc", at_most=0.995),
        Gate("ece", at_most=0.05),
        Gate(metric, no_worse_by=0.02),
        Gate("canary_errors", at_most=0.01),
    )
