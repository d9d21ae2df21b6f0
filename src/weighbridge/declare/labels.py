"""What came of an event: a delayed truth with an arrival time of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from weighbridge.declare.fields import check_duration, refuse

LATEST, PRIORITY, CONFIDENCE = "latest", "priority", "confidence"
RULES = (LATEST, PRIORITY, CONFIDENCE)


@dataclass(frozen=True)
class Source:
    """Where labels come from, as the label records name it: the larger `priority` or `confidence` is believed."""

    name: str
    priority: int = 0
    confidence: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= 64:
            raise refuse("Source", f"{self.name!r} is no name of a source", "use 1 to 64 characters")
        if not 0 <= self.confidence <= 1:
            raise refuse(f"source {self.name}", f"confidence={self.confidence} is no share", "choose 0 to 1")


@dataclass(frozen=True)
class Label:
    """A binary label that arrives after its event.

    `matures`: how long after the event its label is taken to be settled; training and metrics leave out younger events.
    `arrives`: in history files without an arrival column for labels, how long after its event each label arrived
    (default: when it matures). `column` and `arrived` name the columns of such files.
    `resolve`: which of several records about one event counts at a moment, of those that had arrived: the "latest", the
    latest of the source of the largest "priority", or of the largest "confidence". Both are declared for each of
    `sources`; one that is not declared there has 0.
    """

    name: str
    matures: str
    arrives: str | None = None
    column: str | None = None
    arrived: str | None = None
    resolve: str = LATEST
    sources: Sequence[Source] = ()

    def __post_init__(self) -> None:
        place = f"label {self.name}"
        object.__setattr__(self, "sources", tuple(self.sources))
        check_duration(place, "matures", self.matures)
        if self.arrives is not None:
            check_duration(place, "arrives", self.arrives)
        if self.resolve not in RULES:
            raise refuse(place, f"resolve={self.resolve!r} is unknown", f"use one of {RULES}")
        names = [source.name for source in self.sources]
        if len(set(names)) < len(names):
            raise refuse(place, f"two sources are called {max(names, key=names.count)}", "declare each once")
        if self.resolve != LATEST and not self.sources:
            raise refuse(place, f"resolve={self.resolve!r} has no sources to go by", "declare sources=[Source(...)]")

    def trust(self, source: str) -> float:
        """Return how much a source is believed by the declared rule; all alike where the latest record counts."""
        if self.resolve == LATEST:
            return 0.0
        return next((float(getattr(s, self.resolve)) for s in self.sources if s.name == source), 0.0)

    @property
    def source(self) -> str:
        """The column that holds the label in a history file."""
        return self.column or self.name

    @property
    def matures_us(self) -> int:
        """How long after its event a label is settled, microseconds."""
        return check_duration(self.name, "matures", self.matures)

    @property
    def arrives_us(self) -> int:
        """How long after its event a label arrives where a history file does not say, microseconds."""
        return check_duration(self.name, "arrives", self.arrives or self.matures)
