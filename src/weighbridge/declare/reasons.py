"""Which decisions are explained at once, and how their reasons read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from string import Formatter
from types import MappingProxyType
from typing import Any

from weighbridge.declare.actions import ACTIONS
from weighbridge.declare.features import Feature, RowFeature
from weighbridge.declare.fields import refuse
from weighbridge.declare.sentences.template import check_template


@dataclass(frozen=True)
class Says:
    """How a feature's value reads: any value, 0 and a missing one. What is left out is generated."""

    text: str
    zero: str = ""
    missing: str = ""


@dataclass(frozen=True)
class Reasons:
    """What is said about a decision.

    `says`: a sentence, or a `Says`, by the name of a feature, such as "amount is {size:.1f} deviations {side} usual"
    (`declare.sentences.template`); the rest is generated. `actions`: the decisions that get their reasons at once;
    `share`: the part of the others that does, chosen by a hash of the event's id. Any decision can be explained
    later. `most`: how many reasons are told.
    """

    says: Mapping[str, Any] = field(default_factory=dict)
    actions: Sequence[str] = ("review", "decline")
    share: float = 0.0
    most: int = 4

    def __post_init__(self) -> None:
        says = {name: Says(text) if isinstance(text, str) else text for name, text in self.says.items()}
        object.__setattr__(self, "says", MappingProxyType(says))
        object.__setattr__(self, "actions", tuple(self.actions))
        unknown = [action for action in self.actions if action not in ACTIONS]
        if unknown:
            raise refuse("Reasons", f"there is no action {unknown[0]!r}", f"use some of {ACTIONS}")
        if not 0 <= self.share <= 1:
            raise refuse("Reasons", f"share={self.share} is no share", "choose 0 to 1")
        if self.most < 1:
            raise refuse("Reasons", f"most={self.most} tells nothing", "tell 1 reason or more")

    def check(self, place: str, vector: Sequence[Feature]) -> None:
        """Refuse sentences about features that are not there, and templates that cannot be filled."""
        features = {feature.name: feature for feature in vector}
        for name, says in self.says.items():
            where = f"{place}, Reasons, {name}"
            if name not in features:
                raise refuse(where, "there is no such feature", "use the name of a declared feature")
            if not isinstance(says, Says):
                raise refuse(where, f"{says!r} is no sentence", "give text, or Says(text, zero=..., missing=...)")
            feature = features[name]
            number = not (isinstance(feature, RowFeature) and feature.encoding)
            check_template(where, says.text, number=number)
            if says.zero:
                check_template(where, says.zero, number=number)
            if says.missing:
                check_template(where, says.missing, number=number)
                if any(name for _, name, _, _ in Formatter().parse(says.missing)):
                    raise refuse(where, "missing= holds a placeholder, and there is no value", "write plain text")

    def wanted(self, action: str, event_id: str) -> bool:
        """Whether a decision gets its reasons at once."""
        if action in self.actions:
            return True
        chance = int.from_bytes(hashlib.sha256(f"reasons {event_id}".encode()).digest()[:8], "big")
        return chance < self.share * 2**64
