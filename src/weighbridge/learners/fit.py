"""Fits a declared model: encoder, balanced rows, family. Another package adds a family by an entry point."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from weighbridge.declare.case import UseCase
from weighbridge.declare.models import Model
from weighbridge.errors import DeclarationError, InputError, MissingExtra
from weighbridge.kernel.arrays import Floats, Ints, Vectors
from weighbridge.kernel.encoder import Encoder
from weighbridge.kernel.forest import Forest, Linear, Predictor, sound

FAMILIES = {  # family: module, function
    "logistic": ("sklearn", "fit_logistic"),
    "random_forest": ("sklearn", "fit_random_forest"),
    "xgboost": ("xgboost", "fit_xgboost"),
    "lightgbm": ("lightgbm", "fit_lightgbm"),
}
GROUP = "weighbridge.learners"  # entry points, named after the family
Trainer = Callable[..., Predictor]


@dataclass(frozen=True)
class Fitted:
    """A model that can score vectors: encoder and predictor."""

    model: Model
    encoder: Encoder
    predictor: Predictor

    def log_odds(self, vectors: Vectors) -> Floats:
        """Return uncalibrated log-odds of vectors, float64[n]."""
        return self.predictor.log_odds(self.encoder.encode(vectors))


def fit(
    case: UseCase, model: Model, vectors: Vectors, y: Ints, selected: list[int], spoken: Floats | None = None
) -> Fitted:
    """Fit one declared model (no searched parameters) on vectors, float32[n, features], and labels, int64[n].

    spoken: float64[n], for how many events each row speaks; None is 1 for all. The same input and seed give the same
    bits. Raises MissingExtra when a training library is not installed, DeclarationError for an unknown family,
    InputError for a parameter that the library refuses.
    """
    train = trainer(model)
    try:
        from weighbridge.learners.encode import fit_encoder
        from weighbridge.learners.imbalance import balance
    except ModuleNotFoundError as fault:
        raise MissingExtra(fault.name or "sklearn", "train") from None
    encoder = fit_encoder(case, vectors, y, selected, normal=model.family == "logistic")
    X, labels, weight = balance(model.imbalance, encoder.encode(vectors), y, model.seed, spoken)
    options: dict[str, Any] = {"random_state": model.seed, **dict(model.parameters)}
    try:
        predictor = train(X, labels, weight, options)
    except (TypeError, ValueError) as fault:
        raise InputError(f"model {model.name or model.family} could not be fitted: {fault}") from fault
    if not isinstance(predictor, Forest | Linear) or not sound(predictor, X.shape[1]):
        raise InputError(f"model {model.name or model.family} is no sound Forest or Linear; mend its family's fit")
    return Fitted(model, encoder, predictor)


def trainer(model: Model) -> Trainer:
    """Return the function that fits a model's family: one of `FAMILIES`, or of an installed package's entry points.

    Raises DeclarationError for an unknown family, MissingExtra when its library is not installed.
    """
    if model.family in FAMILIES:
        module, function = FAMILIES[model.family]
        try:
            found: Trainer = getattr(importlib.import_module(f"weighbridge.learners.{module}"), function)
        except ModuleNotFoundError as fault:
            raise MissingExtra(fault.name or module, "train") from None
        return found
    installed = entry_points(group=GROUP)
    if model.family not in installed.names:
        known = ", ".join([*FAMILIES, *sorted(installed.names)])
        raise DeclarationError(f"model {model.name or model.family}: no such family; use one of {known}")
    loaded: Trainer = installed[model.family].load()
    return loaded
