"""What counts as a change worth knowing of, and who is told."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from weighbridge.declare.fields import check_duration, refuse

NONE, MODERATE, SEVERE, CRITICAL = "none", "moderate", "severe", "critical"
SEVERITIES = (NONE, MODERATE, SEVERE, CRITICAL)
LEAST_ROWS = 100


@dataclass(frozen=True)
class Watch:
    """When drift is moderate, severe (retrain) or critical (no promotion), and which sinks hear of it.

    The decisions of the `last` days are compared with the newest `reference` of the rows a model was trained on, in
    whole lengths of `last` so that days of the week weigh alike. `moderate`, `warn`, `severe` and `critical` are values
    of the population stability index, less what chance alone would give, that count only where the change is also
    significant at the false discovery rate. From `warn` on the `sinks` are told; moderate drift below it is only in the
    report. A feature with fewer than `at_least` rows on either side is not judged.

    Concept drift is by how much the error on mature labels exceeds what the probabilities promise: .25 is a quarter
    more; the three bounds are those of moderate, severe and critical.

    An alert is sent to a sink once; again only after `cool_down`, or when it has become worse.
    """

    last: str = "7d"
    reference: str = "28d"
    at_least: int = 500
    false_discovery_rate: float = 0.01
    moderate: float = 0.10
    warn: float = 0.15
    severe: float = 0.20
    critical: float = 0.30
    concept: Sequence[float] = (0.25, 0.5, 1.0)
    sinks: Sequence[str] = ("log",)
    cool_down: str = "1d"

    def __post_init__(self) -> None:
        for name in ("concept", "sinks"):
            if isinstance(getattr(self, name), str):
                raise refuse("Watch", f"{name}= is one text", "give a list")
            object.__setattr__(self, name, tuple(getattr(self, name)))
        last, reference, _ = (check_duration("Watch", o, getattr(self, o)) for o in ("last", "reference", "cool_down"))
        if last <= 0 or reference < last:
            raise refuse("Watch", f"reference={self.reference!r} is shorter than last={self.last!r}, or last is 0",
                         "give whole lengths of last")  # fmt: skip
        if not isinstance(self.at_least, int) or self.at_least < LEAST_ROWS:
            raise refuse("Watch", f"at_least={self.at_least!r} rows tell too little", f"use {LEAST_ROWS} or more")
        if not 0 < self.false_discovery_rate <= 0.2:
            raise refuse("Watch", "false_discovery_rate is not between 0 and .2", "use .01, or .05 to hear more")
        self._check_rising("moderate, warn, severe, critical", (self.moderate, self.warn, self.severe, self.critical))
        self._check_rising("concept", self.concept)
        if len(self.concept) != len(SEVERITIES) - 1:
            raise refuse("Watch", f"concept= has {len(self.concept)} bounds", "give moderate, severe and critical")
        for sink in self.sinks:
            if not re.fullmatch(r"[a-z][a-z0-9_]*", str(sink)):
                raise refuse("Watch", f"{sink!r} is not the name of a sink", "use small letters, such as 'slack'")
        if len(set(self.sinks)) != len(self.sinks):
            raise refuse("Watch", "a sink is named twice", "name each once")

    def _check_rising(self, what: str, bounds: Sequence[float]) -> None:
        numbers = [b for b in bounds if isinstance(b, int | float) and math.isfinite(b) and b > 0]
        if len(numbers) != len(bounds) or sorted(numbers) != list(bounds):
            raise refuse("Watch", f"{what} are not numbers above 0 that rise", "give them from mild to grave")

    @property
    def last_us(self) -> int:
        """How far back is looked, microseconds."""
        return check_duration("Watch", "last", self.last)

    @property
    def reference_us(self) -> int:
        """How much of what a model was trained on is compared with, microseconds."""
        return check_duration("Watch", "reference", self.reference)

    @property
    def cool_down_us(self) -> int:
        """How long the same alert is not sent again, microseconds."""
        return check_duration("Watch", "cool_down", self.cool_down)

    def of_drift(self, effect: float) -> str:
        """Return the severity of a significant effect, in units of the population stability index."""
        return _severity(effect, (self.moderate, self.severe, self.critical))

    def of_concept(self, excess: float) -> str:
        """Return the severity of a significant excess of the error over what the probabilities promise."""
        return _severity(excess, self.concept)


def _severity(value: float, bounds: Sequence[float]) -> str:
    return SEVERITIES[sum(value >= bound for bound in bounds)]
