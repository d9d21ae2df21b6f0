"""How a model is chosen: on which events, by which metric."""

from __future__ import annotations

from dataclasses import dataclass

from weighbridge.declare.fields import check_duration, refuse
from weighbridge.declare.gates import METRICS
from weighbridge.declare.poisoning import Poisoning
from weighbridge.declare.select import Select

TIME, STRATIFIED = "time", "stratified"


@dataclass(frozen=True)
class Training:
    """Time-ordered: train | a gap in which labels mature | validation; candidates are compared on validation.

    `split="stratified"` is for data where time says nothing, such as a table that arrived at once: of each label the
    same `share` of rows validates, chosen by a seeded hash of the id, and rows of the same content stay on one side.
    Then `rows_per_day` says how many rows make a day, for the review capacity, and intervals resample parts by hash.

    `history` is how much of the past is used (None: all),
    `validation` the length of the validation set, `gap` the time between (default: the label's maturity). `metric`
    chooses the winner; `select` says which features it may use (None: all that vary); intervals come from `bootstraps`
    resamples of validation days. `learning_curve`: shares of the training rows, the newest, on which the winner is
    fitted again, to show what more history is worth. `poisoning` bounds what the data may look like.
    """

    metric: str = "average_precision"
    history: str | None = None
    validation: str = "10d"
    gap: str | None = None
    select: Select | None = None
    learning_curve: tuple[float, ...] = (0.125, 0.25, 0.5)
    bootstraps: int = 200
    k_per_day: int = 100
    seed: int = 7
    split: str = TIME
    share: float = 0.25
    rows_per_day: int = 1_000
    poisoning: Poisoning = Poisoning()

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise refuse("Training", f"metric={self.metric!r} is unknown", f"use one of {METRICS}")
        if self.split not in (TIME, STRATIFIED):
            raise refuse("Training", f"split={self.split!r} is unknown", f"use one of {(TIME, STRATIFIED)}")
        if not 0 < self.share < 1 or self.rows_per_day < 1:
            raise refuse("Training", "share or rows_per_day is out of range", "use 0 < share < 1, and 1 or more")
        for option in ("history", "validation", "gap"):
            text = getattr(self, option)
            if text is not None:
                check_duration("Training", option, text)
        if self.split == STRATIFIED and (self.history or self.gap):
            raise refuse("Training", "history= and gap= are of a split by time", "take them out, or split by time")
        if self.select is not None and not isinstance(self.select, Select):
            raise refuse("Training", f"select={self.select!r} is no Select", 'write select=Select(by="auc"), say')
        object.__setattr__(self, "learning_curve", tuple(sorted(self.learning_curve)))
        if not all(0 < share < 1 for share in self.learning_curve):
            raise refuse("Training", f"learning_curve={self.learning_curve}", "give shares between 0 and 1")
        if self.bootstraps < 20 or self.k_per_day < 1:
            raise refuse("Training", "bootstraps or k_per_day is too small", "use 20 or more, and 1 or more")
