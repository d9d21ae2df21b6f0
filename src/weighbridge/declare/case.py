"""The use case: one frozen value that everything else reads, and the digests of its parts."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from weighbridge.clock import DAY_US
from weighbridge.declare.aggregates import Aggregate
from weighbridge.declare.children import Child, check_children
from weighbridge.declare.contract import Contract
from weighbridge.declare.features import Feature, Features, RowFeature, flatten, parts
from weighbridge.declare.fields import Category, Key, check_duration, refuse
from weighbridge.declare.gates import OBJECTIVES_MISSED, Gate, standard_gates
from weighbridge.declare.labels import LATEST, Label
from weighbridge.declare.models import Model
from weighbridge.declare.objectives import Objectives
from weighbridge.declare.policy import EVERY_DAY, Policy
from weighbridge.declare.reasons import Reasons
from weighbridge.declare.relations import Relations
from weighbridge.declare.retrain import Retrain
from weighbridge.declare.rollout import Rollout
from weighbridge.declare.rollups import Rollup
from weighbridge.declare.simulation import Simulation
from weighbridge.declare.sources import Feed, check_feeds
from weighbridge.declare.stages import Stage, fitting, standard_stages
from weighbridge.declare.training import STRATIFIED, Training
from weighbridge.declare.validation import Validation
from weighbridge.declare.watch import Watch
from weighbridge.identity import describe, digest


@dataclass(frozen=True)
class UseCase:
    """Everything there is to say about one use case, checked whole when it is made.

    `children`: the tables of rows that belong to an event, a parent before its own. `keep`: how long the log keeps an
    event after its arrival, with its labels, its decision and its id, such as "400d"; None keeps all for ever.
    `sources`: where `weigh ingest` finds the tables; `objectives`: what the service promises;
    no digest depends on either. Raises DeclarationError with one
    sentence: what, where, the fix.
    """

    name: str
    events: Contract
    features: Features
    label: Label
    models: Sequence[Model]
    policy: Policy = Policy()
    reasons: Reasons = Reasons()
    training: Training = Training()
    retrain: Retrain = Retrain()
    rollout: Rollout = Rollout()
    watch: Watch = Watch()
    validation: Validation = Validation()
    gates: Sequence[Gate] = standard_gates()
    stages: Sequence[Stage] = standard_stages()
    simulate: Simulation | Relations | None = None
    keep: str | None = None
    children: Sequence[Child] = ()
    sources: Sequence[Feed] = dataclasses.field(default=(), repr=False)
    objectives: Objectives = dataclasses.field(default=Objectives(), repr=False)

    def __post_init__(self) -> None:
        for name in ("models", "gates", "stages", "children", "sources"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "features", tuple(flatten(self.features)))
        object.__setattr__(self, "events", replace(self.events, children=self.children))
        place = f"use case {self.name}"
        if not self.name.isidentifier():
            raise refuse(place, "its name is not an identifier", "use letters, digits and underscores")
        if not self.vector or not self.models:
            raise refuse(place, "it has no features or no models", "declare at least one of each")
        check_children(place, self.events, self.children)
        self._check_label(place)
        self._check_features(place)
        simulated = self.simulate is not None
        object.__setattr__(self, "stages", fitting(place, self.stages, simulated=simulated))
        self._check_money(place)
        self.reasons.check(place, self.vector)
        self._check_keep(place)
        self._check_gates()
        self._check_split(place)
        check_feeds(place, self.sources, [child.name for child in self.children])
        self.validation.check(self.events, [f.name for f in self.events.fields], self.feature_names)
        self.policy.conditions(self.events, self.feature_names)
        self.rollout.sticks_to(self.events)

    def _check_label(self, place: str) -> None:
        if any(f.name == self.label.name for f in self.events.fields):
            raise refuse(
                place, f"the label {self.label.name} is also a field of the event", "take it out of the contract"
            )
        ordered = [f.name for f in self.computed if isinstance(f, Aggregate) and f.of_labels]
        if self.label.resolve != LATEST and ordered:
            raise refuse(
                place,
                f"{ordered[0]} counts the latest labels, and resolve={self.label.resolve!r} another",
                'take the label_ features out, or use resolve="latest"',
            )

    def _check_split(self, place: str) -> None:
        if self.training.split == STRATIFIED and self.policy.capacity_on == EVERY_DAY:
            raise refuse(
                place, "a stratified split knows no days to bound each", 'use capacity_on="average_day" in Policy'
            )

    def _check_gates(self) -> None:
        for gate in self.gates:
            if gate.figure == OBJECTIVES_MISSED and not self.objectives.bounds:
                raise refuse(f"gate {gate.figure}", "no objectives are declared",
                             "declare them, such as UseCase(objectives=Objectives(availability=0.995))")  # fmt: skip
            if gate.by is not None and not isinstance(self.events.field(gate.by, f"gate {gate.figure}"), Category):
                raise refuse(
                    f"gate {gate.figure}", f"by={gate.by!r} is no Category", "compare the values of a Category"
                )

    def _check_keep(self, place: str) -> None:
        if self.keep is None:
            return
        longest_us = max((f.last_us for f in self.computed if isinstance(f, Aggregate)), default=0)
        least_us = longest_us + self.events.late_us + self.label.matures_us
        if check_duration(place, "keep", self.keep) < least_us:
            raise refuse(
                place,
                f"keep={self.keep!r} is shorter than the longest window, the allowed lateness and the label's maturity",
                f"keep at least {-(-least_us // DAY_US)}d",
            )

    def _check_features(self, place: str) -> None:
        names = [feature.name for feature in self.vector]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise refuse(place, f"two features are called {twice[0]}", "give one of them name=")
        for feature in self.computed:
            where = f"feature {feature.name}"
            if isinstance(feature, Aggregate):
                self.events.by(feature.key)
            elif isinstance(feature, Rollup):
                if feature.child not in self.children:
                    raise refuse(where, f"its table {feature.table} is not declared", "add it: UseCase(children=[...])")
            else:
                self._check_row(where, feature)

    def _check_row(self, where: str, feature: RowFeature) -> None:
        for operand in feature.operands:
            if not isinstance(operand, str):
                continue
            if operand == self.label.name:
                raise refuse(where, "it reads the event's own label", "use a label_ aggregate: it sees arrived labels")
            field = self.events.field(operand, where)
            if feature.encoding and not isinstance(field, Category):
                raise refuse(
                    where, f"{operand} is a {type(field).__name__}", "encode a Category, whose values are listed"
                )
            if not feature.encoding and not field.numeric and feature.kind != "is_missing":
                raise refuse(where, f"{operand} is a {type(field).__name__}", "use a number, or encode() a Category")

    def _check_money(self, place: str) -> None:
        amount = self.policy.costs.amount
        if amount is not None and not self.events.field(amount, f"{place}, Costs").numeric:
            raise refuse(f"{place}, Costs", f"amount={amount!r} is not a number", "name a Money field")
        simulation = self.simulate
        if not isinstance(simulation, Simulation):
            return
        where = f"{place}, Simulation"
        if not isinstance(self.events.field(simulation.actor, where), Key):
            raise refuse(where, f"actor={simulation.actor!r} is not a Key", "name the Key field that acts")
        self._check_names(where, simulation)
        for pattern in simulation.patterns:
            for name in (pattern.at, *(change.field for change in pattern.changes)):
                self.events.field(name, f"{where}, pattern {pattern.name}")

    def _check_names(self, where: str, simulation: Simulation) -> None:
        """Refuse a world whose keys would break their own contract."""
        for name in simulation.names:
            self.events.field(name, f"{where}, names")
        for field in self.events.payload:
            if isinstance(field, Key) and field.pattern:
                made = simulation.called(field.name, 1)
                if not re.fullmatch(field.pattern, made):
                    raise refuse(where, f"{field.name} would be called {made!r}, which its pattern does not match",
                                 f'give names={{"{field.name}": ...}}')  # fmt: skip

    @cached_property
    def vector(self) -> tuple[Feature, ...]:
        """The declared features, one for each value of the vector, in order."""
        return tuple(flatten(self.features))

    @cached_property
    def computed(self) -> tuple[Feature, ...]:
        """Every feature to compute, each once, operands before what uses them."""
        return tuple(dict.fromkeys(part for feature in self.vector for part in parts(feature)))

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the vector's values, in order."""
        return tuple(feature.name for feature in self.vector)

    @cached_property
    def stateless(self) -> tuple[int, ...]:
        """The places of the vector's values that the event alone gives, without any history."""
        return tuple(p for p, f in enumerate(self.vector) if not any(isinstance(part, Aggregate) for part in parts(f)))

    @cached_property
    def rows_digest(self) -> str:
        """Digest of what the stored events and child rows depend on: their contracts, but for the bounds of rows."""
        return (
            digest([self.events, *(child.unbounded for child in self.children)])
            if self.children
            else digest(self.events)
        )

    @cached_property
    def state_digest(self) -> str:
        """Digest of what state depends on: contract and aggregates."""
        return digest([self.events, *(f for f in self.computed if isinstance(f, Aggregate))])

    @cached_property
    def vector_digest(self) -> str:
        """Digest of what vectors depend on: state, child tables and row features."""
        return digest([self.state_digest, *self.children, *self.vector])

    @cached_property
    def digest(self) -> str:
        """Digest of the whole declaration."""
        return digest(self)

    def to_json(self) -> dict[str, Any]:
        """Return the whole declaration as plain JSON values."""
        return dict(describe(self))
