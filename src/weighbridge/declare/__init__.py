"""The vocabulary of a declaration. A use case's file imports this room and nothing else."""

from weighbridge.declare.aggregates import Aggregate, Entity
from weighbridge.declare.case import UseCase
from weighbridge.declare.children import Child, minus
from weighbridge.declare.conditions import above, at_least, at_most, below, differs, equal
from weighbridge.declare.contract import Contract
from weighbridge.declare.explore import Explore
from weighbridge.declare.fallback import Fallback
from weighbridge.declare.features import (
    Feature,
    Features,
    bucket,
    day_of_week,
    difference,
    encode,
    hour_of_day,
    is_between_hours,
    is_business_hours,
    is_missing,
    is_round,
    is_weekend,
    least_of,
    log,
    mean_of,
    most_of,
    ratio,
    value,
    zscore,
)
from weighbridge.declare.fields import Category, Id, Integer, Key, Money, Number, Text, Time
from weighbridge.declare.gates import Gate, standard_gates
from weighbridge.declare.labels import Label, Source
from weighbridge.declare.models import Model, lightgbm, logistic, random_forest, xgboost
from weighbridge.declare.objectives import Objectives
from weighbridge.declare.poisoning import Poisoning
from weighbridge.declare.policy import Costs, ListOf, Policy, Rule
from weighbridge.declare.reasons import Reasons, Says
from weighbridge.declare.relations import Drawn, Relations, Rows, among, drawn, flag, lognormal, normal, steps
from weighbridge.declare.retrain import Retrain
from weighbridge.declare.rollout import Guardrails, Rollout, Step
from weighbridge.declare.rollups import Rollup
from weighbridge.declare.search import Range, Search
from weighbridge.declare.select import Select
from weighbridge.declare.simulation import Pattern, Simulation, anywhere, between, choice, fresh, times
from weighbridge.declare.sources import Feed
from weighbridge.declare.stages import Stage, nightly_stages, standard_stages
from weighbridge.declare.training import Training
from weighbridge.declare.validation import Expect, Validation
from weighbridge.declare.watch import Watch

__all__ = [
    "Aggregate",
    "Category",
    "Child",
    "Contract",
    "Costs",
    "Drawn",
    "Entity",
    "Expect",
    "Explore",
    "Fallback",
    "Feature",
    "Features",
    "Feed",
    "Gate",
    "Guardrails",
    "Id",
    "Integer",
    "Key",
    "Label",
    "ListOf",
    "Model",
    "Money",
    "Number",
    "Objectives",
    "Pattern",
    "Poisoning",
    "Policy",
    "Range",
    "Reasons",
    "Relations",
    "Retrain",
    "Rollout",
    "Rollup",
    "Rows",
    "Rule",
    "Says",
    "Search",
    "Select",
    "Simulation",
    "Source",
    "Stage",
    "Step",
    "Text",
    "Time",
    "Training",
    "UseCase",
    "Validation",
    "Watch",
    "above",
    "among",
    "anywhere",
    "at_least",
    "at_most",
    "below",
    "between",
    "bucket",
    "choice",
    "day_of_week",
    "difference",
    "differs",
    "drawn",
    "encode",
    "equal",
    "flag",
    "fresh",
    "hour_of_day",
    "is_between_hours",
    "is_business_hours",
    "is_missing",
    "is_round",
    "is_weekend",
    "least_of",
    "lightgbm",
    "log",
    "logistic",
    "lognormal",
    "mean_of",
    "minus",
    "most_of",
    "nightly_stages",
    "normal",
    "random_forest",
    "ratio",
    "standard_gates",
    "standard_stages",
    "steps",
    "times",
    "value",
    "xgboost",
    "zscore",
]
