"""What training data must show before anything is fitted on them."""

from __future__ import annotations

from dataclasses import dataclass

from weighbridge.declare.fields import refuse


@dataclass(frozen=True)
class Poisoning:
    """The bounds of the checks on training data; training refuses data beyond one of them.

    Flipped labels: a model fitted on one half of the rows and asked about the other separates the classes with ROC-AUC
    `separation` at least, and at most `separation_loss` worse than it did on the data of production; among its highest
    scores, as many as a quarter of the positives, the share of positives is at most `hidden` below that of production's
    data; the share of positives is surely neither above `rate` times that of production's data nor below one `rate`-th;
    without production it is at most `positives`; production's model separates the new labels with `separation`.
    One-source burst: no day of a source, nor of all new sources together, brings `burst` times its usual day and more
    than `burst_share` of all labels, or of all positives; a batch that came as large on two other days, six or more
    apart, is usual. Duplicates: the share of rows that repeats another's whole content within a day is at most this
    above that of production's data; without production, only more than half of rows that repeat one of the same second
    are refused.
    Leaked target: no feature alone separates the classes with a ROC-AUC above `leak`. NaN column: no feature is missing
    in more than `missing` more of the newest rows than before. Time travel: at most the share `early` of labels arrived
    before their events; no vector differs from what was known then.
    """

    separation: float = 0.55
    separation_loss: float = 0.1
    hidden: float = 0.15
    rate: float = 5.0
    positives: float = 0.5
    burst: float = 10.0
    burst_share: float = 0.1
    duplicates: float = 0.02
    leak: float = 0.98
    missing: float = 0.4
    early: float = 0.01

    def __post_init__(self) -> None:
        for name in (
            "separation",
            "separation_loss",
            "hidden",
            "positives",
            "burst_share",
            "duplicates",
            "leak",
            "missing",
            "early",
        ):
            if not 0 <= getattr(self, name) <= 1:
                raise refuse("Poisoning", f"{name}={getattr(self, name)} is no share", "choose 0 to 1")
        if not self.burst >= 1:
            raise refuse("Poisoning", f"burst={self.burst} is below a usual day", "choose 1 or more")
        if not self.rate >= 1:
            raise refuse("Poisoning", f"rate={self.rate} is no ratio of two shares", "choose 1 or more")
