"""What a candidate must show before it may be promoted."""

from __future__ import annotations

from dataclasses import dataclass

from weighbridge.declare.fields import refuse

METRICS = (
    "average_precision", "roc_auc", "recall_at_precision_90", "f1", "card_precision_at_k", "brier", "ece", "net_cost",
)  # fmt: skip
LOWER_IS_BETTER = ("brier", "ece", "net_cost")
CHECKS = ("parity_mismatches", "leakiest_feature_auc", *METRICS)


@dataclass(frozen=True)
class Gate:
    """One bound on one figure of the candidate, on the validation set.

    `no_worse_by` compares with production instead, in pairs on rows that production was not trained on: the gate closes
    when the candidate is worse by more than this for sure (the whole 95 % interval of the difference lies below).
    """

    figure: str
    at_least: float | None = None
    at_most: float | None = None
    no_worse_by: float | None = None

    def __post_init__(self) -> None:
        place = f"gate {self.figure}"
        if self.figure not in CHECKS:
            raise refuse(place, "this figure is unknown", f"use one of {CHECKS}")
        bounds = [b for b in (self.at_least, self.at_most, self.no_worse_by) if b is not None]
        if len(bounds) != 1:
            raise refuse(place, f"it has {len(bounds)} bounds", "give exactly one of at_least, at_most, no_worse_by")
        if self.no_worse_by is not None and self.figure not in METRICS:
            raise refuse(place, "this figure has no production value to compare with", "use at_least or at_most")


def standard_gates(metric: str = "average_precision") -> tuple[Gate, ...]:
    """Return the gates every use case should have: parity, no leak, calibration, and no worse than production."""
    return (
        Gate("parity_mismatches", at_most=0),
        Gate("leakiest_feature_auc", at_most=0.995),
        Gate("ece", at_most=0.05),
        Gate(metric, no_worse_by=0.02),
    )
