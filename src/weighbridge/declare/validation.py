"""What is checked of data before a model learns from them, how strictly, and the business rules they have to keep."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from weighbridge.declare.contract import Contract
from weighbridge.declare.expression import (
    PROBABILITY,
    Condition,
    Operand,
    named,
)
from weighbridge.declare.fields import refuse
from weighbridge.declare.policy import operands
from weighbridge.declare.reader import parsed, read_condition

SEVERITIES = FAIL, WARN, OFF = "fail", "warn", "off"
STAGES = RAW, ENGINEERED, SPLITS, REQUEST = "raw", "engineered", "splits", "request"
CHECKS = ("columns", "contract", "unique", "binary", "finite", "overlap", "repeats", "missing", "outliers")
OUTLIERS = ROBUST_Z, IQR = "robust_z", "iqr"
FIGURES = ("rows", "positive_share", "labelled_share", "ordered_share", "rejected_share")
FIELD, FEATURE, FIGURE = "field", "feature", "figure"


@dataclass(frozen=True)
class Expect:
    """A business rule: a condition, in the words of a `Rule`, that data keep.

    Of fields, such as "transaction_amount > 0", it is asked of raw rows and of the bodies that `weigh validate CASE
    request` is given; of features, of the vectors: it holds for a share `at_least` of the rows in which nothing that it
    names is missing. It judges data, never one event: `/predict` refuses by the contract alone. Of figures of the whole
    table, such as "0.005 <= positive_share <= 0.02", it is asked once: `rows`, `positive_share` (of labelled events),
    `labelled_share`, `ordered_share` (of rows that do not happen before the row above), `rejected_share`; of a home,
    that of all rows that were ingested.
    """

    name: str
    that: str
    at_least: float = 1.0
    severity: str = FAIL

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise refuse("Expect", "it has no name", "say in a few words what is expected")
        if not 0 < self.at_least <= 1:
            raise refuse(self.place, f"at_least={self.at_least!r} is no share of the rows", "give one above 0, up to 1")
        if self.severity not in SEVERITIES:
            raise refuse(self.place, f"severity={self.severity!r} is unknown", f"use one of {SEVERITIES}")
        parsed(self.place, self.that)

    @property
    def place(self) -> str:
        """Where a fault in it is."""
        return f"expectation {self.name!r}"

    def read(self, contract: Contract, feature_names: Sequence[str]) -> tuple[Condition, str]:
        """Return the condition, and what it is about: "field", "feature" or "figure"; refuses a mixture."""
        names = {name: o for name, o in operands(contract, feature_names).items() if name != PROBABILITY}
        names = {name: Operand(name, FIGURE) for name in FIGURES} | names
        condition = read_condition(self.place, self.that, names, {})
        about = {operand.source for operand in named(condition)}
        if len(about) > 1:
            raise refuse(
                self.place,
                f"{self.that!r} mixes {' and '.join(f'{kind}s' for kind in sorted(about))}",
                "write one rule for each",
            )
        return condition, about.pop()


@dataclass(frozen=True)
class Validation:
    """Which checks run, and whether what they find fails or is a warning; "off" leaves a check out.

    `columns`: everything declared is there. `contract`: the rows keep their contract, but for `rejected_at_most` of
    them. `unique`: no id or key stands twice. `binary`: labels are 0 and 1, and both are there. `finite`: no infinity,
    and nothing undefined where a feature is always defined. `overlap`: no id stands in two splits. `repeats`: at most
    `repeats_at_most` of a split's rows have the content of a row of an earlier one. `missing`: at most
    `missing_at_most` of a column, or what `missing_of` says for it. `outliers`: at most `outliers_at_most` of a
    number's values lie more than `beyond` robust deviations from its median (by "robust_z": 1.4826 times the median
    absolute deviation), or that many interquartile ranges outside the quartiles (by "iqr", Tukey 1977).

    Of a home, `rejected_at_most` bounds the share of all rows that were ingested; 0, the default, bounds it in files
    alone, as the rejects of a home are put apart already.

    `expect` are business rules. `stages` are where anything is checked. With `fail_fast` the first failure is the last
    thing that is looked at.
    """

    columns: str = FAIL
    contract: str = FAIL
    unique: str = FAIL
    binary: str = FAIL
    finite: str = FAIL
    overlap: str = FAIL
    repeats: str = WARN
    missing: str = WARN
    outliers: str = WARN
    expect: Sequence[Expect] = ()
    stages: Sequence[str] = STAGES
    rejected_at_most: float = 0.0
    repeats_at_most: float = 0.01
    missing_at_most: float = 0.9
    missing_of: Mapping[str, float] = field(default_factory=dict)
    outliers_by: str = ROBUST_Z
    beyond: float = 15.0
    outliers_at_most: float = 0.01
    fail_fast: bool = False

    def __post_init__(self) -> None:
        for name in ("expect", "stages"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for check in CHECKS:
            if getattr(self, check) not in SEVERITIES:
                raise refuse("Validation", f"{check}={getattr(self, check)!r} is unknown", f"use one of {SEVERITIES}")
        for stage in self.stages:
            if stage not in STAGES:
                raise refuse("Validation", f"there is no stage {stage!r}", f"use some of {STAGES}")
        shares = {name: getattr(self, name) for name in SHARES} | dict(self.missing_of)
        for name, share in shares.items():
            if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
                raise refuse("Validation", f"{name}={share!r} is no share of the rows", "give 0 to 1")
        if self.outliers_by not in OUTLIERS:
            raise refuse("Validation", f"outliers_by={self.outliers_by!r} is unknown", f"use one of {OUTLIERS}")
        if not (self.beyond > 0 and math.isfinite(self.beyond)):
            raise refuse("Validation", f"beyond={self.beyond!r} is no distance", "give a number above 0, such as 15")
        names = [each.name for each in self.expect]
        if len(set(names)) < len(names):
            raise refuse("Validation", f"two expectations are called {max(names, key=names.count)!r}", "rename one")

    def check(self, contract: Contract, columns: Sequence[str], feature_names: Sequence[str]) -> None:
        """Refuse names that the use case does not have. columns: the fields of all its tables."""
        for name in self.missing_of:
            if name not in columns and name not in feature_names:
                raise refuse("Validation", f"missing_of names {name!r}, which there is not", "name a field or feature")
        for each in self.expect:
            each.read(contract, feature_names)

    def may_miss(self, column: str) -> float:
        """Return the largest share of a column that may be missing."""
        return self.missing_of.get(column, self.missing_at_most)


SHARES = ("rejected_at_most", "repeats_at_most", "missing_at_most", "outliers_at_most")
