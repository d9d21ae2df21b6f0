"""The contract suite of a model family: subclass it, give it `fit` and `options`, and run pytest.

class TestMyFamily(LearnerContract):
    options = {"depth": 3}

    def fit(self, X, y, weight, options):
        return fit_my_family(X, y, weight, options)
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from weighbridge.kernel.arrays import Floats, Ints, Vectors
from weighbridge.kernel.forest import Forest, Predictor, sound
from weighbridge.kernel.metrics import roc_auc
from weighbridge.kernel.shapley import Shapley

ROWS, INPUTS = 1_200, 6


class LearnerContract:
    """What `fit(X, y, weight, options)` of a family must do; X is float32[n, k] with NaN for what is missing."""

    options: ClassVar[dict[str, Any]] = {}

    def fit(self, X: Vectors, y: Ints, weight: Floats, options: dict[str, Any]) -> Predictor:
        """Return the fitted model as arrays."""
        raise NotImplementedError

    def rows(self, seed: int = 3) -> tuple[Vectors, Ints, Floats]:
        """Return inputs of which the first and the second tell the label, one in twenty values missing."""
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(ROWS, INPUTS)).astype(np.float32)
        y = (X[:, 0] + 0.5 * X[:, 1] + 0.4 * rng.normal(size=ROWS) > 0.8).astype(np.int64)
        X[rng.random(X.shape) < 0.05] = np.nan if self.takes_missing else 0.0
        return X, y, np.ones(ROWS)

    takes_missing = True  # False for a family whose encoder fills what is missing, as for logistic()

    def fitted(self, seed: int = 7) -> Predictor:
        """Return the family fitted on `rows`."""
        return self.fit(*self.rows(), {"random_state": seed, **self.options})

    def test_it_learns(self) -> None:
        """On rows it has not seen, positives stand above negatives."""
        X, y, _ = self.rows(seed=4)
        assert roc_auc(y, self.fitted().log_odds(X)) > 0.8

    def test_scores_are_log_odds(self) -> None:
        """Finite, and the mean probability is near the share of positives."""
        X, y, _ = self.rows()
        scores = self.fitted().log_odds(X)
        assert scores.shape == (ROWS,)
        assert np.isfinite(scores).all()
        assert abs(float((1 / (1 + np.exp(-scores))).mean()) - float(y.mean())) < 0.1

    def test_the_same_seed_gives_the_same_bits(self) -> None:
        """Fitted twice; a bundle can be made again."""
        one, two = self.fitted().arrays(), self.fitted().arrays()
        assert all(one[name].tobytes() == two[name].tobytes() for name in one)

    def test_its_arrays_are_sound(self) -> None:
        """They fit each other, hold numbers and lead nowhere else; a stored model is checked so before it is run."""
        assert sound(self.fitted(), INPUTS)

    def test_weights_count(self) -> None:
        """Where the half with turned labels weighs next to nothing, it is not believed."""
        X, y, _ = self.rows()
        turned = np.where(np.arange(ROWS) % 2 == 0, y, 1 - y)
        light = np.where(np.arange(ROWS) % 2 == 0, 1.0, 1e-3)
        model = self.fit(X, turned, light, {"random_state": 7, **self.options})
        assert roc_auc(y, model.log_odds(X)) > 0.75

    def test_inputs_are_left_as_they_were(self) -> None:
        """What was given is given to the next family too."""
        X, y, weight = self.rows()
        before = [part.tobytes() for part in (X, y, weight)]
        self.fit(X, y, weight, {"random_state": 7, **self.options})
        assert before == [part.tobytes() for part in (X, y, weight)]

    def test_contributions_add_up(self) -> None:
        """What each input added, and what was expected, make the score: reasons can be given."""
        model, (X, _, _) = self.fitted(), self.rows()
        X = X[:20]
        explainer = Shapley(model) if isinstance(model, Forest) else model
        total = np.asarray(explainer.values(X)).sum(axis=1) + explainer.expected
        raw = model.raw(X) if isinstance(model, Forest) else model.log_odds(X)
        np.testing.assert_allclose(total, raw, rtol=0, atol=1e-6)
