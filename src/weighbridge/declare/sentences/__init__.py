"""What the value of a feature says, in a sentence for people: as the case words it, else from the declaration."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from weighbridge.declare.features import Feature
from weighbridge.declare.sentences.row import told_by
from weighbridge.declare.sentences.template import render
from weighbridge.declare.sentences.words import words

if TYPE_CHECKING:
    from weighbridge.declare.case import UseCase


def sentence(case: UseCase, feature: Feature, value: float | None) -> str:
    """Return what a feature's value says; None is a value that is undefined.

    Only numbers, and the texts of categories, are shown: free text and keys never are.
    """
    told = told_by(case, feature)
    if value is not None and not math.isfinite(value):
        return f"{words(feature.name)} is {value}"
    says = case.reasons.says.get(feature.name)
    if says is None:
        return told.sentence(value)
    if value is None:
        return says.missing or told.sentence(None)
    return render(says.zero if says.zero and value == 0 else says.text, value, told.shown(value))
