"""From vectors to calibrated probabilities, and from a probability to a level and an action."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from weighbridge.kernel.arrays import Floats, Vectors
from weighbridge.kernel.calibrate import Calibration
from weighbridge.kernel.encoder import Encoder
from weighbridge.kernel.forest import Predictor, sound


@dataclass(frozen=True)
class Scorer:
    """Encoder, model and calibration, each applied row by row: alone or in a batch, the same bits."""

    encoder: Encoder
    predictor: Predictor
    calibration: Calibration

    def probability(self, vectors: Vectors) -> Floats:
        """Return probabilities of vectors: float32[n, features] to float64[n]."""
        return self.calibration.probability(self.predictor.log_odds(self.encoder.encode(vectors)))

    def sound(self, features: int) -> bool:
        """Whether the parts agree with each other and with vectors of `features` values."""
        width = len(self.encoder.source)
        return self.encoder.sound(features) and sound(self.predictor, width) and self.calibration.sound()


class Acting(Protocol):
    """What makes an action and a risk level of a probability."""

    def action(self, probability: float) -> str:
        """Return decline, review or approve."""
        ...

    def level(self, probability: float) -> str:
        """Return the risk level."""
        ...


@dataclass(frozen=True)
class Always:
    """What stands for thresholds where there is no probability: one action, one level."""

    outcome: str
    band: str

    def action(self, _: float) -> str:
        """Return the one action."""
        return self.outcome

    def level(self, _: float) -> str:
        """Return the one level."""
        return self.band


@dataclass(frozen=True)
class Thresholds:
    """Where probabilities become actions, and the lower bounds of the risk levels."""

    review_at: float
    decline_at: float
    bands: Sequence[tuple[str, float]]

    def sound(self) -> bool:
        """Whether every probability has an action and a level."""
        floors = [floor for _, floor in self.bands]
        return 0 <= self.review_at <= self.decline_at and bool(floors) and floors[0] == 0 and floors == sorted(floors)

    def action(self, probability: float) -> str:
        """Return decline, review or approve."""
        if probability >= self.decline_at:
            return "decline"
        return "review" if probability >= self.review_at else "approve"

    def level(self, probability: float) -> str:
        """Return the risk level of a probability."""
        return [name for name, floor in self.bands if probability >= floor][-1]
