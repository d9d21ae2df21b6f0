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
    data. One-source burst: no day of a source brings `burst` times its usual day and more than `burst_share` of all
    labels, or of all positives. Duplicates: at most this share of rows repeats another's whole content within a day.
    Leaked target: no feature alone separates the classes with a ROC-AUC above `leak`. NaN column: no feature is missing
    in more than `missing` more of the newest rows than before. Time travel: at most the share `early` of labels arrived
    before their events; no vector differs from what was known then.
    """

    separation: float = 0.55
    separation_loss: float = 0.1
    hidden: float = 0.15
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
