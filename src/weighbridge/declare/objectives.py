"""Service level objectives: how fast, how available and how fresh the service that decides has to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from weighbridge.clock import SECOND_US
from weighbridge.declare.fields import check_duration, refuse

LATENCY, AVAILABILITY, FEATURE_LAG = "latency", "availability", "feature_lag"
LEAST_WINDOW_US = 3_600 * SECOND_US


@dataclass(frozen=True)
class Objectives:
    """What the service promises, each as the share of good ones over the `last` days (SLIs and SLOs as in Beyer et al.,
    Site Reliability Engineering, 2016). None: not promised.

    `availability`, such as .995: of the events that `/predict` and `/predict/batch` were asked to decide, so many were
    answered with a decision, a degraded one too. Not answered are 5xx and the 429 of a door that is full; what the
    caller has to put right (4xx, the 429 of a rate that is spent) counts for neither side, and while no process runs
    nothing is asked.

    `latency`, such as "200ms": of the answers 200 of `/predict` the share `quantile` took at most so long, from the
    request's head to its last byte handed over; with .95 the p95 is within it. Batches are not timed.

    `feature_lag`, such as "2min": of the new decisions the share `quantile` was made with a state that was at most so
    far behind. The lag is the time since events and labels last reached the state that answers when they arrived: 0
    while it is in step with the log, else the time since it was lost, looked at five times a second.

    The window moves in 1,440 pieces; what is recorded outlives a restart, but for the last seconds before a crash. No
    digest depends on objectives: a change voids no bundle.
    """

    latency: str | None = None
    availability: float | None = None
    feature_lag: str | None = None
    quantile: float = 0.95
    last: str = "28d"

    def __post_init__(self) -> None:
        for name in (LATENCY, FEATURE_LAG):
            text = getattr(self, name)
            if text is not None and not check_duration("Objectives", name, text):
                raise refuse("Objectives", f"{name}= is no time at all", "give a duration such as '200ms' or '2min'")
        for name in (AVAILABILITY, "quantile"):
            share = getattr(self, name)
            if share is not None and (isinstance(share, bool) or not isinstance(share, int | float)
                                      or not 0 < share < 1):  # fmt: skip
                raise refuse("Objectives", f"{name}={share!r} is no share", "give one above 0 and below 1, as 0.995")
        if self.last_us < LEAST_WINDOW_US:
            raise refuse("Objectives", f"last={self.last!r} is too short to judge by", "give 1h or more, such as '28d'")

    @cached_property
    def bounds(self) -> Mapping[str, float]:
        """The least share of good ones of each objective that is declared, by its name."""
        found: dict[str, float] = {}
        if self.latency is not None:
            found[LATENCY] = self.quantile
        if self.availability is not None:
            found[AVAILABILITY] = self.availability
        if self.feature_lag is not None:
            found[FEATURE_LAG] = self.quantile
        return found

    @property
    def latency_us(self) -> int | None:
        """The longest good answer, microseconds."""
        return None if self.latency is None else check_duration("Objectives", LATENCY, self.latency)

    @property
    def feature_lag_us(self) -> int | None:
        """The longest good lag, microseconds."""
        return None if self.feature_lag is None else check_duration("Objectives", FEATURE_LAG, self.feature_lag)

    @property
    def last_us(self) -> int:
        """The window, microseconds."""
        return check_duration("Objectives", "last", self.last)

    def title(self, name: str) -> str:
        """Return what an objective asks for, in words."""
        said = {
            LATENCY: f"answered within {self.latency}",
            AVAILABILITY: "answered",
            FEATURE_LAG: f"decided with a state at most {self.feature_lag} behind",
        }
        return f"{self.bounds[name]:.5g} {said[name]}"
