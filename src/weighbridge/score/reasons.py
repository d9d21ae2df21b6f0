"""Why a score is what it is: exact contributions of features, and those that pushed it up most, in sentences."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from weighbridge.declare.case import UseCase
from weighbridge.declare.features import Feature
from weighbridge.declare.sentences import sentence
from weighbridge.declare.sentences.words import plain
from weighbridge.kernel.arrays import Floats, Vectors
from weighbridge.kernel.forest import Linear
from weighbridge.kernel.shapley import Shapley
from weighbridge.records import Reason
from weighbridge.score.scorer import Scorer

LOG_ODDS, PROBABILITY = "log-odds", "probability"


@dataclass(frozen=True)
class Reasoner:
    """Explains the scores of one model.

    `features` are the names of the vector's values; `of_case`, whether they are those that the case declares now: then
    their sentences are the case's, else a name and a number.
    """

    case: UseCase
    scorer: Scorer
    features: tuple[str, ...]
    of_case: bool

    @property
    def unit(self) -> str:
        """What contributions are in: the log-odds before calibration, or the probability that a forest votes."""
        predictor = self.scorer.predictor
        return LOG_ODDS if isinstance(predictor, Linear) or bool(predictor.logistic) else PROBABILITY

    @property
    def base(self) -> float:
        """The score when nothing is known: the mean over the rows that the model was fitted on, as it weighed them."""
        return self._explained.expected

    @cached_property
    def _explained(self) -> Linear | Shapley:
        predictor = self.scorer.predictor
        return predictor if isinstance(predictor, Linear) else Shapley(predictor)

    @cached_property
    def _declared(self) -> tuple[Feature, ...]:
        return self.case.vector

    def score(self, vectors: Vectors) -> Floats:
        """Return the scores that contributions add up to, before calibration: float64[n]."""
        predictor, inputs = self.scorer.predictor, self.scorer.encoder.encode(vectors)
        return predictor.log_odds(inputs) if isinstance(predictor, Linear) else predictor.raw(inputs)

    def contributions(self, vectors: Vectors) -> Floats:
        """Return what each feature added to `base`: float32[n, features] to float64[n, features].

        The values of all inputs that the encoder makes of a feature are added from left to right. A row has the same
        bits alone as in a batch.
        """
        encoder = self.scorer.encoder
        values = self._explained.values(encoder.encode(vectors))
        width = vectors.shape[1]
        added = [np.bincount(encoder.source, row, width) for row in values]
        return np.array(added, dtype=np.float64).reshape(-1, width)

    def every(self, vector: bytes) -> tuple[Reason, ...]:
        """Return what each feature added to one vector's score, in the order of the vector."""
        values = np.frombuffer(vector, dtype="<f4").reshape(1, -1)
        given = zip(self.contributions(values)[0].tolist(), values[0].tolist(), strict=True)
        return tuple(self._reason(place, added, value) for place, (added, value) in enumerate(given))

    def most(self, every: tuple[Reason, ...]) -> tuple[Reason, ...]:
        """Return those of `every` that `top` returns, without computing them again."""
        return tuple(every[place] for place in self._pushing(np.array([reason.contribution for reason in every])))

    def top(self, vector: bytes) -> tuple[Reason, ...]:
        """Return the features that pushed one vector's score up most, the first first; of equals the earlier."""
        values = np.frombuffer(vector, dtype="<f4").reshape(1, -1)
        added = self.contributions(values)[0]
        return tuple(self._reason(p, float(added[p]), float(values[0, p])) for p in self._pushing(added))

    def told(self, action: str, event_id: str, vector: bytes) -> tuple[Reason, ...] | None:
        """Return the reasons that are told with a decision, None where the case does not ask for them at once."""
        return self.top(vector) if self.case.reasons.wanted(action, event_id) else None

    def _pushing(self, added: Floats) -> list[int]:
        """Return the places of what pushed a score up most, the first first; of equals the earlier."""
        order: list[int] = np.argsort(-added, kind="stable")[: self.case.reasons.most].tolist()
        return [place for place in order if added[place] > 0]

    def _reason(self, place: int, contribution: float, value: float) -> Reason:
        name, known = self.features[place], None if np.isnan(value) else value
        if self.of_case:
            return Reason(name, contribution, known, sentence(self.case, self._declared[place], known))
        return Reason(name, contribution, known, f"{name} is {'missing' if known is None else plain(known)}")
