"""Model candidates: a family, its parameters, and how the rare class is handled."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

from weighbridge.declare.fields import refuse

Parameter = float | str | bool | tuple[float | str | bool, ...]
IMBALANCE = ("weights", "smote", "downsample", "none")
CALIBRATION = ("sigmoid", "isotonic", "none")


@dataclass(frozen=True)
class Model:
    """One candidate. A parameter that is a tuple is searched: every combination becomes a candidate.

    `imbalance`: class weights (default), SMOTE (Chawla et al. 2002), down-sampling of negatives, or none.
    `calibration`: sigmoid (Platt 1999), isotonic (Zadrozny and Elkan 2002), or none.
    """

    family: str
    parameters: tuple[tuple[str, Parameter], ...] = ()
    imbalance: str = "weights"
    calibration: str = "sigmoid"
    seed: int = 7
    name: str = ""

    def __post_init__(self) -> None:
        place = f"model {self.name or self.family}"
        if self.imbalance not in IMBALANCE:
            raise refuse(place, f"imbalance={self.imbalance!r} is unknown", f"use one of {IMBALANCE}")
        if self.calibration not in CALIBRATION:
            raise refuse(place, f"calibration={self.calibration!r} is unknown", f"use one of {CALIBRATION}")
        if any(value == () for _, value in self.parameters):
            raise refuse(place, "a searched parameter has no values", "list at least one")

    def candidates(self) -> Iterator[Model]:
        """Yield one model for each combination of searched parameters, named after what differs."""
        choices = [value if isinstance(value, tuple) else (value,) for _, value in self.parameters]
        for combination in itertools.product(*choices):
            pairs = [(key, value) for (key, _), value in zip(self.parameters, combination, strict=True)]
            varied = [f"{k}={v}" for (k, v), values in zip(pairs, choices, strict=True) if len(values) > 1]
            yield replace(self, parameters=tuple(pairs), name=" ".join([self.name or self.family, *varied]))


def _model(family: str, defaults: dict[str, Parameter], given: dict[str, object]) -> Model:
    options = {key: given.pop(key) for key in ("imbalance", "calibration", "seed", "name") if key in given}
    parameters = {**defaults, **{k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}}
    return Model(family, tuple(sorted(parameters.items())), **options)  # type: ignore[arg-type]


def logistic(**options: object) -> Model:
    """Logistic regression on quantile-normalised inputs; parameters of scikit-learn's LogisticRegression."""
    return _model("logistic", {"C": 0.1}, options)


def random_forest(**options: object) -> Model:
    """Random forest; parameters of scikit-learn's RandomForestClassifier."""
    return _model(
        "random_forest", {"n_estimators": 100, "min_samples_leaf": 5, "max_depth": 12, "max_samples": 0.4}, options
    )


def xgboost(**options: object) -> Model:
    """XGBoost; parameters of its XGBClassifier."""
    defaults: dict[str, Parameter] = {
        "n_estimators": 150, "learning_rate": 0.08, "max_depth": 5, "min_child_weight": 5.0, "max_bin": 512,
        "base_score": 0.5, "reg_lambda": 5.0, "subsample": 0.8, "colsample_bytree": 0.7,
    }  # fmt: skip
    return _model("xgboost", defaults, options)


def lightgbm(**options: object) -> Model:
    """LightGBM; parameters of its LGBMClassifier."""
    defaults: dict[str, Parameter] = {
        "n_estimators": 200, "learning_rate": 0.05, "num_leaves": 15, "min_child_samples": 30, "max_bin": 1023,
        "reg_lambda": 5.0, "subsample": 0.8, "subsample_freq": 1, "colsample_bytree": 0.6,
    }  # fmt: skip
    return _model("lightgbm", defaults, options)
