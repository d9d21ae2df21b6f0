"""What came of an event: a delayed truth with an arrival time of its own."""

from __future__ import annotations

from dataclasses import dataclass

from weighbridge.declare.fields import check_duration


@dataclass(frozen=True)
class Label:
    """A binary label that arrives after its event.

    `matures`: how long after the event its label is taken to be settled; training and metrics leave out younger events.
    `arrives`: in history files without an arrival column for labels, how long after its event each label arrived
    (default: when it matures). `column` and `arrived` name the columns of such files.
    """

    name: str
    matures: str
    arrives: str | None = None
    column: str | None = None
    arrived: str | None = None

    def __post_init__(self) -> None:
        place = f"label {self.name}"
        check_duration(place, "matures", self.matures)
        if self.arrives is not None:
            check_duration(place, "arrives", self.arrives)

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
