"""What the checks of a validation found, and what they saw of each column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from weighbridge.declare.validation import FAIL, OFF, Validation
from weighbridge.kernel.arrays import Bools, Floats, Ints
from weighbridge.kernel.quality import spread

EXAMPLES = 5
NO_ROWS = "there are no rows"
PASSED, FAILED, WARNED, NOT_JUDGED = "passed", "failed", "warned", "not judged"
OUTCOMES = (FAILED, WARNED, NOT_JUDGED, PASSED)


class Enough(Exception):
    """The first failure came, and nothing more is to be looked at."""


@dataclass(frozen=True)
class Finding:
    """One check of one column or table: what came of it, the figure and its bound, and some rows, counted from 0.

    It never holds a value of the data.
    """

    stage: str
    table: str
    check: str
    column: str
    outcome: str
    figure: float | None
    bound: float | None
    rows: int
    examples: tuple[int, ...]
    sentence: str


@dataclass
class Findings:
    """Collects findings, and what was seen of columns, under a declared validation."""

    validation: Validation
    found: list[Finding] = field(default_factory=list)
    seen: list[dict[str, Any]] = field(default_factory=list)
    stages: dict[str, str] = field(default_factory=dict)  # what was looked at in each

    def wants(self, check: str) -> bool:
        """Whether a check is not declared off."""
        return bool(getattr(self.validation, check) != OFF)

    def add(
        self, place: tuple[str, str], check: str, column: str, sentence: str, *, ok: bool | None,
        figure: float | None = None, bound: float | None = None, rows: Ints | Sequence[int] = (),
        severity: str | None = None,
    ) -> None:  # fmt: skip
        """Take in what a check found. ok: whether it holds, None where that cannot be judged.

        Raises Enough when it fails and the validation is declared to stop there.
        """
        severity = severity or getattr(self.validation, check)
        if severity == OFF:
            return
        outcome = NOT_JUDGED if ok is None else PASSED if ok else FAILED if severity == FAIL else WARNED
        some = tuple(int(row) for row in rows[:EXAMPLES])
        self.found.append(Finding(*place, check, column, outcome, figure, bound, len(rows), some, sentence))
        if outcome == FAILED and self.validation.fail_fast:
            raise Enough()

    def share(
        self, place: tuple[str, str], check: str, column: str, what: str, broken: Bools, bound: float,
        rows: Ints | None = None,
    ) -> None:  # fmt: skip
        """Take in which rows a check is broken by, bool[n], and the share of them that may be.

        rows: int64[n], where each stands in its file; None where they are all of it.
        """
        if not len(broken):
            self.add(place, check, column, NO_ROWS, ok=None, bound=bound)
            return
        figure = float(broken.mean())
        sentence = f"{figure:.2%} of {len(broken):,} rows {what}, {bound:.2%} may"
        self.add(place, check, column, sentence, ok=figure <= bound, figure=figure, bound=bound,
                 rows=np.flatnonzero(broken) if rows is None else rows[broken])  # fmt: skip

    def unique(self, place: tuple[str, str], column: str, what: str, twice: Ints, of: int) -> None:
        """Take in the places of the rows, of so many, that have `what`, an id or a key, again."""
        if not of:
            self.add(place, "unique", column, NO_ROWS, ok=None, bound=0.0)
            return
        self.add(place, "unique", column, f"{len(twice):,} of {of:,} rows have {what} again", ok=not len(twice),
                 figure=float(len(twice)), bound=0.0, rows=twice)  # fmt: skip

    def profile(self, place: tuple[str, str], column: str, missing: Bools, values: Floats | None = None,
                counts: dict[str, int] | None = None) -> None:  # fmt: skip
        """Keep what a column looks like: missing rows, and its numbers' spread or its categories' counts."""
        told: dict[str, Any] = {"stage": place[0], "table": place[1], "column": column, "rows": len(missing)}
        told["missing"] = float(missing.mean()) if len(missing) else 0.0
        if values is not None:
            told |= spread(values)
        if counts is not None:
            told["categories"] = counts
        self.seen.append(told)

    def count(self, outcome: str) -> int:
        """Return how many checks came out so."""
        return sum(each.outcome == outcome for each in self.found)

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values, the worst findings first."""
        ordered = sorted(self.found, key=lambda each: OUTCOMES.index(each.outcome))
        return {
            "passed": not self.count(FAILED),
            **{outcome.replace(" ", "_"): self.count(outcome) for outcome in OUTCOMES if outcome != PASSED},
            "checks": len(self.found),
            "stages": dict(self.stages),
            "findings": [{**asdict(each), "examples": list(each.examples)} for each in ordered],
            "columns": self.seen,
        }
