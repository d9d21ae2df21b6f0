"""Which decisions met whom: the champion, a canary, or a canary that failed and the champion in its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.declare.fallback import MISSING_CANARY, TEST
from weighbridge.kernel.arrays import Bools
from weighbridge.kernel.columns import ints
from weighbridge.ports import EventLog
from weighbridge.records import CANARY
from weighbridge.score.route import CHAMPION, arms_noted


@dataclass(frozen=True)
class Arms:
    """Which arm decisions met, bool[n] each: the champion, the canary, and the canary where it failed."""

    champion: Bools
    canary: Bools
    failed: Bools


class Met(NamedTuple):
    """How many decisions met a canary, and how many of them it could not make."""

    decisions: int
    failed: int


def arms(decisions: pa.Table, candidate: str, champion: str) -> Arms:
    """Return the arms of decisions. Those that were made without something else, or for a test, met none."""
    whole = _mask(pc.equal(decisions["degraded"], "[]"))
    by = {bundle: _mask(pc.equal(decisions["bundle"], bundle)) for bundle in (candidate, champion)}
    failed = _mask(pc.match_substring(decisions["degraded"], f'"{MISSING_CANARY}"'))
    tested = _mask(pc.match_substring(decisions["degraded"], f'"{TEST}"'))
    route = {arm: _mask(pc.equal(decisions["route"], arm)) for arm in (CHAMPION, CANARY)}
    return Arms(whole & route[CHAMPION] & by[champion], whole & route[CANARY] & by[candidate], failed & ~tested)


def meant_for(log: EventLog, candidate: str, decisions: pa.Table) -> Met:
    """Return how many decisions met a candidate as a canary; a failure counts for the canary of its time."""
    met = arms(decisions, candidate, "")
    noted = [(seq, body.canary == candidate) for seq, body in arms_noted(log)]
    places = np.searchsorted([seq for seq, _ in noted], ints(decisions["seq"]))
    was = np.array([False, *(ours for _, ours in noted)], dtype=np.bool_)[places]
    failed = int((met.failed & was).sum())
    return Met(int(met.canary.sum()) + failed, failed)


def _mask(column: pa.ChunkedArray) -> Bools:
    return np.asarray(column.to_numpy(), dtype=np.bool_)
