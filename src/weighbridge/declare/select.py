"""Which of the declared features a model may use."""

from __future__ import annotations

from dataclasses import dataclass

from weighbridge.declare.fields import refuse
from weighbridge.declare.models import Model, lightgbm

AUC, MUTUAL_INFORMATION, PERMUTATION = "auc", "mutual_information", "permutation"
WAYS = (AUC, MUTUAL_INFORMATION, PERMUTATION)


@dataclass(frozen=True)
class Select:
    """Features are chosen on training rows alone, and only those enter the model.

    `by`: "auc", how far a feature's ROC-AUC is from 1/2 (Mann and Whitney 1947); "mutual_information", of the label and
    the feature's bins, by the G-test (Sokal and Rohlf 1981): both keep what is significant at `false_discovery_rate`
    over all features (Benjamini and Hochberg 1995). "permutation": by how much the average precision of `model` falls
    on later rows when the feature is shuffled (Breiman 2001); it keeps what helps in at least `agreeing` of `folds`.
    `most`: at most so many, the best ones.
    """

    by: str = MUTUAL_INFORMATION
    most: int | None = None
    false_discovery_rate: float = 0.05
    folds: int = 3
    agreeing: int = 2
    model: Model = lightgbm(n_estimators=60)
    seed: int = 7

    def __post_init__(self) -> None:
        if self.by not in WAYS:
            raise refuse("Select", f"by={self.by!r} is unknown", f"use one of {WAYS}")
        if self.most is not None and self.most < 1:
            raise refuse("Select", "most= keeps none", "keep 1 or more, or leave it out")
        if not 0 < self.false_discovery_rate < 1:
            raise refuse("Select", f"false_discovery_rate={self.false_discovery_rate} is no share", "use 0.05, say")
        if not 1 <= self.agreeing <= self.folds:
            raise refuse("Select", f"agreeing={self.agreeing} of folds={self.folds}", "agree in 1 up to all folds")
        if self.model.search is not None or len(list(self.model.candidates())) > 1:
            raise refuse("Select", "model= has searched parameters", "declare one model, without search=")
