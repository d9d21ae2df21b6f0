"""Model candidates: a family, its parameters, and how the rare class is handled."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

from weighbridge.declare.fields import refuse
from weighbridge.declare.search import Range, Search, Space

Parameter = float | str | bool | tuple[float | str | bool, ...]
IMBALANCE = ("weights", "smote", "downsample", "none")
CALIBRATION = ("sigmoid", "isotonic", "auto", "none")


@dataclass(frozen=True)
class Model:
    """One candidate. A parameter that is a tuple is searched: every combination becomes a candidate.

    `imbalance`: class weights (default), SMOTE (Chawla et al. 2002), down-sampling of negatives, or none.
    `calibration`: sigmoid (Platt 1999), isotonic (Zadrozny and Elkan 2002), none, or auto: of sigmoid and isotonic that
    of less log loss on the half of the validation days that it was not fitted on. `search`: its other parameters are
    the best that were found on folds of the training rows.
    """

    family: str
    parameters: tuple[tuple[str, Parameter], ...] = ()
    imbalance: str = "weights"
    calibration: str = "sigmoid"
    seed: int = 7
    name: str = ""
    search: Search | None = None

    def __post_init__(self) -> None:
        place = f"model {self.name or self.family}"
        if self.imbalance not in IMBALANCE:
            raise refuse(place, f"imbalance={self.imbalance!r} is unknown", f"use one of {IMBALANCE}")
        if self.calibration not in CALIBRATION:
            raise refuse(place, f"calibration={self.calibration!r} is unknown", f"use one of {CALIBRATION}")
        if any(value == () for _, value in self.parameters):
            raise refuse(place, "a searched parameter has no values", "list at least one")
        if self.search is not None and not self.search.ranges:
            raise refuse(place, "nothing is left to search for", "give search=Search(space={...})")

    def candidates(self) -> Iterator[Model]:
        """Yield one model for each combination of searched parameters, named after what differs."""
        choices = [value if isinstance(value, tuple) else (value,) for _, value in self.parameters]
        for combination in itertools.product(*choices):
            pairs = [(key, value) for (key, _), value in zip(self.parameters, combination, strict=True)]
            varied = [f"{k}={v}" for (k, v), values in zip(pairs, choices, strict=True) if len(values) > 1]
            yield replace(self, parameters=tuple(pairs), name=" ".join([self.name or self.family, *varied]))


def _model(family: str, defaults: dict[str, Parameter], space: Space, given: dict[str, object]) -> Model:
    options = {key: given.pop(key) for key in ("imbalance", "calibration", "seed", "name", "search") if key in given}
    search = options.get("search")
    if search is not None and not isinstance(search, Search):
        raise refuse(f"model {family}", f"search={search!r} is no Search", "write search=Search(trials=40), say")
    if search is not None:
        twice = sorted(search.ranges.keys() & given.keys())
        if twice:
            raise refuse(f"model {family}", f"{twice[0]} is both declared and searched for", "leave one of them out")
        options["search"] = replace(search, space=search.space or _rest(space, given))
    parameters = {**defaults, **{k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}}
    return Model(family, tuple(sorted(parameters.items())), **options)  # type: ignore[arg-type]


def _rest(space: Space, given: dict[str, object]) -> Space:
    """Return a family's space without the parameters that were given."""
    left = tuple((name, of) for name, of in space if name not in given)
    if not left:
        raise refuse("Search", "every parameter of its space is declared", "give space=, or leave search= out")
    return left


def logistic(**options: object) -> Model:
    """Logistic regression on quantile-normalised inputs; parameters of scikit-learn's LogisticRegression."""
    return _model("logistic", {"C": 0.1}, (("C", Range(1e-3, 10.0, log=True)),), options)


def random_forest(**options: object) -> Model:
    """Random forest; parameters of scikit-learn's RandomForestClassifier."""
    defaults: dict[str, Parameter] = {
        "n_estimators": 100, "min_samples_leaf": 5, "max_depth": 12, "max_samples": 0.4,
    }  # fmt: skip
    space = (
        ("max_depth", Range(5, 20)),
        ("max_samples", Range(0.2, 0.8)),
        ("min_samples_leaf", Range(2, 50, log=True)),
    )
    return _model("random_forest", defaults, space, options)


def xgboost(**options: object) -> Model:
    """XGBoost; parameters of its XGBClassifier."""
    defaults: dict[str, Parameter] = {
        "n_estimators": 150, "learning_rate": 0.08, "max_depth": 5, "min_child_weight": 5.0, "max_bin": 512,
        "base_score": 0.5, "reg_lambda": 5.0, "subsample": 0.8, "colsample_bytree": 0.7,
    }  # fmt: skip
    space = (
        ("colsample_bytree", Range(0.4, 1.0)), ("learning_rate", Range(0.02, 0.2, log=True)),
        ("max_depth", Range(3, 8)), ("min_child_weight", Range(1.0, 30.0, log=True)), ("n_estimators", Range(50, 400)),
        ("reg_lambda", Range(0.1, 30.0, log=True)), ("subsample", Range(0.5, 1.0)),
    )  # fmt: skip
    return _model("xgboost", defaults, space, options)


def lightgbm(**options: object) -> Model:
    """LightGBM; parameters of its LGBMClassifier."""
    defaults: dict[str, Parameter] = {
        "n_estimators": 200, "learning_rate": 0.05, "num_leaves": 15, "min_child_samples": 30, "max_bin": 1023,
        "reg_lambda": 5.0, "subsample": 0.8, "subsample_freq": 1, "colsample_bytree": 0.6,
    }  # fmt: skip
    space = (
        ("colsample_bytree", Range(0.4, 1.0)), ("learning_rate", Range(0.02, 0.2, log=True)),
        ("min_child_samples", Range(5, 200, log=True)), ("n_estimators", Range(50, 400)),
        ("num_leaves", Range(7, 63, log=True)), ("reg_lambda", Range(0.1, 30.0, log=True)),
        ("subsample", Range(0.5, 1.0)),
    )  # fmt: skip
    return _model("lightgbm", defaults, space, options)
