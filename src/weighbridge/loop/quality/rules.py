"""Business rules held against columns, whatever table they are of."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from weighbridge.declare.case import UseCase
from weighbridge.declare.expression import named
from weighbridge.declare.validation import FIGURE, OFF, Expect
from weighbridge.kernel.arrays import Ints
from weighbridge.kernel.conditions import Column, holding, present
from weighbridge.loop.quality.findings import Findings

Place = tuple[str, str]


def expect_of_rows(
    case: UseCase, found: Findings, place: Place, about: str, read: Callable[[str], Column], rows: Ints
) -> None:
    """Hold the declared rules about "field" or "feature" against a table; rows: where each stands in its file."""
    for each in case.validation.expect:
        condition, source = each.read(case.events, case.feature_names)
        if source != about or each.severity == OFF:
            continue
        columns = {operand.name: read(operand.name) for operand in named(condition)}
        judged = np.logical_and.reduce([present(column) for column in columns.values()])
        holds = holding(condition, columns, len(rows))
        share = float(holds[judged].mean()) if judged.any() else None
        ok = None if share is None else share >= each.at_least
        told = f"{each.that}: " + ("no row can be judged" if share is None else
                                   f"holds for {share:.2%} of {int(judged.sum()):,} rows")  # fmt: skip
        found.add(place, "expect", each.name, told, ok=ok, figure=share, bound=each.at_least,
                  rows=rows[judged & ~holds], severity=each.severity)  # fmt: skip


def expect_of_table(case: UseCase, found: Findings, place: Place, figures: Mapping[str, float]) -> None:
    """Hold the declared rules about figures of the whole table against them; NaN is a figure that is not known."""
    for each in case.validation.expect:
        condition, source = each.read(case.events, case.feature_names)
        if source != FIGURE or each.severity == OFF:
            continue
        columns = {operand.name: np.array([figures[operand.name]]) for operand in named(condition)}
        known = all(present(column)[0] for column in columns.values())
        ok = bool(holding(condition, columns, 1)[0]) if known else None
        found.add(place, "expect", each.name, _told(each, figures, sorted(columns)), ok=ok,
                  figure=figures[sorted(columns)[0]] if known else None, severity=each.severity)  # fmt: skip


def _told(each: Expect, figures: Mapping[str, float], names: list[str]) -> str:
    return f"{each.that}: " + ", ".join(f"{name} is {figures[name]:.6g}" for name in names)
