"""Which column of a file is what a missed positive costs: by its name, else by its shape, else none."""

from __future__ import annotations

import re
from collections.abc import Sequence

from weighbridge.serve.project.columns import INTEGER, MONEY, NUMBER, Column

NAMES = ("amount", "amt", "amnt", "value", "price", "total", "limit")  # the likeliest first
NO_MONEY = {"rate", "ratio", "percent", "pct", "share", "score", "age", "days", "hours", "lat", "lon", "lng"}
SKEWED = 1.2  # mean by median; money is skewed to the right, rates and scores hardly


def amount_of(columns: Sequence[Column]) -> Column | None:
    """Return the column whose numbers are the amount: never missing nor negative, and likely money."""
    able = [c for c in columns if c.kind in (MONEY, NUMBER, INTEGER) and not c.missing and c.low >= 0]
    by_name = [c for name in NAMES for c in able if name in _words(c.name) and not NO_MONEY & _words(c.name)]
    skewed = [c for c in able if c.kind == MONEY and c.skew >= SKEWED and not NO_MONEY & _words(c.name)]
    return next(iter([*by_name, *sorted(skewed, key=lambda c: -c.skew)]), None)


def _words(name: str) -> set[str]:
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return set(re.split(r"[\W_]+", parted.lower()))
