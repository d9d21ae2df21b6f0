"""The next parameters to try, by optuna's tree-structured Parzen estimator."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence

from weighbridge.declare.search import Range, Value
from weighbridge.errors import MissingExtra

Tried = tuple[Mapping[str, object], float]


def suggest(space: Mapping[str, Range | tuple[Value, ...]], seed: int, past: Sequence[Tried]) -> dict[str, Value]:
    """Return what to try after `past`, parameters and their values, higher is better.

    A function of its arguments alone, so a search that was interrupted goes on as if it had not been. Source: Bergstra
    et al. (2011), Algorithms for Hyper-Parameter Optimization; multivariate as in Falkner et al. (2018). Raises
    MissingExtra when optuna is not installed.
    """
    try:
        import optuna
    except ModuleNotFoundError as fault:
        raise MissingExtra(fault.name or "optuna", "tune") from None
    dimensions = optuna.distributions
    distributions = {
        name: dimensions.CategoricalDistribution(of)
        if not isinstance(of, Range)
        else dimensions.IntDistribution(int(of.low), int(of.high), log=of.log)
        if of.whole
        else dimensions.FloatDistribution(float(of.low), float(of.high), log=of.log)
        for name, of in space.items()
    }
    drawn = int.from_bytes(hashlib.sha256(f"{seed}/{len(past)}".encode()).digest()[:4], "big")
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.TPESampler(seed=drawn, multivariate=True)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        for parameters, value in past:
            if all(name in parameters and _inside(of, parameters[name]) for name, of in space.items()):
                asked = {name: parameters[name] for name in space}
                study.add_trial(optuna.trial.create_trial(params=asked, distributions=distributions, value=value))
        return dict(study.ask(distributions).params)
    finally:
        optuna.logging.set_verbosity(before)


def _inside(of: Range | tuple[Value, ...], value: object) -> bool:
    return of.holds(value) if isinstance(of, Range) else value in of
