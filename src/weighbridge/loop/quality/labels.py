"""Labels, wherever they stand: 0 and 1, and both are there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from weighbridge.loop.quality.findings import Findings
from weighbridge.loop.quality.rules import Place

WORDS = {0: "0", 1: "1", -1: "missing", 2: "neither"}  # as `loop.labels.label.label_values` tells them


def check_labels(found: Findings, place: Place, column: str, values: Sequence[int] | None) -> None:
    """Check labels: 0, 1, -1 where there is none, 2 for what is no label. None: nothing was given that has them."""
    if values is None:
        found.add(place, "binary", column, "no label is given", ok=None)
        return
    counts = Counter(values)
    said = ", ".join(f"{word}: {counts[value]:,}" for value, word in WORDS.items() if counts[value])
    found.add(place, "binary", column, f"the labels are {said}" if said else "there are no labels",
              ok=set(counts) == {0, 1}, figure=float(len(counts)), bound=2.0)  # fmt: skip
