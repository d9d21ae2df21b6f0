"""How many rows were ingested, and how many of them were rejected, as the runs of `ingest` have recorded it."""

from __future__ import annotations

from typing import NamedTuple

from weighbridge.declare.fields import INT64_MAX
from weighbridge.ports import Tracker


class Ingested(NamedTuple):
    """Rows of events, labels and child rows, those of them that were rejected, and the runs that took them in."""

    rows: int
    rejected: int
    runs: int


def ingested(tracker: Tracker, since_us: int = -1, until_us: int = INT64_MAX) -> Ingested:
    """Return the counts of the runs with since_us < start <= until_us. A file that was given twice counts twice."""
    found = [facts for _, _, at, facts in tracker.runs("ingest") if since_us < at <= until_us]
    files = [file for facts in found for file in (facts.get("sources") or {"": facts}).values()]
    return Ingested(sum(int(f["rows"]) for f in files), sum(int(f["rejected"]) for f in files), len(found))
